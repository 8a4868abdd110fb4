//! Who sits at the other end of the cable: `smoltcp` as its authors meant it,
//! driven by the test's own thread.

use crate::fake::{FRAME, cable};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};
use std::time::Duration;

/// A host at the other end.
pub struct Peer {
    interface: Interface,
    /// Its sockets.
    pub sockets: SocketSet<'static>,
    port: u16,
}

struct End;
struct Frame(Vec<u8>);
struct Out;

impl RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Out {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        cable().send(frame);
        result
    }
}

impl Device for End {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Out;
    fn receive(&mut self, _: Instant) -> Option<(Frame, Out)> {
        Some((Frame(cable().take()?), Out))
    }
    fn transmit(&mut self, _: Instant) -> Option<Out> {
        Some(Out)
    }
    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ethernet;
        caps.max_transmission_unit = FRAME;
        caps
    }
}

fn now() -> Instant {
    Instant::from_micros(i64::try_from(task_port::now() / 1_000).unwrap_or(i64::MAX))
}

impl Peer {
    /// A host with these addresses; `last` distinguishes its hardware address.
    #[must_use]
    pub fn new(last: u8, addresses: &[IpCidr]) -> Self {
        let mut config = Config::new(EthernetAddress([2, 0, 0, 0, 1, last]).into());
        config.random_seed = task_port::now();
        let mut interface = Interface::new(config, &mut End, now());
        interface.update_ip_addrs(|all| {
            for address in addresses {
                assert!(all.push(*address).is_ok(), "too many addresses");
            }
        });
        Peer {
            interface,
            sockets: SocketSet::new(vec![]),
            port: 20_000 + (task_port::now() % 20_000) as u16,
        }
    }

    /// Begins to connect.
    ///
    /// # Panics
    /// When `to` is no address that can be connected to.
    pub fn connect(&mut self, to: impl Into<IpAddress>, port: u16) -> SocketHandle {
        let buffer = || SocketBuffer::new(vec![0; 16 * 1024]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        self.port += 1;
        socket
            .connect(self.interface.context(), (to.into(), port), self.port)
            .expect("an address to connect to");
        self.sockets.add(socket)
    }

    /// A socket.
    pub fn socket(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// One round.
    pub fn poll(&mut self) {
        self.interface.poll(now(), &mut End, &mut self.sockets);
    }

    /// Rounds until `done` says so. False when that takes longer than
    /// `limit`.
    pub fn run(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = std::time::Instant::now() + limit;
        loop {
            self.poll();
            if done(self) {
                self.poll();
                return true;
            }
            if std::time::Instant::now() >= end {
                return false;
            }
            cable().wait(Duration::from_millis(1));
        }
    }
}
