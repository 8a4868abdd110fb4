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
use pg_executor_port::{Detail, EXECUTOR, Measure, RowSink};
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
    ready::start_plan(session, plan)?;
    let plan = Arc::new(plan.clone());
    let prepared = EXECUTOR.enter().map_err(port_error)?.prepare(plan, true)?;
    let mut query = prepared.start()?;
    let began = task_port::now();
    run::batch_into(session, &mut query, params, 0, &mut Nowhere)?;
    let lasted = task_port::now().saturating_sub(began);
    if options.format == ExplainFormat::Text {
        let measures = query.measures();
        measured(lines, &measures, options.timing);
        *lines = details(lines, &measures);
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

/// The line that an operator's kind adds.
fn told(detail: &Detail) -> Option<String> {
    let kb = |bytes: u64| bytes.div_ceil(1024);
    Some(match *detail {
        Detail::None => return None,
        Detail::IndexOnly { heap_fetches } => format!("Heap Fetches: {heap_fetches}"),
        Detail::Sort { top, disk, memory } => match (disk, top) {
            (0, true) => format!("Sort Method: top-N heapsort  Memory: {}kB", kb(memory)),
            (0, false) => format!("Sort Method: quicksort  Memory: {}kB", kb(memory)),
            (disk, _) => format!("Sort Method: external merge  Disk: {}kB", kb(disk)),
        },
        Detail::Hash {
            buckets,
            batches,
            memory,
        } => format!(
            "Buckets: {buckets}  Batches: {batches}  Memory Usage: {}kB",
            kb(memory)
        ),
        Detail::Groups {
            batches,
            memory,
            disk,
        } => {
            let disk = match disk {
                0 => String::new(),
                disk => format!("  Disk Usage: {}kB", kb(disk)),
            };
            format!("Batches: {batches}  Memory Usage: {}kB{disk}", kb(memory))
        }
    })
}

/// Whether a line names an operator.
fn is_operator(at: usize, line: &str) -> bool {
    at == 0 || line.trim_start().starts_with("->")
}

/// Puts what operators tell behind their other lines.
fn details(lines: &[String], measures: &[Measure]) -> Vec<String> {
    let mut out = Vec::with_capacity(lines.len());
    let mut measures = measures.iter();
    let mut owed: Option<String> = None;
    for (at, line) in lines.iter().enumerate() {
        let begins_another = ["->", "SubPlan", "InitPlan", "CTE ", "Planning"]
            .iter()
            .any(|word| line.trim_start().starts_with(word));
        if begins_another {
            out.extend(owed.take());
        }
        if is_operator(at, line) {
            let indent = match at {
                0 => 2,
                _ => line.len() - line.trim_start().len() + 6,
            };
            let told = measures.next().and_then(|m| told(&m.detail));
            owed = told.map(|told| format!("{}{told}", " ".repeat(indent)));
        }
        out.push(line.clone());
    }
    out.extend(owed);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn what_operators_tell_stands_behind_their_lines() {
        let lines = [
            "Sort  (cost=1)",
            "  Sort Key: a",
            "  ->  Hash Join  (cost=1)",
            "        Hash Cond: (a = b)",
            "        ->  Seq Scan on t  (cost=1)",
            "        ->  HashAggregate  (cost=1)",
        ];
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let of = |detail| Measure {
            detail,
            ..Measure::default()
        };
        let measures = [
            of(Detail::Sort {
                top: false,
                disk: 5000,
                memory: 9,
            }),
            of(Detail::Hash {
                buckets: 56,
                batches: 4,
                memory: 2048,
            }),
            of(Detail::None),
            of(Detail::Groups {
                batches: 1,
                memory: 1,
                disk: 0,
            }),
        ];
        let expected = [
            "Sort  (cost=1)",
            "  Sort Key: a",
            "  Sort Method: external merge  Disk: 5kB",
            "  ->  Hash Join  (cost=1)",
            "        Hash Cond: (a = b)",
            "        Buckets: 56  Batches: 4  Memory Usage: 2kB",
            "        ->  Seq Scan on t  (cost=1)",
            "        ->  HashAggregate  (cost=1)",
            "              Batches: 1  Memory Usage: 1kB",
        ];
        assert_eq!(details(&lines, &measures), expected);
    }
}
