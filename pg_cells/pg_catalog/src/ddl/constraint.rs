//! Constraints: PRIMARY KEY, UNIQUE, CHECK. FOREIGN KEY is in `foreign_key`.

use super::Change;
use super::index::NewIndex;
use super::names::columns_part;
use crate::error::OrSql;
use crate::row::{Row, int2_array};
use crate::rows::Object;
use crate::store::{ids, main_file, relation};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_catalog_port::RowWork;
use pg_plan::{ConstraintKind, Expr, IndexColumn, NewConstraint, Relation};
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState};

/// A `pg_constraint` row to be written.
pub(super) struct NewRow<'a> {
    pub table: &'a Relation,
    pub name: &'a str,
    pub kind: char,
    pub columns: &'a [i16],
    pub index: Oid,
    pub from: &'a NewConstraint,
}

impl Change<'_> {
    /// Adds a constraint to a table. `fresh` are columns added by the same
    /// statement, of which rows hold what is right already.
    pub fn add_constraint(
        &mut self,
        table: Oid,
        constraint: &NewConstraint,
        fresh: &[i16],
    ) -> SqlResult<()> {
        let table = self.fresh(table)?;
        match &constraint.kind {
            ConstraintKind::PrimaryKey { columns } => {
                self.key(&table, constraint, columns, true, false, fresh)
            }
            ConstraintKind::Unique {
                columns,
                nulls_not_distinct,
            } => self.key(
                &table,
                constraint,
                columns,
                false,
                *nulls_not_distinct,
                fresh,
            ),
            ConstraintKind::Check {
                expression,
                condition,
                columns,
            } => self.check(&table, constraint, expression, condition, columns),
            ConstraintKind::UsingIndex { primary, index } => {
                self.using_index(&table, constraint, *primary, index)
            }
            ConstraintKind::ForeignKey { .. } => self.foreign_key(&table, constraint),
        }
    }

    fn key(
        &mut self,
        table: &Arc<Relation>,
        constraint: &NewConstraint,
        columns: &[String],
        primary: bool,
        nulls_not_distinct: bool,
        fresh: &[i16],
    ) -> SqlResult<()> {
        if primary && table.indexes.iter().any(|i| i.primary) {
            return Err(SqlError::new(
                SqlState::INVALID_TABLE_DEFINITION,
                format!(
                    "multiple primary keys for table \"{}\" are not allowed",
                    table.name
                ),
            ));
        }
        let numbers = key_columns(table, columns)?;
        let name = match &constraint.name {
            Some(name) => name.clone(),
            None => {
                let all = columns.iter().chain(&constraint.include);
                let part = columns_part(all.map(String::as_str));
                let (part, label) = match primary {
                    true => (None, "pkey"),
                    false => (Some(part.as_str()), "key"),
                };
                self.choose_name(table.schema_oid, &table.name, part, label, true)?
            }
        };
        self.constraint_free(table, &name)?;
        self.name_taken(table.schema_oid, &name, false)?;
        if primary {
            self.require_columns(table, &numbers, fresh)?;
        }
        let key = |number: &i16| IndexColumn {
            attribute: *number,
            expression: None,
            type_oid: table.desc.attrs()[*number as usize - 1].type_oid,
            descending: false,
            nulls_first: false,
        };
        let new = NewIndex {
            table,
            name: &name,
            keys: numbers.iter().map(key).collect(),
            included: key_columns(table, &constraint.include)?,
            unique: true,
            primary,
            nulls_not_distinct,
            immediate: !constraint.deferrable,
            predicate: None,
            computed: alloc::vec![None; numbers.len()],
            options: &[],
            complete: true,
        };
        let index = self.new_index(&new)?;
        self.constraint_over_index(table, constraint, &name, &numbers, index, primary)
    }

    /// The row of a constraint whose index is there, and the dependencies of
    /// both.
    fn constraint_over_index(
        &mut self,
        table: &Relation,
        constraint: &NewConstraint,
        name: &str,
        numbers: &[i16],
        index: Oid,
        primary: bool,
    ) -> SqlResult<()> {
        let new = NewRow {
            table,
            name,
            kind: if primary { 'p' } else { 'u' },
            columns: numbers,
            index,
            from: constraint,
        };
        let oid = self.constraint_row(&new, |row| row)?;
        let object = Object::new(ids::CONSTRAINT, oid);
        for number in numbers {
            self.depend(object, Object::column(table.oid, *number), 'a')?;
        }
        self.depend(Object::relation(index), object, 'i')
    }

    /// NOT NULL for the columns of a primary key.
    fn require_columns(
        &mut self,
        table: &Arc<Relation>,
        numbers: &[i16],
        fresh: &[i16],
    ) -> SqlResult<()> {
        let mut unchecked = Vec::new();
        for number in numbers {
            let place = *number as usize - 1;
            if table.desc.attrs()[place].not_null {
                continue;
            }
            self.change_attribute(table.oid, *number, |row| row.put("attnotnull", true))?;
            if !fresh.contains(number) {
                unchecked.push(place);
            }
        }
        self.check_rows(table, Vec::new(), unchecked)
    }

    /// Leaves checks of the rows of a table to the executor, if it has any.
    pub fn check_rows(
        &mut self,
        table: &Arc<Relation>,
        checks: Vec<(String, Expr)>,
        not_null: Vec<usize>,
    ) -> SqlResult<()> {
        if checks.is_empty() && not_null.is_empty() || is_empty(table)? {
            return Ok(());
        }
        let after = self.fresh(table.oid)?;
        self.outcome.work.push(RowWork::ChangeRows {
            before: Arc::clone(table),
            after,
            checks,
            not_null,
            rewrite: None,
        });
        Ok(())
    }

    fn check(
        &mut self,
        table: &Arc<Relation>,
        constraint: &NewConstraint,
        expression: &str,
        condition: &Expr,
        columns: &[String],
    ) -> SqlResult<()> {
        let name = match &constraint.name {
            Some(name) => name.clone(),
            None => {
                let part = match columns {
                    [only] => Some(only.as_str()),
                    _ => None,
                };
                self.choose_name(table.schema_oid, &table.name, part, "check", true)?
            }
        };
        self.constraint_free(table, &name)?;
        let numbers = key_columns(table, columns)?;
        let new = NewRow {
            table,
            name: &name,
            kind: 'c',
            columns: &numbers,
            index: 0,
            from: constraint,
        };
        let oid = self.constraint_row(&new, |row| row.set("conbin", expression))?;
        let object = Object::new(ids::CONSTRAINT, oid);
        if numbers.is_empty() {
            self.depend(object, Object::relation(table.oid), 'a')?;
        }
        for number in &numbers {
            self.depend(object, Object::column(table.oid, *number), 'a')?;
        }
        self.change_class(table.oid, |class| {
            let checks = class.int("relchecks") + 1;
            class.put("relchecks", checks as i16);
        })?;
        if constraint.not_valid {
            return Ok(());
        }
        let checks = alloc::vec![(name, condition.clone())];
        self.check_rows(table, checks, Vec::new())
    }

    fn using_index(
        &mut self,
        table: &Arc<Relation>,
        constraint: &NewConstraint,
        primary: bool,
        index: &str,
    ) -> SqlResult<()> {
        let found = table.indexes.iter().find(|i| i.name == index);
        let found = found.ok_or_else(|| {
            SqlError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("index \"{index}\" does not exist"),
            )
        })?;
        let plain = found.keys.iter().all(|k| k.attribute > 0 && !k.descending);
        if constraint.deferrable {
            return Err(SqlError::unsupported("a deferrable constraint USING INDEX"));
        }
        if !found.unique || found.predicate.is_some() || !plain {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{index}\" is not a unique index over plain columns"),
            ));
        }
        let numbers: Vec<i16> = found.keys.iter().map(|k| k.attribute).collect();
        if primary {
            self.require_columns(table, &numbers, &[])?;
        }
        let name = constraint.name.clone().unwrap_or_else(|| index.to_string());
        self.constraint_free(table, &name)?;
        if name != index {
            self.change_class(found.oid, |class| class.put("relname", name.as_str()))?;
        }
        self.forget_uses(Object::relation(found.oid))?;
        self.change_row(ids::INDEX_BY_OID, &[Datum::Oid(found.oid)], |row| {
            row.put("indisprimary", primary);
        })?;
        self.constraint_over_index(table, constraint, &name, &numbers, found.oid, primary)
    }

    /// 42710.
    pub(super) fn constraint_free(&mut self, table: &Relation, name: &str) -> SqlResult<()> {
        let key = [Datum::Oid(table.oid), Datum::Oid(0), Datum::text(name)];
        let reader = self.reader()?;
        if reader.one(ids::CONSTRAINT_BY_RELATION, &key)?.is_none() {
            return Ok(());
        }
        Err(SqlError::new(
            SqlState::DUPLICATE_OBJECT,
            format!(
                "constraint \"{name}\" for relation \"{}\" already exists",
                table.name
            ),
        ))
    }

    pub(super) fn constraint_row(
        &mut self,
        new: &NewRow<'_>,
        more: impl FnOnce(Row) -> Row,
    ) -> SqlResult<Oid> {
        let oid = self.new_oid()?;
        let row = Row::new(relation(self.system(), ids::CONSTRAINT)?)
            .set_oid("oid", oid)
            .set("conname", new.name)
            .set_oid("connamespace", new.table.schema_oid)
            .set_char("contype", new.kind)
            .set("condeferrable", new.from.deferrable)
            .set("condeferred", new.from.deferred)
            .set("convalidated", !new.from.not_valid)
            .set_oid("conrelid", new.table.oid)
            .set_oid("conindid", new.index)
            .set_char("confupdtype", ' ')
            .set_char("confdeltype", ' ')
            .set_char("confmatchtype", ' ')
            .set("conislocal", true)
            .set("connoinherit", new.kind != 'c')
            .set("conkey", int2_array(new.columns));
        self.insert(&more(row))?;
        Ok(oid)
    }
}

/// Whether a table has no pages.
pub fn is_empty(table: &Relation) -> SqlResult<bool> {
    Ok(pg_heap_port::blocks(main_file(table.file)).sql()? == 0)
}

/// Column numbers by name.
pub(super) fn key_columns(table: &Relation, names: &[String]) -> SqlResult<Vec<i16>> {
    let mut numbers = Vec::with_capacity(names.len());
    for name in names {
        let place = table.desc.find(name).ok_or_else(|| {
            SqlError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" named in key does not exist"),
            )
        })?;
        let number = place as i16 + 1;
        if numbers.contains(&number) {
            return Err(SqlError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" appears twice in constraint"),
            ));
        }
        numbers.push(number);
    }
    Ok(numbers)
}
