//! Reading the log back, from the disk, and finding its end.
//!
//! The log ends at the first bytes that are no record. A power cut leaves such
//! bytes where writes were under way; a disk that has lost or changed what it had
//! taken for good leaves them too, and then commits that were acknowledged lie
//! behind. The bytes themselves do not tell which it is. What tells is written
//! later than they were: each record says how far the log was durable when it was
//! appended, so a record behind the end that says so of bytes beyond the end proves
//! damage ([`LogReader::find_end`]).
//!
//! The idea is that of R. Alagappan et al., "Protocol-Aware Recovery for
//! Consensus-Based Storage" (FAST 2018): note apart from an entry that it was made
//! durable, and an entry that is bad without the note was cut short, one with the
//! note is corrupt. As they show, this leaves the last entries: one that was
//! acknowledged, and after which nothing was written, cannot be told from one that
//! was cut short, unless each commit waits for a second write. Here the note rides
//! on what is written anyway, and [`crate::seal`] writes one soon after the last
//! commit of a burst.

use crate::record::{HEADER, MAX_RECORD, Parsed, Record};
use crate::state::{WalState, state};
use crate::{Lsn, WalError};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use frame::IoBuffer;
use nvme_port::{DiskError, Op, Transfer, Urgency};
use pg_page::superblock::BLOCK;
use pg_page::{get_u32, get_u64};
use task_port::Held;

const CHUNK: u64 = 256 << 10;
/// For a log whose writer did not say how much it kept in memory.
const IN_MEMORY: u64 = 4 << 20;

/// Why reading the log stopped with an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// The log is not there.
    Log(WalError),
    /// The disk could not be read.
    Disk {
        /// Where.
        at: Lsn,
        /// What it said.
        error: DiskError,
    },
    /// What was durable is not there any more: to go on would lose commits.
    Damaged {
        /// The first position that holds no record.
        at: Lsn,
        /// The log before this position was durable.
        durable: Lsn,
    },
}

impl core::fmt::Display for ReadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ReadError::Log(error) => write!(f, "{error}"),
            ReadError::Disk { at, error } => write!(f, "the log cannot be read at {at}: {error}"),
            ReadError::Damaged { at, durable } => write!(
                f,
                "the log is damaged at {at}: it was durable up to {durable} at least, and to go \
                 on without what followed would lose committed transactions"
            ),
        }
    }
}

/// Where the log ends, and what is known of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LogEnd {
    /// The position after the last record.
    pub to: Lsn,
    /// How many records there are.
    pub records: u64,
    /// The log before this position is durable for sure; what follows may stand in
    /// the disk's cache alone.
    pub durable: Lsn,
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
    /// The first block among `bytes` that the disk does not give; it counts as
    /// zeros.
    unreadable: Option<(u64, DiskError)>,
}

impl LogReader {
    /// A reader of the records from `from` on. When the log is open it ends at
    /// what is durable now, else at the first bytes that are no record.
    ///
    /// # Errors
    /// Without memory, or a disk.
    pub fn new(from: Lsn) -> Result<Self, WalError> {
        let open = state()?.open.load(Ordering::SeqCst);
        let limit = if open {
            crate::flushed()
        } else {
            Lsn(u64::MAX)
        };
        LogReader::until(from, limit)
    }

    /// A reader of the records from `from` on that ends at the record's end `to`.
    ///
    /// # Errors
    /// Without memory, or a disk.
    pub fn until(from: Lsn, to: Lsn) -> Result<Self, WalError> {
        let state = state()?;
        Ok(LogReader {
            state,
            buffer: IoBuffer::new(CHUNK as usize).map_err(|_| WalError::OutOfMemory)?,
            bytes: Vec::new(),
            used: 0,
            at: from.0,
            limit: to.0,
            start: from.0,
            epoch: state.epoch.load(Ordering::SeqCst),
            unreadable: None,
        })
    }

    /// Finds the end of the log that is replayed from `from` on, before anything is
    /// done with what it holds.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when the end is none.
    pub fn find_end(from: Lsn) -> Result<LogEnd, ReadError> {
        let mut reader = LogReader::new(from).map_err(ReadError::Log)?;
        let mut end = LogEnd {
            durable: from,
            ..LogEnd::default()
        };
        while let Some(record) = reader.read()? {
            end.records += 1;
            end.durable = end.durable.max(Lsn(record.durable()));
        }
        end.to = reader.position();
        let open = reader.limit != u64::MAX;
        let durable = match open {
            true => Lsn(reader.limit),
            false => reader.known_behind()?,
        };
        match durable > end.to {
            true => Err(ReadError::Damaged {
                at: end.to,
                durable,
            }),
            false if open => Ok(LogEnd {
                durable: end.to,
                ..end
            }),
            false => Ok(LogEnd {
                durable: end.durable.max(durable),
                ..end
            }),
        }
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
        let Some(len) = self.look(self.limit)? else {
            return Ok(None);
        };
        let (from, at) = (self.used, self.at);
        self.used += len;
        self.at += len as u64;
        // Parsed twice only to end the borrow of the first time.
        let bytes = &self.bytes[from..from + len];
        Ok(match Record::parse(bytes, at, self.epoch) {
            Parsed::Record(record) => Some(record),
            _ => None,
        })
    }

    /// The length of the record that stands here and ends before `limit`, if one
    /// does.
    fn look(&mut self, limit: u64) -> Result<Option<usize>, ReadError> {
        let mut need = HEADER;
        loop {
            if need > MAX_RECORD || self.at.saturating_add(need as u64) > limit {
                return Ok(None);
            }
            self.fill(need)?;
            match Record::parse(&self.bytes[self.used..], self.at, self.epoch) {
                Parsed::More(more) if more > need => need = more,
                Parsed::Record(record) => return Ok(Some(record.len())),
                Parsed::More(_) | Parsed::Nothing => break,
            }
        }
        // As far as the record would reach, all of whose bytes may be here, also
        // those that stand for what cannot be read.
        let bytes = &self.bytes[self.used..];
        if get_u64(bytes, 8) == self.at {
            need = need.max((get_u32(bytes, 0) as usize).min(MAX_RECORD));
        }
        match self.unreadable {
            // What the disk does not give now it may give at the next try.
            Some((at, error)) if limit == self.limit && at < self.at + need as u64 => {
                let at = Lsn(at);
                Err(ReadError::Disk { at, error })
            }
            _ => Ok(None),
        }
    }

    /// The furthest position of which a record behind the end says that the log
    /// before it was durable. A record behind all that was in memory with the bytes
    /// at the end says so of them, so it need not be looked for further on; twice
    /// as far, should that one be damaged too.
    fn known_behind(&mut self) -> Result<Lsn, ReadError> {
        let disk = crate::superblock();
        // Shut down in order there is no log behind the checkpoint, nor a need for it.
        if disk.is_some_and(|s| s.clean && s.redo == self.at) {
            return Ok(Lsn(0));
        }
        // A log that has failed while we watched: what it had made durable is known.
        let mut known = match disk.is_some_and(|s| s.epoch == self.epoch) {
            true => self.state.flushed.load(Ordering::SeqCst),
            false => 0,
        };
        let in_memory = disk.map_or(0, |s| s.in_memory);
        let in_memory = if in_memory == 0 { IN_MEMORY } else { in_memory };
        let until = self.at + 2 * in_memory + 2 * MAX_RECORD as u64;
        loop {
            self.used = (self.used + 8).min(self.bytes.len());
            self.at += 8;
            self.fill(HEADER)?;
            let bytes = &self.bytes[self.used..];
            if self.at >= until || bytes.len() < HEADER {
                return Ok(Lsn(known));
            }
            // Cheap first: few places hold their own address.
            if get_u64(bytes, 8) != self.at || get_u32(bytes, 24) != self.epoch {
                continue;
            }
            while let Some(len) = self.look(u64::MAX - 1)? {
                let bytes = &self.bytes[self.used..self.used + len];
                if let Parsed::Record(record) = Record::parse(bytes, self.at, self.epoch) {
                    known = known.max(record.durable());
                }
                self.used += len;
                self.at += len as u64;
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
            self.load(block, len)?;
            let bytes = self.buffer.bytes_when_back();
            let skip = (next - block) as usize;
            self.bytes.extend_from_slice(&bytes[skip..len as usize]);
        }
        Ok(())
    }

    /// Reads `len` bytes from the block at position `at` on into the buffer. Should
    /// that fail, block by block: only those that cannot be read are missing then.
    fn load(&mut self, at: u64, len: u64) -> Result<(), ReadError> {
        match self.transfer(Op::Read, at, 0, len) {
            Ok(()) => return Ok(()),
            Err(DiskError::Io) => {}
            Err(error) => return Err(ReadError::Disk { at: Lsn(at), error }),
        }
        for skip in (0..len).step_by(BLOCK as usize) {
            match self.transfer(Op::Read, at + skip, skip, BLOCK) {
                Ok(()) => {}
                Err(error @ DiskError::Io) => {
                    let from = skip as usize;
                    self.buffer.bytes_when_back()[from..from + BLOCK as usize].fill(0);
                    self.unreadable.get_or_insert((at + skip, error));
                }
                Err(error) => return Err(ReadError::Disk { at: Lsn(at), error }),
            }
        }
        Ok(())
    }

    /// Moves bytes between the disk at position `at` and the buffer.
    fn transfer(&mut self, op: Op, at: u64, skip: u64, len: u64) -> Result<(), DiskError> {
        let data = self.buffer.slice(skip as usize, len as usize);
        let parts = alloc::vec![(op, self.state.place(at), data)];
        let transfer = Transfer::start(Urgency::Normal, parts)?;
        Held::new(transfer).wait()
    }
}

/// Writes what was found behind [`LogEnd::durable`] once more, with force. It may
/// stand in the disk's cache alone, of a write that had failed or was under way
/// when the system ended and the power stayed on; pages that get its changes must
/// not be durable before it is.
///
/// # Errors
/// When the disk fails; the log is as it was.
pub fn make_durable(end: &LogEnd) -> Result<(), ReadError> {
    if end.durable >= end.to {
        return Ok(());
    }
    let mut writer = LogReader::until(end.durable, end.to).map_err(ReadError::Log)?;
    let size = writer.state.size.load(Ordering::Relaxed);
    let mut at = end.durable.0 / BLOCK * BLOCK;
    while at < end.to.0 {
        let len = (end.to.0 - at).next_multiple_of(BLOCK);
        let len = len.min(CHUNK).min(size - at % size);
        let moved = writer.transfer(Op::Read, at, 0, len);
        let moved = moved.and_then(|()| writer.transfer(Op::WriteDurable, at, 0, len));
        moved.map_err(|error| ReadError::Disk { at: Lsn(at), error })?;
        at += len;
    }
    Ok(())
}
