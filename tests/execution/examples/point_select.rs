//! `SELECT b FROM t WHERE a = $1` and an update by key, prepared and run again
//! and again: for a profiler that counts instructions. Arguments: how often,
//! and `select` or `update`.

use execution::plans::*;
use execution::{Session, create, database};
use pg_builtins::EvalContext;
use pg_executor_port::RowSink;
use pg_types::{Datum, SqlError};
use std::hint::black_box;
use std::sync::Arc;

const ROWS: i32 = 1000;

struct Last(i64);

impl RowSink for Last {
    fn row(&mut self, row: &[Datum], _session: &dyn EvalContext) -> Result<(), SqlError> {
        self.0 = row[0].as_i64().unwrap_or(-1);
        Ok(())
    }
}

/// What is counted: one execution of a prepared plan.
#[inline(never)]
fn execute(session: &mut Session, plan: &pg_executor_port::PreparedPlan, params: &[Datum]) -> i64 {
    let mut last = Last(0);
    let mut query = plan.start().expect("it starts");
    query
        .next_batch(&mut session.exec(params), 0, &mut last)
        .expect("it runs");
    last.0
}

fn main() {
    let mut args = std::env::args().skip(1);
    let times: i32 = args.next().and_then(|a| a.parse().ok()).unwrap_or(1000);
    let updates = args.next().is_some_and(|a| a == "update");
    let _db = database();
    let t = table(100);
    create(&t);
    let mut session = Session::begin();
    let rows: Vec<(i32, i32, &str)> = (0..ROWS).map(|i| (i, i * 10, "text")).collect();
    session.run(&insert(&t, &rows)).expect("rows");
    session.commit();
    let plan = if updates {
        update(&t, param(1), col(0), add(col(1), param(2)), vec![1])
    } else {
        b_by_key(&t)
    };
    let prepared = pg_executor_port::prepare(Arc::new(plan)).expect("a plan");
    let start = std::time::Instant::now();
    for i in 0..times {
        let mut session = Session::begin();
        session.tx.start_command().expect("a command");
        let params = [Datum::Int4(i % ROWS), Datum::Int4(1)];
        let got = execute(&mut session, &prepared, &params);
        assert!(updates || got == i64::from(i % ROWS) * 10);
        black_box(got);
        if updates {
            session.commit();
        }
    }
    println!(
        "{} ns each",
        start.elapsed().as_nanos() / u128::from(times.unsigned_abs().max(1))
    );
}
