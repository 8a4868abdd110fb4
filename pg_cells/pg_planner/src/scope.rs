//! What names mean: FROM items with their columns, and looking columns up.

use crate::analyzer::{Analyzer, Var};
use crate::error;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Expr, Relation};
use pg_types::SqlResult;

/// A column in sight.
#[derive(Clone)]
pub struct NameColumn {
    /// Its name.
    pub name: String,
    /// Its value: a variable, or COALESCE of two for USING of a full join.
    pub value: Expr,
}

/// A FROM item in sight.
#[derive(Clone)]
pub struct NameItem {
    /// Its alias or name; `None` for a join without alias.
    pub alias: Option<String>,
    /// Its schema, when it is a table without alias.
    pub schema: Option<String>,
    /// The columns.
    pub columns: Vec<NameColumn>,
    /// Its columns are found without qualification, and by `*`.
    pub columns_visible: bool,
    /// It is found by its name.
    pub name_visible: bool,
    /// The table, for system columns.
    pub relation: Option<Arc<Relation>>,
    /// The variable of the row id, for tables.
    pub row_id: Option<Var>,
    /// A function's single column is also the whole row.
    pub scalar: bool,
}

/// All FROM items of a level.
#[derive(Clone, Default)]
pub struct Namespace {
    /// In order.
    pub items: Vec<NameItem>,
}

enum Found {
    Value(Expr),
    Nothing,
}

impl Namespace {
    fn column(&self, name: &str) -> SqlResult<Found> {
        let mut hits = self
            .items
            .iter()
            .filter(|item| item.columns_visible)
            .flat_map(|item| item.columns.iter())
            .filter(|column| column.name == name);
        match (hits.next(), hits.next()) {
            (None, _) => Ok(Found::Nothing),
            (Some(hit), None) => Ok(Found::Value(hit.value.clone())),
            (Some(_), Some(_)) => Err(error::ambiguous(name)),
        }
    }

    fn item(&self, schema: Option<&str>, name: &str) -> SqlResult<Option<&NameItem>> {
        let mut hits = self.items.iter().filter(|item| {
            item.name_visible
                && item.alias.as_deref() == Some(name)
                && (schema.is_none() || item.schema.as_deref() == schema)
        });
        match (hits.next(), hits.next()) {
            (first, None) => Ok(first),
            _ => Err(pg_types::SqlError::new(
                pg_types::SqlState::AMBIGUOUS_ALIAS,
                alloc::format!("table reference \"{name}\" is ambiguous"),
            )),
        }
    }
}

impl Analyzer<'_> {
    /// The levels in sight, innermost first.
    fn in_sight(&self) -> Vec<usize> {
        let mut out = Vec::new();
        let mut at = self.levels.len();
        while at > 0 {
            at -= 1;
            out.push(at);
            if self.levels[at].hides_parent {
                at = at.saturating_sub(1);
            }
        }
        out
    }

    /// Hands a value up.
    fn take(&mut self, value: Expr, level: usize) -> Expr {
        self.hand_up(value, level)
    }

    /// A bare name: a column, else a whole row.
    pub fn resolve_name(&mut self, name: &str) -> SqlResult<Expr> {
        for level in self.in_sight() {
            if let Found::Value(value) = self.levels[level].names.column(name)? {
                return Ok(self.take(value, level));
            }
        }
        if let Some(value) = self.system_column(None, name)? {
            return Ok(value);
        }
        match self.whole_row(None, name)? {
            Some(row) => Ok(row),
            None => Err(error::no_column(name)),
        }
    }

    /// `item.column`.
    pub fn resolve_qualified(
        &mut self,
        schema: Option<&str>,
        item: &str,
        name: &str,
    ) -> SqlResult<Expr> {
        for level in self.in_sight() {
            let Some(found) = self.levels[level].names.item(schema, item)? else {
                continue;
            };
            let hits: Vec<Expr> = found
                .columns
                .iter()
                .filter(|c| c.name == name)
                .map(|c| c.value.clone())
                .collect();
            match hits.len() {
                0 => {}
                1 => return Ok(self.take(hits[0].clone(), level)),
                _ => return Err(error::ambiguous(name)),
            }
            return match self.system_column(Some((schema, item)), name)? {
                Some(value) => Ok(value),
                None => Err(error::no_column_of(item, name)),
            };
        }
        // `row.field` where row is a column of a composite type is not offered;
        // a schema's table that is not in FROM is the likelier mistake.
        Err(error::no_from_entry(item))
    }

    /// `item.*` or `item` as a value.
    pub fn whole_row(&mut self, schema: Option<&str>, name: &str) -> SqlResult<Option<Expr>> {
        for level in self.in_sight() {
            let Some(item) = self.levels[level].names.item(schema, name)? else {
                continue;
            };
            let values: Vec<Expr> = item.columns.iter().map(|c| c.value.clone()).collect();
            if item.scalar {
                if let Some(value) = values.into_iter().next() {
                    return Ok(Some(self.take(value, level)));
                }
                return Ok(None);
            }
            let fields = values
                .into_iter()
                .map(|value| self.take(value, level))
                .collect();
            return Ok(Some(Expr::Row(fields)));
        }
        Ok(None)
    }

    /// The columns of `item.*`: names and values.
    pub fn star_of(&mut self, schema: Option<&str>, name: &str) -> SqlResult<Vec<(String, Expr)>> {
        for level in self.in_sight() {
            let Some(item) = self.levels[level].names.item(schema, name)? else {
                continue;
            };
            let columns: Vec<(String, Expr)> = item
                .columns
                .iter()
                .map(|c| (c.name.clone(), c.value.clone()))
                .collect();
            return Ok(columns
                .into_iter()
                .map(|(name, value)| (name, self.take(value, level)))
                .collect());
        }
        Err(error::no_from_entry(name))
    }

    /// The columns of `*`.
    pub fn star(&mut self) -> SqlResult<Vec<(String, Expr)>> {
        let at = self.levels.len() - 1;
        let columns: Vec<(String, Expr)> = self.levels[at]
            .names
            .items
            .iter()
            .filter(|item| item.columns_visible)
            .flat_map(|item| {
                item.columns
                    .iter()
                    .map(|c| (c.name.clone(), c.value.clone()))
            })
            .collect();
        if self.levels[at].names.items.is_empty() {
            return Err(error::syntax(
                "SELECT * with no tables specified is not valid",
            ));
        }
        Ok(columns
            .into_iter()
            .map(|(name, value)| (name, self.take(value, at)))
            .collect())
    }

    /// `tableoid` and `ctid`, in sight as columns of tables; `xmin` and its kin
    /// are not kept with rows that operators hand on.
    fn system_column(
        &mut self,
        item: Option<(Option<&str>, &str)>,
        name: &str,
    ) -> SqlResult<Option<Expr>> {
        if !matches!(
            name,
            "tableoid" | "ctid" | "xmin" | "xmax" | "cmin" | "cmax"
        ) {
            return Ok(None);
        }
        for level in self.in_sight() {
            let names = &self.levels[level].names;
            let found = match item {
                Some((schema, alias)) => names.item(schema, alias)?,
                None => {
                    let mut tables = names.items.iter().filter(|i| i.relation.is_some());
                    match (tables.next(), tables.next()) {
                        (Some(_), Some(_)) => return Err(error::ambiguous(name)),
                        (first, _) => first,
                    }
                }
            };
            let Some(NameItem {
                relation: Some(relation),
                row_id,
                ..
            }) = found
            else {
                continue;
            };
            let (relation, row_id) = (relation.clone(), *row_id);
            return match (name, row_id) {
                ("tableoid", _) => Ok(Some(Expr::Const {
                    value: pg_types::Datum::Oid(relation.oid),
                    type_oid: pg_types::oid::OID,
                })),
                ("ctid", Some(var)) => {
                    let value = self.var(var);
                    Ok(Some(self.hand_up(value, level)))
                }
                _ => Err(pg_types::SqlError::unsupported(alloc::format!(
                    "the system column {name}"
                ))),
            };
        }
        Ok(None)
    }
}
