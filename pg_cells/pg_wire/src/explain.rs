//! EXPLAIN, with and without running the statement.

use crate::reply::text_column;
use crate::run::{self, Target};
use crate::{ready, utility};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use pg_builtins::EvalContext;
use pg_executor_port::errors::port_error;
use pg_executor_port::{EXECUTOR, Measure, RowSink};
use pg_plan::{ExplainFormat, ExplainOptions, OutputColumn, Plan, Planned, Utility};
use pg_planner_port::PLANNER;
use pg_types::{Datum, SqlError, oid};
use pg_wire_port::Session;

/// The column that EXPLAIN returns.
pub fn columns(options: &ExplainOptions) -> Vec<OutputColumn> {
    let mut column = text_column("QUERY PLAN");
    if options.format == ExplainFormat::Json {
        column.type_oid = oid::JSON;
    }
    vec![column]
}

/// Nobody reads the rows.
struct Nowhere;

impl RowSink for Nowhere {
    fn row(&mut self, _row: &[Datum], _session: &dyn EvalContext) -> Result<(), SqlError> {
        Ok(())
    }
}

/// Runs it.
pub fn run(
    session: &mut Session,
    statement: &Planned,
    options: &ExplainOptions,
    params: &[Datum],
    target: Target<'_>,
) -> Result<(), SqlError> {
    let plan = match statement {
        Planned::Query(plan) => plan,
        Planned::Utility(Utility::CreateTableAs { plan, .. } | Utility::Declare { plan, .. }) => {
            plan
        }
        Planned::Utility(_) => {
            let rows = vec![vec![Datum::from(
                "Utility statements have no plan structure",
            )]];
            utility::send_texts(session, &columns(options), &rows, target);
            return Ok(());
        }
    };
    let mut lines = PLANNER.enter().map_err(port_error)?.explain(plan, options);
    if options.analyze {
        analyze(session, plan, options, params, &mut lines)?;
    }
    let rows: Vec<Vec<Datum>> = match options.format {
        ExplainFormat::Json => vec![vec![Datum::from(lines.join("\n").as_str())]],
        ExplainFormat::Text => lines
            .iter()
            .map(|l| vec![Datum::from(l.as_str())])
            .collect(),
    };
    utility::send_texts(session, &columns(options), &rows, target);
    Ok(())
}

/// Runs the plan and writes what was measured behind its lines.
fn analyze(
    session: &mut Session,
    plan: &Plan,
    options: &ExplainOptions,
    params: &[Datum],
    lines: &mut Vec<String>,
) -> Result<(), SqlError> {
    ready::lock_plan(session, plan)?;
    let plan = Arc::new(plan.clone());
    let prepared = EXECUTOR.enter().map_err(port_error)?.prepare(plan, true)?;
    let mut query = prepared.start()?;
    let began = task_port::now();
    run::batch_into(session, &mut query, params, 0, &mut Nowhere)?;
    let lasted = task_port::now().saturating_sub(began);
    if options.format == ExplainFormat::Text {
        let measures = query.measures();
        measured(lines, &measures, options.timing);
        heap_fetches(lines, &measures);
        if options.summary != Some(false) {
            lines.push(format!("Execution Time: {:.3} ms", ms(lasted)));
        }
    }
    Ok(())
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// The lines of operators are the first and those with an arrow; measures come
/// in the same order.
fn measured(lines: &mut [String], measures: &[Measure], timing: bool) {
    let operators = lines
        .iter_mut()
        .enumerate()
        .filter(|(at, line)| is_operator(*at, line));
    for ((_, line), measure) in operators.zip(measures) {
        let loops = measure.loops.max(1);
        let rows = measure.rows / loops;
        let text = match (measure.loops, timing) {
            (0, _) => String::from(" (never executed)"),
            (_, true) => format!(
                " (actual time={:.3}..{:.3} rows={rows} loops={loops})",
                ms(measure.first / loops),
                ms(measure.total / loops)
            ),
            (_, false) => format!(" (actual rows={rows} loops={loops})"),
        };
        line.push_str(&text);
    }
}

fn is_operator(at: usize, line: &str) -> bool {
    at == 0 || line.trim_start().starts_with("->")
}

/// Writes how often each index-only scan looked at its table, behind what else is
/// told of the scan.
fn heap_fetches(lines: &mut Vec<String>, measures: &[Measure]) {
    let operators: Vec<usize> = (0..lines.len())
        .filter(|at| is_operator(*at, &lines[*at]))
        .collect();
    // From the end, so that the places before stay right.
    for (at, measure) in operators.into_iter().zip(measures).rev() {
        let line = lines[at].trim_start();
        let title = line.trim_start_matches("->").trim_start();
        if !title.starts_with("Index Only Scan") {
            continue;
        }
        let indent = lines[at].len() - title.len() + 2;
        let told = |line: &&String| {
            let text = line.trim_start();
            let other = ["->", "SubPlan", "InitPlan", "CTE ", "Planning", "Execution"];
            !other.iter().any(|word| text.starts_with(word))
        };
        let behind = at + 1 + lines[at + 1..].iter().take_while(told).count();
        let fetches = measure.heap_fetches.unwrap_or(0);
        let text = format!("{}Heap Fetches: {fetches}", " ".repeat(indent));
        lines.insert(behind, text);
    }
}
