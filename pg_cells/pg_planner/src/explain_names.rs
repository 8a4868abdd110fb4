//! Names of the columns of a plan, for EXPLAIN.

use crate::deparse::{Names, text};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_plan::{Expr, Node, Plan};

/// The item a scan's columns are named with.
pub fn alias(plan: &Plan) -> Option<String> {
    let (item, _) = plan.columns.first()?.name.split_once('.')?;
    Some(item.into())
}

/// Names of a plan's columns; hidden ones too where the operator below tells.
pub fn column_names(plan: &Plan) -> Vec<String> {
    match &*plan.node {
        Node::SeqScan { .. } | Node::IndexScan(_) => scan_names(plan),
        Node::Sort { input, .. } | Node::Limit { input, .. } | Node::LockRows { input, .. }
            if plan.hidden > 0 || plan.columns.iter().all(|c| !c.name.contains('.')) =>
        {
            column_names(input)
        }
        Node::Filter { input, .. } => column_names(input),
        Node::Project { input, exprs } => {
            let names = column_names(input);
            exprs
                .iter()
                .map(|e| {
                    text(
                        e,
                        &Names {
                            columns: &names,
                            qualify: true,
                        },
                    )
                })
                .collect()
        }
        Node::Aggregate(a) => {
            let names = column_names(&a.input);
            let over = |e: &Expr| {
                text(
                    e,
                    &Names {
                        columns: &names,
                        qualify: true,
                    },
                )
            };
            let calls = a.calls.iter().map(|call| {
                let name = pg_builtins::function_by_oid(call.function).map_or("?", |f| f.name);
                let args: Vec<String> = call.args.iter().map(over).collect();
                let args = if args.is_empty() {
                    "*".to_string()
                } else {
                    args.join(", ")
                };
                format!(
                    "({name}({}{args}))",
                    if call.distinct { "DISTINCT " } else { "" }
                )
            });
            a.keys.iter().map(over).chain(calls).collect()
        }
        _ => plan.columns.iter().map(|c| c.name.clone()).collect(),
    }
}

/// Names of a scan's columns, those of the filter alone too.
pub fn scan_names(plan: &Plan) -> Vec<String> {
    let item = alias(plan);
    let name = |relation: &pg_plan::Relation, columns: &[usize], row_id: bool| {
        let item = item.clone().unwrap_or_else(|| relation.name.clone());
        let mut out: Vec<String> = columns
            .iter()
            .map(|at| {
                relation
                    .desc
                    .attrs()
                    .get(*at)
                    .map_or_else(String::new, |a| format!("{item}.{}", a.name))
            })
            .collect();
        if row_id {
            out.push(format!("{item}.ctid"));
        }
        out
    };
    match &*plan.node {
        Node::SeqScan {
            relation,
            columns,
            row_id,
            ..
        } => name(relation, columns, *row_id),
        Node::IndexScan(scan) => name(&scan.relation, &scan.columns, scan.row_id),
        _ => plan.columns.iter().map(|c| c.name.clone()).collect(),
    }
}
