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

/// What the catalog says of an index.
fn is_valid(client: &mut Client, index: &str) -> Vec<String> {
    let sql = format!("SELECT indisvalid FROM pg_index WHERE indexrelid = '{index}'::regclass");
    query(client, &sql)
}

/// Waits until the index is there, as one that is not valid yet.
fn wait_for_index(client: &mut Client, index: &str) {
    let sql = format!("SELECT count(*) FROM pg_class WHERE relname = '{index}'");
    while query(client, &sql) != ["1"] {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(is_valid(client, index), ["f"]);
}

#[test]
fn nobody_waits_for_an_index_made_beside_them() {
    let port = host_server::start();
    let connect = || Client::connect(port).expect("a server");
    let (mut writer, mut reader, mut other) = (connect(), connect(), connect());
    query(
        &mut other,
        "CREATE TABLE beside (id int PRIMARY KEY, v int, more int)",
    );
    query(
        &mut other,
        "INSERT INTO beside SELECT g, g % 10, 0 FROM generate_series(1, 1000) g",
    );
    // One who has written and does not know of the index; one who still sees how it was.
    query(&mut writer, "BEGIN");
    query(&mut writer, "UPDATE beside SET v = 100 WHERE id = 1");
    query(&mut reader, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    let seen = query(&mut reader, "SELECT sum(v) FROM beside WHERE v = 7");
    let mut maker = connect();
    let made = std::thread::spawn(move || {
        query(
            &mut maker,
            "CREATE INDEX CONCURRENTLY beside_v ON beside (v)",
        );
    });
    wait_for_index(&mut other, "beside_v");
    // Writers go on, and keep the index; it is not used before it is valid.
    query(&mut other, "SET lock_timeout = '5s'");
    query(
        &mut other,
        "UPDATE beside SET v = 200 WHERE id <= 20 AND id > 10",
    );
    query(&mut other, "DELETE FROM beside WHERE id > 990");
    query(&mut writer, "UPDATE beside SET v = 101 WHERE id = 1");
    let plan = query(&mut other, "EXPLAIN SELECT id FROM beside WHERE v = 200").join(" ");
    assert!(!plan.contains("beside_v"), "{plan}");
    query(&mut writer, "COMMIT");
    // Now the rows get their entries, and the reader is waited for.
    query(&mut other, "INSERT INTO beside VALUES (2000, 200, 0)");
    assert_eq!(
        query(&mut reader, "SELECT sum(v) FROM beside WHERE v = 7"),
        seen
    );
    assert_eq!(is_valid(&mut other, "beside_v"), ["f"]);
    query(&mut reader, "COMMIT");
    made.join().expect("the index");
    assert_eq!(is_valid(&mut other, "beside_v"), ["t"]);
    query(&mut other, "VACUUM ANALYZE beside");
    query(&mut other, "SET enable_seqscan = off");
    let plan = query(&mut other, "EXPLAIN SELECT id FROM beside WHERE v = 200").join(" ");
    assert!(plan.contains("beside_v"), "{plan}");
    let count = |client: &mut Client, v| {
        let sql = format!("SELECT count(*) FROM beside WHERE v = {v}");
        query(client, &sql).concat()
    };
    let found = [7, 100, 101, 200].map(|v| count(&mut other, v));
    assert_eq!(found, ["98", "0", "1", "11"]);
    query(&mut other, "DROP TABLE beside");
}

#[test]
fn an_index_that_could_not_be_made_stays_not_valid() {
    let port = host_server::start();
    let connect = || Client::connect(port).expect("a server");
    let (mut client, mut other) = (connect(), connect());
    query(
        &mut client,
        "CREATE TABLE twice (id int PRIMARY KEY, v int)",
    );
    query(
        &mut client,
        "INSERT INTO twice VALUES (1, 1), (2, 1), (3, 3)",
    );
    let sql = "CREATE UNIQUE INDEX CONCURRENTLY twice_v ON twice (v)";
    let error = client
        .query(sql)
        .expect("an answer")
        .error
        .expect("an error");
    assert_eq!(
        (
            error.code.as_str(),
            error.message.as_str(),
            error.detail.as_str()
        ),
        (
            "23505",
            "could not create unique index \"twice_v\"",
            "Key (v)=(1) is duplicated."
        )
    );
    assert_eq!(is_valid(&mut client, "twice_v"), ["f"]);
    // It is kept, and refuses what it has met.
    let answer = client
        .query("INSERT INTO twice VALUES (4, 3), (5, 5), (6, 5)")
        .expect("an answer");
    assert_eq!(answer.code(), "23505");
    query(&mut client, "DELETE FROM twice WHERE id = 2");
    query(&mut client, "REINDEX INDEX twice_v");
    assert_eq!(is_valid(&mut client, "twice_v"), ["t"]);
    query(&mut client, "DROP INDEX twice_v");
    // A key may go from one row to another meanwhile.
    query(&mut other, "BEGIN");
    query(&mut other, "UPDATE twice SET v = 9 WHERE id = 1");
    let mut maker = connect();
    let made = std::thread::spawn(move || query(&mut maker, sql));
    wait_for_index(&mut client, "twice_v");
    query(&mut other, "INSERT INTO twice VALUES (7, 1)");
    query(&mut other, "COMMIT");
    made.join().expect("the index");
    assert_eq!(
        query(&mut client, "SELECT v FROM twice ORDER BY v"),
        ["1", "3", "9"]
    );
    query(&mut client, "DROP TABLE twice");
}

#[test]
fn an_index_whose_making_is_cancelled_stays_not_valid() {
    let port = host_server::start();
    let connect = || Client::connect(port).expect("a server");
    let (mut client, mut other) = (connect(), connect());
    query(&mut client, "CREATE TABLE broken_off (v int)");
    query(&mut client, "INSERT INTO broken_off VALUES (1), (3)");
    let sql = "CREATE UNIQUE INDEX CONCURRENTLY broken_off_v ON broken_off (v)";
    query(&mut other, "BEGIN");
    query(&mut other, "DELETE FROM broken_off");
    let mut maker = connect();
    let pid = maker.pid;
    let made = std::thread::spawn(move || maker.query(sql).expect("an answer"));
    wait_for_index(&mut client, "broken_off_v");
    query(&mut client, &format!("SELECT pg_cancel_backend({pid})"));
    assert_eq!(made.join().expect("the maker").code(), "57014");
    query(&mut other, "ROLLBACK");
    assert_eq!(is_valid(&mut client, "broken_off_v"), ["f"]);
    query(&mut client, "BEGIN");
    let answer = client.query(sql).expect("an answer");
    assert_eq!(answer.code(), "25001");
    query(&mut client, "ROLLBACK");
    query(&mut client, "DROP TABLE broken_off");
}
