//! Operators around plans: projection, sort, limit, DISTINCT, row locks.

use crate::analyzer::Analyzer;
use crate::path::{OPERATOR, ROW};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::Relation;
use pg_plan::{Expr, Node, OutputColumn, Plan, SortKey};
use pg_types::Datum;

/// A projection over a plan.
pub fn project(input: Plan, exprs: Vec<Expr>, columns: Vec<OutputColumn>) -> Plan {
    let (rows, startup, total) = (input.rows, input.startup_cost, input.total_cost);
    let mut plan = Analyzer::bare(Node::Project { input, exprs }, columns, rows);
    plan.startup_cost = startup;
    plan.total_cost = total + rows * OPERATOR;
    plan
}

/// The plan without hidden columns.
pub fn stripped(plan: Plan) -> Plan {
    if plan.hidden == 0 {
        return plan;
    }
    let columns = plan.columns.clone();
    let exprs = columns
        .iter()
        .enumerate()
        .map(|(index, column)| Expr::Column {
            index,
            type_oid: column.type_oid,
        })
        .collect();
    project(plan, exprs, columns)
}

/// ORDER BY and LIMIT over a plan, keys over its rows.
pub fn sorted_and_limited(
    plan: Plan,
    keys: Vec<SortKey>,
    limit: Option<Expr>,
    offset: Option<Expr>,
    ties: bool,
) -> Plan {
    let ties = ties.then(|| keys.clone());
    let plan = sorted(plan, keys, bound(&limit, &offset, ties.is_some()));
    limited(plan, limit, offset, ties)
}

/// How many rows a sort must keep, when LIMIT says so.
pub fn bound(limit: &Option<Expr>, offset: &Option<Expr>, ties: bool) -> Option<Expr> {
    match (limit, offset) {
        (Some(limit), None) if !ties => Some(limit.clone()),
        (Some(limit), Some(offset)) if !ties => match (number(limit), number(offset)) {
            (Some(l), Some(o)) => Some(crate::coerce::constant(
                Datum::Int8(l.saturating_add(o)),
                pg_types::oid::INT8,
            )),
            _ => None,
        },
        _ => None,
    }
}

/// A constant number.
pub fn number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Const { value, .. } => value.as_i64(),
        _ => None,
    }
}

/// A sort, where there are keys.
pub fn sorted(input: Plan, keys: Vec<SortKey>, bound: Option<Expr>) -> Plan {
    if keys.is_empty() {
        return input;
    }
    let (rows, hidden) = (input.rows, input.hidden);
    let columns = input.columns.clone();
    let compared = rows.max(2.0);
    let kept = bound
        .as_ref()
        .and_then(number)
        .map_or(compared, |n| (n as f64).clamp(2.0, compared));
    let startup = input.total_cost + compared * libm::log2(kept) * OPERATOR * 2.0;
    let mut plan = Analyzer::bare(Node::Sort { input, keys, bound }, columns, rows);
    plan.hidden = hidden;
    plan.startup_cost = startup;
    plan.total_cost = startup + rows * OPERATOR;
    plan
}

/// LIMIT and OFFSET, where there are any.
pub fn limited(
    input: Plan,
    limit: Option<Expr>,
    offset: Option<Expr>,
    ties: Option<Vec<SortKey>>,
) -> Plan {
    if limit.is_none() && offset.is_none() {
        return input;
    }
    let skipped = offset.as_ref().and_then(number).unwrap_or(0).max(0) as f64;
    let left = (input.rows - skipped).max(1.0);
    let rows = limit
        .as_ref()
        .and_then(number)
        .map_or(left, |n| (n as f64).clamp(1.0, left));
    let (hidden, startup) = (input.hidden, input.startup_cost);
    let share = ((rows + skipped) / input.rows.max(1.0)).min(1.0);
    let total = startup + (input.total_cost - startup) * share;
    let columns = input.columns.clone();
    let mut plan = Analyzer::bare(
        Node::Limit {
            input,
            limit,
            offset,
            ties,
        },
        columns,
        rows,
    );
    plan.hidden = hidden;
    plan.startup_cost = startup;
    plan.total_cost = total;
    plan
}

/// DISTINCT and DISTINCT ON.
pub fn distinct(input: Plan, keys: Vec<Expr>) -> Plan {
    let (hidden, columns) = (input.hidden, input.columns.clone());
    // Hidden columns would tell equal rows apart.
    let input = if keys.is_empty() {
        stripped(input)
    } else {
        input
    };
    let hidden = if keys.is_empty() { 0 } else { hidden };
    let rows = (input.rows * 0.5).max(1.0);
    let total = input.total_cost + input.rows * OPERATOR * columns.len() as f64;
    let startup = if keys.is_empty() {
        total
    } else {
        input.startup_cost
    };
    let mut plan = Analyzer::bare(Node::Distinct { input, keys }, columns, rows);
    plan.hidden = hidden;
    plan.startup_cost = startup;
    plan.total_cost = total;
    plan
}

/// Row locks.
pub fn locked(input: Plan, targets: Vec<(Arc<Relation>, usize)>, lock: &crate::lock::Lock) -> Plan {
    let (hidden, columns, rows) = (input.hidden, input.columns.clone(), input.rows);
    let (startup, total) = (input.startup_cost, input.total_cost + rows * ROW);
    let node = Node::LockRows {
        input,
        targets,
        strength: lock.strength,
        nowait: lock.nowait,
        skip_locked: lock.skip_locked,
    };
    let mut plan = Analyzer::bare(node, columns, rows);
    plan.hidden = hidden;
    plan.startup_cost = startup;
    plan.total_cost = total;
    plan
}
