//! USING and NATURAL: one column for each pair.

use crate::analyzer::Analyzer;
use crate::scope::{NameColumn, NameItem};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_plan::{Expr, JoinKind};
use pg_types::{SqlError, SqlResult, SqlState};

impl Analyzer<'_> {
    /// USING and NATURAL: one column for each pair.
    pub fn merge(
        &mut self,
        names: &[String],
        kind: JoinKind,
        swap: bool,
        start: usize,
        middle: usize,
        on: &mut Vec<Expr>,
    ) -> SqlResult<()> {
        let end = self.level().names.items.len();
        let left = self.visible(start, middle);
        let right = self.visible(middle, end);
        let find = |side: &[NameColumn], name: &str, which: &str| {
            let hits: Vec<&NameColumn> = side.iter().filter(|c| c.name == name).collect();
            match hits.as_slice() {
                [one] => Ok(one.value.clone()),
                [] => Err(SqlError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!(
                        "column \"{name}\" specified in USING clause does not exist in {which} table"
                    ),
                )),
                _ => Err(SqlError::new(
                    SqlState::AMBIGUOUS_COLUMN,
                    format!(
                        "common column name \"{name}\" appears more than once in {which} table"
                    ),
                )),
            }
        };
        let mut columns = Vec::new();
        for name in names {
            let l = find(&left, name, "left")?;
            let r = find(&right, name, "right")?;
            on.push(self.operator("=", l.clone(), r.clone())?);
            let value = match (kind, swap) {
                (JoinKind::Full, _) => {
                    let (args, type_oid) = self.unify(alloc::vec![l, r], "JOIN/USING")?;
                    Expr::Coalesce { args, type_oid }
                }
                (_, true) => r,
                _ => l,
            };
            columns.push(NameColumn {
                name: name.clone(),
                value,
            });
        }
        let rest = left
            .into_iter()
            .chain(right)
            .filter(|c| !names.contains(&c.name));
        columns.extend(rest);
        let items = &mut self.level().names.items;
        items[start..]
            .iter_mut()
            .for_each(|item| item.columns_visible = false);
        items.push(NameItem {
            alias: None,
            schema: None,
            columns,
            columns_visible: true,
            name_visible: false,
            relation: None,
            row_id: None,
            scalar: false,
        });
        Ok(())
    }

    /// The unqualified columns of some items.
    pub fn visible(&mut self, from: usize, to: usize) -> Vec<NameColumn> {
        self.level().names.items[from..to]
            .iter()
            .filter(|item| item.columns_visible)
            .flat_map(|item| item.columns.iter().cloned())
            .collect()
    }
}
