//! What a statement needs while it runs.

use alloc::boxed::Box;
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
    pub session: &'a dyn EvalContext,
    /// Built-in views.
    pub views: &'a dyn VirtualRows,
    /// Disk space for sorts, if there is any.
    pub spill: Option<&'a dyn SpillStore>,
    /// Bytes that one sort may use before it goes to disk.
    pub work_mem: usize,
    /// Bytes that the statement may use in all (53200 beyond).
    pub memory_limit: usize,
}

/// Takes rows one by one: the encoder of the wire, COPY, a vector in tests.
pub trait RowSink {
    /// Takes a row. The slice is valid during the call alone.
    ///
    /// # Errors
    /// Ends the query with this error.
    fn row(&mut self, row: &[Datum]) -> Result<(), SqlError>;
}

impl RowSink for Vec<Vec<Datum>> {
    fn row(&mut self, row: &[Datum]) -> Result<(), SqlError> {
        self.push(row.to_vec());
        Ok(())
    }
}

/// Gives the rows of built-in views.
pub trait VirtualRows {
    /// All rows of a view, in the order of its descriptor's columns.
    ///
    /// # Errors
    /// 0A000 when the view is not known.
    fn rows(&self, relation: &Relation) -> Result<Vec<Vec<Datum>>, SqlError>;
}

/// No built-in views.
#[derive(Clone, Copy, Debug)]
pub struct NoViews;

impl VirtualRows for NoViews {
    fn rows(&self, relation: &Relation) -> Result<Vec<Vec<Datum>>, SqlError> {
        Err(SqlError::unsupported(alloc::format!(
            "the view \"{}\"",
            relation.name
        )))
    }
}

/// Makes files for what does not fit into memory.
pub trait SpillStore {
    /// An empty file, gone when dropped.
    ///
    /// # Errors
    /// 53100 when the disk is full.
    fn create(&self) -> Result<Box<dyn SpillFile>, SqlError>;
}

/// A temporary file.
pub trait SpillFile: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// 53100 when the disk is full.
    fn append(&mut self, bytes: &[u8]) -> Result<(), SqlError>;

    /// Reads at most `bytes.len()` bytes from `offset` on; gives how many there
    /// were.
    ///
    /// # Errors
    /// 58030 when the device fails.
    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> Result<usize, SqlError>;
}
