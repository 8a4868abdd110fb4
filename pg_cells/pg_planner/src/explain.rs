//! EXPLAIN's lines, in PostgreSQL's format.

use crate::deparse::{Names, text};
use crate::explain_names::{alias, column_names, scan_names};
use crate::walk::children;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_plan::{
    BoundKind, ExplainOptions, Expr, IndexScan, Join, JoinKind, Node, Plan, ScanDirection,
    SetOpKind, SortKey,
};

/// The lines of a plan.
pub fn explain(plan: &Plan, options: &ExplainOptions) -> Vec<String> {
    let mut printer = Printer {
        options,
        lines: Vec::new(),
        qualify: scans(plan) > 1,
        subplans: 0,
    };
    printer.plan(plan, 0, "");
    printer.lines
}

/// How many items a plan reads: names are qualified when there are several.
fn scans(plan: &Plan) -> usize {
    let own = usize::from(matches!(
        &*plan.node,
        Node::SeqScan { .. }
            | Node::IndexScan(_)
            | Node::VirtualScan { .. }
            | Node::FunctionScan { .. }
            | Node::CteScan { .. }
    ));
    own + inputs(&plan.node)
        .into_iter()
        .map(|(_, p)| scans(p))
        .sum::<usize>()
}

/// An operator's inputs with what EXPLAIN calls them.
fn inputs(node: &Node) -> Vec<(String, &Plan)> {
    let one = |plan| alloc::vec![(String::new(), plan)];
    match node {
        Node::Nothing { .. }
        | Node::Values(_)
        | Node::SeqScan { .. }
        | Node::IndexScan(_)
        | Node::VirtualScan { .. }
        | Node::FunctionScan { .. }
        | Node::CteScan { .. } => Vec::new(),
        Node::ProjectSet { input, .. }
        | Node::Filter { input, .. }
        | Node::Project { input, .. }
        | Node::Sort { input, .. }
        | Node::Limit { input, .. }
        | Node::Window { input, .. }
        | Node::Distinct { input, .. }
        | Node::LockRows { input, .. }
        | Node::Insert { input, .. }
        | Node::Update { input, .. }
        | Node::Delete { input, .. } => one(input),
        Node::Aggregate(aggregate) => one(&aggregate.input),
        Node::Join(join) => alloc::vec![(String::new(), &join.left), (String::new(), &join.right)],
        Node::Append(list) => list.iter().map(|plan| (String::new(), plan)).collect(),
        Node::SetOp { left, right, .. } => {
            alloc::vec![(String::new(), left), (String::new(), right)]
        }
        Node::RecursiveUnion { initial, step, .. } => {
            alloc::vec![(String::new(), initial), (String::new(), step)]
        }
        Node::With { ctes, body } => {
            let mut out: Vec<(String, &Plan)> = alloc::vec![(String::new(), body)];
            out.extend(ctes.iter().map(|(id, plan)| (format!("CTE {id}"), plan)));
            out
        }
    }
}

struct Printer<'p> {
    options: &'p ExplainOptions,
    lines: Vec<String>,
    qualify: bool,
    subplans: usize,
}

impl Printer<'_> {
    fn plan(&mut self, plan: &Plan, depth: usize, arrow: &str) {
        let mut subs = Vec::new();
        let plan = shown(plan, &mut subs);
        subs.extend(subplans(&plan.node));
        let title = self.title(plan);
        let costs = if self.options.costs {
            format!(
                "  (cost={:.2}..{:.2} rows={:.0} width={})",
                plan.startup_cost,
                plan.total_cost,
                plan.rows,
                width(plan)
            )
        } else {
            String::new()
        };
        let head = if depth == 0 {
            String::new()
        } else {
            format!("{}{arrow}", " ".repeat(depth * 6 - 4))
        };
        self.lines.push(format!("{head}{title}{costs}"));
        let indent = if depth == 0 { 2 } else { depth * 6 + 2 };
        for detail in self.details(plan) {
            self.lines.push(format!("{}{detail}", " ".repeat(indent)));
        }
        for sub in subs {
            self.subplans += 1;
            self.lines
                .push(format!("{}SubPlan {}", " ".repeat(indent), self.subplans));
            self.plan(&sub.plan, depth + 1, "->  ");
        }
        for (label, input) in inputs(&plan.node) {
            if !label.is_empty() {
                self.lines.push(format!("{}{label}", " ".repeat(indent)));
            }
            self.plan(input, depth + 1, "->  ");
        }
    }

    fn title(&self, plan: &Plan) -> String {
        let named = |verb: &str, name: &str, plan: &Plan| match alias(plan) {
            Some(alias) if alias != name => format!("{verb} on {name} {alias}"),
            _ => format!("{verb} on {name}"),
        };
        match &*plan.node {
            Node::Nothing { .. } => "Result".into(),
            Node::Values(_) => "Values Scan on \"*VALUES*\"".into(),
            Node::SeqScan { relation, .. } => named("Seq Scan", &relation.name, plan),
            Node::VirtualScan { relation, .. } => named("Virtual Scan", &relation.name, plan),
            Node::IndexScan(scan) => {
                let way = if scan.direction == ScanDirection::Backward {
                    " Backward"
                } else {
                    ""
                };
                let only = if scan.index_only { " Only" } else { "" };
                named(
                    &format!("Index{only} Scan{way} using {}", scan.index.name),
                    &scan.relation.name,
                    plan,
                )
            }
            Node::FunctionScan { function, .. } => {
                let name = pg_builtins::function_by_oid(*function).map_or("?", |f| f.name);
                named("Function Scan", name, plan)
            }
            Node::ProjectSet { .. } => "ProjectSet".into(),
            Node::Filter { .. } => "Filter".into(),
            Node::Project { .. } => "Result".into(),
            Node::Join(join) => join_title(join),
            Node::Sort { .. } => "Sort".into(),
            Node::Limit { .. } => "Limit".into(),
            Node::Aggregate(a) if a.keys.is_empty() => "Aggregate".into(),
            Node::Aggregate(a) if a.sorted => "GroupAggregate".into(),
            Node::Aggregate(a) if !a.sets.is_empty() => "MixedAggregate".into(),
            Node::Aggregate(_) => "HashAggregate".into(),
            Node::Window { .. } => "WindowAgg".into(),
            Node::Distinct { keys, .. } if keys.is_empty() => "HashAggregate".into(),
            Node::Distinct { .. } => "Unique".into(),
            Node::Append(_) => "Append".into(),
            Node::SetOp { kind, all, .. } => {
                let all = if *all { " All" } else { "" };
                match kind {
                    SetOpKind::Union => "HashSetOp Union".into(),
                    SetOpKind::Intersect => format!("HashSetOp Intersect{all}"),
                    SetOpKind::Except => format!("HashSetOp Except{all}"),
                }
            }
            Node::With { .. } => "With".into(),
            Node::RecursiveUnion { .. } => "Recursive Union".into(),
            Node::CteScan { id } => named("CTE Scan", &format!("cte{id}"), plan),
            Node::LockRows { .. } => "LockRows".into(),
            Node::Insert { relation, .. } => format!("Insert on {}", relation.name),
            Node::Update { relation, .. } => format!("Update on {}", relation.name),
            Node::Delete { relation, .. } => format!("Delete on {}", relation.name),
        }
    }

    /// A dispatch table, so longer than a function should be.
    fn details(&self, plan: &Plan) -> Vec<String> {
        let mut out = Vec::new();
        let own = column_names(plan);
        let over = |names: &[String], expr: &Expr| {
            text(
                expr,
                &Names {
                    columns: names,
                    qualify: self.qualify,
                },
            )
        };
        if self.options.verbose && !plan.columns.is_empty() {
            let names: Vec<&str> = plan.columns.iter().map(|c| c.name.as_str()).collect();
            out.push(format!("Output: {}", names.join(", ")));
        }
        match &*plan.node {
            Node::Nothing {
                filter: Some(filter),
            } => out.push(format!("One-Time Filter: {}", over(&own, filter))),
            Node::SeqScan {
                filter: Some(filter),
                ..
            }
            | Node::VirtualScan {
                filter: Some(filter),
                ..
            } => {
                out.push(format!("Filter: {}", over(&scan_names(plan), filter)));
            }
            Node::IndexScan(scan) => {
                if let Some(condition) = index_condition(scan) {
                    out.push(format!("Index Cond: {condition}"));
                }
                if let Some(filter) = &scan.filter {
                    out.push(format!("Filter: {}", over(&scan_names(plan), filter)));
                }
            }
            Node::Filter { input, condition } => {
                out.push(format!("Filter: {}", over(&column_names(input), condition)));
            }
            Node::Join(join) => self.join_details(join, &mut out),
            Node::Sort { input, keys, .. } => {
                out.push(format!(
                    "Sort Key: {}",
                    self.keys(keys, &column_names(input))
                ));
            }
            Node::Aggregate(a) => {
                let names = column_names(&a.input);
                if !a.keys.is_empty() && a.sets.is_empty() {
                    let keys: Vec<String> = a.keys.iter().map(|k| over(&names, k)).collect();
                    out.push(format!("Group Key: {}", keys.join(", ")));
                }
                for set in &a.sets {
                    let keys: Vec<String> =
                        set.iter().map(|at| over(&names, &a.keys[*at])).collect();
                    out.push(if keys.is_empty() {
                        "Group Key: ()".into()
                    } else {
                        format!("Hash Key: {}", keys.join(", "))
                    });
                }
            }
            Node::Distinct { input, keys } if keys.is_empty() => {
                out.push(format!("Group Key: {}", self.list(&column_names(input))));
            }
            Node::Insert {
                on_conflict: Some(on),
                ..
            } => {
                let what = if on.update.is_some() {
                    "UPDATE"
                } else {
                    "NOTHING"
                };
                out.push(format!("Conflict Resolution: {what}"));
                if let Some(arbiter) = &on.arbiter {
                    out.push(format!("Conflict Arbiter Indexes: {}", arbiter.name));
                }
            }
            _ => {}
        }
        out
    }

    fn list(&self, names: &[String]) -> String {
        names.join(", ")
    }

    fn keys(&self, keys: &[SortKey], names: &[String]) -> String {
        let one = |key: &SortKey| {
            let mut out = text(
                &key.expr,
                &Names {
                    columns: names,
                    qualify: self.qualify,
                },
            );
            if key.descending {
                out.push_str(" DESC");
            }
            match (key.descending, key.nulls_first) {
                (true, false) => out.push_str(" NULLS LAST"),
                (false, true) => out.push_str(" NULLS FIRST"),
                _ => {}
            }
            out
        };
        keys.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn join_details(&self, join: &Join, out: &mut Vec<String>) {
        let left = column_names(&join.left);
        let right = column_names(&join.right);
        let both: Vec<String> = left.iter().chain(&right).cloned().collect();
        let qualified = |columns: &[String], e: &Expr| {
            text(
                e,
                &Names {
                    columns,
                    qualify: true,
                },
            )
        };
        if !join.hash_keys.is_empty() {
            let keys: Vec<String> = join
                .hash_keys
                .iter()
                .map(|(l, r)| format!("({} = {})", qualified(&left, l), qualified(&right, r)))
                .collect();
            let keys = if keys.len() == 1 {
                keys[0].clone()
            } else {
                format!("({})", keys.join(" AND "))
            };
            out.push(format!("Hash Cond: {keys}"));
        }
        if let Some(condition) = &join.condition {
            out.push(format!("Join Filter: {}", qualified(&both, condition)));
        }
    }
}

/// Operators that EXPLAIN of PostgreSQL does not show: a projection is part of
/// the operator below it.
fn shown<'p>(plan: &'p Plan, subs: &mut Vec<&'p pg_plan::SubLink>) -> &'p Plan {
    match &*plan.node {
        Node::Project { input, .. } => {
            subs.extend(subplans(&plan.node));
            shown(input, subs)
        }
        _ => plan,
    }
}

fn join_title(join: &Join) -> String {
    let kind = match join.kind {
        JoinKind::Inner => "",
        JoinKind::Left => " Left",
        JoinKind::Right => " Right",
        JoinKind::Full => " Full",
        JoinKind::Semi => " Semi",
        JoinKind::Anti => " Anti",
    };
    match (join.hash_keys.is_empty(), kind) {
        (true, "") => "Nested Loop".into(),
        (true, kind) => format!("Nested Loop{kind} Join"),
        (false, kind) => format!("Hash{kind} Join"),
    }
}

fn width(plan: &Plan) -> usize {
    plan.columns
        .iter()
        .map(
            |c| match pg_types::type_info(c.type_oid).map_or(-1, |t| t.len) {
                len if len > 0 => len as usize,
                _ if c.typmod > 4 && c.typmod < 1000 => c.typmod as usize - 4,
                _ => 32,
            },
        )
        .sum()
}

fn index_condition(scan: &IndexScan) -> Option<String> {
    let key = |at: usize| {
        let key = scan.index.keys.get(at)?;
        let attr = usize::try_from(key.attribute - 1)
            .ok()
            .and_then(|at| scan.relation.desc.attrs().get(at));
        Some(attr.map_or_else(
            || key.expression.clone().unwrap_or_default(),
            |a| a.name.as_str().into(),
        ))
    };
    let value = |e: &Expr| {
        text(
            e,
            &Names {
                columns: &[],
                qualify: true,
            },
        )
    };
    let mut parts = Vec::new();
    for (at, equal) in scan.equal.iter().enumerate() {
        parts.push(format!("({} = {})", key(at)?, value(equal)));
    }
    let next = scan.equal.len();
    if let Some(any) = &scan.any {
        parts.push(format!("({} = ANY ({}))", key(next)?, value(any)));
    }
    for (bound, word) in [(&scan.lower, ">"), (&scan.upper, "<")] {
        if let Some(bound) = bound {
            let equal = if bound.kind == BoundKind::Inclusive {
                "="
            } else {
                ""
            };
            parts.push(format!(
                "({} {word}{equal} {})",
                key(next)?,
                value(&bound.value)
            ));
        }
    }
    match parts.len() {
        0 => None,
        1 => parts.pop(),
        _ => Some(format!("({})", parts.join(" AND "))),
    }
}

/// The subqueries in an operator's own expressions.
fn subplans(node: &Node) -> Vec<&pg_plan::SubLink> {
    let mut out = Vec::new();
    for expr in own_exprs(node) {
        gather(expr, &mut out);
    }
    out
}

fn gather<'e>(expr: &'e Expr, out: &mut Vec<&'e pg_plan::SubLink>) {
    if let Expr::SubLink(link) = expr {
        out.push(link);
    }
    for child in children(expr) {
        gather(child, out);
    }
}

/// The expressions of an operator where subqueries are shown.
fn own_exprs(node: &Node) -> Vec<&Expr> {
    match node {
        Node::Nothing { filter }
        | Node::SeqScan { filter, .. }
        | Node::VirtualScan { filter, .. } => filter.iter().collect(),
        Node::IndexScan(scan) => scan.filter.iter().collect(),
        Node::Filter { condition, .. } => alloc::vec![condition],
        Node::Project { exprs, .. } | Node::ProjectSet { exprs, .. } => exprs.iter().collect(),
        Node::Join(join) => join.condition.iter().collect(),
        _ => Vec::new(),
    }
}
