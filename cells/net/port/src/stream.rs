//! Sockets that block: they wait out here, and close when dropped.

use crate::call::call;
use crate::{Accepted, Answer, ListenOptions, Listening, NetError, StreamId, lead};
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};

/// A listening socket. Stops listening when dropped.
#[derive(Debug)]
pub struct TcpListener(Listening);

impl TcpListener {
    /// Listens on a port of all addresses.
    ///
    /// # Errors
    /// [`NetError::BadAddress`] when somebody does already.
    pub fn bind(port: u16) -> Result<Self, NetError> {
        Self::with_options(ListenOptions::new(port))
    }

    /// Listens as told.
    ///
    /// # Errors
    /// [`NetError::BadAddress`] when the address is taken or not ours.
    pub fn with_options(options: ListenOptions) -> Result<Self, NetError> {
        call(|net| net.listen(options)).map(TcpListener)
    }

    /// The address it listens on.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.0.local
    }

    /// Waits for a connection.
    ///
    /// # Errors
    /// When the stack is gone.
    pub fn accept(&self) -> Result<TcpStream, NetError> {
        loop {
            match call(|net| net.accept(self.0.id))? {
                Answer::Ready(accepted) => return Ok(TcpStream(accepted)),
                Answer::Wait(seen) => self.0.signal.wait(seen),
            }
        }
    }

    /// The same until the clock shows `deadline` (ns); `None` then.
    ///
    /// # Errors
    /// When the stack is gone.
    pub fn accept_deadline(&self, deadline: u64) -> Result<Option<TcpStream>, NetError> {
        loop {
            match call(|net| net.accept(self.0.id))? {
                Answer::Ready(accepted) => return Ok(Some(TcpStream(accepted))),
                Answer::Wait(seen) => {
                    if !self.0.signal.wait_deadline(seen, deadline) {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

impl TcpListener {
    /// As [`TcpListener::accept`], until `over` is set; `None` then. Whoever sets it
    /// calls [`TcpListener::nudge`] afterwards.
    ///
    /// # Errors
    /// When the stack is gone.
    pub fn accept_unless(&self, over: &AtomicBool) -> Result<Option<TcpStream>, NetError> {
        loop {
            let answer = call(|net| net.accept(self.0.id))?;
            match answer {
                Answer::Ready(accepted) => return Ok(Some(TcpStream(accepted))),
                Answer::Wait(_) if over.load(Ordering::SeqCst) => return Ok(None),
                Answer::Wait(seen) => self.0.signal.wait(seen),
            }
        }
    }

    /// Lets whoever waits for a connection look around.
    pub fn nudge(&self) {
        self.0.signal.raise();
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        let _ = call(|net| {
            net.unlisten(self.0.id);
            Ok(())
        });
    }
}

/// A connection. Closes when dropped; what was written is still delivered.
/// One task may read while another writes.
#[derive(Debug)]
pub struct TcpStream(Accepted);

impl TcpStream {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> StreamId {
        self.0.id
    }

    /// This end's address.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.0.local
    }

    /// The other end's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// Waits for bytes and copies out what is there; 0 is the end.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn read(&self, into: &mut [u8]) -> Result<usize, NetError> {
        loop {
            match call(|net| net.recv(self.0.id, into))? {
                Answer::Ready(n) => return Ok(n),
                Answer::Wait(seen) => {
                    lead::wait(&self.0.signal, seen, None);
                }
            }
        }
    }

    /// The same until the clock shows `deadline` (ns). A deadline in the past
    /// takes what is there.
    ///
    /// # Errors
    /// [`NetError::Deadline`], or when the connection is broken.
    pub fn read_deadline(&self, into: &mut [u8], deadline: u64) -> Result<usize, NetError> {
        loop {
            match call(|net| net.recv(self.0.id, into))? {
                Answer::Ready(n) => return Ok(n),
                Answer::Wait(seen) => {
                    if !lead::wait(&self.0.signal, seen, Some(deadline)) {
                        return Err(NetError::Deadline);
                    }
                }
            }
        }
    }

    /// As [`TcpStream::read_deadline`], without an end if there is no deadline, or
    /// until `over` is set; `None` then. Whoever sets it calls [`TcpStream::nudge`]
    /// afterwards.
    ///
    /// # Errors
    /// [`NetError::Deadline`], or when the connection is broken.
    pub fn read_unless(
        &self,
        into: &mut [u8],
        deadline: Option<u64>,
        over: &AtomicBool,
    ) -> Result<Option<usize>, NetError> {
        loop {
            match call(|net| net.recv(self.0.id, into))? {
                Answer::Ready(n) => return Ok(Some(n)),
                // Looked at after the count: a nudge since then ends the wait.
                Answer::Wait(_) if over.load(Ordering::SeqCst) => return Ok(None),
                Answer::Wait(seen) => {
                    if !lead::wait(&self.0.signal, seen, deadline) {
                        return Err(NetError::Deadline);
                    }
                }
            }
        }
    }

    /// Lets whoever waits for the connection look around.
    pub fn nudge(&self) {
        self.0.signal.raise();
    }

    /// Fills `into`. False when the stream ended before its first byte.
    ///
    /// # Errors
    /// When the connection is broken, or ends in the middle
    /// ([`NetError::Closed`]).
    pub fn read_exact(&self, into: &mut [u8]) -> Result<bool, NetError> {
        let mut done = 0;
        while done < into.len() {
            match self.read(&mut into[done..])? {
                0 if done == 0 => return Ok(false),
                0 => return Err(NetError::Closed),
                n => done += n,
            }
        }
        Ok(true)
    }

    /// Writes some of the parts, at least a byte if there is any; waits for
    /// room.
    ///
    /// # Errors
    /// When the connection is broken or its sending half is shut.
    pub fn write_parts(&self, parts: &[&[u8]]) -> Result<usize, NetError> {
        loop {
            match call(|net| net.send(self.0.id, parts))? {
                Answer::Ready(n) => return Ok(n),
                Answer::Wait(seen) => self.0.signal.wait(seen),
            }
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// As [`TcpStream::write_parts`].
    pub fn write_all(&self, mut bytes: &[u8]) -> Result<(), NetError> {
        while !bytes.is_empty() {
            let n = self.write_parts(&[bytes])?;
            bytes = bytes.get(n..).unwrap_or_default();
        }
        Ok(())
    }

    /// Writes all parts in order, in as few segments as they fit.
    ///
    /// # Errors
    /// As [`TcpStream::write_parts`].
    pub fn write_all_parts(&self, parts: &[&[u8]]) -> Result<(), NetError> {
        let total: usize = parts.iter().map(|p| p.len()).sum();
        let mut done = match total {
            0 => 0,
            _ => self.write_parts(parts)?,
        };
        for part in parts {
            if done >= part.len() {
                done -= part.len();
            } else {
                self.write_all(&part[done..])?;
                done = 0;
            }
        }
        Ok(())
    }

    /// Ends the sending half once everything written is sent.
    ///
    /// # Errors
    /// When it is ended already.
    pub fn shutdown(&self) -> Result<(), NetError> {
        call(|net| net.shutdown(self.0.id))
    }

    /// Whether small segments are sent at once, which is the default.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn set_nodelay(&self, nodelay: bool) -> Result<(), NetError> {
        call(|net| net.set_nodelay(self.0.id, nodelay))
    }

    /// Resets the connection instead of closing it.
    pub fn abort(self) {
        let _ = call(|net| {
            net.abort(self.0.id);
            Ok(())
        });
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        let _ = call(|net| {
            net.close(self.0.id);
            Ok(())
        });
    }
}
