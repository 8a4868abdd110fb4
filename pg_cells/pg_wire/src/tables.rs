//! Which tables a plan uses, and how they are locked for it.

use alloc::vec::Vec;
use pg_plan::{Aggregate, Expr, Join, LockStrength, Node, Plan, SortKey, SubLinkKind, Verb};
use pg_txn_port::LockMode;
use pg_types::{Oid, SqlError, SqlState};
use pg_wire_port::{Body, Ready};

/// What was found out about a plan.
#[derive(Default)]
pub struct Uses {
    /// Tables with the strongest mode each needs.
    pub locks: Vec<(Oid, LockMode)>,
    /// It changes rows, locks them, or calls what may change something.
    pub writes: bool,
}

/// 25006.
#[cold]
pub fn read_only(command: &str) -> SqlError {
    SqlError::new(
        SqlState::READ_ONLY_SQL_TRANSACTION,
        alloc::format!("cannot execute {command} in a read-only transaction"),
    )
}

/// A read-only transaction changes and locks no rows, not even none.
#[cold]
pub fn refuse_read_only(ready: &Ready) -> Result<(), SqlError> {
    let strongest = ready.locks.iter().map(|(_, mode)| *mode).max();
    let Body::Query(plan, _) = &ready.body else {
        return Ok(());
    };
    match strongest {
        None | Some(LockMode::AccessShare) => Ok(()),
        Some(LockMode::RowShare) => Err(read_only(match row_lock(plan) {
            Some(LockStrength::NoKeyUpdate) => "SELECT FOR NO KEY UPDATE",
            Some(LockStrength::Share) => "SELECT FOR SHARE",
            Some(LockStrength::KeyShare) => "SELECT FOR KEY SHARE",
            Some(LockStrength::Update) | None => "SELECT FOR UPDATE",
        })),
        Some(_) => Err(read_only(match plan.verb() {
            Verb::Select => "SELECT",
            Verb::Insert => "INSERT",
            Verb::Update => "UPDATE",
            Verb::Delete => "DELETE",
        })),
    }
}

/// The strength of a query's locking clause.
fn row_lock(plan: &Plan) -> Option<LockStrength> {
    match &*plan.node {
        Node::LockRows { strength, .. } => Some(*strength),
        Node::Limit { input, .. }
        | Node::Project { input, .. }
        | Node::Sort { input, .. }
        | Node::Filter { input, .. } => row_lock(input),
        Node::With { body, .. } => row_lock(body),
        _ => None,
    }
}

/// Walks a plan and all plans within.
pub fn uses(plan: &Plan) -> Uses {
    let mut uses = Uses::default();
    uses.plan(plan);
    uses
}

impl Uses {
    fn lock(&mut self, oid: Oid, mode: LockMode) {
        match self.locks.iter_mut().find(|(o, _)| *o == oid) {
            Some((_, held)) => *held = (*held).max(mode),
            None => self.locks.push((oid, mode)),
        }
    }

    fn changes(&mut self, oid: Oid) {
        self.writes = true;
        self.lock(oid, LockMode::RowExclusive);
    }

    fn plan(&mut self, plan: &Plan) {
        self.node(&plan.node);
    }

    /// A dispatch table, one arm for each operator.
    fn node(&mut self, node: &Node) {
        match node {
            Node::Nothing { filter } => self.exprs(filter),
            Node::Values(rows) => rows.iter().for_each(|row| self.exprs(row)),
            Node::SeqScan {
                relation, filter, ..
            } => {
                self.lock(relation.oid, LockMode::AccessShare);
                self.exprs(filter);
            }
            Node::IndexScan(scan) => {
                self.lock(scan.relation.oid, LockMode::AccessShare);
                let bounds = scan.lower.iter().chain(&scan.upper);
                self.exprs(bounds.map(|b| &b.value));
                self.exprs(scan.equal.iter().chain(&scan.any).chain(&scan.filter));
            }
            Node::VirtualScan { filter, .. } => self.exprs(filter),
            Node::FunctionScan { function, args, .. } => {
                self.function(*function);
                self.exprs(args);
            }
            Node::ProjectSet { input, exprs, .. } | Node::Project { input, exprs } => {
                self.plan(input);
                self.exprs(exprs);
            }
            Node::Filter { input, condition } => {
                self.plan(input);
                self.expr(condition);
            }
            Node::Join(join) => self.join(join),
            Node::Sort { input, keys, bound } => {
                self.plan(input);
                self.keys(keys);
                self.exprs(bound);
            }
            Node::Limit {
                input,
                limit,
                offset,
                ties,
            } => {
                self.plan(input);
                self.exprs(limit.iter().chain(offset));
                self.keys(ties.as_deref().unwrap_or_default());
            }
            Node::Aggregate(aggregate) => self.aggregate(aggregate),
            Node::Window {
                input,
                calls,
                partition,
                order,
            } => {
                self.plan(input);
                for call in calls {
                    self.exprs(call.args.iter().chain(&call.filter));
                }
                self.exprs(partition);
                self.keys(order);
            }
            Node::Distinct { input, keys } => {
                self.plan(input);
                self.exprs(keys);
            }
            Node::Append(inputs) => inputs.iter().for_each(|p| self.plan(p)),
            Node::SetOp { left, right, .. } => {
                self.plan(left);
                self.plan(right);
            }
            Node::With { ctes, body } => {
                ctes.iter().for_each(|(_, p)| self.plan(p));
                self.plan(body);
            }
            Node::RecursiveUnion { initial, step, .. } => {
                self.plan(initial);
                self.plan(step);
            }
            Node::CteScan { .. } => {}
            Node::LockRows { .. }
            | Node::Insert { .. }
            | Node::Update { .. }
            | Node::Delete { .. } => {
                self.change(node);
            }
        }
    }

    fn change(&mut self, node: &Node) {
        match node {
            Node::LockRows { input, targets, .. } => {
                self.writes = true;
                for (relation, _) in targets {
                    self.lock(relation.oid, LockMode::RowShare);
                }
                self.plan(input);
            }
            Node::Insert {
                relation,
                input,
                values,
                checks,
                index_exprs: _,
                on_conflict,
                // Tables that are reached are locked when they are.
                reached: _,
                returning,
            } => {
                self.changes(relation.oid);
                self.plan(input);
                self.exprs(values.iter().map(|v| &v.value));
                self.exprs(checks.iter().map(|c| &c.1));
                if let Some(conflict) = on_conflict {
                    self.exprs(conflict.update.iter().flatten().map(|v| &v.value));
                    self.exprs(&conflict.condition);
                }
                self.exprs(returning.iter().flatten());
            }
            Node::Update {
                relation,
                input,
                values,
                recheck,
                checks,
                returning,
                ..
            } => {
                self.changes(relation.oid);
                self.plan(input);
                self.exprs(values.iter().map(|v| &v.value));
                self.exprs(checks.iter().map(|c| &c.1));
                self.exprs(recheck.iter().chain(returning.iter().flatten()));
            }
            Node::Delete {
                relation,
                input,
                recheck,
                returning,
                ..
            } => {
                self.changes(relation.oid);
                self.plan(input);
                self.exprs(recheck.iter().chain(returning.iter().flatten()));
            }
            _ => {}
        }
    }

    fn join(&mut self, join: &Join) {
        self.plan(&join.left);
        self.plan(&join.right);
        self.exprs(join.hash_keys.iter().flat_map(|(l, r)| [l, r]));
        self.exprs(join.condition.iter().chain(&join.outer));
    }

    fn aggregate(&mut self, aggregate: &Aggregate) {
        self.plan(&aggregate.input);
        self.exprs(&aggregate.keys);
        for call in &aggregate.calls {
            self.exprs(call.args.iter().chain(&call.filter));
            self.keys(&call.order);
        }
    }

    fn keys(&mut self, keys: &[SortKey]) {
        self.exprs(keys.iter().map(|k| &k.expr));
    }

    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        exprs.into_iter().for_each(|e| self.expr(e));
    }

    /// A volatile function may do anything.
    fn function(&mut self, oid: Oid) {
        let volatile = pg_builtins::function_by_oid(oid)
            .is_none_or(|f| f.volatility == pg_builtins::Volatility::Volatile);
        self.writes |= volatile;
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Const { .. }
            | Expr::Column { .. }
            | Expr::Param { .. }
            | Expr::Outer { .. }
            | Expr::CaseOperand { .. }
            | Expr::Session { .. } => {}
            Expr::NextValue { .. } => self.writes = true,
            Expr::Call { function, args, .. } => {
                self.function(*function);
                self.exprs(args);
            }
            Expr::And(args)
            | Expr::Or(args)
            | Expr::Row(args)
            | Expr::Coalesce { args, .. }
            | Expr::MinMax { args, .. }
            | Expr::Array { elements: args, .. } => self.exprs(args),
            Expr::CastViaText { input, .. }
            | Expr::ApplyTypmod { input, .. }
            | Expr::Relabel { input, .. }
            | Expr::Not(input)
            | Expr::IsNull { input, .. }
            | Expr::IsBool { input, .. }
            | Expr::Field { record: input, .. } => self.expr(input),
            Expr::IsDistinct { left, right, .. }
            | Expr::NullIf { left, right, .. }
            | Expr::Quantified {
                left, array: right, ..
            } => {
                self.expr(left);
                self.expr(right);
            }
            Expr::Case {
                operand,
                arms,
                otherwise,
                ..
            } => {
                self.exprs(operand.as_deref());
                self.exprs(arms.iter().flat_map(|a| [&a.when, &a.then]));
                self.exprs(otherwise.as_deref());
            }
            Expr::Subscript {
                array, subscripts, ..
            } => {
                self.expr(array);
                self.exprs(subscripts);
            }
            Expr::SubLink(link) => {
                self.plan(&link.plan);
                self.exprs(&link.outer);
                if let SubLinkKind::Quantified { left, .. } = &link.kind {
                    self.exprs(left);
                }
            }
        }
    }
}
