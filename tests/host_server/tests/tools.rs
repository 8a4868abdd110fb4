//! psql and pgbench, where they are installed.

use std::io::Write;
use std::process::{Command, Stdio};

fn tool(name: &str) -> Option<Command> {
    let there = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !there.is_ok_and(|s| s.success()) {
        eprintln!("{name} is not installed: not tested");
        return None;
    }
    let mut command = Command::new(name);
    command
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", host_server::start().to_string())
        .env("PGUSER", "postgres")
        .env("PGDATABASE", "postgres")
        .env("PGCONNECT_TIMEOUT", "20");
    Some(command)
}

/// What psql prints for a script, unaligned, errors among it.
fn psql(script: &str) -> Option<String> {
    let mut child = tool("psql")?
        .args(["-X", "-q", "-A", "-t", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(text(&output.stdout) + &text(&output.stderr))
}

fn check(script: &str, expected: &str) {
    if let Some(printed) = psql(script) {
        assert_eq!(printed.trim(), expected.trim());
    }
}

#[test]
fn psql_runs_a_script() {
    check(
        "CREATE TABLE script (a serial PRIMARY KEY, b text DEFAULT 'd');
         INSERT INTO script (b) VALUES ('x'), (DEFAULT) RETURNING a, b;
         BEGIN; DELETE FROM script; ROLLBACK;
         SELECT count(*) FROM script;
         PREPARE p AS SELECT b FROM script WHERE a = $1; EXECUTE p(1); DEALLOCATE p;
         BEGIN; DECLARE c CURSOR FOR SELECT a FROM script ORDER BY a DESC;
         FETCH 1 FROM c; FETCH 1 FROM c; FETCH 1 FROM c; COMMIT;
         COPY script TO STDOUT WITH (FORMAT csv);
         SET datestyle = 'german'; SELECT date '2024-03-05'; RESET datestyle;
         SHOW datestyle;",
        "1|x\n2|d\n2\nx\n2\n1\n1,x\n2,d\n05.03.2024\nISO, MDY",
    );
}

#[test]
fn psql_loads_data_in_line() {
    check(
        "CREATE TABLE loaded (a int, b text);
COPY loaded FROM STDIN;
1\tone
2\t\\N
\\.
SELECT * FROM loaded ORDER BY a;",
        "1|one\n2|",
    );
}

#[test]
fn psql_shows_errors_with_their_fields() {
    let Some(printed) = psql(
        "CREATE TABLE fields (a int CONSTRAINT positive CHECK (a > 0));
         INSERT INTO fields VALUES (-1);
         \\echo :LAST_ERROR_SQLSTATE
         SELEKT 1;
         SET nonsense = 1;",
    ) else {
        return;
    };
    for part in [
        "23514",
        "violates check constraint \"positive\"",
        "DETAIL:  Failing row contains (-1).",
        "syntax error at or near \"SELEKT\"",
        "unrecognized configuration parameter \"nonsense\"",
    ] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
}

#[test]
fn psql_describes_a_table() {
    let Some(printed) = psql(
        "CREATE TABLE described (a int PRIMARY KEY, b numeric(10,2) NOT NULL);
         \\t off
         \\d described",
    ) else {
        return;
    };
    for part in [
        "a|integer||not null|",
        "b|numeric(10,2)||not null|",
        "described_pkey",
    ] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
}

/// What PostgreSQL 15 prints, line by line.
#[test]
fn an_index_serves_alone_what_everyone_sees() {
    check(
        "CREATE TABLE seen (id int PRIMARY KEY, v int, f text);
         INSERT INTO seen SELECT g, g, repeat('x', 100) FROM generate_series(1, 3000) g;
         VACUUM ANALYZE seen;
         SELECT relpages = relallvisible, relallvisible > 0 FROM pg_class WHERE relname = 'seen';
         EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM seen WHERE id BETWEEN 10 AND 12;
         SELECT id FROM seen WHERE id BETWEEN 10 AND 12;
         EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM seen WHERE id > 2998 ORDER BY id DESC;
         EXPLAIN (COSTS OFF) SELECT id, v FROM seen WHERE id = 7;
         EXPLAIN (COSTS OFF) SELECT id FROM seen WHERE id = 7 FOR UPDATE;
         UPDATE seen SET v = 0 WHERE id = 12;
         EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM seen WHERE id < 5;
         DELETE FROM seen WHERE id > 100 OR id = 12;
         SELECT count(*) FROM seen WHERE id > 90;
         VACUUM seen;
         SELECT relpages < 5, reltuples FROM pg_class WHERE relname = 'seen';",
        "\
t|t
Index Only Scan using seen_pkey on seen (actual rows=3 loops=1)
  Index Cond: ((id >= 10) AND (id <= 12))
  Heap Fetches: 0
10
11
12
Index Only Scan Backward using seen_pkey on seen (actual rows=2 loops=1)
  Index Cond: (id > 2998)
  Heap Fetches: 0
Index Scan using seen_pkey on seen
  Index Cond: (id = 7)
LockRows
  ->  Index Scan using seen_pkey on seen
        Index Cond: (id = 7)
Aggregate (actual rows=1 loops=1)
  ->  Index Only Scan using seen_pkey on seen (actual rows=4 loops=1)
        Index Cond: (id < 5)
        Heap Fetches: 4
10
t|99",
    );
}

#[test]
fn pgbench_loses_no_transaction() {
    let Some(mut init) = tool("pgbench") else {
        return;
    };
    let status = init
        .args(["-i", "-q", "-s", "1"])
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    for mode in ["simple", "extended", "prepared"] {
        let mut command = tool("pgbench").expect("it was there");
        command.args(["-n", "-c", "3", "-t", "40", "-M", mode]);
        let output = command.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{printed}");
        assert!(printed.contains("actually processed: 120/120"), "{printed}");
    }
    check(
        "SELECT count(*), sum(delta) = (SELECT sum(abalance) FROM pgbench_accounts),
                sum(delta) = (SELECT sum(bbalance) FROM pgbench_branches)
         FROM pgbench_history;",
        "360|t|t",
    );
}
