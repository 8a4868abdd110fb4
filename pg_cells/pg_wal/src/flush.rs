//! Group commit: who finds no flush under way leads one that takes everything
//! appended so far; who finds one waits for its end and looks again.
//!
//! Whole blocks are written from the log's memory, where they do not change any
//! more. The last block, still being filled, is copied, padded with zeros, and
//! written again by the next flush.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use frame::IoBuffer;
use nvme_port::{Op, Part};
use pg_page::superblock::BLOCK;
use pg_wal_port::{FlushBatch, FlushStep, Lsn, Turn, WalError, WalState};

pub(crate) fn plan(state: &'static WalState, to: Lsn) -> Result<FlushStep, WalError> {
    state.check()?;
    if state.flushed.load(Ordering::SeqCst) >= to.0 {
        return Ok(FlushStep::Done);
    }
    // Allocated before the locks are taken. From when it is taken until there is a batch
    // a fault gives it back.
    let mut turn = Turn::new(state);
    let mut parts = Vec::with_capacity(4);
    if let Some(other) = turn.take() {
        return Ok(FlushStep::Wait(other));
    }
    // Whoever reads a log that has failed waits for the flushes that he sees.
    state.check()?;
    let mut batch_to = state.flushed.load(Ordering::SeqCst);
    let mut tail = take_tail(state)?;
    let planned = collect(state, &mut parts, &mut tail, &mut batch_to);
    // From here on the batch ends the flush, whatever happens.
    let batch = FlushBatch::new(turn, batch_to, parts, Some(tail));
    planned.map(|()| FlushStep::Lead(batch))
}

fn take_tail(state: &WalState) -> Result<IoBuffer, WalError> {
    let kept = state.tail.lock().take();
    match kept {
        Some(tail) => Ok(tail),
        None => IoBuffer::new(BLOCK as usize).map_err(|_| WalError::OutOfMemory),
    }
}

fn collect(
    state: &WalState,
    parts: &mut Vec<Part>,
    tail: &mut IoBuffer,
    to: &mut u64,
) -> Result<(), WalError> {
    let block = tail.bytes_when_back();
    let (end, whole, slices) = {
        let insert = state.insert.lock();
        let end = insert.ring.end();
        let whole = end / BLOCK * BLOCK;
        let filled = (end - whole) as usize;
        if !insert.ring.copy_out(whole, &mut block[..filled]) {
            return Err(WalError::Failed);
        }
        block[filled..].fill(0);
        let from = *to / BLOCK * BLOCK;
        (
            end,
            whole,
            insert.ring.slices(from, whole).map(|s| (from, s)),
        )
    };
    if let Some((from, (head, rest))) = slices {
        let second = from + head.len() as u64;
        put(state, parts, from, head);
        if let Some(rest) = rest {
            put(state, parts, second, rest);
        }
    }
    if end > whole {
        parts.push((
            Op::WriteDurable,
            state.place(whole),
            tail.slice(0, BLOCK as usize),
        ));
    }
    *to = end;
    Ok(())
}

/// A write of stream bytes, cut where the region's end is.
fn put(state: &WalState, parts: &mut Vec<Part>, at: u64, data: memory::DmaSlice) {
    let size = state.size.load(Ordering::Relaxed);
    let to_seam = (size - at % size) as usize;
    if data.len() <= to_seam {
        parts.push((Op::WriteDurable, state.place(at), Some(data)));
        return;
    }
    let (first, second) = (
        data.part(0, to_seam),
        data.part(to_seam, data.len() - to_seam),
    );
    parts.push((Op::WriteDurable, state.place(at), first));
    parts.push((Op::WriteDurable, state.place(at + to_seam as u64), second));
}
