//! Reading the log back, from the disk.

use crate::record::{HEADER, MAX_RECORD, Parsed, Record};
use crate::state::{WalState, state};
use crate::{Lsn, WalError};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use frame::IoBuffer;
use nvme_port::{Op, Transfer, Urgency};
use pg_page::superblock::BLOCK;
use task_port::Held;

const CHUNK: u64 = 256 << 10;

/// Why reading the log stopped with an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// The log is not there.
    Log(WalError),
    /// The disk could not be read.
    Disk(nvme_port::DiskError),
}

/// Reads records one after the other.
#[derive(Debug)]
pub struct LogReader {
    state: &'static WalState,
    buffer: IoBuffer,
    /// Bytes read and not used up; the first lies at `at`.
    bytes: Vec<u8>,
    used: usize,
    at: u64,
    /// Reading does not go beyond; `u64::MAX` while the log's end is not known.
    limit: u64,
    start: u64,
    /// Of the start whose records are read: each start begins with a superblock
    /// that names it and the position of its first record.
    epoch: u32,
}

impl LogReader {
    /// A reader of the records from `from` on. When the log is open it ends at
    /// what is durable now, else at the first bytes that are no record.
    ///
    /// # Errors
    /// Without memory, or a disk.
    pub fn new(from: Lsn) -> Result<Self, WalError> {
        let state = state()?;
        let open = state.open.load(Ordering::SeqCst);
        let limit = if open { crate::flushed().0 } else { u64::MAX };
        Ok(LogReader {
            state,
            buffer: IoBuffer::new(CHUNK as usize).map_err(|_| WalError::OutOfMemory)?,
            bytes: Vec::new(),
            used: 0,
            at: from.0,
            limit,
            start: from.0,
            epoch: state.epoch.load(Ordering::SeqCst),
        })
    }

    /// The position of the next record, or of the end.
    #[must_use]
    pub fn position(&self) -> Lsn {
        Lsn(self.at)
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// When the disk could not be read.
    pub fn read(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        let mut need = HEADER;
        loop {
            if self.at + need as u64 > self.limit || need > MAX_RECORD {
                return Ok(None);
            }
            self.fill(need)?;
            match Record::parse(&self.bytes[self.used..], self.at, self.epoch) {
                Parsed::More(more) if more > need => need = more,
                Parsed::More(_) | Parsed::Nothing => return Ok(None),
                Parsed::Record(record) => {
                    let (from, len) = (self.used, record.len());
                    let at = self.at;
                    self.used += len;
                    self.at += len as u64;
                    // Parsed twice only to end the borrow of the first time.
                    let bytes = &self.bytes[from..from + len];
                    return Ok(match Record::parse(bytes, at, self.epoch) {
                        Parsed::Record(record) => Some(record),
                        _ => None,
                    });
                }
            }
        }
    }

    /// Makes `need` bytes available, as far as the region has them.
    fn fill(&mut self, need: usize) -> Result<(), ReadError> {
        while self.bytes.len() - self.used < need {
            self.bytes.drain(..self.used);
            self.used = 0;
            let next = self.at + self.bytes.len() as u64;
            let size = self.state.size.load(Ordering::Relaxed);
            // A full turn of the region: what follows is the start again.
            if next >= self.start + size {
                return Ok(());
            }
            let block = next / BLOCK * BLOCK;
            let to_seam = size - block % size;
            let len = CHUNK.min(to_seam).min(self.start + size - block);
            let len = len.next_multiple_of(BLOCK).min(to_seam);
            let data = self.buffer.slice(0, len as usize);
            let parts = alloc::vec![(Op::Read, self.state.place(block), data)];
            let transfer = Transfer::start(Urgency::Normal, parts).map_err(ReadError::Disk)?;
            Held::new(transfer).wait().map_err(ReadError::Disk)?;
            let bytes = self.buffer.bytes_when_back();
            let skip = (next - block) as usize;
            self.bytes.extend_from_slice(&bytes[skip..len as usize]);
        }
        Ok(())
    }
}
