//! Replies: what ended, what is tried again, and what a failure means.

use crate::{issue, ring};
use nvme_port::{BAD_REQUEST, IO_ERROR, Mode, NvmeState, OK, Queue, Rings, STRIKES_OUT};
use sync::Outcome;

/// Strikes for a failure, and for a command that was late: four tries in all.
pub(crate) const FAILED: u8 = STRIKES_OUT / 4;
/// Strikes for having been in the device when it was reset for another reason.
pub(crate) const PRESENT: u8 = 1;

/// "Do not retry", in a status.
const FINAL: u16 = 1 << 14;

/// The device answered a command it does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Senseless {
    /// The command's number.
    pub(crate) id: u16,
}

/// Takes all replies of `queue` and fills the room they leave.
#[inline]
pub(crate) fn reap(state: &NvmeState, queue: &Queue, rings: &mut Rings) -> Result<(), Senseless> {
    // Halted: the controller may have been stopped, and no doorbell be written.
    if rings.mode != Mode::Live || queue.rings.is_torn() {
        return Ok(());
    }
    let head = rings.ring.head;
    let phase = rings.ring.phase;
    let mut result = Ok(());
    while let Some(reply) = ring::next(&mut rings.ring) {
        if rings.command(reply.id).is_none() {
            result = Err(Senseless { id: reply.id });
            break;
        }
        match reply.status {
            0 => rings.finish(reply.id, OK, 0),
            status => failed(rings, reply.id, status),
        }
    }
    if (head, phase) != (rings.ring.head, rings.ring.phase) {
        let stride = state.facts.doorbell_stride;
        ring::ring_head(&state.device.registers, stride, queue.id, &rings.ring);
        issue::pump(state, queue, rings);
    }
    result
}

/// A command has failed. Merged jobs are tried again one by one, and so is what
/// the device does not call final; the rest ends.
#[cold]
fn failed(rings: &mut Rings, id: u16, status: u16) {
    let merged = rings.command(id).is_some_and(|c| !c.more.is_empty());
    let strikes = match (merged, status & FINAL) {
        // Nobody knows yet whose fault it was.
        (true, _) => PRESENT,
        (false, 0) => FAILED,
        (false, _) => STRIKES_OUT,
    };
    rings.again(id, strikes, outcome(status), status);
}

/// What a status means for who asked. Status type (bits 8 to 10) and code (0 to
/// 7) are the specification's, section 4.6.1.
fn outcome(status: u16) -> Outcome {
    match (status >> 8 & 7, status & 0xff) {
        // Invalid opcode, field, namespace, page address or offset.
        (0, 0x01 | 0x02 | 0x0b | 0x13 | 0x0e) => BAD_REQUEST,
        // Outside the namespace; beyond its capacity.
        (0, 0x80 | 0x81) => BAD_REQUEST,
        _ => IO_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_tell_wrong_requests_from_failing_media() {
        assert_eq!(outcome(0x0080), BAD_REQUEST);
        assert_eq!(outcome(FINAL | 0x0002), BAD_REQUEST);
        assert_eq!(outcome(0x0281), IO_ERROR); // unrecovered read error
        assert_eq!(outcome(0x0006), IO_ERROR); // internal error
    }
}
