//! FOREIGN KEY: the constraint's row, and the unique index that it leads to.

use super::Change;
use super::constraint::{NewRow, is_empty, key_columns};
use super::names::columns_part;
use crate::cache::Named;
use crate::error::{OrSql, no_relation};
use crate::row::int2_array;
use crate::rows::Object;
use crate::store::ids;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_catalog_port::RowWork;
use pg_plan::{ConstraintKind, Index, NewConstraint, QualifiedName, Relation};
use pg_txn_port::LockMode;
use pg_types::{Oid, SqlError, SqlResult, SqlState};

impl Change<'_> {
    /// Adds a foreign key.
    pub fn foreign_key(
        &mut self,
        table: &Arc<Relation>,
        constraint: &NewConstraint,
    ) -> SqlResult<()> {
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
        self.depend_on_columns(object, table.oid, &numbers, 'a')?;
        self.depend_on_columns(object, other.oid, &theirs, 'n')?;
        self.depend(object, Object::relation(index), 'n')?;
        for side in [table.oid, other.oid] {
            self.change_class(side, |class| class.put("relhastriggers", true))?;
        }
        if !constraint.not_valid && !is_empty(table)? {
            let (table, constraint) = (self.fresh(table.oid)?, oid);
            let work = RowWork::CheckForeignKey { table, constraint };
            self.outcome.work.push(work);
        }
        Ok(())
    }

    fn depend_on_columns(
        &mut self,
        object: Object,
        table: Oid,
        numbers: &[i16],
        kind: char,
    ) -> SqlResult<()> {
        numbers
            .iter()
            .try_for_each(|number| self.depend(object, Object::column(table, *number), kind))
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
