//! The calls of users.

use crate::wire::Wire;
use crate::{Net, conn, round};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use net_port::state::{Listener, Phase, Stack, in_driver};
use net_port::{
    Accepted, Answer, ListenOptions, ListenerId, Listening, NetError, NetStatus, Network, Round,
    Signal, StreamId,
};
use smoltcp::iface::Interface;
use smoltcp::socket::tcp::RecvError;
use smoltcp::time::Instant;
use smoltcp::wire::HardwareAddress;
use virtio_net_port::{NIC, Nic};

/// The ports given to those who ask for none.
const FREE_PORTS: core::ops::RangeInclusive<u16> = 49_152..=65_535;
/// The least and the most bytes of a socket's buffer.
const BUFFER: core::ops::RangeInclusive<usize> = 2_048..=(1 << 20);

/// When to look again for a driver that is not there.
const ABSENT_NS: u64 = 500_000;

/// The clock as `smoltcp` wants it.
pub(crate) fn now() -> Instant {
    Instant::from_micros(i64::try_from(task_port::now() / 1_000).unwrap_or(i64::MAX))
}

impl Net {
    /// Attends to a connection after a call of its owner, and rings the device
    /// and the background loop as needed. A fault on the way goes no further: what the
    /// owner asked for is done by then, and a second call would do it twice.
    fn push(stack: &mut Stack, at: u32) {
        if task_port::gate(|| Self::push_now(stack, at)).is_err() {
            stack.repair();
        }
    }

    fn push_now(stack: &mut Stack, at: u32) {
        let Some(nic) = in_driver(|| NIC.try_enter()) else {
            // Being replaced: the next rounds try.
            stack.stalled.push(at);
            net_port::kick();
            return;
        };
        let mut wire = Wire::new(&*nic);
        conn::attend(stack, &mut wire, now(), at);
        Self::finish(stack, &wire, &*nic);
    }

    fn finish(stack: &mut Stack, wire: &Wire<'_>, nic: &dyn Nic) {
        stack.counters.frames_out += wire.frames.get();
        stack.counters.bytes_out += wire.bytes.get();
        if wire.frames.get() > 0 {
            nic.kick();
        }
        if let Some(first) = stack.timers.first()
            && first < stack.loop_due
        {
            stack.loop_due = first;
            net_port::kick();
        }
    }

    /// Works on a connection that somebody owns.
    fn owned<R>(
        &self,
        stream: StreamId,
        body: impl FnOnce(&mut Stack, u32) -> Result<R, NetError>,
    ) -> Result<R, NetError> {
        self.state.with(|stack| {
            let at = stack.conns.index(stream).ok_or(NetError::Closed)?;
            match stack.conns.at(at) {
                Some(conn) if conn.phase == Phase::Owned => {}
                _ => return Err(NetError::Closed),
            }
            stack.busy = Some(at);
            let result = body(stack, at);
            stack.busy = None;
            result
        })
    }

    fn give_up(&self, stream: StreamId, abort: bool) {
        let _ = self.owned(stream, |stack, at| {
            if let Some(conn) = stack.conns.at(at) {
                conn::orphan(conn, now());
                if abort {
                    conn.socket().abort();
                }
            }
            Self::push(stack, at);
            Ok(())
        });
    }
}

impl Network for Net {
    fn listen(&self, mut options: ListenOptions) -> Result<Listening, NetError> {
        options.receive_buffer = options.receive_buffer.clamp(*BUFFER.start(), *BUFFER.end());
        options.send_buffer = options.send_buffer.clamp(*BUFFER.start(), *BUFFER.end());
        self.state.with(|stack| {
            let taken = |stack: &Stack, port: u16| {
                stack.listeners.iter().flatten().any(|l| {
                    l.options.port == port
                        && (l.options.address.is_none()
                            || options.address.is_none()
                            || l.options.address == options.address)
                })
            };
            if options.port == 0 {
                let mut free = FREE_PORTS.filter(|p| !taken(stack, *p));
                options.port = free.next().ok_or(NetError::BadAddress)?;
            } else if taken(stack, options.port) {
                return Err(NetError::BadAddress);
            }
            if let Some(address) = options.address
                && !stack.interface.has_ip_addr(address)
            {
                return Err(NetError::BadAddress);
            }
            stack.serial = stack.serial.wrapping_add(1);
            let signal = Arc::new(Signal::new());
            let listener = Listener {
                serial: stack.serial,
                options,
                signal: Arc::clone(&signal),
                ready: VecDeque::new(),
                half_open: 0,
            };
            let at = match stack.listeners.iter().position(Option::is_none) {
                Some(at) => {
                    stack.listeners[at] = Some(listener);
                    at
                }
                None => {
                    stack.listeners.push(Some(listener));
                    stack.listeners.len() - 1
                }
            };
            let all = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            Ok(Listening {
                id: ListenerId(u64::from(stack.serial) << 32 | at as u64),
                local: SocketAddr::new(options.address.unwrap_or(all), options.port),
                signal,
            })
        })
    }

    fn accept(&self, listener: ListenerId) -> Result<Answer<Accepted>, NetError> {
        self.state.with(|stack| {
            let at = find(stack, listener).ok_or(NetError::Closed)?;
            let Some(Some(l)) = stack.listeners.get_mut(at) else {
                return Err(NetError::Closed);
            };
            while let Some(ready) = l.ready.pop_front() {
                let Some(conn) = stack.conns.at(ready) else {
                    continue;
                };
                conn.phase = Phase::Owned;
                stack.counters.accepted += 1;
                return Ok(Answer::Ready(Accepted {
                    id: conn.id,
                    local: conn.flow.local.into(),
                    peer: conn.flow.peer.into(),
                    signal: Arc::clone(&conn.signal),
                }));
            }
            Ok(Answer::Wait(l.signal.count()))
        })
    }

    fn unlisten(&self, listener: ListenerId) {
        self.state.with(|stack| {
            let Some(at) = find(stack, listener) else {
                return;
            };
            let mine = |phase: Phase| match phase {
                Phase::Handshake(l) | Phase::Backlog(l) => l as usize == at,
                Phase::Owned | Phase::Orphan => false,
            };
            let unaccepted: alloc::vec::Vec<u32> = stack
                .conns
                .iter()
                .filter(|(_, c)| mine(c.phase))
                .map(|(i, _)| i)
                .collect();
            if let Some(l) = stack.listeners[at].take() {
                l.signal.raise();
            }
            for i in unaccepted {
                if let Some(conn) = stack.conns.at(i) {
                    conn::orphan(conn, now());
                    conn.socket().abort();
                }
                Self::push(stack, i);
            }
        });
    }

    fn recv(&self, stream: StreamId, into: &mut [u8]) -> Result<Answer<usize>, NetError> {
        self.owned(stream, |stack, at| {
            let Some(conn) = stack.conns.at(at) else {
                return Err(NetError::Closed);
            };
            let waiting = conn.peek().recv_queue();
            let n = match conn.socket().recv_slice(into) {
                Ok(0) if !into.is_empty() => {
                    conn.wants_data = true;
                    return Ok(Answer::Wait(conn.signal.count()));
                }
                Ok(n) => n,
                Err(RecvError::Finished) => 0,
                Err(RecvError::InvalidState) => {
                    return Err(conn.ended.unwrap_or(NetError::Reset));
                }
            };
            // The peer may be waiting for the window to open.
            if waiting * 2 >= conn.peek().recv_capacity() {
                Self::push(stack, at);
            }
            Ok(Answer::Ready(n))
        })
    }

    fn send(&self, stream: StreamId, parts: &[&[u8]]) -> Result<Answer<usize>, NetError> {
        self.owned(stream, |stack, at| {
            let Some(conn) = stack.conns.at(at) else {
                return Err(NetError::Closed);
            };
            if conn.ending {
                return Err(NetError::Closed);
            }
            let mut total = 0;
            for part in parts {
                let Ok(n) = conn.socket().send_slice(part) else {
                    let why = match conn.peek().is_active() {
                        true => NetError::Closed,
                        false => NetError::Reset,
                    };
                    return Err(conn.ended.unwrap_or(why));
                };
                total += n;
                if n < part.len() {
                    break;
                }
            }
            if total == 0 && parts.iter().any(|p| !p.is_empty()) {
                conn.wants_room = true;
                return Ok(Answer::Wait(conn.signal.count()));
            }
            Self::push(stack, at);
            Ok(Answer::Ready(total))
        })
    }

    fn shutdown(&self, stream: StreamId) -> Result<(), NetError> {
        self.owned(stream, |stack, at| {
            match stack.conns.at(at) {
                Some(conn) if conn.peek().may_send() && !conn.ending => conn.ending = true,
                _ => return Err(NetError::Closed),
            }
            Self::push(stack, at);
            Ok(())
        })
    }

    fn close(&self, stream: StreamId) {
        self.give_up(stream, false);
    }

    fn abort(&self, stream: StreamId) {
        self.give_up(stream, true);
    }

    fn set_nodelay(&self, stream: StreamId, nodelay: bool) -> Result<(), NetError> {
        self.owned(stream, |stack, at| {
            if let Some(conn) = stack.conns.at(at) {
                conn.socket().set_nagle_enabled(!nodelay);
            }
            Self::push(stack, at);
            Ok(())
        })
    }

    fn status(&self) -> NetStatus {
        let link = NIC.try_enter().is_some_and(|n| n.link());
        self.state.with(|stack| {
            let settled = |p: Phase| matches!(p, Phase::Owned | Phase::Backlog(_));
            let streams = stack.conns.iter().filter(|(_, c)| settled(c.phase)).count();
            NetStatus {
                mac: mac(&stack.interface),
                link,
                addresses: addresses(&stack.interface),
                gateway: stack.gateway.map(IpAddr::V4),
                listeners: stack.listeners.iter().flatten().count(),
                streams,
                lingering: stack.conns.len() - streams,
                counters: stack.counters,
            }
        })
    }

    fn poll(&self) -> Round {
        self.state.with(|stack| match NIC.try_enter() {
            Some(nic) => round::round(stack, &*nic),
            None => Round {
                due: task_port::now() + ABSENT_NS,
                more: false,
                heard: false,
                said: false,
            },
        })
    }
}

fn find(stack: &Stack, listener: ListenerId) -> Option<usize> {
    let at = listener.0 as u32 as usize;
    let l = stack.listeners.get(at)?.as_ref()?;
    (u64::from(l.serial) == listener.0 >> 32).then_some(at)
}

fn mac(interface: &Interface) -> [u8; 6] {
    let HardwareAddress::Ethernet(address) = interface.hardware_addr();
    address.0
}

fn addresses(interface: &Interface) -> alloc::vec::Vec<(IpAddr, u8)> {
    interface
        .ip_addrs()
        .iter()
        .map(|c| (c.address().into(), c.prefix_len()))
        .collect()
}
