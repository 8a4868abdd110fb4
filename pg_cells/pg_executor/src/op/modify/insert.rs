//! [`RowInserter`]: INSERT, row by row; COPY FROM uses it too.

use super::RowChange;
use super::conflict::Conflict;
use super::target::{NewRow, Target};
use crate::env::Env;
use crate::op::Builder;
use alloc::vec::Vec;
use pg_plan::Node;
use pg_types::{Datum, SqlError, SqlResult};

/// Inserts rows.
pub struct RowInserter {
    target: Target,
    values: NewRow,
    conflict: Option<Conflict>,
    new: Vec<Datum>,
}

impl RowInserter {
    /// For an Insert node; its input is the caller's business.
    ///
    /// # Errors
    /// As compiling expressions.
    pub fn compile(node: &Node, builder: &mut Builder) -> SqlResult<Self> {
        let Node::Insert {
            relation,
            values,
            checks,
            on_conflict,
            index_exprs,
            ..
        } = node
        else {
            return Err(SqlError::internal("not an INSERT"));
        };
        Ok(RowInserter {
            target: Target::compile(relation, checks, index_exprs, builder)?,
            values: NewRow::compile(values, builder)?,
            conflict: on_conflict
                .as_ref()
                .map(|c| Conflict::compile(c, relation, builder))
                .transpose()?,
            new: Vec::new(),
        })
    }
}

impl RowChange for RowInserter {
    fn change(
        &mut self,
        row: &[Datum],
        shown: Option<&mut Vec<Datum>>,
        env: &mut Env<'_>,
    ) -> SqlResult<bool> {
        self.values.compute(row, env, &mut self.new)?;
        self.target.check(&self.values, &self.new, env)?;
        let inserted = match &mut self.conflict {
            Some(conflict) => {
                conflict.insert(&mut self.target, &self.values, &mut self.new, env)?
            }
            None => {
                let id = self.target.insert(env)?;
                if let Some((at, _)) = self.target.index_row(&self.new, id, env)? {
                    return Err(self.target.duplicate(at, env));
                }
                true
            }
        };
        if inserted && let Some(shown) = shown {
            shown.clear();
            shown.extend_from_slice(&self.new);
            shown.extend_from_slice(row);
        }
        Ok(inserted)
    }
}
