//! Extents lent to others: free as far as the disk knows, and in use until the
//! borrower gives them back or the power goes.
//!
//! Temporary files lie in them. Nothing of this is logged, so a start finds them
//! free. Who opens the pool anew while the borrowers live on goes on keeping
//! their extents from files: a write under way must not meet another's page.

use crate::pool::pool;
use crate::{BUFFER, BufferError, Lsn};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use sync::SpinLock;

/// The extents that are lent, in all lives of the pool.
#[derive(Debug, Default)]
pub struct Lent(SpinLock<BTreeSet<u32>>);

impl Lent {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Does something with the numbers of all. Nothing may be waited for in it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&BTreeSet<u32>) -> T) -> T {
        look(&self.0.lock())
    }
}

/// A borrowed extent. It is given back when dropped: nothing may be on its way
/// from or to it then.
#[derive(Debug)]
pub struct BorrowedExtent {
    extent: u32,
    offset: u64,
    len: u64,
    lent: Arc<Lent>,
}

impl BorrowedExtent {
    /// Where it lies on the disk, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.len
    }
}

impl Drop for BorrowedExtent {
    fn drop(&mut self) {
        self.lent.0.lock().remove(&self.extent);
    }
}

/// Borrows a free extent. Its content is whatever lay there before.
///
/// # Errors
/// [`BufferError::DiskFull`] when none is free; when the log fails.
pub fn borrow_extent() -> Result<BorrowedExtent, BufferError> {
    let pool = pool()?;
    let extent = BUFFER.enter()?.choose_extent(None);
    let extent = extent.ok_or(BufferError::DiskFull)?;
    // Entered there before it leaves the reserved ones: nobody else gets it
    // between the two.
    pool.lent.0.lock().insert(extent);
    let (offset, len) = {
        let mut space = pool.space.lock();
        space.unreserve(extent);
        space.place(extent)
    };
    let borrowed = BorrowedExtent {
        extent,
        offset,
        len,
        lent: Arc::clone(&pool.lent),
    };
    // What is written there is not behind the log, as pages are: that the extent is
    // free must be durable before.
    pg_wal_port::flush(Lsn(pool.freed.load(Ordering::SeqCst)))?;
    Ok(borrowed)
}

/// How many extents there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Room {
    /// In all.
    pub extents: u64,
    /// Of no file, lent or not.
    pub free: u64,
    /// Lent.
    pub lent: u64,
}

/// How many extents there are.
///
/// # Errors
/// When the pool is not running.
pub fn room() -> Result<Room, BufferError> {
    let pool = pool()?;
    let (extents, free) = pool.space.lock().extents();
    Ok(Room {
        extents,
        free,
        lent: pool.lent.len() as u64,
    })
}
