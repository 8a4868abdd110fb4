//! Promise: a database that clients use as they use PostgreSQL, whose parts are
//! replaced or crash under load without a lost commit, and which survives a kill.

mod database {
    pub mod bank;
}

use std::collections::BTreeSet;

use database::bank::{Load, check, set_up};
use system_tests::Guest;

/// Every cell behind a statement, the device drivers included, and those that
/// keep the system going.
const CELLS: [&str; 21] = [
    "captain",
    "console",
    "shell",
    "swap",
    "sched",
    "time",
    "counter",
    "pg_wire",
    "pg_parser",
    "pg_planner",
    "pg_executor",
    "pg_catalog",
    "pg_txn",
    "pg_heap",
    "pg_btree",
    "pg_buffer",
    "pg_temp",
    "pg_wal",
    "nvme",
    "virtio_net",
    "net",
];
const CLIENTS: usize = 4;

#[test]
fn psql_creates_fills_describes_and_finds_it_again() {
    let mut guest = Guest::boot();
    guest.sql(
        "create table t (a int primary key, b text default 'x', c numeric(8,2) check (c > 0))",
    );
    guest.sql("insert into t (a, c) select g, g * 1.5 from generate_series(1, 1000) g");
    guest.sql("create index t_c on t (c desc)");
    assert_eq!(
        guest.sql("select count(*), sum(c), min(b) from t"),
        "1000|750750.00|x"
    );
    assert_eq!(guest.sql("select a from t where c = 750.00"), "500");
    let duplicate = guest
        .try_sql("insert into t values (7, 'y', 1)")
        .unwrap_err();
    assert!(duplicate.contains("23505"), "{duplicate}");
    let bad = guest
        .try_sql("insert into t values (1001, 'y', -1)")
        .unwrap_err();
    assert!(bad.contains("23514"), "{bad}");
    let described = guest.sql("\\d t");
    assert!(described.contains("numeric(8,2)"), "{described}");
    guest.stop();
    guest.reboot();
    assert_eq!(
        guest.sql("select count(*), sum(c), min(b) from t"),
        "1000|750750.00|x"
    );
}

#[test]
fn transactions_live_through_swaps_of_every_cell() {
    let guest = Guest::boot();
    set_up(&guest);
    let load = Load::start(guest.port(), CLIENTS);
    for _ in 0..2 {
        for cell in CELLS {
            load.advance(CLIENTS as u64);
            print!("{}", guest.shell(&format!("swap {cell}")));
        }
    }
    load.advance(CLIENTS as u64);
    let tally = load.stop();
    assert_eq!(
        tally.failures,
        Vec::<String>::new(),
        "no transaction fails, no connection is lost"
    );
    assert_eq!(check(&guest), tally.committed);
}

#[test]
fn a_crashed_cell_is_replaced_and_the_connections_carry_on() {
    let guest = Guest::boot();
    set_up(&guest);
    let load = Load::start(guest.port(), CLIENTS);
    let database = CELLS.iter().filter(|cell| cell.starts_with("pg_"));
    for (number, cell) in database.enumerate() {
        // All clients are at work.
        load.advance(2 * CLIENTS as u64);
        let kind = ["null", "panic", "divide", "opcode"][number % 4];
        guest.shell(&format!("crash {cell} {kind}"));
        // Something for the parser and the planner too, a text that has no plan
        // yet; it may meet the fault.
        let _ = guest.try_sql(&format!(
            "select count(*) as n{number} from branches where id > 0"
        ));
        // Nor does this load need temporary space: this asks for it.
        let _ = guest.try_sql("select temp_bytes from pg_stat_database");
        load.advance(2 * CLIENTS as u64);
        wait_for_fault(&guest, cell);
    }
    let tally = load.stop();
    // A fault may end the transaction it hit, and a commit whose answer was an
    // error may have happened or not; a connection is never lost.
    assert_eq!(tally.lost_connections, 0, "{:?}", tally.failures);
    let states: BTreeSet<String> = tally.failures.iter().cloned().collect();
    let rows = check(&guest);
    let most = tally.committed + tally.failures.len() as u64;
    assert!(
        (tally.committed..=most).contains(&rows),
        "{rows} of {tally:?} {states:?}"
    );
}

/// Waits until the list of cells shows that `cell` faulted and was replaced.
fn wait_for_fault(guest: &Guest, cell: &str) {
    let limit = std::time::Instant::now() + system_tests::LIMIT;
    loop {
        let cells = guest.shell("cells");
        let line = cells
            .lines()
            .find(|line| line.starts_with(&format!("{cell} ")));
        let line = line.expect("the cell is listed");
        if line.contains("faults 1") && line.contains("generation 2") {
            return;
        }
        assert!(std::time::Instant::now() < limit, "{line}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn acknowledged_commits_survive_a_kill() {
    let mut guest = Guest::boot();
    set_up(&guest);
    let mut before = 0;
    for _ in 0..2 {
        let load = Load::start(guest.port(), CLIENTS);
        load.advance(100);
        guest.kill();
        let tally = load.stop();
        guest.reboot();
        let rows = check(&guest);
        let acknowledged = before + tally.committed;
        // What was under way may have become durable before the kill.
        let most = acknowledged + CLIENTS as u64;
        assert!(
            (acknowledged..=most).contains(&rows),
            "{rows} rows for {acknowledged} acknowledged commits"
        );
        before = rows;
    }
}
