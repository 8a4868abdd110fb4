//! The disk's superblock: found or written at the start, rewritten by each
//! checkpoint.

use crate::state::{WalState, state};
use crate::{Lsn, WalError};
use core::sync::atomic::Ordering;
use frame::IoBuffer;
use nvme_port::{DiskError, Op, Urgency, transfer};
use pg_page::PAGE_SIZE;
use pg_page::superblock::{BLOCK, COPIES, Found, LOG_OFFSET, Superblock, SuperblockError};

/// Why the disk could not be opened. Nothing was written to it then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskOpenError {
    /// It could not be read or written.
    Disk(DiskError),
    /// It is not ours to use.
    Superblock(SuperblockError),
    /// Its blocks are larger than 4096 bytes.
    BlockSize(u32),
    /// The log is not there, or there is no memory.
    Log(WalError),
}

impl From<DiskError> for DiskOpenError {
    fn from(error: DiskError) -> Self {
        DiskOpenError::Disk(error)
    }
}

impl From<SuperblockError> for DiskOpenError {
    fn from(error: SuperblockError) -> Self {
        DiskOpenError::Superblock(error)
    }
}

impl From<WalError> for DiskOpenError {
    fn from(error: WalError) -> Self {
        DiskOpenError::Log(error)
    }
}

impl core::fmt::Display for DiskOpenError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            DiskOpenError::Disk(error) => write!(f, "{error}"),
            DiskOpenError::Superblock(error) => write!(f, "{error}"),
            DiskOpenError::BlockSize(size) => {
                write!(
                    f,
                    "the disk's blocks of {size} bytes are larger than {BLOCK}"
                )
            }
            DiskOpenError::Log(error) => write!(f, "{error}"),
        }
    }
}

fn no_memory(_: memory::OutOfMemory) -> DiskOpenError {
    DiskOpenError::Log(WalError::OutOfMemory)
}

/// How long a flush under way is waited for: the driver ends a request sooner. A fault
/// may have skipped whoever was to end it.
const PATIENCE: u64 = 30_000_000_000;

/// Waits for the flush of a log that has failed: what is on its way to the disk must not
/// get there, and be acknowledged, behind the back of whoever reads the log.
fn wait_for_writes(state: &WalState) {
    let under_way = state.flushing.lock().clone();
    if let Some(token) = under_way {
        token.wait_deadline(task_port::now() + PATIENCE);
    }
}

/// Reads the superblock, or formats a blank disk with a log of `log` bytes (by
/// default an eighth of the disk, at most 256 MiB); one that holds something else
/// only if told to `overwrite` it. Blocks.
///
/// # Errors
/// When the disk is not ours to use, or fails.
pub fn open_disk(log: Option<u64>, overwrite: bool) -> Result<Superblock, DiskOpenError> {
    let state = state()?;
    // One that has failed ends here; until the next begins it counts as failed.
    state.open.store(false, Ordering::SeqCst);
    wait_for_writes(state);
    let geometry = nvme_port::geometry()?;
    if u64::from(geometry.block_size) > BLOCK {
        return Err(DiskOpenError::BlockSize(geometry.block_size));
    }
    let mut copies = [0, 1].map(|_| alloc::vec![0u8; BLOCK as usize]);
    let mut buffer = IoBuffer::new(BLOCK as usize).map_err(no_memory)?;
    let mut unreadable = 0;
    for (place, copy) in COPIES.iter().zip(&mut copies) {
        let data = buffer.slice(0, BLOCK as usize);
        match transfer(Urgency::Normal, Op::Read, *place, data) {
            Ok(()) => copy.copy_from_slice(buffer.bytes_when_back()),
            // Either copy suffices.
            Err(DiskError::Io) if unreadable == 0 => unreadable = 1,
            Err(error) => return Err(error.into()),
        }
    }
    let found = match Superblock::find([&copies[0], &copies[1]], geometry.capacity) {
        // Others keep their marks elsewhere.
        Ok(Found::Blank) if !is_blank(geometry.capacity)? => Err(SuperblockError::Foreign),
        found => found,
    };
    // Whether the disk is blank, or another's, the missing copy would say.
    if unreadable > 0 && !matches!(found, Ok(Found::Valid(_))) {
        return Err(DiskError::Io.into());
    }
    let superblock = match found {
        Ok(Found::Valid(superblock)) => superblock,
        Ok(Found::Blank) => format(geometry.capacity, log)?,
        Err(SuperblockError::Foreign) if overwrite => format(geometry.capacity, log)?,
        Err(error) => return Err(error.into()),
    };
    state.size.store(superblock.log_size, Ordering::SeqCst);
    state.epoch.store(superblock.epoch, Ordering::SeqCst);
    state.kept_from.store(superblock.redo, Ordering::SeqCst);
    state.insert.lock().highest_xid = superblock.highest_xid;
    *state.superblock.lock() = Some(superblock);
    Ok(superblock)
}

/// Whether there are only zeros where file systems, volume managers and partition
/// tables leave their marks: in the first and the last MiB.
fn is_blank(capacity: u64) -> Result<bool, DiskOpenError> {
    const PIECE: u64 = 256 << 10;
    const MARKS: u64 = 1 << 20;
    let mut buffer = IoBuffer::new(PIECE as usize).map_err(no_memory)?;
    let capacity = capacity / BLOCK * BLOCK;
    let last = capacity.saturating_sub(MARKS);
    let ends = [0..MARKS.min(capacity), last..capacity];
    for at in ends.into_iter().flat_map(|end| end.step_by(PIECE as usize)) {
        let len = PIECE.min(capacity - at) as usize;
        transfer(Urgency::Normal, Op::Read, at, buffer.slice(0, len))?;
        if buffer.bytes_when_back()[..len]
            .iter()
            .any(|byte| *byte != 0)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Zeroes the space map and then writes both superblocks, so that a disk whose
/// formatting was cut short is still blank or complete.
fn format(capacity: u64, log: Option<u64>) -> Result<Superblock, DiskOpenError> {
    const STEP: usize = 256 << 10;
    let superblock = Superblock::plan(capacity, log, uuid())?;
    let zeros = IoBuffer::new(STEP).map_err(no_memory)?;
    let end = superblock.map_offset + u64::from(superblock.map_pages) * PAGE_SIZE as u64;
    let mut at = superblock.map_offset;
    while at < end {
        let len = (end - at).min(STEP as u64);
        transfer(Urgency::Normal, Op::Write, at, zeros.slice(0, len as usize))?;
        at += len;
    }
    // What an earlier life of the disk left at the start of the log is no record
    // of ours; its header must not even look like one.
    transfer(Urgency::Normal, Op::Write, LOG_OFFSET, zeros.slice(0, 8192))?;
    transfer(Urgency::Normal, Op::Flush, 0, None)?;
    write(&superblock)?;
    let second = Superblock {
        sequence: 1,
        ..superblock
    };
    write(&second)?;
    Ok(second)
}

fn write(superblock: &Superblock) -> Result<(), DiskOpenError> {
    let mut buffer = IoBuffer::new(BLOCK as usize).map_err(no_memory)?;
    buffer
        .bytes_when_back()
        .copy_from_slice(&superblock.encode());
    let data = buffer.slice(0, BLOCK as usize);
    Ok(transfer(
        Urgency::Log,
        Op::WriteDurable,
        superblock.place(),
        data,
    )?)
}

/// A number for the disk: not secret, only unlikely to be given twice.
fn uuid() -> [u8; 16] {
    let mut state = task_port::wall_clock_us().unsigned_abs() ^ task_port::now().rotate_left(32);
    let mut word = || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)).to_le_bytes()
    };
    let mut uuid = [0; 16];
    uuid[..8].copy_from_slice(&word());
    uuid[8..].copy_from_slice(&word());
    uuid
}

impl WalState {
    /// Writes the superblock with what `change` changes, one copy after the other:
    /// when both are there, either may be damaged and nothing is lost.
    fn rewrite(&self, change: impl FnOnce(&mut Superblock)) -> Result<Superblock, WalError> {
        let mut place = self.superblock.lock();
        let mut next = (*place).ok_or(WalError::NotRunning)?;
        next.highest_xid = next.highest_xid.max(self.insert.lock().highest_xid);
        change(&mut next);
        for _ in COPIES {
            next.sequence += 1;
            // A copy that fails may be on the disk or not. Both are right as long
            // as nothing of the log is overwritten, and the next try writes the
            // same place.
            write(&next).map_err(|_| WalError::NotWritten)?;
            *place = Some(next);
        }
        Ok(next)
    }
}

/// Ends recovery: the log continues at the first block boundary at or after
/// `end`, and recovery will start there. All pages must be durable.
///
/// # Errors
/// When the superblock could not be written.
pub fn start_log(end: Lsn, highest_xid: u64) -> Result<Lsn, WalError> {
    let state = state()?;
    let start = end.0.next_multiple_of(BLOCK).max(BLOCK);
    let in_memory = state.insert.lock().ring.size();
    let superblock = state.rewrite(|s| {
        s.redo = start;
        s.epoch += 1;
        s.in_memory = in_memory;
        s.clean = false;
        s.highest_xid = s.highest_xid.max(highest_xid);
    })?;
    {
        let mut insert = state.insert.lock();
        insert.ring.reset(start);
        insert.highest_xid = superblock.highest_xid;
        for word in [
            &state.inserted,
            &state.flushed,
            &state.redo,
            &state.kept_from,
            &state.sealed,
        ] {
            word.store(start, Ordering::SeqCst);
        }
        state.epoch.store(superblock.epoch, Ordering::SeqCst);
    }
    // A flush of an earlier start may not have ended; it ends by itself.
    let former = state.flushing.lock().take();
    drop(former);
    state.lazy.reset();
    state.open.store(true, Ordering::SeqCst);
    state.failed.store(false, Ordering::SeqCst);
    state.space.wake_all();
    Ok(Lsn(start))
}

/// Says that the disk could not make durable what it had taken: what it has lost
/// of it nobody knows, and trying again would not bring it back. Until the next
/// start, which replays from the last checkpoint, nothing is appended or
/// acknowledged.
pub fn give_up() {
    if let Ok(state) = state() {
        state.poison();
    }
}

/// Begins a checkpoint: recovery may start at the position returned once all
/// pages changed before are durable. Pages changed after are logged whole at
/// their first change.
///
/// # Errors
/// When the log is not open.
pub fn begin_checkpoint() -> Result<Lsn, WalError> {
    let state = crate::state::open_state()?;
    let insert = state.insert.lock();
    let redo = insert.ring.end();
    state.redo.store(redo, Ordering::SeqCst);
    Ok(Lsn(redo))
}

/// Says that a checkpoint has failed: who waits for the log to be freed goes on,
/// and fails when the region is full.
pub fn checkpoint_failed() {
    if let Ok(state) = state() {
        state.checkpoints_failed.fetch_add(1, Ordering::SeqCst);
        state.space.wake_all();
    }
}

/// Ends a checkpoint begun at `redo`: frees the log before it. `clean` notes an
/// orderly end of the system.
///
/// # Errors
/// When the superblock could not be written; the log is not freed then.
pub fn finish_checkpoint(redo: Lsn, clean: bool) -> Result<(), WalError> {
    let state = crate::state::open_state()?;
    state.rewrite(|s| {
        s.redo = redo.0;
        s.clean = clean;
    })?;
    state.kept_from.store(redo.0, Ordering::SeqCst);
    state.space.wake_all();
    Ok(())
}
