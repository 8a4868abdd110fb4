//! VACUUM and ANALYZE that nobody asks for: dead versions go and statistics come by
//! themselves, nobody waits for that, and what interrupts it costs only another try.

use isolation::client::Client;
use pg_wire_port::{Kind, set_system};
use port::CrashKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Long enough for whatever is to happen.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

/// The settings are the system's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client, with tables looked at each second and no pauses.
fn connect() -> Client {
    let client = Client::connect(host_server::start()).expect("a server");
    set_system("autovacuum_vacuum_cost_delay", "0");
    set_system("autovacuum_naptime", "1");
    set_system("autovacuum", "on");
    client
}

fn query(client: &mut Client, sql: &str) -> Vec<String> {
    let answer = client.query(sql).expect("an answer");
    assert_eq!(answer.error, None, "{sql}");
    answer.lines()
}

fn one(client: &mut Client, sql: &str) -> String {
    query(client, sql).concat()
}

/// Waits until a query answers so.
fn wait_for(client: &mut Client, sql: &str, answer: &str) {
    let began = Instant::now();
    loop {
        let now = one(client, sql);
        if now == answer {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{sql}: {now}, never {answer}");
        std::thread::sleep(LOOK);
    }
}

/// What is counted of a table.
fn counted(table: &str, what: &str) -> String {
    format!("SELECT {what} FROM pg_stat_user_tables WHERE relname = '{table}'")
}

/// A table with an index on both columns, its rows two to a page.
fn fill(client: &mut Client, table: &str, rows: usize) {
    for sql in [
        format!("CREATE TABLE {table} (id int PRIMARY KEY, v int, more text)"),
        format!("CREATE INDEX {table}_v ON {table} (v)"),
        format!(
            "INSERT INTO {table} SELECT g, g, repeat('x', 3900) FROM generate_series(1, {rows}) g"
        ),
    ] {
        query(client, &sql);
    }
}

/// The worker at the table, without asking by SQL.
fn worker(table: &str) -> Option<Arc<pg_wire_port::Entry>> {
    let all = pg_wire_port::sessions();
    let is_at = |e: &&Arc<pg_wire_port::Entry>| {
        let query = e.activity.lock().query.clone();
        e.kind == Kind::Vacuum && query.contains("VACUUM") && query.ends_with(table)
    };
    all.iter().find(is_at).cloned()
}

/// Waits until a worker is at the table, or (`false`) that one has gone.
fn wait_for_worker(table: &str) -> u32 {
    let began = Instant::now();
    loop {
        if let Some(entry) = worker(table) {
            return entry.pid;
        }
        assert!(began.elapsed() < PATIENCE, "nobody vacuums {table}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn wait_until_gone(pid: u32) {
    let began = Instant::now();
    while pg_wire_port::sessions().iter().any(|e| e.pid == pid) {
        assert!(began.elapsed() < PATIENCE, "the worker stays");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A vacuum of the table is under way, slowly: gives the worker's number.
fn begin_slowly(client: &mut Client, table: &str, rows: usize) -> u32 {
    set_system("autovacuum", "off");
    fill(client, table, rows);
    query(client, &format!("UPDATE {table} SET v = v + 1"));
    let oid = one(client, &format!("SELECT '{table}'::regclass::oid"));
    set_system("autovacuum_vacuum_cost_delay", "100");
    set_system("autovacuum", "on");
    wait_for_worker(&oid)
}

/// Nothing is left of a worker.
fn at_rest(client: &mut Client) {
    set_system("autovacuum", "off");
    let workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'";
    wait_for(client, workers, "0");
    let locks = "SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid()";
    wait_for(client, locks, "0");
}

#[test]
fn dead_rows_go_and_statistics_come_by_themselves() {
    let _alone = alone();
    let mut client = connect();
    fill(&mut client, "worn", 500);
    query(&mut client, "UPDATE worn SET v = v + 1");
    query(&mut client, "DELETE FROM worn WHERE id > 400");
    wait_for(
        &mut client,
        &counted(
            "worn",
            "autovacuum_count > 0, autoanalyze_count > 0, n_dead_tup",
        ),
        "t|t|0",
    );
    let seen = counted(
        "worn",
        "last_autovacuum IS NOT NULL, last_autoanalyze IS NOT NULL, last_vacuum, vacuum_count, analyze_count",
    );
    assert_eq!(one(&mut client, &seen), "t|t|null|0|0");
    // The entries have left the indexes with them, and the pages are known to be seen
    // by all: the index alone answers.
    let known = "SELECT reltuples, relallvisible > 0 FROM pg_class WHERE relname = 'worn'";
    wait_for(&mut client, known, "400|t");
    let free = "SELECT count(*) FROM worn WHERE v BETWEEN 1 AND 10000";
    assert_eq!(one(&mut client, free), "400");
    at_rest(&mut client);
    query(&mut client, "DROP TABLE worn");
}

#[test]
fn nothing_is_vacuumed_where_that_is_switched_off() {
    let _alone = alone();
    let mut client = connect();
    set_system("autovacuum", "off");
    fill(&mut client, "spared", 200);
    query(
        &mut client,
        "ALTER TABLE spared SET (autovacuum_enabled = off)",
    );
    fill(&mut client, "taken", 200);
    for table in ["spared", "taken"] {
        query(&mut client, &format!("UPDATE {table} SET v = v + 1"));
    }
    assert_eq!(one(&mut client, "SHOW autovacuum"), "off");
    std::thread::sleep(Duration::from_millis(2500));
    let vacuums = |table| counted(table, "autovacuum_count, autoanalyze_count");
    assert_eq!(one(&mut client, &vacuums("taken")), "0|0");
    // In its turn each table is looked at in one round.
    set_system("autovacuum", "on");
    let taken = counted("taken", "autovacuum_count > 0");
    wait_for(&mut client, &taken, "t");
    assert_eq!(one(&mut client, &vacuums("spared")), "0|0");
    query(&mut client, "ALTER TABLE spared RESET (autovacuum_enabled)");
    let spared = counted("spared", "autovacuum_count > 0, n_dead_tup");
    wait_for(&mut client, &spared, "t|0");
    at_rest(&mut client);
    query(&mut client, "DROP TABLE spared, taken");
}

#[test]
fn whoever_wants_the_table_gets_it() {
    let _alone = alone();
    let mut client = connect();
    let first = begin_slowly(&mut client, "wanted", 2000);
    // Readers and writers do not wait at all; who changes the table ends the vacuum.
    query(&mut client, "UPDATE wanted SET v = 0 WHERE id = 7");
    query(&mut client, "ALTER TABLE wanted ADD COLUMN other int");
    wait_until_gone(first);
    assert_eq!(
        one(&mut client, &counted("wanted", "autovacuum_count")),
        "0"
    );
    // Another try; this one's table goes away.
    let oid = one(&mut client, "SELECT 'wanted'::regclass::oid");
    let second = wait_for_worker(&oid);
    assert_ne!(first, second);
    query(&mut client, "DROP TABLE wanted");
    wait_until_gone(second);
    at_rest(&mut client);
}

#[test]
fn a_vacuum_survives_replacements_and_faults_of_its_cells() {
    let _alone = alone();
    let mut client = connect();
    let mut pid = begin_slowly(&mut client, "moved", 400);
    let oid = one(&mut client, "SELECT 'moved'::regclass::oid");
    for cell in [&pg_wire::CELL, &pg_executor::CELL, &pg_heap::CELL] {
        // The former one is left soon: its retirement waits for that.
        rows::swap(cell);
        wait_until_gone(pid);
        assert_eq!(one(&mut client, &counted("moved", "autovacuum_count")), "0");
        pid = wait_for_worker(&oid);
    }
    // Once it reads the table, nobody but the worker enters the tree until it faults
    // there.
    std::thread::sleep(Duration::from_millis(100));
    let tree: &dyn port::Door = &pg_btree_port::BTREE;
    tree.inject(CrashKind::Panic);
    wait_until_gone(pid);
    assert_eq!(one(&mut client, &counted("moved", "autovacuum_count")), "0");
    set_system("autovacuum_vacuum_cost_delay", "0");
    let done = counted("moved", "autovacuum_count > 0, n_dead_tup");
    wait_for(&mut client, &done, "t|0");
    assert_eq!(
        one(&mut client, "SELECT count(*), sum(v) FROM moved"),
        "400|80600"
    );
    at_rest(&mut client);
    query(&mut client, "DROP TABLE moved");
}
