//! The socket port over the standard library.
//!
//! Each listener and each connection has threads that do the blocking, so that
//! the port's calls never do: one accepts, one reads into a buffer, one writes
//! out of a buffer.

use net_port::{
    Accepted, Answer, ListenOptions, ListenerId, Listening, NET, NetError, NetStatus, Network,
    Round, Signal, StreamId,
};
use port::{Birth, BirthError, Component, CrashKind};
use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The descriptor of the host's stack. The option `net.bind` is the address
/// that listeners without one use; 127.0.0.1 if absent.
pub static CELL: port::Cell = port::Cell {
    name: "net",
    version: "0.0.0",
    provides: &[&net_port::DOOR],
    birth,
};

/// One connection's buffers and where it stands.
#[derive(Default)]
struct Pipe {
    inbox: VecDeque<u8>,
    outbox: VecDeque<u8>,
    ended: bool,
    shut: bool,
    failed: Option<NetError>,
}

struct Stream {
    socket: TcpStream,
    pipe: Mutex<Pipe>,
    /// For the threads: there is room to read into, or something to write.
    work: Condvar,
    signal: Arc<Signal>,
    receive: usize,
    send: usize,
}

struct Listener {
    local: SocketAddr,
    signal: Arc<Signal>,
    ready: Mutex<VecDeque<TcpStream>>,
    closed: Mutex<bool>,
    options: ListenOptions,
}

/// The provider.
struct HostNet {
    bind: IpAddr,
    next: AtomicU64,
    accepted: AtomicU64,
    listeners: Mutex<HashMap<u64, Arc<Listener>>>,
    streams: Mutex<HashMap<u64, Arc<Stream>>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let bind = birth.options().get("net.bind").and_then(|a| a.parse().ok());
    let provider: Box<dyn Network> = Box::new(HostNet {
        bind: bind.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        next: AtomicU64::new(1),
        accepted: AtomicU64::new(0),
        listeners: Mutex::default(),
        streams: Mutex::default(),
    });
    birth.provide(&NET, provider);
    Ok(())
}

impl Component for HostNet {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

fn failure(error: &std::io::Error) -> NetError {
    match error.kind() {
        ErrorKind::TimedOut => NetError::TimedOut,
        _ => NetError::Reset,
    }
}

impl Stream {
    /// The reading thread: fills the inbox up to its size.
    fn read(&self) {
        let mut socket = &self.socket;
        let mut bytes = vec![0; self.receive.max(1)];
        loop {
            let mut pipe = held(&self.pipe);
            while pipe.inbox.len() >= self.receive && pipe.failed.is_none() {
                pipe = self.work.wait(pipe).unwrap_or_else(PoisonError::into_inner);
            }
            if pipe.failed.is_some() {
                return;
            }
            let room = self.receive - pipe.inbox.len();
            drop(pipe);
            let got = socket.read(&mut bytes[..room]);
            let mut pipe = held(&self.pipe);
            match got {
                Ok(0) => pipe.ended = true,
                Ok(n) => pipe.inbox.extend(&bytes[..n]),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => {
                    pipe.failed.get_or_insert(failure(&e));
                }
            }
            let over = pipe.ended || pipe.failed.is_some();
            drop(pipe);
            self.signal.raise();
            if over {
                self.work.notify_all();
                return;
            }
        }
    }

    /// The writing thread: empties the outbox, then shuts the half.
    fn write(&self) {
        let mut socket = &self.socket;
        loop {
            let mut pipe = held(&self.pipe);
            while pipe.outbox.is_empty() && !pipe.shut && pipe.failed.is_none() {
                pipe = self.work.wait(pipe).unwrap_or_else(PoisonError::into_inner);
            }
            if pipe.failed.is_some() {
                return;
            }
            let bytes = pipe.outbox.make_contiguous().to_vec();
            drop(pipe);
            if bytes.is_empty() {
                let _ = self.socket.shutdown(Shutdown::Write);
                return;
            }
            let written = socket.write_all(&bytes);
            let mut pipe = held(&self.pipe);
            pipe.outbox.drain(..bytes.len());
            if let Err(e) = written {
                pipe.failed.get_or_insert(failure(&e));
            }
            drop(pipe);
            self.signal.raise();
        }
    }
}

impl HostNet {
    fn stream(&self, id: StreamId) -> Result<Arc<Stream>, NetError> {
        held(&self.streams)
            .get(&id.0)
            .cloned()
            .ok_or(NetError::Closed)
    }

    fn adopt(&self, socket: TcpStream, options: &ListenOptions) -> std::io::Result<Accepted> {
        socket.set_nodelay(true)?;
        let (local, peer) = (socket.local_addr()?, socket.peer_addr()?);
        let signal = Arc::new(Signal::new());
        let stream = Arc::new(Stream {
            socket,
            pipe: Mutex::default(),
            work: Condvar::new(),
            signal: Arc::clone(&signal),
            receive: options.receive_buffer,
            send: options.send_buffer,
        });
        for half in [Stream::read, Stream::write] {
            let stream = Arc::clone(&stream);
            std::thread::Builder::new()
                .name(String::from("host_net"))
                .stack_size(64 * 1024)
                .spawn(move || half(&stream))?;
        }
        let id = StreamId(self.next.fetch_add(1, Ordering::Relaxed));
        held(&self.streams).insert(id.0, stream);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(Accepted {
            id,
            local,
            peer,
            signal,
        })
    }
}

impl Network for HostNet {
    fn listen(&self, options: ListenOptions) -> Result<Listening, NetError> {
        let address = SocketAddr::new(options.address.unwrap_or(self.bind), options.port);
        let socket = TcpListener::bind(address).map_err(|_| NetError::BadAddress)?;
        let local = socket.local_addr().map_err(|_| NetError::BadAddress)?;
        let signal = Arc::new(Signal::new());
        let listener = Arc::new(Listener {
            local,
            signal: Arc::clone(&signal),
            ready: Mutex::default(),
            closed: Mutex::new(false),
            options,
        });
        let theirs = Arc::clone(&listener);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = socket.accept() {
                if *held(&theirs.closed) {
                    return;
                }
                held(&theirs.ready).push_back(stream);
                theirs.signal.raise();
            }
        });
        let id = ListenerId(self.next.fetch_add(1, Ordering::Relaxed));
        held(&self.listeners).insert(id.0, listener);
        Ok(Listening { id, local, signal })
    }

    fn accept(&self, listener: ListenerId) -> Result<Answer<Accepted>, NetError> {
        let listener = held(&self.listeners)
            .get(&listener.0)
            .cloned()
            .ok_or(NetError::Closed)?;
        loop {
            let seen = listener.signal.count();
            let Some(socket) = held(&listener.ready).pop_front() else {
                return Ok(Answer::Wait(seen));
            };
            // One that is gone already is not worth telling of.
            if let Ok(accepted) = self.adopt(socket, &listener.options) {
                return Ok(Answer::Ready(accepted));
            }
        }
    }

    fn unlisten(&self, listener: ListenerId) {
        if let Some(listener) = held(&self.listeners).remove(&listener.0) {
            *held(&listener.closed) = true;
            listener.signal.raise();
            // Lets the accepting thread see it.
            let _ = TcpStream::connect(listener.local);
        }
    }

    fn recv(&self, stream: StreamId, into: &mut [u8]) -> Result<Answer<usize>, NetError> {
        let stream = self.stream(stream)?;
        let mut pipe = held(&stream.pipe);
        if pipe.inbox.is_empty() && !into.is_empty() {
            return match (pipe.ended, pipe.failed) {
                (true, _) => Ok(Answer::Ready(0)),
                (false, Some(error)) => Err(error),
                (false, None) => Ok(Answer::Wait(stream.signal.count())),
            };
        }
        let n = into.len().min(pipe.inbox.len());
        // A queue of bytes that has them gives them.
        let _ = pipe.inbox.read_exact(&mut into[..n]);
        drop(pipe);
        stream.work.notify_all();
        Ok(Answer::Ready(n))
    }

    fn send(&self, stream: StreamId, parts: &[&[u8]]) -> Result<Answer<usize>, NetError> {
        let stream = self.stream(stream)?;
        let mut pipe = held(&stream.pipe);
        if let Some(error) = pipe.failed {
            return Err(error);
        }
        if pipe.shut {
            return Err(NetError::Closed);
        }
        let mut total = 0;
        for part in parts {
            let n = part
                .len()
                .min(stream.send.saturating_sub(pipe.outbox.len()));
            pipe.outbox.extend(&part[..n]);
            total += n;
            if n < part.len() {
                break;
            }
        }
        if total == 0 && parts.iter().any(|p| !p.is_empty()) {
            return Ok(Answer::Wait(stream.signal.count()));
        }
        drop(pipe);
        stream.work.notify_all();
        Ok(Answer::Ready(total))
    }

    fn shutdown(&self, stream: StreamId) -> Result<(), NetError> {
        let stream = self.stream(stream)?;
        let mut pipe = held(&stream.pipe);
        if core::mem::replace(&mut pipe.shut, true) {
            return Err(NetError::Closed);
        }
        drop(pipe);
        stream.work.notify_all();
        Ok(())
    }

    fn close(&self, stream: StreamId) {
        if let Some(stream) = held(&self.streams).remove(&stream.0) {
            let mut pipe = held(&stream.pipe);
            pipe.shut = true;
            // Makes room, so that the reading thread comes to see the end.
            pipe.inbox.clear();
            drop(pipe);
            let _ = stream.socket.shutdown(Shutdown::Read);
            stream.work.notify_all();
        }
    }

    fn abort(&self, stream: StreamId) {
        if let Some(stream) = held(&self.streams).remove(&stream.0) {
            held(&stream.pipe).failed = Some(NetError::Closed);
            let _ = stream.socket.shutdown(Shutdown::Both);
            stream.work.notify_all();
        }
    }

    fn set_nodelay(&self, stream: StreamId, nodelay: bool) -> Result<(), NetError> {
        let stream = self.stream(stream)?;
        stream.socket.set_nodelay(nodelay).map_err(|e| failure(&e))
    }

    fn status(&self) -> NetStatus {
        let mut status = NetStatus {
            link: true,
            addresses: vec![(self.bind, 8)],
            listeners: held(&self.listeners).len(),
            streams: held(&self.streams).len(),
            ..NetStatus::default()
        };
        status.counters.accepted = self.accepted.load(Ordering::Relaxed);
        status
    }

    fn poll(&self) -> Round {
        Round {
            due: u64::MAX,
            more: false,
            heard: false,
            said: false,
        }
    }
}
