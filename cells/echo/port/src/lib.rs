//! The echo service (RFC 862): what comes on TCP port 7 goes back.
//!
//! The smallest service there is, and so the pattern of one: the listener and
//! the task of each connection live here and never need to be replaced; what
//! is done with the bytes is the `echo` cell's, which is entered for each piece
//! and may be another one the next time.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec;
use net_port::{NetError, TcpListener, TcpStream};
use port::{Component, Port};
use task_port::{SpawnError, SpawnOptions};

/// The door of the echo cell.
pub static ECHO: Port<dyn Echo> = Port::new("echo");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &ECHO;

/// The port of the service.
pub const TCP_PORT: u16 = 7;
/// The most bytes handled at once.
const PIECE: usize = 4096;
/// The stack of a connection's task.
const STACK: usize = 64 * 1024;

/// What is done with the bytes.
pub trait Echo: Component {
    /// Makes the answer out of what came, in place.
    fn answer(&self, bytes: &mut [u8]);
}

/// Why the service could not be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// The port cannot be listened on.
    Net(NetError),
    /// No memory for the task.
    OutOfMemory,
}

/// Starts the service on `port` in tasks of its own.
///
/// # Errors
/// When the port is taken, the network is not there, or memory is.
pub fn start(port: u16) -> Result<(), StartError> {
    let listener = TcpListener::bind(port).map_err(StartError::Net)?;
    task_port::spawn(SpawnOptions::new("echo").stack(STACK), move || {
        while let Ok(stream) = listener.accept() {
            let options = SpawnOptions::new("echo").stack(STACK);
            // Without memory for a task the connection is closed again.
            let _: Result<_, SpawnError> = task_port::spawn(options, move || {
                let _ = serve(&stream);
            });
        }
    })
    .map(|_| ())
    .map_err(|_| StartError::OutOfMemory)
}

/// Serves a connection until its end.
fn serve(stream: &TcpStream) -> Result<(), NetError> {
    let mut bytes = vec![0; PIECE];
    loop {
        let n = stream.read(&mut bytes)?;
        if n == 0 {
            return Ok(());
        }
        let piece = bytes.get_mut(..n).unwrap_or_default();
        ECHO.enter()
            .map_err(|_| NetError::NotRunning)?
            .answer(piece);
        stream.write_all(piece)?;
    }
}
