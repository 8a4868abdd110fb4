//! The door of the catalog: what relations, schemas, types and sequences there
//! are, as a transaction sees them, and changing them.
//!
//! Descriptors ([`Relation`]) are shared and never change; a new state of a
//! table is a new descriptor, and [`Catalog::version`] has moved. A plan made
//! at another version must be made again. The catalog takes no lock on a
//! relation it looks up: the caller locks what it will use and looks again when
//! the version has moved meanwhile.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod shared;
mod work;

pub use shared::{OWN, SHARED, Shared, Stock};
pub use work::RowWork;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_builtins::CatalogQuery;
use pg_plan::{Ddl, Relation};
use pg_txn_port::Transaction;
use pg_types::{Datum, Oid, SqlError, Str};
use port::{Component, Port};

/// What the catalog does. Calls may read pages, so they may block.
pub trait Catalog: Component {
    /// See [`open`].
    ///
    /// # Errors
    /// As there.
    fn open(&self) -> Result<Opened, SqlError>;

    /// A number that changes with every committed change of the schema and with
    /// every uncommitted one of `tx` itself.
    fn version(&self, tx: &Transaction) -> u64;

    /// A table, view, sequence or built-in view by name. Without `schema` the
    /// schemas of `path` are asked in order, `pg_catalog` before them unless it
    /// is among them. Temporary tables are in the schema `pg_temp_N` of the
    /// session with process id `N`, which its path begins with once it exists.
    ///
    /// # Errors
    /// 3F000 when `schema` is named and does not exist; failures of the storage.
    fn relation(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Arc<Relation>>, SqlError>;

    /// The same by id.
    ///
    /// # Errors
    /// Failures of the storage.
    fn relation_by_oid(
        &self,
        tx: &mut Transaction,
        oid: Oid,
    ) -> Result<Option<Arc<Relation>>, SqlError>;

    /// The table of an index, by the index's name, and the index's id.
    ///
    /// # Errors
    /// As [`Catalog::relation`].
    fn index(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<(Arc<Relation>, Oid)>, SqlError>;

    /// A schema's id.
    ///
    /// # Errors
    /// Failures of the storage.
    fn schema(&self, tx: &mut Transaction, name: &str) -> Result<Option<Oid>, SqlError>;

    /// A type that users created (enum, domain, composite).
    ///
    /// # Errors
    /// Failures of the storage.
    fn user_type(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<UserType>, SqlError>;

    /// What functions over the catalog ask (`pg_get_expr`, `regclass` input ...).
    ///
    /// # Errors
    /// 0A000 for a function it does not know; the function's own errors.
    fn describe(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        query: CatalogQuery<'_>,
    ) -> Result<Datum, SqlError>;

    /// The rows of a built-in view (`RelationKind::Virtual`), columns in the
    /// order of its descriptor.
    ///
    /// # Errors
    /// Failures of the storage.
    fn virtual_rows(
        &self,
        tx: &mut Transaction,
        relation: &Relation,
    ) -> Result<Vec<Vec<Datum>>, SqlError>;

    /// Carries out a change of the schema: catalog rows and files. What must
    /// then be done with the rows of tables (filling indexes, checks) is in the
    /// outcome, for the executor. Everything is undone with the transaction.
    ///
    /// # Errors
    /// With PostgreSQL's SQLSTATEs: 42P07, 42710, 2BP01, 23505 ...
    fn apply(
        &self,
        tx: &mut Transaction,
        session: &DdlSession<'_>,
        ddl: &Ddl,
    ) -> Result<DdlOutcome, SqlError>;

    /// The next value of a sequence. Not undone with the transaction.
    ///
    /// # Errors
    /// 2200H at the end of a sequence that does not cycle.
    fn nextval(&self, tx: &mut Transaction, sequence: Oid) -> Result<i64, SqlError>;

    /// Sets a sequence; `called`: the value counts as given out.
    ///
    /// # Errors
    /// 22003 outside its bounds.
    fn setval(
        &self,
        tx: &mut Transaction,
        sequence: Oid,
        value: i64,
        called: bool,
    ) -> Result<(), SqlError>;

    /// Stores what VACUUM and ANALYZE measured.
    ///
    /// # Errors
    /// Failures of the storage.
    fn update_statistics(
        &self,
        tx: &mut Transaction,
        relation: Oid,
        statistics: &TableStatistics,
    ) -> Result<(), SqlError>;

    /// The index, made by CREATE INDEX CONCURRENTLY, has an entry for every row that
    /// any transaction sees: queries may use it.
    ///
    /// # Errors
    /// Failures of the storage; when it is gone.
    fn index_is_valid(&self, tx: &mut Transaction, index: Oid) -> Result<(), SqlError>;

    /// What ANALYZE found out about the columns of a relation, for the planner;
    /// `None` before the first ANALYZE.
    ///
    /// # Errors
    /// Failures of the storage.
    fn statistics(
        &self,
        tx: &mut Transaction,
        relation: Oid,
    ) -> Result<Option<Arc<TableStatistics>>, SqlError>;
}

/// Opens the catalogs once after a start, when storage and transactions run:
/// makes them in a new database, removes what a crash left behind.
///
/// # Errors
/// Failures of the storage; when nobody stands behind the port.
pub fn open() -> Result<Opened, SqlError> {
    SHARED.reset();
    let catalog = CATALOG.enter().map_err(|_| {
        SqlError::new(
            pg_types::SqlState::CANNOT_CONNECT_NOW,
            "the catalog is not running",
        )
    })?;
    catalog.open()
}

/// What [`open`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Opened {
    /// The database was new.
    pub created: bool,
    /// Files without an owner that were removed.
    pub orphans: usize,
}

/// The catalog's door.
pub static CATALOG: Port<dyn Catalog> = Port::new("pg_catalog");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &CATALOG;

/// What [`SHARED`] holds goes to the later generation.
pub static MOVES: port::Moves = shared::MOVES;

/// What a change of the schema needs to know of the session.
#[derive(Clone, Copy)]
pub struct DdlSession<'a> {
    /// Where unqualified names are created (first) and looked up.
    pub path: &'a [Str],
    /// The current role.
    pub user: &'a str,
    /// For defaults, checks and index expressions over existing rows.
    pub eval: &'a dyn pg_builtins::EvalContext,
}

/// What came of a change of the schema.
#[derive(Clone, Debug, Default)]
pub struct DdlOutcome {
    /// Notices for the client, in order.
    pub notices: Vec<Notice>,
    /// The object created, if one was.
    pub object: Option<Oid>,
    /// What the executor must do before the statement is done, in order.
    pub work: Vec<RowWork>,
}

/// A notice: `table "x" does not exist, skipping`.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Its SQLSTATE.
    pub code: pg_types::SqlState,
    /// Its text.
    pub message: String,
    /// Its detail.
    pub detail: Option<String>,
}

/// A type that users created.
#[derive(Clone, Debug)]
pub struct UserType {
    /// Its `pg_type` id.
    pub oid: Oid,
    /// What it is.
    pub kind: UserTypeKind,
}

/// Kinds of types that users create.
#[derive(Clone, Debug)]
pub enum UserTypeKind {
    /// An enum, with its labels in order and their ids.
    Enum(Vec<(Oid, String)>),
    /// A domain over a type, with NOT NULL, default and checks as SQL texts.
    Domain {
        /// The base type.
        base: Oid,
        /// Its modifier.
        typmod: i32,
        /// NOT NULL.
        not_null: bool,
        /// DEFAULT.
        default: Option<String>,
        /// CHECK constraints: name and text over VALUE.
        checks: Vec<(String, String)>,
    },
    /// A row type of a relation.
    Composite(Oid),
}

/// What is known of a table's rows.
#[derive(Clone, Debug, Default)]
pub struct TableStatistics {
    /// Live rows.
    pub rows: f64,
    /// Pages.
    pub pages: u32,
    /// Pages whose rows all are visible to everybody.
    pub all_visible: u32,
    /// Per column (descriptor order); empty when only VACUUM ran.
    pub columns: Vec<ColumnStatistics>,
}

/// What is known of a column.
#[derive(Clone, Debug, Default)]
pub struct ColumnStatistics {
    /// Share of NULLs.
    pub null_fraction: f64,
    /// Distinct values; negative: their share of the rows.
    pub distinct: f64,
    /// Average width in bytes.
    pub width: i32,
    /// The commonest values with their shares.
    pub common: Vec<(Datum, f64)>,
    /// Bounds of equally full ranges of the other values.
    pub histogram: Vec<Datum>,
}
