//! Promise: what is larger than memory goes to disk and leaves nothing there; who
//! wants more memory than there is fails alone.

use std::time::Duration;
use system_tests::Guest;

/// A number that the shell's `counters` tells.
fn counter(guest: &Guest, name: &str) -> u64 {
    let all = guest.shell("counters");
    let line = all.lines().find_map(|l| l.trim().strip_prefix(name));
    let number = line.unwrap_or_else(|| panic!("no {name} in:\n{all}"));
    number.trim().parse().expect("a number")
}

/// Waits for temporary space to be given back: a session ends a moment after its
/// client.
fn nothing_is_left(guest: &Guest) {
    for _ in 0..100 {
        if counter(guest, "temp.extents") == 0 && counter(guest, "temp.used") == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!(
        "temporary space is in use at rest:\n{}",
        guest.shell("counters")
    );
}

/// A hundred times 64 kB, by a key in no order.
const ROWS: &str =
    "select g * 7919 % 60000 as a, md5(g::text) as b from generate_series(1, 60000) g";

#[test]
fn queries_larger_than_memory_are_right_and_leave_nothing() {
    let guest = Guest::boot();
    guest.sql(&format!("create table t as {ROWS}"));
    let queries = [
        "select count(*), max(md5(b)), sum(length(b)), bool_and(ok) from \
         (select b, a >= lag(a, 1, -1) over () as ok from (select * from t order by a) s) w",
        "select count(*), sum(x.a), min(y.b) from t x join t y on x.b = y.b",
        "select count(*), sum(n), max(b) from (select b, count(*) n from t group by b) s",
        "select count(*), max(b) from (select distinct a, b from t) s",
        "with c as materialized (select * from t) select count(*), min(x.b) from c x, c y \
         where x.a = y.a",
        "select count(*) from (select b from t intersect select md5(g::text) from \
         generate_series(30001, 90000) g) s",
    ];
    for query in queries {
        let expected = guest.sql(query);
        let with_little = format!("set work_mem = '64kB'; {query}");
        assert_eq!(guest.sql(&with_little), expected, "{query}");
        nothing_is_left(&guest);
    }
    assert!(counter(&guest, "temp.written") > 10 << 20);
    let written =
        guest.sql("select temp_bytes > 10000000 and temp_files > 20 from pg_stat_database");
    assert_eq!(written, "t");
    let plan = guest.sql("set work_mem = '64kB'; explain analyze select * from t order by b");
    assert!(
        plan.contains("Sort Method: external merge  Disk: "),
        "{plan}"
    );
    let plan = guest.sql(
        "set work_mem = '64kB'; explain analyze select count(*) from t x join t y on x.b = y.b",
    );
    let batches = plan
        .split("Batches: ")
        .nth(1)
        .and_then(|p| p.split(' ').next());
    assert!(
        batches.is_some_and(|b| b.parse::<u32>().is_ok_and(|b| b > 1)),
        "{plan}"
    );
}

#[test]
fn a_crash_and_a_cancel_in_the_middle_leave_nothing() {
    let guest = Guest::boot();
    guest.sql(&format!("create table t as {ROWS}"));
    let slow = "set work_mem = '64kB'; set statement_timeout = '20s'; \
                select count(*) from (select x.b from t x, t y order by x.b) s";
    for round in 0..2 {
        std::thread::scope(|scope| {
            let query = scope.spawn(|| guest.try_sql(slow));
            while counter(&guest, "temp.extents") < 20 {
                assert!(!query.is_finished(), "{:?}", query.join());
                std::thread::sleep(Duration::from_millis(50));
            }
            let end = match round {
                0 => guest.sql(
                    "select pg_cancel_backend(pid) from pg_stat_activity \
                     where query like '%x, t y%' and pid <> pg_backend_pid()",
                ),
                _ => {
                    // The next call into it faults: that of another session, which
                    // takes the cell's memory of nothing with it.
                    guest.shell("crash pg_executor null");
                    let _ = guest.try_sql("select 1");
                    guest.sql(
                        "select pg_cancel_backend(pid) from pg_stat_activity \
                         where query like '%x, t y%' and pid <> pg_backend_pid()",
                    )
                }
            };
            assert!(end.contains('t'), "{end}");
            let error = query.join().expect("psql").expect_err("it was ended");
            assert!(!error.is_empty());
        });
        nothing_is_left(&guest);
    }
}

#[test]
fn who_wants_more_memory_than_there_is_fails_alone() {
    let guest = Guest::boot_with(|config| config.memory = "256M".into());
    let lives = guest.shell("cells --history").lines().count();
    guest.sql("create table t (a int primary key, b text)");
    guest.sql("insert into t select g, 'row ' || g from generate_series(1, 1000) g");
    let greedy = [
        "select length(string_agg(repeat('x', 1000000), '')) from generate_series(1, 900)",
        "select length(repeat('x', 900000000))",
        "select array_length(array_agg(md5(g::text)), 1) from generate_series(1, 100000000) g",
    ];
    for query in greedy {
        std::thread::scope(|scope| {
            let greedy = scope.spawn(|| guest.try_sql(query));
            let mut answers = 0;
            while !greedy.is_finished() || answers < 3 {
                let sum = guest.sql("select count(*), sum(a) from t where b like 'row%'");
                assert_eq!(sum, "1000|500500");
                answers += 1;
            }
            let error = greedy
                .join()
                .expect("psql")
                .expect_err("there is not so much");
            assert!(error.contains("53200"), "{query}: {error}");
        });
        // What it held is there again.
        assert_eq!(
            guest.sql("select length(repeat('x', 10000000))"),
            "10000000"
        );
    }
    // No cell was blamed for it.
    assert_eq!(guest.shell("cells --history").lines().count(), lives);
}
