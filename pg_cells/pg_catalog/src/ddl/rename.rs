//! Names, schemas and owners of relations and their parts.

use super::Change;
use super::table::refuse_system_name;
use crate::error::{no_constraint, no_schema};
use crate::row::Row;
use crate::rows::Object;
use crate::store::ids;
use alloc::format;
use alloc::vec::Vec;
use pg_plan::Relation;
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState};

impl Change<'_> {
    /// RENAME TO, of a relation or an index.
    pub fn rename_relation(&mut self, table: &Relation, oid: Oid, to: &str) -> SqlResult<()> {
        self.name_taken(table.schema_oid, to, false)?;
        self.change_class(oid, |class| class.put("relname", to))?;
        // A constraint and its index have one name.
        let index = table.indexes.iter().find(|i| i.oid == oid);
        if let Some(name) = index.and_then(|i| i.constraint.as_deref()) {
            let row = self.constraint_named(table, name)?;
            self.change_row(ids::CONSTRAINT_BY_OID, &[row.get("oid").clone()], |row| {
                row.put("conname", to);
            })?;
        }
        Ok(())
    }

    /// RENAME COLUMN.
    pub fn rename_column(&mut self, table: &Relation, number: i16, to: &str) -> SqlResult<()> {
        refuse_system_name(to)?;
        if table.desc.find(to).is_some() {
            return Err(SqlError::new(
                SqlState::DUPLICATE_COLUMN,
                format!(
                    "column \"{to}\" of relation \"{}\" already exists",
                    table.name
                ),
            ));
        }
        let from = super::columns::column_name(table, number)?;
        self.change_attribute(table.oid, number, |row| row.put("attname", to))?;
        self.rename_in_texts(table, &from, to)?;
        for index in &table.indexes {
            for (place, key) in index.keys.iter().enumerate() {
                if key.attribute == number {
                    let place = place as i16 + 1;
                    self.change_attribute(index.oid, place, |row| row.put("attname", to))?;
                }
            }
        }
        Ok(())
    }

    /// Checks, conditions and computed keys of the table name its columns.
    fn rename_in_texts(&mut self, table: &Relation, from: &str, to: &str) -> SqlResult<()> {
        use crate::describe::names::replace_identifier as replace;
        for check in &table.checks {
            let text = replace(&check.expression, from, to);
            self.change_row(ids::CONSTRAINT_BY_OID, &[Datum::Oid(check.oid)], |row| {
                row.put("conbin", text.as_str());
            })?;
        }
        for index in &table.indexes {
            let computed = index.keys.iter().any(|k| k.expression.is_some());
            if !computed && index.predicate.is_none() {
                continue;
            }
            self.change_row(ids::INDEX_BY_OID, &[Datum::Oid(index.oid)], |row| {
                for column in ["indexprs", "indpred"] {
                    if let Some(text) = row.get(column).as_str() {
                        let text = replace(text, from, to);
                        row.put(column, text.as_str());
                    }
                }
            })?;
        }
        Ok(())
    }

    /// The `pg_constraint` row of a table's constraint.
    pub fn constraint_named(&mut self, table: &Relation, name: &str) -> SqlResult<Row> {
        let key = [Datum::Oid(table.oid), Datum::Oid(0), Datum::text(name)];
        let row = self.reader()?.one(ids::CONSTRAINT_BY_RELATION, &key)?;
        row.ok_or_else(|| no_constraint(name, &table.name))
    }

    /// RENAME CONSTRAINT.
    pub fn rename_constraint(&mut self, table: &Relation, from: &str, to: &str) -> SqlResult<()> {
        let row = self.constraint_named(table, from)?;
        if self.constraint_named(table, to).is_ok() {
            return Err(SqlError::new(
                SqlState::DUPLICATE_OBJECT,
                format!(
                    "constraint \"{to}\" for relation \"{}\" already exists",
                    table.name
                ),
            ));
        }
        match row.char("contype") {
            'p' | 'u' => self.rename_relation(table, row.oid("conindid"), to),
            _ => self.change_row(ids::CONSTRAINT_BY_OID, &[row.get("oid").clone()], |row| {
                row.put("conname", to);
            }),
        }
    }

    /// A table with its indexes and owned sequences.
    fn family(&self, table: &Relation) -> Vec<Oid> {
        let indexes = table.indexes.iter().map(|i| i.oid);
        let sequences = table.columns.iter().filter_map(|c| c.sequence);
        let mut family = alloc::vec![table.oid];
        family.extend(indexes.chain(sequences));
        family
    }

    /// SET SCHEMA.
    pub fn move_relation(&mut self, table: &Relation, schema: &str) -> SqlResult<()> {
        let to = self.catalogs.schema_oid(self.tx, schema)?;
        let to = to.ok_or_else(|| no_schema(schema))?;
        super::refuse_system(schema, &table.name)?;
        if to == table.schema_oid {
            return Ok(());
        }
        self.name_taken(to, &table.name, false)?;
        for oid in self.family(table) {
            self.change_class(oid, |class| {
                class.put("relnamespace", Datum::Oid(to));
            })?;
            let key = [Datum::Oid(ids::CLASS), Datum::Oid(oid)];
            let rows = self.reader()?.find(ids::DEPEND_BY_OBJECT, &key)?;
            for row in rows {
                if row.oid("refclassid") == ids::NAMESPACE {
                    self.delete(&row)?;
                    let schema = Object::new(ids::NAMESPACE, to);
                    self.depend(Object::relation(oid), schema, 'n')?;
                }
            }
        }
        let key = [Datum::Oid(table.oid)];
        let constraints = self.reader()?.find(ids::CONSTRAINT_BY_RELATION, &key)?;
        for row in constraints {
            self.change_row(ids::CONSTRAINT_BY_OID, &[row.get("oid").clone()], |row| {
                row.put("connamespace", Datum::Oid(to));
            })?;
        }
        Ok(())
    }

    /// OWNER TO.
    pub fn give_relation(&mut self, table: &Relation, owner: &str) -> SqlResult<()> {
        let owner = self.role(owner)?;
        for oid in self.family(table) {
            self.change_class(oid, |class| class.put("relowner", Datum::Oid(owner)))?;
        }
        Ok(())
    }
}
