//! System catalogs on ordinary tables, and the cache of relation descriptors.
//! `README.md` beside it tells the rules that no single file shows.
//!
//! - `schema`: the built-in relations, as tables of facts
//! - `bootstrap`, `control`: making the catalogs in a new database
//! - `store`, `row`, `rows`: catalog rows in heap and indexes
//! - `load`, `lookup`, `cache`: from rows to descriptors, by name and id
//! - `ddl`: changes of the schema
//! - `sequence`: sequences
//! - `describe`: what functions over the catalog answer
//! - `fixed`, `information`: rows of catalogs and views that are not stored
//! - `activity`: what was done with tables and indexes
//! - `statistics`: what VACUUM and ANALYZE measured
//! - `garbage`: files that nobody uses any more
//!
//! Stateless: the cache is built again by the next generation, and what both
//! generations must know during a swap is `pg_catalog_port::SHARED`.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod activity;
mod bootstrap;
mod cache;
mod control;
mod ddl;
mod describe;
mod error;
mod fixed;
mod garbage;
mod information;
mod load;
mod lookup;
mod row;
mod rows;
mod schema;
mod sequence;
mod statistics;
mod store;
mod user_types;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use cache::{Cache, Named};
use pg_builtins::CatalogQuery;
use pg_catalog_port::{
    CATALOG, Catalog, DdlOutcome, DdlSession, Opened, TableStatistics, UserType,
};
use pg_plan::{Ddl, Relation};
use pg_txn_port::Transaction;
use pg_types::{Datum, Oid, SqlResult, Str};
use port::{Birth, BirthError, Component, CrashKind};
use schema::System;

/// What this cell says of itself.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_catalog_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let catalogs = Catalogs {
        system: System::new(),
        cache: Cache::default(),
    };
    birth.provide(&CATALOG, Box::new(catalogs));
    Ok(())
}

/// The provider.
struct Catalogs {
    system: System,
    cache: Cache,
}

impl Component for Catalogs {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Catalog for Catalogs {
    fn open(&self) -> SqlResult<Opened> {
        self.open_database()
    }

    fn version(&self, tx: &Transaction) -> u64 {
        self.current(tx)
    }

    fn relation(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> SqlResult<Option<Arc<Relation>>> {
        Ok(match self.named(tx, path, schema, name)? {
            Named::Relation(relation) => Some(relation),
            Named::Index(..) | Named::Nothing => None,
        })
    }

    fn relation_by_oid(&self, tx: &mut Transaction, oid: Oid) -> SqlResult<Option<Arc<Relation>>> {
        self.by_oid(tx, oid)
    }

    fn index(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> SqlResult<Option<(Arc<Relation>, Oid)>> {
        Ok(match self.named(tx, path, schema, name)? {
            Named::Index(table, oid) => Some((table, oid)),
            Named::Relation(_) | Named::Nothing => None,
        })
    }

    fn schema(&self, tx: &mut Transaction, name: &str) -> SqlResult<Option<Oid>> {
        self.schema_oid(tx, name)
    }

    fn user_type(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> SqlResult<Option<UserType>> {
        self.find_user_type(tx, path, schema, name)
    }

    fn describe(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        query: CatalogQuery<'_>,
    ) -> SqlResult<Datum> {
        self.answer(tx, path, query)
    }

    fn virtual_rows(
        &self,
        tx: &mut Transaction,
        relation: &Relation,
    ) -> SqlResult<Vec<Vec<Datum>>> {
        self.rows_of(tx, relation)
    }

    fn apply(
        &self,
        tx: &mut Transaction,
        session: &DdlSession<'_>,
        ddl: &Ddl,
    ) -> SqlResult<DdlOutcome> {
        self.change(tx, session, ddl)
    }

    fn nextval(&self, tx: &mut Transaction, sequence: Oid) -> SqlResult<i64> {
        self.next_value(tx, sequence)
    }

    fn setval(
        &self,
        tx: &mut Transaction,
        sequence: Oid,
        value: i64,
        called: bool,
    ) -> SqlResult<()> {
        self.set_value(tx, sequence, value, called)
    }

    fn update_statistics(
        &self,
        tx: &mut Transaction,
        relation: Oid,
        statistics: &TableStatistics,
    ) -> SqlResult<()> {
        self.store_statistics(tx, relation, statistics)
    }

    fn index_is_valid(&self, tx: &mut Transaction, index: Oid) -> SqlResult<()> {
        self.set_index_valid(tx, index)
    }

    fn statistics(
        &self,
        tx: &mut Transaction,
        relation: Oid,
    ) -> SqlResult<Option<Arc<TableStatistics>>> {
        self.load_statistics(tx, relation)
    }
}
