//! The stack on a fake interface, and its replacement step by step.
// Every test file uses a part of it.
#![allow(dead_code)]

use host_net::fake::{self, Trouble, cable};
use host_net::peer::Peer;
use net_port::NET;
use port::{Birth, CellCode, CellRef, Door, Options};
use smoltcp::iface::SocketHandle;
use smoltcp::wire::{IpAddress, IpCidr, Ipv4Address};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// The stack's address.
pub const OURS: Ipv4Address = Ipv4Address::new(10, 0, 0, 1);
/// Longer than anything takes.
pub const LONG: Duration = Duration::from_secs(30);

/// The ports are one per process: tests take turns.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    static UP: OnceLock<()> = OnceLock::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    UP.get_or_init(|| {
        let options = Options::parse("ip=10.0.0.1/24 ip6=fd00::1/64");
        port::start(&fake::CELL, &options).unwrap();
        port::start(&net::CELL, &options).unwrap();
        net_port::start().unwrap();
    });
    cable().set_trouble(1, Trouble::default());
    turn
}

/// A peer with an address nobody had before.
pub fn peer() -> Peer {
    static LAST: AtomicU8 = AtomicU8::new(10);
    let last = LAST.fetch_add(1, Ordering::Relaxed);
    let six = IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last));
    let four = IpAddress::v4(10, 0, 0, last);
    Peer::new(last, &[IpCidr::new(four, 24), IpCidr::new(six, 64)])
}

/// Bytes that tell their place.
pub fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    (0..len).map(|_| fake::random(&mut state) as u8).collect()
}

struct NewCode;

impl CellCode for NewCode {
    fn name(&self) -> &str {
        "net"
    }
    fn version(&self) -> &str {
        "next"
    }
    fn size(&self) -> usize {
        0
    }
}

/// Replaces the stack by another instance of it. Gives the pause.
pub fn swap() -> Duration {
    let deadline = task_port::now() + 2_000_000_000;
    let options = Options::parse("");
    let start = std::time::Instant::now();
    NET.close();
    NET.drain(deadline).unwrap();
    let state = NET.export().unwrap().expect("the stack has a state");
    let states = vec![("net", state)];
    let mut birth = Birth::new(CellRef(Arc::new(NewCode)), &options, states);
    (net::CELL.birth)(&mut birth).unwrap();
    NET.flip().unwrap();
    NET.open();
    let pause = start.elapsed();
    NET.retire(deadline).unwrap();
    pause
}

/// A connection of the peer that sends one thing and expects another.
pub struct Exchange {
    pub handle: SocketHandle,
    pub to_send: Vec<u8>,
    pub sent: usize,
    pub got: Vec<u8>,
    pub finish: bool,
}

impl Exchange {
    pub fn new(handle: SocketHandle, to_send: Vec<u8>) -> Self {
        Exchange {
            handle,
            to_send,
            sent: 0,
            got: Vec::new(),
            finish: true,
        }
    }

    /// Moves bytes both ways; true once the stack has ended its half.
    pub fn step(&mut self, peer: &mut Peer) -> bool {
        let socket = peer.socket(self.handle);
        if socket.may_send() {
            if self.sent < self.to_send.len() {
                self.sent += socket.send_slice(&self.to_send[self.sent..]).unwrap();
            } else if self.finish {
                socket.close();
            }
        }
        while socket.can_recv() {
            socket
                .recv(|bytes| {
                    self.got.extend_from_slice(bytes);
                    (bytes.len(), ())
                })
                .unwrap();
        }
        self.sent == self.to_send.len() && !socket.may_recv() && socket.remote_endpoint().is_some()
            || !socket.is_open()
    }
}
