//! Indexes are made, dropped and rebuilt while others write the table: whatever
//! index is there in the end has every row, and no row twice.

use isolation::client::Client;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Values of the indexed column.
const VALUES: u64 = 300;

/// So many rounds of making and dropping there are, and more until the others have
/// made so many changes: rows that were updated often must be there in the end.
const ROUNDS: usize = 6;
const CHANGES: u64 = 2000;

/// Whoever makes no changes in so many rounds will make none.
const MOST_ROUNDS: usize = 5000;

fn query(client: &mut Client, sql: &str) -> Vec<String> {
    let answer = client.query(sql).expect("an answer");
    assert_eq!(answer.error, None, "{sql}");
    answer.lines()
}

/// Inserts, updates and deletes rows of its own until told to stop.
fn write(port: u16, writer: u64, stop: &AtomicBool, done: &AtomicU64) {
    let mut client = Client::connect(port).expect("a server");
    let mut state = writer + 1;
    while !stop.load(Ordering::SeqCst) {
        // Lehmer's generator: which row, and what becomes of it.
        state = state * 48_271 % 0x7fff_ffff;
        let (id, value) = (writer * 1000 + state % 100, state / 100 % VALUES);
        let sql = match state / 1_000_000 % 8 {
            0 => format!("DELETE FROM live WHERE id = {id}"),
            1 | 2 => format!("UPDATE live SET v = {value}, more = more + 1 WHERE id = {id}"),
            3..=5 => format!("UPDATE live SET more = more + 1 WHERE id = {id}"),
            _ => format!(
                "INSERT INTO live VALUES ({id}, {value}, 0) \
                 ON CONFLICT (id) DO UPDATE SET v = excluded.v"
            ),
        };
        query(&mut client, &sql);
        done.fetch_add(1, Ordering::SeqCst);
    }
}

/// Every value is looked up through the index, and compared with what reading the
/// whole table gives.
fn compare(client: &mut Client, condition: &str) {
    let index = |sql: &str| format!("SELECT v, id FROM live WHERE {condition}{sql} ORDER BY v, id");
    let all = query(client, &index(""));
    let mut found = Vec::new();
    for value in 0..VALUES {
        found.extend(query(client, &index(&format!(" AND v = {value}"))));
    }
    assert_eq!(found, all);
    assert!(!all.is_empty());
}

#[test]
fn an_index_made_while_others_write_has_every_row() {
    let port = host_server::start();
    let mut client = Client::connect(port).expect("a server");
    let table = "CREATE TABLE live (id int PRIMARY KEY, v int, more int)";
    query(&mut client, table);
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (stop, done) = (&stop, &done);
                scope.spawn(move || write(port, writer, stop, done))
            })
            .collect();
        for round in 1..=MOST_ROUNDS {
            for sql in [
                "CREATE INDEX CONCURRENTLY live_v ON live (v)",
                "CREATE INDEX live_some ON live (v) WHERE more > 2",
                "REINDEX INDEX CONCURRENTLY live_v",
                "REINDEX TABLE live",
            ] {
                query(&mut client, sql);
            }
            let failed = writers.iter().any(|w| w.is_finished());
            if failed || round >= ROUNDS && done.load(Ordering::SeqCst) >= CHANGES {
                break;
            }
            query(&mut client, "DROP INDEX live_v, live_some");
        }
        stop.store(true, Ordering::SeqCst);
        for writer in writers {
            writer.join().expect("a writer");
        }
    });
    let done = done.into_inner();
    assert!(done >= CHANGES, "{done} changes");
    query(&mut client, "ANALYZE live");
    let plan = query(&mut client, "EXPLAIN SELECT id FROM live WHERE v = 7").join(" ");
    assert!(plan.contains("live_v"), "{plan}");
    compare(&mut client, "more >= 0");
    compare(&mut client, "more > 2");
    query(&mut client, "DROP TABLE live");
}

#[test]
fn an_index_is_not_dropped_while_its_table_is_in_use() {
    let port = host_server::start();
    let mut user = Client::connect(port).expect("a server");
    let mut other = Client::connect(port).expect("a server");
    query(&mut user, "CREATE TABLE used (id int PRIMARY KEY, v int)");
    query(&mut user, "CREATE INDEX used_v ON used (v)");
    query(&mut other, "SET lock_timeout = '30ms'");
    for sql in ["SELECT * FROM used", "INSERT INTO used VALUES (1, 1)"] {
        query(&mut user, "BEGIN");
        query(&mut user, sql);
        let answer = other.query("DROP INDEX used_v").expect("an answer");
        assert_eq!(answer.error.expect("it waits").code, "55P03", "{sql}");
        query(&mut user, "COMMIT");
    }
    query(&mut other, "DROP INDEX used_v");
    query(&mut user, "DROP TABLE used");
}
