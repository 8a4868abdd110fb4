//! Keeping one connection moving: send what can be sent, tell who waits, set
//! its timer, let it go when it is over.

use crate::wire::Wire;
use net_port::NetError;
use net_port::state::{Conn, Phase, Stack};
use smoltcp::iface::PollResult;
use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;

/// How long a peer may take to end its half after we have ended ours and
/// nobody reads any more.
const HALF_CLOSED_US: i64 = 30_000_000;
/// How long a connection without an owner may take to deliver what was written.
const DELIVERY_US: i64 = 300_000_000;

/// Gives a connection up: it ends itself in good order.
pub(crate) fn orphan(conn: &mut Conn, now: Instant) {
    conn.phase = Phase::Orphan;
    conn.give_up = Some(now.total_micros() + DELIVERY_US);
    conn.ending = true;
}

/// Ends the sending half of a connection that is to end.
///
/// After the peer has ended its own half, only once all is acknowledged:
/// `smoltcp` in LAST-ACK drops acknowledgements of nothing new, and with them
/// the peer's word that its window has opened.
fn end(conn: &mut Conn) {
    let socket = conn.peek();
    if conn.ending && (socket.state() != State::CloseWait || socket.send_queue() == 0) {
        conn.ending = false;
        conn.socket().close();
    }
}

/// Notes that a connection has to be looked at in this round.
pub(crate) fn touch(stack: &mut Stack, at: u32) {
    if let Some(conn) = stack.conns.at(at)
        && !conn.dirty
    {
        conn.dirty = true;
        stack.dirty.push(at);
    }
}

/// Looks at all touched connections.
pub(crate) fn settle(stack: &mut Stack, wire: &mut Wire<'_>, now: Instant) {
    while let Some(at) = stack.dirty.pop() {
        attend(stack, wire, now, at);
    }
}

/// Looks at one connection: after a frame, a call of its owner, or its timer.
pub(crate) fn attend(stack: &mut Stack, wire: &mut Wire<'_>, now: Instant, at: u32) {
    let Some(conn) = stack.conns.at(at) else {
        return;
    };
    conn.dirty = false;
    stack.busy = Some(at);
    if conn.phase == Phase::Orphan {
        // Nobody will read it, and the peer must not be stopped by that.
        while conn.peek().can_recv() {
            let _ = conn.socket().recv(|bytes| (bytes.len(), ()));
        }
    }
    end(conn);
    let was = conn.peek().state();
    let due = transmit(stack, wire, now, at);
    if let Some(conn) = stack.conns.at(at) {
        // Each round tries again: the frame that brings the neighbour's
        // address is not the connection's own.
        conn.stuck &= due.is_some();
        if conn.stuck {
            stack.stalled.push(at);
        }
        ended(conn, was);
        answer(conn);
    }
    stack.busy = None;
    if advance(stack, now, at) {
        schedule(stack, at, due);
    } else {
        remove(stack, at);
    }
}

/// Sends what the connection has to send now. Tells when it wants to send
/// next (µs).
fn transmit(stack: &mut Stack, wire: &mut Wire<'_>, now: Instant, at: u32) -> Option<i64> {
    loop {
        let conn = stack.conns.at(at)?;
        let due = stack.interface.poll_at(now, &conn.set)?;
        let parked = conn.peek().state() == State::TimeWait;
        if due > now || parked {
            // The end of TIME-WAIT would throw away what is not yet read;
            // `advance` ends it in its own way.
            return (!parked).then_some(due.total_micros());
        }
        // Frames are no measure: the question for an address is one too.
        let sent = stack.interface.poll_egress(now, wire, &mut conn.set);
        conn.stuck = sent == PollResult::None;
        if conn.stuck {
            // Over, no buffer, or the neighbour's address is being asked for.
            let due = stack.interface.poll_at(now, &conn.set)?;
            return Some(due.total_micros().max(now.total_micros() + 1_000));
        }
    }
}

/// Notes an end by silence: the connection was open when the round began to
/// send. A peer's reset needs no note; the socket knows it from a proper end.
fn ended(conn: &mut Conn, was: State) {
    let closed = conn.peek().state() == State::Closed;
    if closed && conn.ended.is_none() && !matches!(was, State::Closed | State::TimeWait) {
        conn.ended = Some(NetError::TimedOut);
    }
}

/// Wakes the owner if what it waits for has come.
fn answer(conn: &mut Conn) {
    let socket = conn.peek();
    let data = conn.wants_data && (socket.can_recv() || !socket.may_recv());
    let free = socket.send_capacity() - socket.send_queue();
    let room = conn.wants_room && (!socket.may_send() || free * 4 >= socket.send_capacity());
    if data || room {
        conn.wants_data &= !data;
        conn.wants_room &= !room;
        conn.signal.raise();
    }
}

/// Moves a connection on through its phases. False when it is over.
fn advance(stack: &mut Stack, now: Instant, at: u32) -> bool {
    let Some(conn) = stack.conns.at(at) else {
        return false;
    };
    let state = conn.peek().state();
    let late = conn.give_up.is_some_and(|t| t <= now.total_micros());
    match conn.phase {
        Phase::Handshake(_) if late => false,
        Phase::Handshake(listener) => match state {
            State::Established | State::CloseWait => {
                conn.phase = Phase::Backlog(listener);
                conn.give_up = None;
                if let Some(Some(l)) = stack.listeners.get_mut(listener as usize) {
                    l.half_open = l.half_open.saturating_sub(1);
                    l.ready.push_back(at);
                    l.signal.raise();
                }
                true
            }
            State::SynReceived => true,
            _ => false,
        },
        Phase::Backlog(_) => state != State::Closed,
        Phase::Owned => true,
        Phase::Orphan => {
            if state == State::FinWait2 {
                let last = now.total_micros() + HALF_CLOSED_US;
                conn.give_up = Some(conn.give_up.map_or(last, |t| t.min(last)));
            }
            !late && !matches!(state, State::Closed | State::TimeWait)
        }
    }
}

/// Sets the connection's timer.
fn schedule(stack: &mut Stack, at: u32, due: Option<i64>) {
    let Some(conn) = stack.conns.at(at) else {
        return;
    };
    if let Some(t) = [due, conn.give_up].into_iter().flatten().min() {
        stack.timers.at_latest(at, &mut conn.timer, t);
    }
}

/// Lets a connection go.
pub(crate) fn remove(stack: &mut Stack, at: u32) {
    let Some(mut conn) = stack.conns.remove(at) else {
        return;
    };
    stack.timers.forget(at, &mut conn.timer);
    match conn.phase {
        Phase::Handshake(listener) => {
            if let Some(Some(l)) = stack.listeners.get_mut(listener as usize) {
                l.half_open = l.half_open.saturating_sub(1);
            }
        }
        Phase::Backlog(listener) => {
            if let Some(Some(l)) = stack.listeners.get_mut(listener as usize) {
                l.ready.retain(|r| *r != at);
            }
        }
        Phase::Owned | Phase::Orphan => {}
    }
    if conn.ended.is_some() {
        stack.counters.aborted += 1;
    }
    conn.signal.raise();
}
