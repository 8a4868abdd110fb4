//! The stack's state behind its lock.

use super::{Conns, Timers};
use crate::{Counters, ListenOptions, NetError, Signal};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::wire::{Ipv4Address, Ipv4Cidr, Ipv6Address, Ipv6Cidr};

/// Whoever has the stack's lock is in the driver: a fault now is the driver's.
static IN_DRIVER: AtomicBool = AtomicBool::new(false);

/// A call of the driver, under the stack's lock.
pub fn in_driver<R>(call: impl FnOnce() -> R) -> R {
    IN_DRIVER.store(true, Ordering::Relaxed);
    let result = call();
    IN_DRIVER.store(false, Ordering::Relaxed);
    result
}

/// What the driver has the stack do, in a call of it.
pub fn out_of_driver<R>(work: impl FnOnce() -> R) -> R {
    IN_DRIVER.store(false, Ordering::Relaxed);
    let result = work();
    IN_DRIVER.store(true, Ordering::Relaxed);
    result
}

/// An address with its router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address<C, A> {
    /// The address with the length of its prefix.
    pub cidr: C,
    /// The router, if there is one.
    pub gateway: Option<A>,
}

/// How the interface gets its IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan4 {
    /// Not at all.
    Off,
    /// It is asked for.
    Dhcp,
    /// It is given.
    Static(Address<Ipv4Cidr, Ipv4Address>),
}

/// How the interface gets its IPv6 addresses. A link-local one is always there
/// unless off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan6 {
    /// Not at all.
    Off,
    /// By the routers' advertisements (SLAAC).
    Auto,
    /// One is given.
    Static(Address<Ipv6Cidr, Ipv6Address>),
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    /// Distinguishes it from earlier ones at its index.
    pub serial: u32,
    /// How it listens.
    pub options: ListenOptions,
    /// Counts connections that became ready.
    pub signal: Arc<Signal>,
    /// Connections that wait to be accepted.
    pub ready: VecDeque<u32>,
    /// Connections in their handshake.
    pub half_open: usize,
}

/// What the routers of the link have said (IPv6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Autoconf {
    /// Whether to listen to routers at all.
    pub enabled: bool,
    /// Solicitations still to be sent.
    pub solicitations: u8,
    /// When to send the next one (µs).
    pub solicit_at: i64,
    /// The address made from an advertised prefix, and until when it is valid
    /// (µs).
    pub address: Option<(Ipv6Cidr, i64)>,
    /// The router and until when it is one (µs).
    pub router: Option<(Ipv6Address, i64)>,
}

/// Everything the stack knows.
pub struct Stack {
    /// Addresses, routes, neighbours.
    pub interface: Interface,
    /// The sockets of the interface itself: DHCP. TCP frames that belong to no
    /// connection are shown this set too, which makes `smoltcp` refuse them.
    pub system: SocketSet<'static>,
    /// The DHCP client in `system`.
    pub dhcp: Option<SocketHandle>,
    /// The IPv4 router, for people.
    pub gateway: Option<Ipv4Address>,
    /// IPv6 autoconfiguration.
    pub autoconf: Autoconf,
    /// When the interface's own business is due (µs).
    pub system_due: i64,
    /// The connections.
    pub conns: Conns,
    /// The listening sockets.
    pub listeners: Vec<Option<Listener>>,
    /// What the next listener's serial is derived from.
    pub serial: u32,
    /// When connections want attention.
    pub timers: Timers,
    /// Connections that the current round has touched.
    pub dirty: Vec<u32>,
    /// Connections that have something to send but found the device full.
    pub stalled: Vec<u32>,
    /// Frames were queued since the device was last told.
    pub unkicked: bool,
    /// When the background loop wakes by itself (µs).
    pub loop_due: i64,
    /// The connection being worked on: a fault costs this one.
    pub busy: Option<u32>,
    /// What was counted.
    pub counters: Counters,
}

impl core::fmt::Debug for Stack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Stack({} connections)", self.conns.len())
    }
}

impl Stack {
    /// Sets right what a fault may have left half done: the connection that
    /// was being worked on is given up, and all others are looked at again. A fault in
    /// the driver has cost a frame and no more, since a connection takes notice of a
    /// frame once it is sent.
    pub fn repair(&mut self) {
        self.counters.faults += 1;
        let busy = self.busy.take();
        let in_driver = IN_DRIVER.swap(false, Ordering::Relaxed);
        let torn = busy.filter(|_| !in_driver);
        if let Some(conn) = torn.and_then(|at| self.conns.at(at)) {
            conn.ended = Some(NetError::Reset);
            conn.socket().abort();
            conn.signal.raise();
        }
        let all: Vec<u32> = self.conns.iter().map(|(at, _)| at).collect();
        for at in &all {
            if let Some(conn) = self.conns.at(*at) {
                conn.dirty = true;
            }
        }
        self.dirty = all;
        self.unkicked = true;
        crate::kick();
    }
}
