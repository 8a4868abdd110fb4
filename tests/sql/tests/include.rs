//! INCLUDE: values that an index keeps with its keys, so that it answers alone.

use isolation::client::Client;

fn query(client: &mut Client, sql: &str) -> Vec<String> {
    let answer = client.query(sql).expect("an answer");
    assert_eq!(answer.error, None, "{sql}");
    answer.lines()
}

/// The rows of a query that the index alone answers.
fn alone(client: &mut Client, sql: &str, index: &str) -> Vec<String> {
    let plan = query(
        client,
        &format!("EXPLAIN (ANALYZE, COSTS off, TIMING off) {sql}"),
    );
    let plan = plan.join("\n");
    assert!(
        plan.contains(&format!("Index Only Scan using {index}")),
        "{plan}"
    );
    assert!(plan.contains("Heap Fetches: 0"), "{plan}");
    query(client, sql)
}

/// A table with two such indexes, that is always read by one.
fn table_with_indexes() -> Client {
    let mut client = Client::connect(host_server::start()).expect("a server");
    for sql in [
        "CREATE TABLE side (id int, a int, b text, n numeric, j jsonb)",
        "INSERT INTO side SELECT g, g % 10, 'b' || g, g + 0.50, to_jsonb(g) \
         FROM generate_series(1, 100) g",
        // Filled from the rows, and row by row.
        "CREATE UNIQUE INDEX side_id ON side (id) INCLUDE (b, n, j)",
        "CREATE INDEX side_a ON side (a DESC) INCLUDE (n)",
        "INSERT INTO side VALUES (101, 3, NULL, 1.000, NULL), (102, 3, '', 'NaN', '{\"x\": [1]}')",
        "VACUUM ANALYZE side",
        "SET enable_seqscan = off",
    ] {
        query(&mut client, sql);
    }
    client
}

#[test]
fn an_index_answers_with_the_values_beside_its_keys() {
    let mut client = table_with_indexes();
    // Exactly as they were written, whatever their type orders as.
    let sql = "SELECT id, b, n, j FROM side WHERE id >= 99 ORDER BY id";
    let rows = alone(&mut client, sql, "side_id");
    assert_eq!(
        rows,
        [
            "99|b99|99.50|99",
            "100|b100|100.50|100",
            "101|null|1.000|null",
            "102||NaN|{\"x\": [1]}"
        ]
    );
    let rows = alone(
        &mut client,
        "SELECT n FROM side WHERE a = 3 AND n < 20 ORDER BY n",
        "side_a",
    );
    assert_eq!(rows, ["1.000", "3.50", "13.50"]);
    let sql = "SELECT a, count(n) FROM side WHERE a > 7 GROUP BY a ORDER BY a";
    assert_eq!(alone(&mut client, sql, "side_a"), ["8|10", "9|10"]);

    // Keys alone must differ.
    let answer = client
        .query("INSERT INTO side VALUES (7, 1, 'other', 2)")
        .expect("an answer");
    let error = answer.error.expect("a duplicate");
    assert_eq!(
        (error.code.as_str(), error.detail.as_str()),
        ("23505", "Key (id)=(7) already exists.")
    );
    query(
        &mut client,
        "INSERT INTO side (id, b) VALUES (7, 'x') ON CONFLICT (id) DO UPDATE SET b = 'seven'",
    );
    // What goes with a key changes with its row.
    query(&mut client, "UPDATE side SET n = n + 1 WHERE id = 8");
    query(&mut client, "VACUUM side");
    let sql = "SELECT b, n FROM side WHERE id IN (7, 8) ORDER BY id";
    assert_eq!(
        alone(&mut client, sql, "side_id"),
        ["seven|7.50", "b8|9.50"]
    );

    // Built with duplicates it is refused, by its keys.
    let sql = "CREATE UNIQUE INDEX side_twice ON side (a) INCLUDE (id)";
    assert_eq!(client.query(sql).expect("an answer").code(), "23505");
    query(
        &mut client,
        "CREATE INDEX CONCURRENTLY side_late ON side (b) INCLUDE (a, id)",
    );
    query(&mut client, "REINDEX INDEX side_id");
    query(&mut client, "VACUUM side");
    let sql = "SELECT a, id FROM side WHERE b = 'b50'";
    assert_eq!(alone(&mut client, sql, "side_late"), ["0|50"]);
    let sql = "SELECT n FROM side WHERE id = 102";
    assert_eq!(alone(&mut client, sql, "side_id"), ["NaN"]);
    query(&mut client, "DROP TABLE side");
}
