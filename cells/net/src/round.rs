//! One round of the background loop.

use crate::wire::Wire;
use crate::{address, autoconf, conn, ingress};
use net_port::Round;
use net_port::state::Stack;
use smoltcp::time::Instant;
use virtio_net_port::Nic;

/// The most frames taken in one round; users get in between rounds.
const FRAMES: usize = 64;
/// The most timers served in one round.
const TIMERS: usize = 128;

/// Takes frames, serves timers, and tells when the next round is due.
pub(crate) fn round(stack: &mut Stack, nic: &dyn Nic) -> Round {
    let now = crate::user::now();
    let mut wire = Wire::new(nic);
    stack.counters.rounds += 1;
    let frames = nic.receive(FRAMES, &mut |bytes| {
        ingress::frame(stack, &wire, now, bytes);
    });
    // Those that found no buffer or no neighbour may find one now.
    while let Some(at) = stack.stalled.pop() {
        conn::touch(stack, at);
    }
    let mut timers = 0;
    while timers < TIMERS
        && let Some(at) = stack.timers.pop_due(now.total_micros())
    {
        timers += 1;
        if let Some(conn) = stack.conns.at(at) {
            conn.timer = None;
        }
        conn::touch(stack, at);
    }
    conn::settle(stack, &mut wire, now);
    // Other ends of connections answer; who is asked for an address need not be there.
    let said = wire.frames.get() > 0 || wire.full.get();
    if stack.system_due <= now.total_micros() {
        system(stack, &mut wire, now);
    }
    stack.counters.frames_out += wire.frames.get();
    stack.counters.bytes_out += wire.bytes.get();
    if wire.frames.get() > 0 || core::mem::take(&mut stack.unkicked) {
        nic.kick();
    }
    let first = stack.timers.first().unwrap_or(i64::MAX);
    stack.loop_due = first.min(stack.system_due);
    Round {
        due: u64::try_from(stack.loop_due)
            .unwrap_or(0)
            .saturating_mul(1_000),
        more: frames == FRAMES || timers == TIMERS,
        heard: frames > 0,
        said,
    }
}

/// The interface's own business: DHCP, router solicitations.
fn system(stack: &mut Stack, wire: &mut Wire<'_>, now: Instant) {
    stack.interface.poll_egress(now, wire, &mut stack.system);
    address::lease(stack);
    let solicit = autoconf::attend(stack, wire, now);
    let due = stack
        .interface
        .poll_at(now, &stack.system)
        .map_or(i64::MAX, |t| t.total_micros());
    // What found no buffer is tried again soon, but not at once.
    stack.system_due = due.min(solicit).max(now.total_micros() + 1_000);
}
