//! Waiting for durability: the leader writes for all, the others wait for it.

use crate::record::Builder;
use crate::state::WalState;
use crate::{Lsn, WAL, WalError};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use frame::IoBuffer;
use nvme_port::{DiskError, Part, Transfer, Urgency};
use sync::Completion;
use task_port::Held;

/// What a caller of [`crate::WriteAheadLog::flush`] is to do.
#[derive(Debug)]
pub enum FlushStep {
    /// Nothing: it is durable.
    Done,
    /// Write this.
    Lead(FlushBatch),
    /// Wait for the flush under way, and ask again.
    Wait(Completion),
}

/// The right to flush, from when it is taken until there is a batch: nobody else flushes
/// meanwhile. Dropped, also by the ledger after a fault, it lets the others look again.
#[derive(Debug)]
pub struct Turn {
    state: &'static WalState,
    epoch: u32,
    token: Completion,
    taken: bool,
}

impl Turn {
    /// One that is still to be taken. Allocates.
    #[must_use]
    pub fn new(state: &'static WalState) -> Held<Turn> {
        Held::new(Turn {
            state,
            epoch: 0,
            token: Completion::new(),
            taken: false,
        })
    }

    /// Takes it, unless somebody flushes: then that one's token.
    pub fn take(&mut self) -> Option<Completion> {
        let mut flushing = self.state.flushing.lock();
        if let Some(other) = &*flushing {
            return Some(other.clone());
        }
        *flushing = Some(self.token.clone());
        self.epoch = self.state.epoch.load(Ordering::SeqCst);
        self.taken = true;
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.taken {
            return;
        }
        if self.state.epoch.load(Ordering::SeqCst) == self.epoch {
            let token = self.state.flushing.lock().take();
            drop(token);
        }
        // Whoever waited looks whether the log has failed.
        self.token.complete(0);
    }
}

/// A flush whose writer is this batch's owner. Dropping it ends the flush: with
/// success only if [`FlushBatch::run`] succeeded.
#[derive(Debug)]
pub struct FlushBatch {
    state: &'static WalState,
    /// The start that it belongs to: it may outlive the log's cell.
    epoch: u32,
    /// Those who wait for its end.
    token: Completion,
    parts: Vec<Part>,
    transfer: Option<Transfer>,
    tail: Option<IoBuffer>,
    to: u64,
    ok: bool,
}

impl FlushBatch {
    /// A batch that makes the log durable up to `to` by writing `parts`; `tail`
    /// is memory that some of them use.
    #[must_use]
    pub fn new(turn: Held<Turn>, to: u64, parts: Vec<Part>, tail: Option<IoBuffer>) -> Self {
        let mut turn = turn.into_inner();
        // It ends with the batch.
        turn.taken = false;
        FlushBatch {
            state: turn.state,
            epoch: turn.epoch,
            token: turn.token.clone(),
            parts,
            transfer: None,
            tail,
            to,
            ok: false,
        }
    }

    fn run(&mut self) -> Result<(), DiskError> {
        let parts = core::mem::take(&mut self.parts);
        let transfer = Transfer::start(Urgency::Log, parts)?;
        self.transfer.insert(transfer).wait()?;
        self.ok = true;
        Ok(())
    }
}

impl Drop for FlushBatch {
    fn drop(&mut self) {
        // Waits for the device if a fault got us here.
        drop(self.transfer.take());
        // A log that was started anew meanwhile has nothing to do with it, and
        // has perhaps a flush of its own under way.
        if self.state.epoch.load(Ordering::SeqCst) == self.epoch {
            self.state.flush_ended(self.to, self.tail.take(), self.ok);
        }
        self.token.complete(u16::from(!self.ok));
    }
}

/// Waits until the log is durable up to `lsn`. Callers that arrive together are
/// served by one write. Blocks, outside the cell.
///
/// # Errors
/// [`WalError::Failed`] when the device could not write: nothing may be
/// acknowledged any more.
pub fn flush(lsn: Lsn) -> Result<(), WalError> {
    let state = crate::state::state()?;
    // More than there is cannot be waited for.
    let lsn = lsn.min(crate::insert_position());
    loop {
        if crate::flushed() >= lsn {
            return Ok(());
        }
        state.check()?;
        let step = WAL.enter().map_err(|_| WalError::NotRunning)?.flush(lsn)?;
        match step {
            FlushStep::Done => return Ok(()),
            FlushStep::Wait(token) => {
                token.wait();
            }
            FlushStep::Lead(batch) => {
                let mut batch = Held::new(batch);
                // The outcome is in the batch, and through it in the state.
                let _ = batch.run();
            }
        }
    }
}

/// Whether the last record says of all before it that it is durable.
#[must_use]
pub fn is_sealed() -> bool {
    crate::state::STATE.get().is_none_or(|state| {
        state.inserted.load(Ordering::SeqCst) == state.sealed.load(Ordering::SeqCst)
    })
}

/// Appends an empty record, and makes it durable: should anything before it be found
/// damaged, that shows. Does nothing when nothing has come since the last one, or
/// something is not durable yet: who makes it so will be followed by another.
///
/// # Errors
/// As [`flush`] and [`crate::append`].
pub fn seal() -> Result<(), WalError> {
    let state = crate::state::open_state()?;
    if is_sealed() || crate::flushed() < crate::insert_position() {
        return Ok(());
    }
    let mut record = Builder::new();
    let end = crate::append(&mut record, |record, _| {
        record.start(0, 0, 0);
        record.finish().map_err(|_| WalError::TooLarge)
    })?;
    state.sealed.store(end.0, Ordering::SeqCst);
    flush(end)
}
