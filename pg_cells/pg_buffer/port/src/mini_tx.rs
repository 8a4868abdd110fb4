//! Changing pages: the mini-transaction.

use crate::{BufferError, FileId, PageId};
use pg_page::Page;
use pg_wal_port::Lsn;

/// A page within its mini-transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot(u8);

/// A mini-transaction: changes of a few pages that reach the log as one record,
/// or not at all. It holds the exclusive latch of each page from
/// [`MiniTx::latch`] to its end. Dropping it without [`MiniTx::commit`] puts the
/// pages back as they were, also when a fault skips the frame that owns it.
///
/// Latches are waited for without any check for cycles: take them in an order
/// that all users of the pages share (for trees: down, and left to right).
#[derive(Debug)]
pub struct MiniTx {
    xid: u64,
}

impl MiniTx {
    /// Begins one on behalf of transaction `xid` (0: of none). May wait for room
    /// in the log, so begin before latching anything.
    #[must_use]
    pub fn begin(xid: u64) -> MiniTx {
        MiniTx { xid }
    }

    /// The transaction's number given at the beginning.
    #[must_use]
    pub fn xid(&self) -> u64 {
        self.xid
    }

    /// Pins and exclusively latches a page until the end; the same slot again
    /// when it is latched already.
    ///
    /// # Errors
    /// As [`crate::read_page`]; [`BufferError::TooLarge`] beyond 32 pages.
    pub fn latch(&mut self, id: PageId) -> Result<Slot, BufferError> {
        let _ = id;
        Err(BufferError::NotRunning)
    }

    /// The same if nobody else has the page latched; `None` otherwise.
    ///
    /// # Errors
    /// As [`MiniTx::latch`].
    pub fn try_latch(&mut self, id: PageId) -> Result<Option<Slot>, BufferError> {
        let _ = id;
        Err(BufferError::NotRunning)
    }

    /// Appends an all-zero page to a file, latched here. The file grows at once,
    /// with a log record of its own: when this mini-transaction is undone, or
    /// the power fails before its record, the zero page stays.
    ///
    /// # Errors
    /// [`BufferError::NoSuchPage`] when there is no such file,
    /// [`BufferError::DiskFull`], and as [`MiniTx::latch`].
    pub fn extend(&mut self, file: FileId) -> Result<(Slot, u32), BufferError> {
        let _ = file;
        Err(BufferError::NotRunning)
    }

    /// Gives back a page that was not changed. The slot must not be used again.
    /// Does nothing to a changed page.
    pub fn release(&mut self, slot: Slot) {
        let _ = slot;
    }

    /// The page's address.
    #[must_use]
    pub fn page_id(&self, slot: Slot) -> PageId {
        let _ = slot;
        unimplemented!()
    }

    /// The page as it stands.
    ///
    /// # Panics
    /// When the slot was released.
    #[must_use]
    pub fn page(&self, slot: Slot) -> &Page {
        let _ = slot;
        unimplemented!()
    }

    /// Writes `bytes` at `offset`. A change that would reach outside the page is
    /// not done, and makes the commit fail with [`BufferError::Corrupt`]; the
    /// same for all changes below. The header's checksum and LSN are not the
    /// caller's to write.
    pub fn write(&mut self, slot: Slot, offset: usize, bytes: &[u8]) {
        let _ = (slot, offset, bytes);
    }

    /// Copies `len` bytes from `from` to `to` within the page; the ranges may
    /// overlap.
    pub fn shift(&mut self, slot: Slot, from: usize, to: usize, len: usize) {
        let _ = (slot, from, to, len);
    }

    /// Writes `byte` over `len` bytes at `offset`.
    pub fn fill(&mut self, slot: Slot, offset: usize, len: usize, byte: u8) {
        let _ = (slot, offset, len, byte);
    }

    /// Sets the page up anew: all zero but the header, see
    /// [`pg_page::header::init`].
    pub fn init(&mut self, slot: Slot, kind: u8, special_size: u16) {
        let _ = (slot, kind, special_size);
    }

    /// Notes in the record that it commits transaction `xid`.
    pub fn mark_commit(&mut self, xid: u64) {
        self.xid = xid;
    }

    /// Notes in the record that it aborts transaction `xid`.
    pub fn mark_abort(&mut self, xid: u64) {
        self.xid = xid;
    }

    /// Appends the record and gives the pages back, changed. The result is the
    /// record's end: [`pg_wal_port::flush`] it to make the changes durable.
    ///
    /// # Errors
    /// When the record could not be appended; everything is undone then.
    pub fn commit(self) -> Result<Lsn, BufferError> {
        Err(BufferError::NotRunning)
    }
}
