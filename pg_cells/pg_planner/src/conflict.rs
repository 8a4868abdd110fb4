//! ON CONFLICT.

use crate::analyzer::{Analyzer, Clause, Var, fold, qualified};
use crate::error;
use crate::path::bind;
use crate::walk::conjunction;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::ast;
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
            Some(ast::ConflictTarget::Columns(columns)) => {
                Some(self.arbiter(relation, &columns.iter().map(fold).collect::<Vec<_>>())?)
            }
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

    /// The unique index over exactly these columns.
    pub fn arbiter(&self, relation: &Relation, columns: &[String]) -> SqlResult<Arc<Index>> {
        let mut wanted = Vec::new();
        for name in columns {
            wanted.push(self.column_place(relation, name)? as i16 + 1);
        }
        relation
            .indexes
            .iter()
            .find(|index| {
                index.unique
                    && index.valid
                    && index.predicate.is_none()
                    && index.keys.iter().all(|key| wanted.contains(&key.attribute))
                    && wanted.iter().all(|at| index.keys.iter().any(|key| key.attribute == *at))
            })
            .cloned()
            .ok_or_else(|| {
                error::bad_reference(
                    "there is no unique or exclusion constraint matching the ON CONFLICT specification",
                )
            })
    }
}
