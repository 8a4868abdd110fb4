//! Tests of operators and expressions over hand-built plans and rows in memory.

mod build;
mod expressions;
mod foreign;
mod grouping;
mod joins;
mod modify;
mod scans;
mod sorting;
mod spilling;
mod windows;

use crate::env::RunState;
use crate::prepare::{Running, Surroundings};
use crate::store::memory::MemoryStore;
use alloc::vec::Vec;
use build::*;
use pg_builtins::BasicContext;
use pg_executor_port::{NoViews, Progress};
use pg_plan::{Node, Plan};
use pg_txn_port::CancelToken;
use pg_types::{Datum, SqlResult};

/// Runs a plan over a store.
fn run_in(
    store: &mut MemoryStore,
    plan: &Plan,
    params: &[Datum],
) -> SqlResult<(Vec<Vec<Datum>>, Progress)> {
    let mut running = Running::compile(plan, false)?;
    let mut rows: Vec<Vec<Datum>> = Vec::new();
    let session = BasicContext::default();
    let cancel = CancelToken::new();
    let first = running.advance(surroundings(store, params, &session, &cancel), 0, &mut rows)?;
    if matches!(
        *plan.node,
        Node::Insert { .. } | Node::Update { .. } | Node::Delete { .. }
    ) {
        return Ok((rows, first));
    }
    // A second run of the same tree must give the same.
    let mut again: Vec<Vec<Datum>> = Vec::new();
    running.rewind(surroundings(store, params, &session, &cancel))?;
    running.advance(
        surroundings(store, params, &session, &cancel),
        0,
        &mut again,
    )?;
    assert_eq!(rows, again, "the second run differs");
    Ok((rows, first))
}

fn surroundings<'a>(
    store: &'a mut MemoryStore,
    params: &'a [Datum],
    session: &'a BasicContext,
    cancel: &'a CancelToken,
) -> Surroundings<'a> {
    Surroundings {
        store,
        params,
        session,
        views: &NoViews,
        cancel,
        spill: None,
        notes: None,
    }
}

/// Runs a plan that needs no tables.
fn run(plan: &Plan) -> SqlResult<Vec<Vec<Datum>>> {
    run_in(&mut MemoryStore::default(), plan, &[]).map(|(rows, _)| rows)
}

/// The rows as lines, values separated by commas.
fn lines(rows: &[Vec<Datum>]) -> Vec<alloc::string::String> {
    rows.iter()
        .map(|r| r.iter().map(text).collect::<Vec<_>>().join(","))
        .collect()
}

fn text(datum: &Datum) -> alloc::string::String {
    let settings = pg_types::FormatSettings::default();
    pg_types::to_text(datum, datum.natural_type(), &settings).unwrap_or_else(|| "null".into())
}

/// Runs a plan and compares its rows, line by line.
fn check(plan: &Plan, expected: &[&str]) {
    assert_eq!(lines(&run(plan).expect("the plan runs")), expected);
}

#[test]
fn a_cancelled_statement_stops() {
    let mut running = Running::compile(&numbers(1..1000), false).unwrap();
    let mut store = MemoryStore::default();
    let session = BasicContext::default();
    let cancel = CancelToken::new();
    cancel.cancel();
    let mut run = RunState::default();
    let mut rows: Vec<Vec<Datum>> = Vec::new();
    let result = running.advance(
        surroundings(&mut store, &[], &session, &cancel),
        0,
        &mut rows,
    );
    // Values alone loop nowhere: only operators that loop look at the flag.
    assert!(result.is_ok());
    let mut env = surroundings(&mut store, &[], &session, &cancel).env(&mut run);
    let error = (0..100)
        .find_map(|_| env.tick().err())
        .expect("the flag is looked at");
    assert_eq!(error.code(), pg_types::SqlState::QUERY_CANCELED);
}

#[test]
fn a_suspended_query_goes_on_where_it_stopped() {
    let plan = numbers(1..6);
    let mut running = Running::compile(&plan, false).unwrap();
    let mut store = MemoryStore::default();
    let session = BasicContext::default();
    let cancel = CancelToken::new();
    let mut rows: Vec<Vec<Datum>> = Vec::new();
    let one = running
        .advance(
            surroundings(&mut store, &[], &session, &cancel),
            2,
            &mut rows,
        )
        .unwrap();
    assert_eq!((one.rows, one.done), (2, false));
    let two = running
        .advance(
            surroundings(&mut store, &[], &session, &cancel),
            0,
            &mut rows,
        )
        .unwrap();
    assert_eq!((two.rows, two.done), (3, true));
    assert_eq!(lines(&rows), ["1", "2", "3", "4", "5"]);
}
