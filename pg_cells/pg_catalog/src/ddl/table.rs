//! CREATE TABLE.

use super::Change;
use crate::error::relation_exists;
use crate::lookup::class_named;
use crate::rows::{self, NewClass, Object};
use crate::store::ids;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_plan::{CreateTable, NewColumn};
use pg_types::tuple::MAX_ATTRIBUTES;
use pg_types::{Attr, Oid, SqlError, SqlResult, SqlState, Str};

/// What a new relation is, whatever its kind.
pub struct NewRelation<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its schema.
    pub schema: Oid,
    /// `relkind`.
    pub kind: char,
    /// `relpersistence`.
    pub persistence: char,
    /// Storage parameters, `name=value`.
    pub options: &'a [(String, String)],
}

/// `relpersistence`.
pub fn persistence(temporary: bool, unlogged: bool) -> char {
    match (temporary, unlogged) {
        (true, _) => 't',
        (_, true) => 'u',
        _ => 'p',
    }
}

impl Change<'_> {
    /// The `pg_class` row and what hangs on it: a new relation without columns.
    /// The file has the relation's id as number.
    pub fn new_relation(
        &mut self,
        oid: Oid,
        new: &NewRelation<'_>,
        attrs: &[Attr],
    ) -> SqlResult<()> {
        let owner = self.role(self.session.user)?;
        let has_file = matches!(new.kind, 'r' | 'S');
        let mut class = rows::class(
            self.system(),
            &NewClass {
                oid,
                name: new.name,
                schema: new.schema,
                owner,
                kind: new.kind,
                file: if has_file { oid } else { 0 },
                columns: attrs.len(),
                persistence: new.persistence,
            },
        )?;
        if !new.options.is_empty() {
            let options = new.options.iter().map(|(k, v)| format!("{k}={v}"));
            let options: Vec<String> = options.collect();
            class.put("reloptions", rows::text_array(&options));
        }
        // A view's rule is always there.
        class.put("relhasrules", new.kind == 'v');
        self.insert_class(&class, new.name)?;
        for (place, attr) in attrs.iter().enumerate() {
            let row = rows::attribute(self.system(), oid, place as i16 + 1, attr)?;
            self.insert(&row)?;
        }
        let schema = Object::new(ids::NAMESPACE, new.schema);
        self.depend(Object::relation(oid), schema, 'n')
    }

    /// Adds a `pg_class` row; another transaction may have come first.
    pub fn insert_class(&mut self, class: &crate::row::Row, name: &str) -> SqlResult<()> {
        self.insert(class)
            .map_err(|error| match error.code() == SqlState::UNIQUE_VIOLATION {
                true => relation_exists(name),
                false => error,
            })
    }

    /// Whether the name is taken. 42P07, or a notice with `if_not_exists`.
    pub fn name_taken(&mut self, schema: Oid, name: &str, if_not_exists: bool) -> SqlResult<bool> {
        if class_named(&self.reader()?, schema, name)?.is_none() {
            return Ok(false);
        }
        let error = relation_exists(name);
        if !if_not_exists {
            return Err(error);
        }
        self.skipping(&error);
        Ok(true)
    }

    pub(super) fn create_table(&mut self, def: &CreateTable) -> SqlResult<()> {
        let (schema, schema_name) = self.creation_schema(&def.name, def.temporary)?;
        let name = &def.name.name;
        if self.name_taken(schema, name, def.if_not_exists)? {
            return Ok(());
        }
        check_columns(&def.columns)?;
        let persistence = persistence(
            def.temporary || schema_name.starts_with("pg_temp"),
            def.unlogged,
        );
        let oid = self.new_oid()?;
        let attrs: Vec<Attr> = def.columns.iter().map(attr).collect();
        let new = NewRelation {
            name,
            schema,
            kind: 'r',
            persistence,
            options: &def.options,
        };
        self.new_relation(oid, &new, &attrs)?;
        self.new_table_file(oid)?;
        self.outcome.object = Some(oid);
        for (place, column) in def.columns.iter().enumerate() {
            self.column_extras(oid, place as i16 + 1, column)?;
        }
        for constraint in &def.constraints {
            self.add_constraint(oid, constraint, &[])?;
        }
        Ok(())
    }
}

/// A column as an attribute.
#[must_use]
pub fn attr(column: &NewColumn) -> Attr {
    let attr = Attr::new(
        Str::from(column.name.as_str()),
        column.type_oid,
        column.typmod,
    );
    let needed = column.not_null || column.serial || column.identity.is_some();
    if needed { attr.not_null() } else { attr }
}

fn check_columns(columns: &[NewColumn]) -> SqlResult<()> {
    if columns.len() > MAX_ATTRIBUTES {
        return Err(SqlError::new(
            SqlState::TOO_MANY_COLUMNS,
            format!("tables can have at most {MAX_ATTRIBUTES} columns"),
        ));
    }
    for (place, column) in columns.iter().enumerate() {
        if columns[..place].iter().any(|c| c.name == column.name) {
            return Err(SqlError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{}\" specified more than once", column.name),
            ));
        }
        refuse_system_name(&column.name)?;
    }
    Ok(())
}

/// 42701: the names of system columns are taken in every table.
pub fn refuse_system_name(name: &str) -> SqlResult<()> {
    let system = ["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];
    if !system.contains(&name) {
        return Ok(());
    }
    Err(SqlError::new(
        SqlState::DUPLICATE_COLUMN,
        format!("column name \"{name}\" conflicts with a system column name"),
    ))
}
