//! Schemas: creating, renaming, owners; the temporary ones.

use super::Change;
use crate::error::no_schema;
use crate::rows::{self, Object};
use crate::store::ids;
use alloc::format;
use alloc::string::String;
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState};

impl Change<'_> {
    pub(super) fn create_schema(
        &mut self,
        name: &str,
        if_not_exists: bool,
        owner: Option<&str>,
    ) -> SqlResult<()> {
        let owner = self.role(owner.unwrap_or(self.session.user))?;
        if name.starts_with("pg_") {
            return Err(SqlError::new(
                SqlState::RESERVED_NAME,
                format!("unacceptable schema name \"{name}\""),
            )
            .with_detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        if self.catalogs.schema_oid(self.tx, name)?.is_some() {
            let error = schema_exists(name);
            if !if_not_exists {
                return Err(error);
            }
            self.skipping(&error);
            return Ok(());
        }
        let oid = self.new_schema(name, owner)?;
        self.outcome.object = Some(oid);
        Ok(())
    }

    fn new_schema(&mut self, name: &str, owner: Oid) -> SqlResult<Oid> {
        let oid = self.new_oid()?;
        let row = rows::namespace(self.system(), oid, name, owner)?;
        self.insert(&row)
            .map_err(|error| match error.code() == SqlState::UNIQUE_VIOLATION {
                true => schema_exists(name),
                false => error,
            })?;
        self.bump()?;
        Ok(oid)
    }

    /// The session's own schema for temporary tables.
    pub fn temporary_schema(&mut self) -> SqlResult<(Oid, String)> {
        let name = format!("pg_temp_{}", self.session.eval.backend_pid());
        let oid = match self.catalogs.schema_oid(self.tx, &name)? {
            Some(oid) => oid,
            None => {
                let owner = self.role(self.session.user)?;
                self.new_schema(&name, owner)?
            }
        };
        Ok((oid, name))
    }

    /// Drops all of them: after a start no session is left that had one.
    pub fn drop_temporary_schemas(&mut self) -> SqlResult<()> {
        let mut gone = alloc::vec::Vec::new();
        for row in self.reader()?.scan(ids::NAMESPACE)? {
            if row.text("nspname").starts_with("pg_temp_") {
                gone.push(Object::new(ids::NAMESPACE, row.oid("oid")));
            }
        }
        self.drop_objects(&gone, true, true)
    }

    fn schema_row(&mut self, name: &str) -> SqlResult<Oid> {
        let oid = self.catalogs.schema_oid(self.tx, name)?;
        oid.ok_or_else(|| no_schema(name))
    }

    pub(super) fn rename_schema(&mut self, name: &str, to: &str) -> SqlResult<()> {
        let oid = self.schema_row(name)?;
        if self.catalogs.schema_oid(self.tx, to)?.is_some() {
            return Err(schema_exists(to));
        }
        if name.starts_with("pg_") || to.starts_with("pg_") {
            let bad = if to.starts_with("pg_") { to } else { name };
            return Err(SqlError::new(
                SqlState::RESERVED_NAME,
                format!("unacceptable schema name \"{bad}\""),
            ));
        }
        let key = [Datum::Oid(oid)];
        self.change_row(ids::NAMESPACE_BY_OID, &key, |row| row.put("nspname", to))
    }

    pub(super) fn schema_owner(&mut self, name: &str, owner: &str) -> SqlResult<()> {
        let oid = self.schema_row(name)?;
        let owner = self.role(owner)?;
        let key = [Datum::Oid(oid)];
        self.change_row(ids::NAMESPACE_BY_OID, &key, |row| {
            row.put("nspowner", Datum::Oid(owner));
        })
    }
}

fn schema_exists(name: &str) -> SqlError {
    SqlError::new(
        SqlState::DUPLICATE_SCHEMA,
        format!("schema \"{name}\" already exists"),
    )
}
