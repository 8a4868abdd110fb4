//! COPY as objects that the wire feeds or drains.

use crate::ExecContext;
use alloc::boxed::Box;
use pg_types::SqlError;
use port::CellRef;

/// COPY FROM, as its cell implements it. Chunks may end anywhere.
pub trait CopyIn: Send {
    /// Takes a chunk of the client's data. True when there is enough of it for
    /// [`CopyIn::work`].
    fn push(&mut self, bytes: &[u8]) -> bool;

    /// Works on what was pushed. Rows may be stored later.
    ///
    /// # Errors
    /// 22P04 for damaged data, errors of the values and of the table; with the
    /// line in the context.
    fn work(&mut self, ctx: &mut ExecContext<'_>) -> Result<(), SqlError>;

    /// The data is complete; gives the number of rows, all of which are stored.
    ///
    /// # Errors
    /// As [`CopyIn::work`].
    fn finish(&mut self, ctx: &mut ExecContext<'_>) -> Result<u64, SqlError>;

    /// Columns that the client sends.
    fn columns(&self) -> usize;
}

/// Takes the messages of COPY TO: each is a row or the header, line end
/// included.
pub trait CopySink {
    /// Takes one message. The slice is valid during the call alone.
    ///
    /// # Errors
    /// Ends the command with this error.
    fn data(&mut self, bytes: &[u8]) -> Result<(), SqlError>;
}

/// COPY TO, as its cell implements it.
pub trait CopyOut: Send {
    /// Sends everything; gives the number of rows.
    ///
    /// # Errors
    /// As running the query.
    fn run(&mut self, ctx: &mut ExecContext<'_>, sink: &mut dyn CopySink) -> Result<u64, SqlError>;

    /// Columns of the rows.
    fn columns(&self) -> usize;
}

/// COPY FROM; the object goes before the code it needs.
pub struct CopyInHandle {
    object: Box<dyn CopyIn>,
    keep: CellRef,
}

impl CopyInHandle {
    /// Wraps what a cell made.
    #[must_use]
    pub fn new(object: Box<dyn CopyIn>, keep: CellRef) -> Self {
        CopyInHandle { object, keep }
    }

    /// See [`CopyIn::push`].
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        self.object.push(bytes)
    }

    /// See [`CopyIn::work`].
    ///
    /// # Errors
    /// As there.
    pub fn work(&mut self, ctx: &mut ExecContext<'_>) -> Result<(), SqlError> {
        self.object.work(ctx)
    }

    /// See [`CopyIn::finish`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(&mut self, ctx: &mut ExecContext<'_>) -> Result<u64, SqlError> {
        self.object.finish(ctx)
    }

    /// Columns that the client sends.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.object.columns()
    }
}

impl core::fmt::Debug for CopyInHandle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "CopyIn({:?})", self.keep)
    }
}

/// COPY TO; the object goes before the code it needs.
pub struct CopyOutHandle {
    object: Box<dyn CopyOut>,
    keep: CellRef,
}

impl CopyOutHandle {
    /// Wraps what a cell made.
    #[must_use]
    pub fn new(object: Box<dyn CopyOut>, keep: CellRef) -> Self {
        CopyOutHandle { object, keep }
    }

    /// See [`CopyOut::run`].
    ///
    /// # Errors
    /// As there.
    pub fn run(
        &mut self,
        ctx: &mut ExecContext<'_>,
        sink: &mut dyn CopySink,
    ) -> Result<u64, SqlError> {
        self.object.run(ctx, sink)
    }

    /// Columns of the rows.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.object.columns()
    }
}

impl core::fmt::Debug for CopyOutHandle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "CopyOut({:?})", self.keep)
    }
}
