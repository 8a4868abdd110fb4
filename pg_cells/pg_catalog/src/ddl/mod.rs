//! Changes of the schema.
//!
//! Everything is rows of catalogs, and so is undone with the transaction; files
//! are noted with [`SHARED`], which has them removed after an abort (of new
//! ones) or a commit (of dropped ones). A [`Change`] carries one statement.
//!
//! A command does not see, and may not change again, what it has written itself:
//! [`Change::bump`] begins a new one, which every reader of fresh rows needs.

mod alter;
mod alter_constraint;
mod columns;
mod comment;
mod constraint;
mod depend;
mod drop;
mod foreign_key;
mod index;
mod names;
mod rename;
mod schema;
mod sequence;
mod table;
mod truncate;
mod view;

use crate::Catalogs;
use crate::bootstrap::{create_index_file, create_table_file};
use crate::control::new_oids;
use crate::error::{OrSql, lost, no_schema};
use crate::row::Row;
use crate::rows::{self, Object};
use crate::schema::System;
use crate::store::{self, Reader, ids};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use pg_catalog_port::{DdlOutcome, DdlSession, Notice, SHARED};
use pg_plan::{Ddl, QualifiedName, Relation};
use pg_txn_port::{LockMode, Transaction};
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState};

impl Catalogs {
    /// See [`pg_catalog_port::Catalog::apply`].
    ///
    /// # Errors
    /// As there.
    pub fn change(
        &self,
        tx: &mut Transaction,
        session: &DdlSession<'_>,
        ddl: &Ddl,
    ) -> SqlResult<DdlOutcome> {
        self.current(tx);
        SHARED.announce(tx).sql()?;
        let mut change = Change {
            catalogs: self,
            tx,
            session,
            outcome: DdlOutcome::default(),
        };
        let done = change.run(ddl);
        let outcome = change.outcome;
        tx.start_command().sql()?;
        // Once more: what was looked up meanwhile is outdated.
        SHARED.announce(tx).sql()?;
        done.map(|()| outcome)
    }

    /// Drops what sessions before the start left in their temporary schemas.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn drop_temporary(&self, tx: &mut Transaction) -> SqlResult<()> {
        let eval = pg_builtins::BasicContext::default();
        let session = DdlSession {
            path: &[],
            user: "postgres",
            eval: &eval,
        };
        SHARED.announce(tx).sql()?;
        let mut change = Change {
            catalogs: self,
            tx,
            session: &session,
            outcome: DdlOutcome::default(),
        };
        change.drop_temporary_schemas()?;
        SHARED.announce(tx).sql()
    }
}

/// A statement under way.
struct Change<'a> {
    catalogs: &'a Catalogs,
    tx: &'a mut Transaction,
    session: &'a DdlSession<'a>,
    outcome: DdlOutcome,
}

impl<'a> Change<'a> {
    fn run(&mut self, ddl: &Ddl) -> SqlResult<()> {
        match ddl {
            Ddl::CreateTable(def) => self.create_table(def),
            Ddl::CreateIndex(def) => self.create_index(def),
            Ddl::CreateView(def) => self.create_view(def),
            Ddl::CreateSequence(def) => self.create_sequence(def),
            Ddl::CreateSchema {
                name,
                if_not_exists,
                owner,
            } => self.create_schema(name, *if_not_exists, owner.as_deref()),
            Ddl::Drop(drop) => self.drop_named(drop),
            Ddl::AlterTable(alter) => self.alter_table(alter),
            Ddl::AlterSequence(alter) => self.alter_sequence(alter),
            Ddl::RenameSchema { name, to } => self.rename_schema(name, to),
            Ddl::SchemaOwner { name, owner } => self.schema_owner(name, owner),
            Ddl::Reindex { targets } => self.reindex(targets),
            Ddl::Truncate {
                tables,
                restart_identity,
                cascade,
            } => self.truncate(tables, *restart_identity, *cascade),
            Ddl::Comment { target, text } => self.comment(target, text.as_deref()),
        }
    }

    fn system(&self) -> &'a System {
        &self.catalogs.system
    }

    /// A look at the catalogs as they are now, own changes included.
    fn reader(&mut self) -> SqlResult<Reader<'a>> {
        Reader::new(&self.catalogs.system, self.tx)
    }

    /// Begins a new command: what was written so far can be changed again.
    fn bump(&mut self) -> SqlResult<()> {
        self.tx.start_command().sql()?;
        SHARED.announce(self.tx).sql()
    }

    fn insert(&mut self, row: &Row) -> SqlResult<()> {
        store::insert(self.tx, row).map(|_| ())
    }

    fn delete(&mut self, row: &Row) -> SqlResult<()> {
        store::delete(self.tx, row)
    }

    /// Changes the one row with this key, in a command of its own.
    fn change_row(
        &mut self,
        index: Oid,
        key: &[Datum],
        change: impl FnOnce(&mut Row),
    ) -> SqlResult<()> {
        self.bump()?;
        let row = self.reader()?.one(index, key)?;
        let old = row.ok_or_else(|| lost("a row to be changed"))?;
        let mut new = old.clone();
        change(&mut new);
        store::update(self.tx, &old, &new)?;
        self.bump()
    }

    fn change_class(&mut self, oid: Oid, change: impl FnOnce(&mut Row)) -> SqlResult<()> {
        self.change_row(ids::CLASS_BY_OID, &[Datum::Oid(oid)], change)
    }

    fn change_attribute(
        &mut self,
        table: Oid,
        number: i16,
        change: impl FnOnce(&mut Row),
    ) -> SqlResult<()> {
        let key = [Datum::Oid(table), Datum::Int2(number)];
        self.change_row(ids::ATTRIBUTE_BY_NUMBER, &key, change)
    }

    fn depend(&mut self, from: Object, to: Object, kind: char) -> SqlResult<()> {
        let row = rows::depend(self.system(), from, to, kind)?;
        self.insert(&row)
    }

    fn notice(&mut self, code: SqlState, message: impl Into<String>) {
        self.outcome.notices.push(Notice {
            code,
            message: message.into(),
            detail: None,
        });
    }

    /// `relation "x" already exists, skipping` and its kin.
    fn skipping(&mut self, error: &SqlError) {
        let message = format!("{}, skipping", error.message());
        self.notice(error.code(), message);
    }

    /// A descriptor as it is now.
    fn fresh(&mut self, oid: Oid) -> SqlResult<Arc<Relation>> {
        self.bump()?;
        let relation = self.catalogs.by_oid(self.tx, oid)?;
        relation.ok_or_else(|| lost(format!("relation {oid}")))
    }

    /// Locks against every use.
    fn lock(&mut self, oid: Oid) -> SqlResult<()> {
        self.tx.lock_relation(oid, LockMode::AccessExclusive).sql()
    }

    /// An empty table's file, gone if the transaction aborts.
    fn new_table_file(&mut self, file: u32) -> SqlResult<()> {
        self.note_created(file)?;
        create_table_file(file)
    }

    /// An empty index's file.
    fn new_index_file(&mut self, file: u32) -> SqlResult<()> {
        self.note_created(file)?;
        let xid = self.tx.xid().map_or(0, |x| x.0);
        create_index_file(xid, file)
    }

    fn note_created(&mut self, file: u32) -> SqlResult<()> {
        SHARED.announce(self.tx).sql()?;
        if let Some(xid) = self.tx.xid() {
            SHARED.created(xid, file);
        }
        Ok(())
    }

    /// The file goes with the commit.
    fn note_dropped(&mut self, file: u32) -> SqlResult<()> {
        self.tx.check_write_all(store::main_file(file).0).sql()?;
        SHARED.announce(self.tx).sql()?;
        if let (Some(xid), 1..) = (self.tx.xid(), file) {
            SHARED.dropped(xid, file);
        }
        Ok(())
    }

    /// The id of a role.
    fn role(&mut self, name: &str) -> SqlResult<Oid> {
        let name = match name {
            "current_user" | "session_user" | "current_role" => self.session.user,
            name => name,
        };
        let row = self
            .reader()?
            .one(ids::AUTHID_BY_NAME, &[Datum::text(name)])?;
        row.map(|r| r.oid("oid")).ok_or_else(|| {
            SqlError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("role \"{name}\" does not exist"),
            )
        })
    }

    /// The schema in which a new object goes.
    fn creation_schema(
        &mut self,
        name: &QualifiedName,
        temporary: bool,
    ) -> SqlResult<(Oid, String)> {
        if temporary {
            if name
                .schema
                .as_ref()
                .is_some_and(|s| !s.starts_with("pg_temp"))
            {
                return Err(SqlError::new(
                    SqlState::INVALID_TABLE_DEFINITION,
                    "cannot create temporary relation in non-temporary schema",
                ));
            }
            return self.temporary_schema();
        }
        if let Some(schema) = &name.schema {
            if schema == "pg_temp" {
                return self.temporary_schema();
            }
            let oid = self.catalogs.schema_oid(self.tx, schema)?;
            let oid = oid.ok_or_else(|| no_schema(schema))?;
            refuse_system(schema, &name.name)?;
            return Ok((oid, schema.clone()));
        }
        // The session's temporary schema leads its path, for lookups alone.
        let path = self.session.path.iter();
        for schema in path.filter(|s| !s.starts_with("pg_temp")) {
            if let Some(oid) = self.catalogs.schema_oid(self.tx, schema)? {
                refuse_system(schema, &name.name)?;
                return Ok((oid, schema.to_string()));
            }
        }
        Err(SqlError::new(
            SqlState::UNDEFINED_SCHEMA,
            "no schema has been selected to create in",
        ))
    }

    /// One new id.
    fn new_oid(&self) -> SqlResult<Oid> {
        new_oids(1)
    }
}

/// 42501: users create nothing in the system's schemas.
fn refuse_system(schema: &str, name: &str) -> SqlResult<()> {
    if matches!(schema, "pg_catalog" | "pg_toast" | "information_schema") {
        return Err(SqlError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to create \"{schema}.{name}\""),
        )
        .with_detail("System catalog modifications are currently disallowed."));
    }
    Ok(())
}
