//! The catalog as the planner uses it.

use alloc::sync::Arc;
use core::cell::RefCell;
use pg_catalog_port::{CATALOG, Catalog, TableStatistics, UserType};
use pg_plan::Relation;
use pg_txn_port::Transaction;
use pg_types::{Oid, SqlError, SqlState, Str};
use port::PortError;

/// Lookups in the catalog. Unqualified names are looked for along `path`.
pub trait CatalogAccess {
    /// See [`Catalog::version`].
    fn version(&self) -> u64;
    /// See [`Catalog::relation`].
    ///
    /// # Errors
    /// As there.
    fn relation(
        &self,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Arc<Relation>>, SqlError>;
    /// See [`Catalog::relation_by_oid`].
    ///
    /// # Errors
    /// As there.
    fn relation_by_oid(&self, oid: Oid) -> Result<Option<Arc<Relation>>, SqlError>;
    /// See [`Catalog::index`].
    ///
    /// # Errors
    /// As there.
    fn index(
        &self,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<(Arc<Relation>, Oid)>, SqlError>;
    /// See [`Catalog::schema`].
    ///
    /// # Errors
    /// As there.
    fn schema(&self, name: &str) -> Result<Option<Oid>, SqlError>;
    /// See [`Catalog::user_type`].
    ///
    /// # Errors
    /// As there.
    fn user_type(
        &self,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<UserType>, SqlError>;
    /// See [`Catalog::statistics`].
    ///
    /// # Errors
    /// As there.
    fn statistics(&self, relation: Oid) -> Result<Option<Arc<TableStatistics>>, SqlError>;
}

/// The catalog's port under a transaction, which the session's `EvalContext`
/// may share through the same cell.
pub struct SessionCatalog<'a> {
    tx: &'a RefCell<&'a mut Transaction>,
}

impl<'a> SessionCatalog<'a> {
    /// Lookups under `tx`; it is borrowed only within each call.
    pub fn new(tx: &'a RefCell<&'a mut Transaction>) -> Self {
        SessionCatalog { tx }
    }

    fn ask<T>(
        &self,
        ask: impl FnOnce(&dyn Catalog, &mut Transaction) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let catalog = CATALOG.enter().map_err(|e| gone(&e))?;
        let mut tx = self
            .tx
            .try_borrow_mut()
            .map_err(|_| SqlError::internal("the transaction is in use while planning"))?;
        ask(&*catalog, &mut tx)
    }
}

fn gone(error: &PortError) -> SqlError {
    SqlError::new(SqlState::CANNOT_CONNECT_NOW, alloc::format!("{error}"))
}

impl CatalogAccess for SessionCatalog<'_> {
    fn version(&self) -> u64 {
        self.ask(|catalog, tx| Ok(catalog.version(tx))).unwrap_or(0)
    }

    fn relation(
        &self,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Arc<Relation>>, SqlError> {
        self.ask(|catalog, tx| catalog.relation(tx, path, schema, name))
    }

    fn relation_by_oid(&self, oid: Oid) -> Result<Option<Arc<Relation>>, SqlError> {
        self.ask(|catalog, tx| catalog.relation_by_oid(tx, oid))
    }

    fn index(
        &self,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<(Arc<Relation>, Oid)>, SqlError> {
        self.ask(|catalog, tx| catalog.index(tx, path, schema, name))
    }

    fn schema(&self, name: &str) -> Result<Option<Oid>, SqlError> {
        self.ask(|catalog, tx| catalog.schema(tx, name))
    }

    fn user_type(
        &self,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<UserType>, SqlError> {
        self.ask(|catalog, tx| catalog.user_type(tx, path, schema, name))
    }

    fn statistics(&self, relation: Oid) -> Result<Option<Arc<TableStatistics>>, SqlError> {
        self.ask(|catalog, tx| catalog.statistics(tx, relation))
    }
}
