//! ON CONFLICT.

use crate::analyzer::{Analyzer, Clause, Var, fold, qualified};
use crate::error;
use crate::implication::implied;
use crate::path::bind;
use crate::walk::{conjunction, conjuncts, same};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::{MARK, MARK_CONDITION, ast};
use pg_plan::{Expr, Index, OnConflict, Relation, TargetColumn};
use pg_types::{SqlError, SqlResult, SqlState};

impl Analyzer<'_> {
    /// ON CONFLICT of an INSERT.
    pub fn on_conflict(
        &mut self,
        relation: &Arc<Relation>,
        existing: &[Var],
        alias: &str,
        on: &ast::OnConflict,
    ) -> SqlResult<OnConflict> {
        let arbiter = match &on.conflict_target {
            None => None,
            Some(ast::ConflictTarget::Columns(columns)) => Some(self.arbiter(relation, columns)?),
            Some(ast::ConflictTarget::OnConstraint(name)) => {
                let (_, name) = qualified(name)?;
                let found = relation
                    .indexes
                    .iter()
                    .find(|i| i.constraint.as_deref() == Some(name.as_str()));
                Some(found.cloned().ok_or_else(|| {
                    SqlError::new(
                        SqlState::UNDEFINED_OBJECT,
                        format!(
                            "constraint \"{name}\" for table \"{}\" does not exist",
                            relation.name
                        ),
                    )
                })?)
            }
        };
        let update = match &on.action {
            ast::OnConflictAction::DoNothing => {
                return Ok(OnConflict {
                    arbiter,
                    update: None,
                    changed: Vec::new(),
                    condition: None,
                });
            }
            ast::OnConflictAction::DoUpdate(update) => update,
        };
        if arbiter.is_none() {
            return Err(error::syntax(
                "ON CONFLICT DO UPDATE requires inference specification or constraint name",
            )
            .with_hint("For example, ON CONFLICT (column_name)."));
        }
        let proposed = self.row_vars(relation, "excluded");
        let items = alloc::vec![
            self.row_item(relation, alias, existing, true),
            self.row_item(relation, "excluded", &proposed, false)
        ];
        let before = core::mem::take(&mut self.level().names);
        self.level().names.items = items;
        let layout: Vec<Var> = existing.iter().chain(&proposed).copied().collect();
        let result = self.conflict_update(relation, &layout, update);
        self.level().names = before;
        let (values, changed, condition) = result?;
        Ok(OnConflict {
            arbiter,
            update: Some(values),
            changed,
            condition,
        })
    }

    /// DO UPDATE.
    #[allow(clippy::type_complexity)] // The three parts of DO UPDATE.
    pub fn conflict_update(
        &mut self,
        relation: &Arc<Relation>,
        layout: &[Var],
        update: &ast::DoUpdate,
    ) -> SqlResult<(Vec<TargetColumn>, Vec<usize>, Option<Expr>)> {
        let set = self.assignments(relation, &update.assignments)?;
        let (values, changed) =
            self.new_row(relation, &layout[..relation.desc.len()], set, layout)?;
        let mut conditions = Vec::new();
        if let Some(selection) = &update.selection {
            let condition = self.within(Clause::Where, |a| a.expr(selection))?;
            let condition = self.boolean(condition, "WHERE")?;
            conditions.push(bind(condition, layout)?);
        }
        Ok((values, changed, conjunction(conditions)))
    }

    /// The unique index over exactly these columns and expressions, whose condition,
    /// if it has one, follows from the one given.
    pub fn arbiter(
        &mut self,
        relation: &Arc<Relation>,
        items: &[ast::Ident],
    ) -> SqlResult<Arc<Index>> {
        let (mut columns, mut exprs, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for item in items {
            if let Some(text) = item.value.strip_prefix(MARK_CONDITION) {
                let condition = self.row_text(relation, text, Clause::Index)?;
                conjuncts(self.boolean(condition, "WHERE")?, &mut known);
            } else if let Some(text) = item.value.strip_prefix(MARK) {
                match self.row_text(relation, text, Clause::Index)? {
                    Expr::Column { index, .. } => columns.push(index as i16 + 1),
                    expr => exprs.push(expr),
                }
            } else {
                columns.push(self.column_place(relation, &fold(item))? as i16 + 1);
            }
        }
        let facts = self.index_exprs(relation)?;
        let fits = |index: &&Arc<Index>| {
            let own = facts.iter().find(|f| f.index == index.oid);
            let predicate = own.and_then(|f| f.predicate.as_ref());
            let mut plain = index.keys.iter().filter(|key| key.attribute != 0);
            let computed = own.map_or(&[][..], |f| &f.keys).iter().flatten();
            index.unique
                && index.valid
                && predicate.is_none_or(|p| implied(&known, p))
                && plain.all(|key| columns.contains(&key.attribute))
                && computed
                    .clone()
                    .all(|key| exprs.iter().any(|e| same(e, key)))
                && columns
                    .iter()
                    .all(|at| index.keys.iter().any(|key| key.attribute == *at))
                && exprs
                    .iter()
                    .all(|e| computed.clone().any(|key| same(e, key)))
        };
        // One without a condition is better: it arbitrates all rows.
        let mut fitting: Vec<&Arc<Index>> = relation.indexes.iter().filter(fits).collect();
        fitting.sort_by_key(|index| (index.deferral.deferrable, index.predicate.is_some()));
        let found = fitting.first().map(|index| Arc::clone(index));
        found.ok_or_else(|| {
            error::bad_reference(
                "there is no unique or exclusion constraint matching the ON CONFLICT specification",
            )
        })
    }
}
