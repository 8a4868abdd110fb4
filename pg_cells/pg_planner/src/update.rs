//! UPDATE and DELETE.

use crate::analyzer::{Analyzer, Clause, Var, qualified};
use crate::error;
use crate::insert::is_default;
use crate::leaf::{LeafKind, Tree};
use crate::order_joins::{Problem, Wish};
use crate::path::{Path, Uses, bind};
use crate::select::{Semi, split_and};
use crate::target::Change;
use crate::walk::{conjunction, conjuncts};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::ast::{self, TableFactor};
use pg_plan::{Expr, Node, Plan, Relation, TargetColumn};
use pg_types::{SqlError, SqlResult, SqlState};

/// A column and its new value; `None` is DEFAULT.
pub type Assigned = (usize, Option<Expr>);

/// The resolved rows of an UPDATE or DELETE.
struct Rows {
    trees: Vec<Tree>,
    conditions: Vec<Expr>,
    semis: Vec<Semi>,
}

impl Analyzer<'_> {
    /// Plans an UPDATE in the current level.
    pub fn update(&mut self, update: &ast::Update) -> SqlResult<Plan> {
        let foreign = update.or.is_some()
            || update.output.is_some()
            || !update.order_by.is_empty()
            || update.limit.is_some()
            || !update.table.joins.is_empty();
        if foreign {
            return Err(error::syntax(
                "syntax error in UPDATE: a clause of another dialect",
            ));
        }
        let (relation, leaf) = self.change_target(&update.table.relation, Change::Update)?;
        let from = match &update.from {
            None => &[][..],
            Some(ast::UpdateTableFromKind::AfterSet(list)) => list.as_slice(),
            Some(_) => return Err(error::syntax("syntax error at or near \"FROM\"")),
        };
        let rows = self.changed_rows(leaf, from, update.selection.as_ref())?;
        let set = self.assignments(&relation, &update.assignments)?;
        let returning = update.returning.as_ref();
        // RETURNING sees the new row under the table's name.
        let new = self.row_vars(&relation, &relation.name);
        let old = self.rename_target(&relation, &new);
        let targets = match returning {
            Some(list) => Some(self.within(Clause::Returning, |a| a.targets(list))?),
            None => None,
        };
        self.level().names = old;
        let mut uses = Uses::default();
        set.iter()
            .filter_map(|(_, value)| value.as_ref())
            .for_each(|value| uses.add(value));
        targets
            .iter()
            .flatten()
            .for_each(|(_, value)| uses.add(value));
        let (path, row_id, recheck) = self.change_input(leaf, rows, uses)?;
        let (values, changed) =
            self.new_row(&relation, &path.layout[..row_id], set, &path.layout)?;
        let checks = self.checks(&relation)?;
        let index_exprs = self.index_exprs(&relation)?;
        let reached = self.reached(&relation)?;
        let layout: Vec<Var> = new.iter().chain(&path.layout).copied().collect();
        let (returning, columns) = self.returned(targets, &layout)?;
        let (count, cost) = (path.plan.rows, path.plan.total_cost);
        let node = Node::Update {
            relation,
            input: path.plan,
            row_id,
            values,
            changed,
            index_exprs,
            recheck,
            checks,
            reached,
            returning,
        };
        let mut plan = Self::bare(node, columns, count);
        plan.total_cost = cost + count * 0.02;
        Ok(plan)
    }

    /// Plans a DELETE in the current level.
    pub fn delete(&mut self, delete: &ast::Delete) -> SqlResult<Plan> {
        let foreign = !delete.tables.is_empty()
            || delete.output.is_some()
            || !delete.order_by.is_empty()
            || delete.limit.is_some();
        let ast::FromTable::WithFromKeyword(from) = &delete.from else {
            return Err(error::syntax("syntax error in DELETE: FROM is missing"));
        };
        let [table] = from.as_slice() else {
            return Err(error::syntax("syntax error at or near \",\""));
        };
        if foreign || !table.joins.is_empty() {
            return Err(error::syntax(
                "syntax error in DELETE: a clause of another dialect",
            ));
        }
        let (relation, leaf) = self.change_target(&table.relation, Change::Delete)?;
        let using = delete.using.as_deref().unwrap_or(&[]);
        let rows = self.changed_rows(leaf, using, delete.selection.as_ref())?;
        let gone = self.row_vars(&relation, &relation.name);
        let old = self.rename_target(&relation, &gone);
        let targets = match &delete.returning {
            Some(list) => Some(self.within(Clause::Returning, |a| a.targets(list))?),
            None => None,
        };
        self.level().names = old;
        let mut uses = Uses::default();
        targets
            .iter()
            .flatten()
            .for_each(|(_, value)| uses.add(value));
        let (path, row_id, recheck) = self.change_input(leaf, rows, uses)?;
        let layout: Vec<Var> = gone.iter().chain(&path.layout).copied().collect();
        let (returning, columns) = self.returned(targets, &layout)?;
        let (count, cost) = (path.plan.rows, path.plan.total_cost);
        let node = Node::Delete {
            reached: self.reached(&relation)?,
            relation,
            input: path.plan,
            row_id,
            recheck,
            returning,
        };
        let mut plan = Self::bare(node, columns, count);
        plan.total_cost = cost + count * 0.02;
        Ok(plan)
    }

    /// The changed table as the first item in sight.
    fn change_target(
        &mut self,
        factor: &TableFactor,
        change: Change,
    ) -> SqlResult<(Arc<Relation>, usize)> {
        let TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } = factor
        else {
            return Err(error::syntax("syntax error: a table name is wanted"));
        };
        let (schema, name) = qualified(name)?;
        let relation = self.changed_table(schema.as_deref(), &name, change)?;
        let tree = self.table_leaf(relation.clone(), alias.as_ref(), true)?;
        match tree {
            Tree::Leaf(leaf) => Ok((relation, leaf)),
            _ => Err(SqlError::internal("a table that is a join")),
        }
    }

    fn changed_rows(
        &mut self,
        leaf: usize,
        from: &[ast::TableWithJoins],
        selection: Option<&ast::Expr>,
    ) -> SqlResult<Rows> {
        let mut trees = alloc::vec![Tree::Leaf(leaf)];
        trees.extend(self.from(from)?);
        let mut rows = Rows {
            trees,
            conditions: Vec::new(),
            semis: Vec::new(),
        };
        let mut parts = Vec::new();
        if let Some(selection) = selection {
            if matches!(selection, ast::Expr::Function(f) if f.name.0.is_empty()) {
                return Err(SqlError::unsupported("WHERE CURRENT OF"));
            }
            split_and(selection, &mut parts);
        }
        for part in parts {
            if let Some(semi) = self.as_semi_join(part)? {
                rows.semis.push(semi);
                continue;
            }
            let condition = self.within(Clause::Where, |a| a.expr(part))?;
            let condition = self.boolean(condition, "WHERE")?;
            conjuncts(condition, &mut rows.conditions);
        }
        Ok(rows)
    }

    /// Puts the changed row's variables under the target's name; gives the names
    /// as they were.
    fn rename_target(&mut self, relation: &Arc<Relation>, vars: &[Var]) -> crate::scope::Namespace {
        let before = self.level().names.clone();
        let name = before
            .items
            .first()
            .and_then(|item| item.alias.clone())
            .unwrap_or_default();
        let row_id = before.items.first().and_then(|item| item.row_id);
        let mut item = self.row_item(relation, &name, vars, true);
        item.row_id = row_id;
        if let Some(first) = self.level().names.items.first_mut() {
            *first = item;
        }
        before
    }

    /// The rows to change: the old row in descriptor order, its id, the rest.
    fn change_input(
        &mut self,
        leaf: usize,
        rows: Rows,
        mut uses: Uses,
    ) -> SqlResult<(Path, usize, Option<Expr>)> {
        let Rows {
            trees,
            conditions,
            semis,
        } = rows;
        conditions.iter().for_each(|c| uses.add(c));
        semis
            .iter()
            .flat_map(|s| &s.conditions)
            .for_each(|c| uses.add(c));
        self.tree_uses(&trees, &mut uses);
        for semi in &semis {
            self.tree_uses(&semi.trees, &mut uses);
        }
        let LeafKind::Table { row_id, .. } = self.leaves[leaf].kind else {
            return Err(SqlError::internal("a changed table that is none"));
        };
        let mut wanted: Vec<Var> = self.leaves[leaf].vars.clone();
        wanted.push(row_id);
        let problem = Problem {
            trees,
            conditions: conditions.clone(),
            semis,
        };
        let path = self.join_all(problem, &uses, Wish::default())?;
        let rest: Vec<Var> = path
            .layout
            .iter()
            .copied()
            .filter(|var| !wanted.contains(var))
            .collect();
        let place = wanted.len() - 1;
        wanted.extend(rest);
        let path = if path.layout == wanted {
            path
        } else {
            let exprs = wanted
                .iter()
                .map(|var| path.bind(self.var(*var)))
                .collect::<SqlResult<_>>()?;
            let columns = self.layout_columns(&wanted);
            let plan = crate::build::project(path.plan, exprs, columns);
            Path {
                plan,
                layout: wanted,
                order: Vec::new(),
                fixed: Vec::new(),
            }
        };
        let recheck = conjunction(conditions)
            .map(|c| bind(c, &path.layout))
            .transpose()?;
        Ok((path, place, recheck))
    }

    /// SET: the columns and their new values over variables.
    pub fn assignments(
        &mut self,
        relation: &Arc<Relation>,
        list: &[ast::Assignment],
    ) -> SqlResult<Vec<Assigned>> {
        let mut out: Vec<Assigned> = Vec::new();
        for assignment in list {
            match &assignment.target {
                ast::AssignmentTarget::ColumnName(name) => {
                    let at = self.target_column(relation, name)?;
                    let value = self.assigned(relation, at, &assignment.value)?;
                    out.push((at, value));
                }
                ast::AssignmentTarget::Tuple(names) => {
                    let Some(values) = crate::compare::row_members(&assignment.value) else {
                        return Err(SqlError::unsupported(
                            "assigning a subquery to several columns",
                        ));
                    };
                    if values.len() != names.len() {
                        return Err(error::syntax(
                            "number of columns does not match number of values",
                        ));
                    }
                    for (name, ast) in names.iter().zip(values) {
                        let at = self.target_column(relation, name)?;
                        let value = self.assigned(relation, at, ast)?;
                        out.push((at, value));
                    }
                }
            }
        }
        for (n, (at, _)) in out.iter().enumerate() {
            if out[..n].iter().any(|(other, _)| other == at) {
                let name = relation.desc.attrs()[*at].name.as_str();
                return Err(error::syntax(format!(
                    "multiple assignments to same column \"{name}\""
                )));
            }
        }
        Ok(out)
    }

    fn assigned(
        &mut self,
        relation: &Arc<Relation>,
        at: usize,
        ast: &ast::Expr,
    ) -> SqlResult<Option<Expr>> {
        if is_default(ast) {
            return Ok(None);
        }
        let attr = &relation.desc.attrs()[at];
        if relation
            .columns
            .get(at)
            .is_some_and(|c| c.identity == Some('a'))
        {
            let name = attr.name.as_str();
            return Err(SqlError::new(
                SqlState::GENERATED_ALWAYS,
                format!("column \"{name}\" can only be updated to DEFAULT"),
            )
            .with_detail(format!(
                "Column \"{name}\" is an identity column defined as GENERATED ALWAYS."
            )));
        }
        let value = self.within(Clause::Set, |a| a.expr(ast))?;
        self.assign(value, attr.name.as_str(), attr.type_oid, attr.typmod)
            .map(Some)
    }

    /// The new row over `layout`: what SET names, and the old values in `old`.
    pub fn new_row(
        &mut self,
        relation: &Arc<Relation>,
        old: &[Var],
        set: Vec<Assigned>,
        layout: &[Var],
    ) -> SqlResult<(Vec<TargetColumn>, Vec<usize>)> {
        let changed: Vec<usize> = set.iter().map(|(at, _)| *at).collect();
        let mut values: Vec<Expr> = old.iter().map(|var| self.var(*var)).collect();
        for (at, value) in set {
            values[at] = match value {
                Some(value) => value,
                None => self.default_value(relation, at)?,
            };
        }
        let mut out = Vec::new();
        for (value, attr) in values.into_iter().zip(relation.desc.attrs()) {
            let value = if attr.dropped {
                crate::coerce::null(attr.type_oid)
            } else {
                bind(value, layout)?
            };
            out.push(TargetColumn {
                value,
                not_null: attr.not_null && !attr.dropped,
            });
        }
        Ok((out, changed))
    }

    #[allow(clippy::type_complexity)] // Expressions and their columns.
    fn returned(
        &mut self,
        targets: Option<Vec<crate::order::Target>>,
        layout: &[Var],
    ) -> SqlResult<(Option<Vec<Expr>>, Vec<pg_plan::OutputColumn>)> {
        let Some(targets) = targets else {
            return Ok((None, Vec::new()));
        };
        let mut exprs = Vec::new();
        let mut columns = Vec::new();
        for (name, value) in targets {
            let value = self.settle(value)?;
            columns.push(self.output(&name, &value));
            exprs.push(bind(value, layout)?);
        }
        Ok((Some(exprs), columns))
    }
}
