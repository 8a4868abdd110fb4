//! Constraints: PRIMARY KEY, UNIQUE, CHECK, FOREIGN KEY.

use super::Change;
use super::index::NewIndex;
use super::names::columns_part;
use crate::cache::Named;
use crate::error::{OrSql, no_relation};
use crate::row::{Row, int2_array};
use crate::rows::Object;
use crate::store::{ids, main_file, relation};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_catalog_port::RowWork;
use pg_plan::{ConstraintKind, Expr, Index, IndexColumn, NewConstraint, QualifiedName, Relation};
use pg_txn_port::LockMode;
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState};

/// A `pg_constraint` row to be written.
struct NewRow<'a> {
    table: &'a Relation,
    name: &'a str,
    kind: char,
    columns: &'a [i16],
    index: Oid,
    from: &'a NewConstraint,
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
    fn constraint_free(&mut self, table: &Relation, name: &str) -> SqlResult<()> {
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

    fn constraint_row(
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

    fn foreign_key(&mut self, table: &Arc<Relation>, constraint: &NewConstraint) -> SqlResult<()> {
        let ConstraintKind::ForeignKey {
            columns,
            references,
            referenced,
            on_delete,
            on_update,
            match_kind,
            set_columns,
        } = &constraint.kind
        else {
            return Ok(());
        };
        let other = self.referenced_table(table, references)?;
        let numbers = key_columns(table, columns)?;
        let set_columns = key_columns(table, set_columns)?;
        let (index, theirs) = partner(&other, referenced)?;
        if numbers.len() != theirs.len() {
            return Err(SqlError::new(
                SqlState::INVALID_FOREIGN_KEY,
                "number of referencing and referenced columns for foreign key disagree",
            ));
        }
        let name = match &constraint.name {
            Some(name) => name.clone(),
            None => {
                let part = columns_part(columns.iter().map(String::as_str));
                self.choose_name(table.schema_oid, &table.name, Some(&part), "fkey", true)?
            }
        };
        self.constraint_free(table, &name)?;
        let new = NewRow {
            table,
            name: &name,
            kind: 'f',
            columns: &numbers,
            index,
            from: constraint,
        };
        let oid = self.constraint_row(&new, |row| {
            let row = row
                .set_oid("confrelid", other.oid)
                .set_char("confupdtype", *on_update)
                .set_char("confdeltype", *on_delete)
                .set_char("confmatchtype", *match_kind)
                .set("confkey", int2_array(&theirs));
            match set_columns.is_empty() {
                true => row,
                false => row.set("confdelsetcols", int2_array(&set_columns)),
            }
        })?;
        let object = Object::new(ids::CONSTRAINT, oid);
        for number in &numbers {
            self.depend(object, Object::column(table.oid, *number), 'a')?;
        }
        for number in &theirs {
            self.depend(object, Object::column(other.oid, *number), 'n')?;
        }
        self.depend(object, Object::relation(index), 'n')?;
        for side in [table.oid, other.oid] {
            self.change_class(side, |class| class.put("relhastriggers", true))?;
        }
        if !constraint.not_valid && !is_empty(table)? {
            let table = self.fresh(table.oid)?;
            let constraint = oid;
            self.outcome
                .work
                .push(RowWork::CheckForeignKey { table, constraint });
        }
        Ok(())
    }

    fn referenced_table(
        &mut self,
        table: &Arc<Relation>,
        name: &QualifiedName,
    ) -> SqlResult<Arc<Relation>> {
        let path = self.session.path;
        let schema = name.schema.as_deref();
        let found = match self.catalogs.named(self.tx, path, schema, &name.name)? {
            Named::Relation(found) => found,
            _ => return Err(no_relation(name)),
        };
        if found.kind != pg_plan::RelationKind::Table {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("referenced relation \"{}\" is not a table", found.name),
            ));
        }
        if found.oid == table.oid {
            return Ok(Arc::clone(table));
        }
        self.tx
            .lock_relation(found.oid, LockMode::ShareRowExclusive)
            .sql()?;
        self.fresh(found.oid)
    }
}

/// Whether a table has no pages.
pub fn is_empty(table: &Relation) -> SqlResult<bool> {
    Ok(pg_heap_port::blocks(main_file(table.file)).sql()? == 0)
}

/// Column numbers by name.
fn key_columns(table: &Relation, names: &[String]) -> SqlResult<Vec<i16>> {
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

/// The unique index that a foreign key leads to, and its columns in the order
/// of the key.
fn partner(other: &Relation, names: &[String]) -> SqlResult<(Oid, Vec<i16>)> {
    let columns = |index: &Index| -> Vec<i16> { index.keys.iter().map(|k| k.attribute).collect() };
    if names.is_empty() {
        let primary = other.indexes.iter().find(|i| i.primary);
        let primary = primary.ok_or_else(|| {
            SqlError::new(
                SqlState::UNDEFINED_OBJECT,
                format!(
                    "there is no primary key for referenced table \"{}\"",
                    other.name
                ),
            )
        })?;
        return Ok((usable_partner(other, primary)?, columns(primary)));
    }
    let mut numbers = Vec::new();
    for name in names {
        let place = other.desc.find(name).ok_or_else(|| {
            SqlError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" referenced in foreign key constraint does not exist"),
            )
        })?;
        numbers.push(place as i16 + 1);
    }
    let fits = |index: &&Arc<Index>| {
        let mut theirs = columns(index);
        let mut ours = numbers.clone();
        theirs.sort_unstable();
        ours.sort_unstable();
        index.unique && index.predicate.is_none() && theirs == ours
    };
    let at_once = |index: &&Arc<Index>| fits(index) && !index.deferral.deferrable;
    let found = other.indexes.iter().find(at_once);
    match found.or_else(|| other.indexes.iter().find(fits)) {
        Some(index) => Ok((usable_partner(other, index)?, numbers)),
        None => Err(SqlError::new(
            SqlState::INVALID_FOREIGN_KEY,
            format!(
                "there is no unique constraint matching given keys for referenced table \"{}\"",
                other.name
            ),
        )),
    }
}

/// 55000: what is checked late is no key to refer to.
fn usable_partner(other: &Relation, index: &Index) -> SqlResult<Oid> {
    if !index.deferral.deferrable {
        return Ok(index.oid);
    }
    Err(SqlError::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!(
            "cannot use a deferrable unique constraint for referenced table \"{}\"",
            other.name
        ),
    ))
}
