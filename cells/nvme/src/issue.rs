//! Which job the device gets next.
//!
//! The more urgent goes first. The less urgent may not fill the device: a part
//! of the queue is always left to those above, so that a log write finds a place
//! however much a checkpoint writes.

use crate::{command, ring};
use core::sync::atomic::Ordering;
use nvme_port::{DEVICE_LOST, Mode, NvmeState, Op, Queue, Rings, Urgency};

/// The most bytes that adjoining jobs are merged to: beyond that one command
/// gains nothing and the first job waits for the last.
const MERGE_BYTES: usize = 256 << 10;

/// How many commands may be in flight for another one of `urgency` to go.
fn room(urgency: Urgency, capacity: usize) -> usize {
    match urgency {
        Urgency::Log => capacity,
        Urgency::Normal => capacity - capacity / 8,
        Urgency::Background => (capacity / 4).max(1),
    }
}

/// Hands waiting jobs to the device while there is room, and rings once. A queue
/// that was left half done gets nothing; its loop is woken to see to that.
pub(crate) fn pump(state: &NvmeState, queue: &Queue, rings: &mut Rings) {
    match rings.mode {
        Mode::Lost => return rings.fail_all(DEVICE_LOST),
        Mode::Halted => return,
        Mode::Live if queue.rings.is_torn() => return queue.line.raise(),
        Mode::Live => {}
    }
    let Some(mut urgency) = rings.most_urgent() else {
        return;
    };
    let round = queue.rounds.load(Ordering::Relaxed);
    let mut rung = false;
    while rings.in_flight() < room(urgency, rings.capacity()) {
        let Some(id) = rings.begin(urgency, round) else {
            break;
        };
        merge(state, rings, id, urgency);
        rung |= hand_over(state, rings, id);
        match rings.most_urgent() {
            Some(next) => urgency = next,
            None => break,
        }
    }
    if rung {
        let stride = state.facts.doorbell_stride;
        ring::ring_tail(&state.device.registers, stride, queue.id, &rings.ring);
    }
}

/// Puts command `id` into the ring. False when it ended without the device.
fn hand_over(state: &NvmeState, rings: &mut Rings, id: u16) -> bool {
    let Some((command, lists)) = rings.command_and_lists(id) else {
        return false;
    };
    match command::build(command, id, &state.facts, lists) {
        Ok(entry) => {
            ring::put(&mut rings.ring, &entry);
            true
        }
        Err(outcome) => {
            rings.finish(id, outcome, 0);
            false
        }
    }
}

/// Lets jobs that adjoin command `id` go with it. Jobs that were tried before go
/// alone, so that each fails for itself.
fn merge(state: &NvmeState, rings: &mut Rings, id: u16, urgency: Urgency) {
    let limit = MERGE_BYTES.min(state.facts.geometry.max_transfer as usize);
    loop {
        let (Some(next), Some(command)) = (rings.front(urgency), rings.command(id)) else {
            return;
        };
        let last = command.more.last().unwrap_or(&command.first);
        let fits = next.request.op != Op::Flush
            && next.strikes == 0
            && command.first.strikes == 0
            && command::adjoins(&last.request, &next.request)
            && command::check(&command.first.request, &state.facts).is_ok()
            && command::check(&next.request, &state.facts).is_ok();
        if !fits {
            return;
        }
        let len = |r: &nvme_port::Request| r.data.as_ref().map_or(0, |d| d.len());
        let bytes: usize = command.jobs().map(|j| len(&j.request)).sum();
        if bytes + len(&next.request) > limit {
            return;
        }
        rings.join(id, urgency);
    }
}
