//! [`TempFile`]: bytes appended once, then read at any place.

use crate::state::{BLOCK, Block, TempState};
use crate::{TempError, take_block};
use alloc::sync::Arc;
use alloc::vec::Vec;
use frame::IoBuffer;
use nvme_port::{Op, Transfer, Urgency};

/// What transfers are multiples of: no disk of ours has larger blocks.
const SECTOR: usize = 4096;

/// A temporary file.
///
/// Its memory is one block while it is written or read, two while a block is on
/// its way to the disk; [`TempFile::rest`] gives it back between the two.
///
/// The fields are dropped in order: the device is done before the blocks are
/// somebody else's.
#[derive(Debug)]
pub struct TempFile {
    writing: Option<(Transfer, IoBuffer)>,
    /// The block that is being filled: bytes of it.
    tail: Option<(IoBuffer, usize)>,
    /// The block that is being read, by number.
    reading: Option<(IoBuffer, usize)>,
    /// The blocks that were written; those given back already are gone.
    blocks: Vec<Option<Block>>,
    len: u64,
    state: Arc<TempState>,
}

impl TempFile {
    /// An empty file, which has no block yet.
    ///
    /// # Errors
    /// [`TempError::NotRunning`].
    pub fn create() -> Result<Self, TempError> {
        let state = crate::state()?;
        TempState::count(&state.counters.files, 1);
        Ok(TempFile {
            writing: None,
            tail: None,
            reading: None,
            blocks: Vec::new(),
            len: 0,
            state,
        })
    }

    /// Bytes appended so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was appended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends bytes. Blocks while an earlier block is on its way.
    ///
    /// # Errors
    /// [`TempError::Full`], or the device's. The file is of no use then.
    pub fn append(&mut self, mut bytes: &[u8]) -> Result<(), TempError> {
        while !bytes.is_empty() {
            let (buffer, filled) = match &mut self.tail {
                Some(tail) => tail,
                None => self.tail.insert((self.state.buffer()?, 0)),
            };
            let room = buffer.bytes_when_back().get_mut(*filled..);
            let room = room.unwrap_or_default();
            let count = room.len().min(bytes.len());
            let (now, later) = bytes.split_at(count);
            room[..count].copy_from_slice(now);
            *filled += count;
            self.len += count as u64;
            bytes = later;
            if *filled == BLOCK {
                self.write_tail()?;
            }
        }
        Ok(())
    }

    /// Sends the last block on its way and waits for it, and ends appending.
    ///
    /// # Errors
    /// As [`TempFile::append`].
    pub fn finish(&mut self) -> Result<(), TempError> {
        self.write_tail()?;
        self.settle()
    }

    fn write_tail(&mut self) -> Result<(), TempError> {
        let Some((buffer, filled)) = self.tail.take() else {
            return Ok(());
        };
        self.settle()?;
        let block = take_block()?;
        let slice = buffer.slice(0, filled.next_multiple_of(SECTOR));
        // Behind the log and behind what others read.
        let part = (Op::Write, block.offset(), slice);
        let transfer = Transfer::start(Urgency::Background, alloc::vec![part])?;
        self.writing = Some((transfer, buffer));
        self.blocks.push(Some(block));
        TempState::count(&self.state.counters.written, filled);
        Ok(())
    }

    /// Waits for the block on its way.
    fn settle(&mut self) -> Result<(), TempError> {
        match self.writing.take() {
            Some((transfer, buffer)) => {
                let outcome = transfer.wait();
                drop(transfer);
                self.state.keep(buffer);
                Ok(outcome?)
            }
            None => Ok(()),
        }
    }

    /// Reads up to `out.len()` bytes from `offset` on; gives how many: less at
    /// the file's end and at the end of a block. What was appended can be read at
    /// once.
    ///
    /// # Errors
    /// [`TempError::Io`]; so, too, where blocks were given back.
    pub fn read_at(&mut self, offset: u64, out: &mut [u8]) -> Result<usize, TempError> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let number = usize::try_from(offset / BLOCK as u64).map_err(|_| TempError::Io)?;
        let within = (offset % BLOCK as u64) as usize;
        let count = left.min(out.len()).min(BLOCK - within);
        if count == 0 {
            return Ok(0);
        }
        let bytes = match &mut self.tail {
            Some((buffer, _)) if number == self.blocks.len() => buffer.bytes_when_back(),
            _ => self.block(number)?,
        };
        let bytes = bytes.get(within..within + count);
        out[..count].copy_from_slice(bytes.ok_or(TempError::Io)?);
        Ok(count)
    }

    /// The bytes of a block, which is read if it is not the one read last.
    fn block(&mut self, number: usize) -> Result<&[u8], TempError> {
        let known = self.reading.as_ref().is_some_and(|r| r.1 == number);
        if !known {
            let buffer = match self.reading.take() {
                Some((buffer, _)) => buffer,
                None => self.state.buffer()?,
            };
            self.settle()?;
            let block = self.blocks.get(number).and_then(Option::as_ref);
            let block = block.ok_or(TempError::Io)?;
            let left = self.len - number as u64 * BLOCK as u64;
            let len = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
            let slice = buffer.slice(0, len.next_multiple_of(SECTOR));
            let part = (Op::Read, block.offset(), slice);
            let transfer = Transfer::start(Urgency::Normal, alloc::vec![part])?;
            transfer.wait()?;
            drop(transfer);
            TempState::count(&self.state.counters.read, len);
            self.reading = Some((buffer, number));
        }
        match &mut self.reading {
            Some((buffer, _)) => Ok(buffer.bytes_when_back()),
            None => Err(TempError::Io),
        }
    }

    /// Gives back the blocks that end at or before `offset`: they are not read
    /// again.
    pub fn forget_before(&mut self, offset: u64) {
        let whole = usize::try_from(offset / BLOCK as u64).unwrap_or(usize::MAX);
        let whole = whole.min(self.blocks.len());
        // From the back, up to those that went before.
        for block in self.blocks[..whole].iter_mut().rev() {
            if block.take().is_none() {
                return;
            }
        }
    }

    /// Gives the memory for reading back, until the next read.
    pub fn rest(&mut self) {
        if let Some((buffer, _)) = self.reading.take() {
            self.state.keep(buffer);
        }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // The device first; what it says does not matter any more.
        let _ = self.settle();
        self.rest();
        if let Some((buffer, _)) = self.tail.take() {
            self.state.keep(buffer);
        }
    }
}
