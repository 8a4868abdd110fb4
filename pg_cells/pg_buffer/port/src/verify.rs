//! Looking at a page as it lies on the disk, past the cache: for tools that
//! search for damage before somebody meets it.

use crate::load::{disk_error, is_intact};
use crate::pool::{DIRTY, PoolState, WRITING, pool};
use crate::{BufferError, FileId, PageId};
use core::sync::atomic::Ordering;
use frame::IoBuffer;
use nvme_port::{Op, Urgency, transfer};
use pg_page::PAGE_SIZE;

/// A bad page is read again so often: it may have been on its way.
const ATTEMPTS: usize = 3;

/// Reads pages from the disk and compares them with their checksums.
#[derive(Debug)]
pub struct Verifier {
    pool: &'static PoolState,
    buffer: IoBuffer,
}

impl Verifier {
    /// With memory of its own for one page.
    ///
    /// # Errors
    /// When the pool is not running, or without memory.
    pub fn new() -> Result<Self, BufferError> {
        Ok(Verifier {
            pool: pool()?,
            buffer: IoBuffer::new(PAGE_SIZE)?,
        })
    }

    /// How many pages a file has; those of the space map too.
    ///
    /// # Errors
    /// [`BufferError::NoSuchPage`] when there is no such file.
    pub fn blocks(&self, file: FileId) -> Result<u32, BufferError> {
        match file {
            FileId::SPACE_MAP => Ok(self.pool.space.lock().map_pages()),
            file => crate::files::blocks(file),
        }
    }

    /// Whether the disk has the page as it was last written. A page that is
    /// newer in memory counts as sound, since its copy on the disk is replaced
    /// before anybody reads it; so does one that does not exist (any more).
    ///
    /// # Errors
    /// [`BufferError::Corrupt`], [`BufferError::Io`], or no disk.
    pub fn verify(&mut self, id: PageId) -> Result<(), BufferError> {
        let mut outcome = Ok(());
        for _ in 0..ATTEMPTS {
            let Some(offset) = self.pool.locate(id) else {
                return Ok(());
            };
            if self.is_newer_in_memory(id) {
                return Ok(());
            }
            let data = self.buffer.slice(0, PAGE_SIZE);
            let read = transfer(Urgency::Background, Op::Read, offset, data);
            outcome = read.map_err(|error| disk_error(error, id)).and_then(|()| {
                let page = self.buffer.bytes_when_back().first_chunk();
                match page.is_some_and(|page| is_intact(page, id)) {
                    true => Ok(()),
                    false => Err(BufferError::Corrupt { page: id }),
                }
            });
            if outcome.is_ok() {
                return Ok(());
            }
        }
        outcome
    }

    fn is_newer_in_memory(&self, id: PageId) -> bool {
        let pool = self.pool;
        let frame = pool.table.find(pool.arena, id.pack());
        let frame = frame.and_then(|index| pool.arena.frames().get(index as usize));
        frame.is_some_and(|f| f.flags.load(Ordering::SeqCst) & (DIRTY | WRITING) != 0)
    }
}
