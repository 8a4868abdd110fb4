//! A catalog in memory in the place of the real one.

use crate::memory::Memory;
use pg_builtins::CatalogQuery;
use pg_catalog_port::{
    CATALOG, Catalog, DdlOutcome, DdlSession, TableStatistics, UserType,
};
use pg_plan::{Ddl, Relation};
use pg_planner_port::CatalogAccess;
use pg_txn_port::Transaction;
use pg_types::{Datum, Oid, SqlError, SqlState, Str};
use port::{Birth, BirthError, Cell, Component, CrashKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Its descriptor.
pub static CELL: Cell = Cell {
    name: "pg_catalog",
    version: "0",
    provides: &[&pg_catalog_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let catalog = StandIn {
        memory: Mutex::new(Memory::new()),
        version: AtomicU64::new(1),
    };
    birth.provide(&CATALOG, Box::new(catalog) as Box<dyn Catalog>);
    Ok(())
}

struct StandIn {
    memory: Mutex<Memory>,
    version: AtomicU64,
}

impl Component for StandIn {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Catalog for StandIn {
    fn version(&self, _: &Transaction) -> u64 {
        self.version.load(Ordering::SeqCst)
    }
    fn relation(
        &self,
        _: &mut Transaction,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Arc<Relation>>, SqlError> {
        self.memory.lock().unwrap().relation(path, schema, name)
    }
    fn relation_by_oid(
        &self,
        _: &mut Transaction,
        oid: Oid,
    ) -> Result<Option<Arc<Relation>>, SqlError> {
        self.memory.lock().unwrap().relation_by_oid(oid)
    }
    fn index(
        &self,
        _: &mut Transaction,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<(Arc<Relation>, Oid)>, SqlError> {
        self.memory.lock().unwrap().index(path, schema, name)
    }
    fn schema(&self, _: &mut Transaction, name: &str) -> Result<Option<Oid>, SqlError> {
        Ok(matches!(name, "public" | "pg_catalog").then_some(2200))
    }
    fn user_type(
        &self,
        _: &mut Transaction,
        _: &[Str],
        _: Option<&str>,
        _: &str,
    ) -> Result<Option<UserType>, SqlError> {
        Ok(None)
    }
    fn describe(
        &self,
        _: &mut Transaction,
        _: &[Str],
        _: CatalogQuery<'_>,
    ) -> Result<Datum, SqlError> {
        Ok(Datum::Null)
    }
    fn virtual_rows(
        &self,
        _: &mut Transaction,
        relation: &Relation,
    ) -> Result<Vec<Vec<Datum>>, SqlError> {
        Err(SqlError::unsupported(&relation.name))
    }
    fn apply(
        &self,
        _: &mut Transaction,
        _: &DdlSession<'_>,
        ddl: &Ddl,
    ) -> Result<DdlOutcome, SqlError> {
        let mut memory = self.memory.lock().unwrap();
        if let Ddl::CreateTable(table) = ddl
            && memory.has(&table.name.name)
        {
            return Err(SqlError::new(SqlState::DUPLICATE_TABLE, "it exists"));
        }
        if !memory.apply(ddl) {
            return Err(SqlError::unsupported(ddl.tag()));
        }
        let mut outcome = DdlOutcome::default();
        if let Ddl::CreateTable(table) = ddl {
            let relation = memory.get(&table.name.name);
            execution::create(&relation);
            outcome.object = Some(relation.oid);
        }
        self.version.fetch_add(1, Ordering::SeqCst);
        Ok(outcome)
    }
    fn nextval(&self, _: &mut Transaction, _: Oid) -> Result<i64, SqlError> {
        Err(SqlError::unsupported("nextval"))
    }
    fn setval(&self, _: &mut Transaction, _: Oid, _: i64, _: bool) -> Result<(), SqlError> {
        Err(SqlError::unsupported("setval"))
    }
    fn update_statistics(
        &self,
        _: &mut Transaction,
        _: Oid,
        _: &TableStatistics,
    ) -> Result<(), SqlError> {
        Ok(())
    }
    fn statistics(
        &self,
        _: &mut Transaction,
        _: Oid,
    ) -> Result<Option<Arc<TableStatistics>>, SqlError> {
        Ok(None)
    }
}
