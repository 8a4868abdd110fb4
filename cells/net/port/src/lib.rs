//! TCP sockets as others see them.
//!
//! [`NET`] is the door of the stack; nobody sleeps behind it. A call answers
//! [`Answer::Ready`] or [`Answer::Wait`] with the count of the socket's
//! [`Signal`] to wait past. Those who want to block use [`TcpListener`] and
//! [`TcpStream`], which do the waiting out here and close when dropped.
//! [`run`] is the stack's background loop: it too lives here and enters the
//! port on each round, so the stack can be replaced between two packets.
//!
//! [`state`] holds everything that survives a replacement. Interfaces,
//! addresses and protocols are the `net` cell's business.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod call;
mod lead;
mod run;
mod signal;
mod silence;
pub mod state;
mod stream;

pub use run::{kick, run, start, stop};
pub use signal::Signal;
pub use stream::{TcpListener, TcpStream};

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use port::{Component, Port};

/// The door of the network stack.
pub static NET: Port<dyn Network> = Port::new("net");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &NET;

/// A listening socket. Never used again once closed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListenerId(pub u64);

/// A connection. Never used again once closed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StreamId(pub u64);

/// Why a call on a socket failed, by what the caller can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NetError {
    /// The stack is not running; trying later may help.
    NotRunning,
    /// The address is in use by another listener, or cannot be listened on.
    BadAddress,
    /// The connection was reset by the peer, or by a fault of the stack.
    Reset,
    /// The peer has not answered for too long.
    TimedOut,
    /// The socket is closed: by its owner, or its sending half is shut.
    Closed,
    /// The deadline of the call has passed.
    Deadline,
}

/// What a call that may have to wait says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<T> {
    /// Done.
    Ready(T),
    /// Not now. Call again once the socket's signal has counted past this.
    Wait(u64),
}

/// How to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenOptions {
    /// The local address; unspecified means all, of both families.
    pub address: Option<IpAddr>,
    /// The local port.
    pub port: u16,
    /// How many connections may wait for `accept`; as many again may be in
    /// their handshake.
    pub backlog: usize,
    /// Bytes of receive buffer of each connection.
    pub receive_buffer: usize,
    /// Bytes of send buffer of each connection.
    pub send_buffer: usize,
}

impl ListenOptions {
    /// All addresses, a backlog of 256, 16 KiB to receive and 32 KiB to send.
    #[must_use]
    pub fn new(port: u16) -> Self {
        ListenOptions {
            address: None,
            port,
            backlog: 256,
            receive_buffer: 16 * 1024,
            send_buffer: 32 * 1024,
        }
    }
}

/// A new listening socket.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Its number.
    pub id: ListenerId,
    /// Its address; the port is the chosen one if none was asked for.
    pub local: SocketAddr,
    /// Counts when a connection waits to be accepted.
    pub signal: Arc<Signal>,
}

/// A new connection.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its number. Whoever gets it has to close it.
    pub id: StreamId,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// Counts when bytes came, room was made or the connection changed.
    pub signal: Arc<Signal>,
}

/// What a round of the background loop came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Round {
    /// When the next round is due at the latest (ns), if nothing happens.
    pub due: u64,
    /// There is more to do now; the round ended to let others in.
    pub more: bool,
    /// A frame has come.
    pub heard: bool,
    /// A connection has sent a frame, or wanted to: somebody should answer.
    pub said: bool,
}

/// The stack for people: the shell shows it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct NetStatus {
    /// The interface's hardware address.
    pub mac: [u8; 6],
    /// Its link is up.
    pub link: bool,
    /// Its addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// The IPv4 router.
    pub gateway: Option<IpAddr>,
    /// Listening sockets.
    pub listeners: usize,
    /// Connections that somebody owns or that wait to be accepted.
    pub streams: usize,
    /// Connections in their handshake, or closing with no owner.
    pub lingering: usize,
    /// What was counted since the start.
    pub counters: Counters,
}

/// What the stack counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Frames received.
    pub frames_in: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Bytes of frames received.
    pub bytes_in: u64,
    /// Bytes of frames sent.
    pub bytes_out: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Handshakes refused because a backlog was full.
    pub refused: u64,
    /// Connections that ended by a reset or a time-out.
    pub aborted: u64,
    /// Faults survived, each at the price of at most one connection.
    pub faults: u64,
    /// Rounds of the background loop.
    pub rounds: u64,
}

/// The network stack. No call sleeps for the outside world.
pub trait Network: Component {
    /// Starts to listen.
    ///
    /// # Errors
    /// [`NetError::BadAddress`].
    fn listen(&self, options: ListenOptions) -> Result<Listening, NetError>;
    /// Takes a connection that has finished its handshake.
    ///
    /// # Errors
    /// [`NetError::Closed`].
    fn accept(&self, listener: ListenerId) -> Result<Answer<Accepted>, NetError>;
    /// Stops listening; connections nobody has accepted are reset.
    fn unlisten(&self, listener: ListenerId);
    /// Copies out received bytes. `Ready(0)` is the end of the stream.
    ///
    /// # Errors
    /// [`NetError::Reset`], [`NetError::TimedOut`], [`NetError::Closed`].
    fn recv(&self, stream: StreamId, into: &mut [u8]) -> Result<Answer<usize>, NetError>;
    /// Takes bytes of the parts in order, as many as there is room for (at
    /// least one), and transmits what it can at once.
    ///
    /// # Errors
    /// [`NetError::Reset`], [`NetError::TimedOut`], [`NetError::Closed`].
    fn send(&self, stream: StreamId, parts: &[&[u8]]) -> Result<Answer<usize>, NetError>;
    /// Ends the sending half once everything is sent.
    ///
    /// # Errors
    /// [`NetError::Closed`].
    fn shutdown(&self, stream: StreamId) -> Result<(), NetError>;
    /// Gives the connection up. What was sent is still delivered.
    fn close(&self, stream: StreamId);
    /// Gives the connection up and resets it.
    fn abort(&self, stream: StreamId);
    /// Whether small segments are sent at once (the default) or gathered while
    /// others are in flight.
    ///
    /// # Errors
    /// [`NetError::Closed`].
    fn set_nodelay(&self, stream: StreamId, nodelay: bool) -> Result<(), NetError>;
    /// For people.
    fn status(&self) -> NetStatus;
    /// One round: takes frames from the interface and serves timers, a bounded
    /// amount of both.
    fn poll(&self) -> Round;
}
