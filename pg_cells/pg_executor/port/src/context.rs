//! What a statement needs while it runs.

use crate::{Session, SpillStore};
use alloc::vec::Vec;
use pg_builtins::EvalContext;
use pg_plan::Relation;
use pg_txn_port::Transaction;
use pg_types::{Datum, SqlError};

/// The surroundings of one call.
pub struct ExecContext<'a> {
    /// The transaction, its command started. Its cancel token ends the
    /// statement with 57014.
    pub tx: &'a mut Transaction,
    /// The values of `$1`, `$2` ...
    pub params: &'a [Datum],
    /// The session, as functions see it.
    pub session: &'a dyn Session,
    /// Built-in views.
    pub views: &'a dyn VirtualRows,
    /// Disk space for what is larger than `work_mem`, if there is any.
    pub spill: Option<&'a dyn SpillStore>,
    /// Bytes that one sort or row store may use before it goes to disk.
    pub work_mem: usize,
    /// The same for one hash table.
    pub hash_mem: usize,
    /// Bytes that the statement may use in all (53200 beyond).
    pub memory_limit: usize,
}

/// Takes rows one by one: the encoder of the wire, COPY, a vector in tests.
pub trait RowSink {
    /// Takes a row. The slice is valid during the call alone. `session` is for
    /// text forms that need the catalog (`regclass` and its kin).
    ///
    /// # Errors
    /// Ends the query with this error.
    fn row(&mut self, row: &[Datum], session: &dyn EvalContext) -> Result<(), SqlError>;
}

impl RowSink for Vec<Vec<Datum>> {
    fn row(&mut self, row: &[Datum], _session: &dyn EvalContext) -> Result<(), SqlError> {
        self.push(row.to_vec());
        Ok(())
    }
}

/// Gives the rows of those built-in views that show the session and its peers
/// (`pg_settings`, `pg_stat_activity` ...); the catalog gives the others.
pub trait VirtualRows {
    /// All rows of a view, in the order of its descriptor's columns; `None` when
    /// it is not one of these.
    ///
    /// # Errors
    /// As gathering them.
    fn rows(&self, relation: &Relation) -> Result<Option<Vec<Vec<Datum>>>, SqlError>;
}

/// No views of the session.
#[derive(Clone, Copy, Debug)]
pub struct NoViews;

impl VirtualRows for NoViews {
    fn rows(&self, _relation: &Relation) -> Result<Option<Vec<Vec<Datum>>>, SqlError> {
        Ok(None)
    }
}
