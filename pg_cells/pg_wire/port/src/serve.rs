//! The loops: accepting connections, and reading a connection's messages.

use crate::fault::{self, Before};
use crate::parked::{self, Parked};
use crate::roster::Entered;
use crate::{Phase, Session, Severity, Step, WIRE, pulse, roster};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use net_port::{NetError, TcpListener, TcpStream};
use pg_types::{SqlError, SqlState};
use task_port::{FaultKind, Priority, SpawnOptions};

/// The largest message that is taken, in bytes.
pub const MAX_MESSAGE: usize = 64 << 20;
/// The largest startup packet, as in PostgreSQL.
const MAX_STARTUP: usize = 10_000;
/// The stack of a connection's task.
const STACK: usize = 512 * 1024;
/// How much is read at once.
const PIECE: usize = 16 * 1024;
/// How long a message waits for a cell that is being replaced.
const PATIENCE_NS: u64 = 3_000_000_000;
/// How long it sleeps between two looks, and after a fault.
const PAUSE_NS: u64 = 2_000_000;

/// How often statements are looked at that last too long.
const WATCH_NS: u64 = 20_000_000;

/// Why the service could not be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// The port cannot be listened on.
    Net(NetError),
    /// No memory for the task.
    OutOfMemory,
}

/// Listens on a TCP port and serves connections, in tasks of its own. Answers
/// with the port, which is a free one if 0 was asked for.
///
/// # Errors
/// When the port is taken, the network is not there, or memory is.
pub fn start(port: u16) -> Result<u16, StartError> {
    let listener = TcpListener::bind(port).map_err(StartError::Net)?;
    let chosen = listener.local().port();
    roster::listen(listener)
        .map(|()| chosen)
        .map_err(|_| StartError::OutOfMemory)
}

/// The watch's task.
pub(crate) fn watch_options() -> SpawnOptions {
    SpawnOptions::new("pg_wire timeouts").priority(Priority::Background)
}

/// Looks for statements that last too long, while tasks need not leave.
pub(crate) fn watch() {
    loop {
        crate::registry::wait_for_limits();
        if roster::park_watch() {
            return;
        }
        task_port::sleep(WATCH_NS);
        crate::registry::watch();
    }
}

/// Takes connections, while tasks need not leave.
pub(crate) fn accept(listener: &Arc<TcpListener>) {
    loop {
        match listener.accept_unless(roster::leave()) {
            Ok(Some(stream)) => roster::admit(stream),
            // The network is gone for now.
            Err(_) if !roster::leaving() => task_port::sleep(100 * PAUSE_NS),
            Ok(None) | Err(_) => {}
        }
        if roster::leaving() && roster::park_listener(listener) {
            return;
        }
    }
}

/// A connection's task.
pub(crate) fn options() -> SpawnOptions {
    SpawnOptions::new("pg_wire session").stack(STACK)
}

/// Serves a connection until its end, or until tasks are to leave.
pub(crate) fn session(entered: Entered, mut parked: Parked) {
    // What was moved here waits for the cell that was moved along.
    while parked.is_known() && WIRE.enter().is_err() {
        match roster::leaving() {
            false => task_port::sleep(PAUSE_NS),
            true => match roster::park_session(&entered, parked) {
                Ok(()) => return,
                Err(back) => parked = back,
            },
        }
    }
    serve(&entered, parked);
}

/// The same, once the cell is there.
fn serve(entered: &Entered, parked: Parked) {
    let mut input = Input::new(Arc::clone(&parked.stream), parked.input());
    let mut session = parked.revive(handle);
    // The client waits for what was not sent yet.
    let mut owed = false;
    // It stands behind a whole exchange, not between Bind and Execute.
    let mut at_rest = true;
    let mut began = None;
    loop {
        // Before the looks: who wants something from now on is seen by the wait.
        session.entry.attention.store(false, Ordering::SeqCst);
        if session.entry.is_terminated() {
            say_goodbye(&mut session);
            break;
        }
        let may_leave = at_rest && !owed && parked::may_leave(&session);
        if may_leave && roster::leaving() {
            session.out.flush();
            let stream = Arc::clone(&input.stream);
            let parked = Parked::of(&session, stream, input.rest());
            if roster::park_session(entered, parked).is_ok() {
                break;
            }
        }
        let patience = session.patience();
        let until = match &patience {
            None => u64::MAX,
            Some((ns, _)) => task_port::now().saturating_add(*ns),
        };
        let startup = session.phase == Phase::Startup;
        let step = match input.next(startup, until, &session.entry.attention) {
            Ok(Some((tag, body))) => {
                at_rest = matches!(tag, 0 | b'Q' | b'S');
                began.get_or_insert_with(task_port::now);
                handle(&mut session, tag, body)
            }
            Err(InputError::Attend) => continue,
            Err(InputError::Net(NetError::Deadline)) => {
                if let Some((_, error)) = patience {
                    session.out.report(Severity::Fatal, error.fields());
                }
                Step::Close
            }
            Ok(None) | Err(InputError::Net(_)) => break,
            Err(InputError::Length) => refuse_length(&mut session),
        };
        input.done();
        owed |= step == Step::Flush;
        match step {
            Step::Close => {
                session.out.flush();
                break;
            }
            // More messages are here already: their answers go out together.
            _ if owed && !input.has_message() => {
                session.out.flush();
                owed = false;
                began.take().into_iter().for_each(pulse::note);
            }
            _ => session.out.flush_if_full(),
        }
        if session.out.is_broken() {
            break;
        }
    }
    end(session);
}

/// A message that says of itself that it is shorter than it can be, or longer than any.
fn refuse_length(session: &mut Session) -> Step {
    let error = SqlError::new(SqlState::PROTOCOL_VIOLATION, "invalid message length");
    session.out.report(Severity::Fatal, error.fields());
    Step::Close
}

/// Tells the client that the session ends.
fn say_goodbye(session: &mut Session) {
    let error = SqlError::new(
        SqlState::ADMIN_SHUTDOWN,
        "terminating connection due to administrator command",
    );
    session.out.report(Severity::Fatal, error.fields());
    session.out.flush();
}

/// Lets go of a session; what it holds of cells is dropped behind a gate.
pub(crate) fn end(session: Session) {
    let _ = task_port::gate(move || {
        let mut session = session;
        session.end_transaction(false);
        drop(session);
    });
}

/// Hands a message to a session: see [`handle`].
pub(crate) type Handle = fn(&mut Session, u8, &[u8]) -> Step;

/// Hands a message to the cell, past a fault or a replacement of it.
fn handle(session: &mut Session, tag: u8, body: &[u8]) -> Step {
    let before = Before::new(session);
    let mut again = true;
    let mut patience = None;
    loop {
        let done = task_port::gate(|| WIRE.enter().map(|wire| wire.step(session, tag, body)));
        match done {
            Ok(Ok(step)) => return step,
            Ok(Err(_)) => {
                let until = *patience.get_or_insert_with(|| task_port::now() + PATIENCE_NS);
                if task_port::now() >= until {
                    return fault::absent(session, tag);
                }
                task_port::sleep(PAUSE_NS);
            }
            Err(fault) => {
                log_fault(&fault);
                // Once more would need as much memory.
                let worth = again && fault.kind != FaultKind::OutOfMemory;
                let undone = worth && task_port::gate(|| before.undo(session)) == Ok(true);
                if !undone {
                    return fault::fail(session, tag, &fault);
                }
                again = false;
                task_port::sleep(PAUSE_NS);
            }
        }
    }
}

fn log_fault(fault: &task_port::Fault) {
    log::warn!("a statement ended in {}: {}", fault.cell, fault.message);
}

/// Why there is no next message.
enum InputError {
    /// The connection is broken.
    Net(NetError),
    /// A length that cannot be.
    Length,
    /// The task is to look around.
    Attend,
}

impl From<NetError> for InputError {
    fn from(error: NetError) -> Self {
        InputError::Net(error)
    }
}

/// Messages of a connection, one after the other.
struct Input {
    stream: Arc<TcpStream>,
    /// The buffer; what lies behind `end` is of earlier messages.
    bytes: Vec<u8>,
    /// Where what has come ends.
    end: usize,
    /// Where the next message begins.
    at: usize,
    /// How long the message handed out last is, in all.
    taken: usize,
}

impl Input {
    /// Behind what has come already.
    fn new(stream: Arc<TcpStream>, here: &[u8]) -> Self {
        let mut bytes = here.to_vec();
        bytes.resize(bytes.len().max(PIECE), 0);
        Input {
            stream,
            bytes,
            end: here.len(),
            at: 0,
            taken: 0,
        }
    }

    /// What has come and is not handled.
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..self.end).unwrap_or_default()
    }

    /// The head's length and the whole length of the next message, if its head
    /// is here.
    fn head(&self, startup: bool) -> Result<Option<(usize, usize)>, InputError> {
        let head = if startup { 4 } else { 5 };
        if self.end - self.at < head {
            return Ok(None);
        }
        let bytes = &self.bytes[self.at..self.at + head];
        let mut length = [0; 4];
        length.copy_from_slice(&bytes[head - 4..]);
        let length = u32::from_be_bytes(length) as usize;
        let most = if startup { MAX_STARTUP } else { MAX_MESSAGE };
        if !(4..=most).contains(&length) {
            return Err(InputError::Length);
        }
        Ok(Some((head, head - 4 + length)))
    }

    /// Whether a whole message is here already.
    fn has_message(&self) -> bool {
        let here = self.end - self.at;
        matches!(self.head(false), Ok(Some((_, whole))) if whole <= here)
    }

    /// The next message: tag and body, unless the clock shows `until` before. None
    /// at the end of the stream. Gives up when `over` is set.
    fn next(
        &mut self,
        startup: bool,
        until: u64,
        over: &AtomicBool,
    ) -> Result<Option<(u8, &[u8])>, InputError> {
        let (head, whole) = loop {
            let here = self.end - self.at;
            match self.head(startup)? {
                Some((head, whole)) if whole <= here => break (head, whole),
                _ => {}
            }
            if !self.read(until, over)? {
                return Ok(None);
            }
        };
        self.taken = whole;
        let tag = if startup { 0 } else { self.bytes[self.at] };
        Ok(Some((tag, &self.bytes[self.at + head..self.at + whole])))
    }

    /// The message handed out last is handled.
    fn done(&mut self) {
        self.at += core::mem::take(&mut self.taken);
        if self.at >= self.end {
            self.at = 0;
            self.end = 0;
        }
        if self.bytes.len() > 16 * PIECE && self.end < PIECE {
            self.bytes.truncate(PIECE);
            self.bytes.shrink_to(PIECE);
        }
    }

    /// Reads on. The buffer grows with what has come, not with what a length
    /// promises, and is written over rather than cleared. False at the end of the
    /// stream.
    fn read(&mut self, until: u64, over: &AtomicBool) -> Result<bool, InputError> {
        if self.at > 0 {
            self.bytes.copy_within(self.at..self.end, 0);
            self.end -= self.at;
            self.at = 0;
        }
        if self.bytes.len() - self.end < PIECE / 2 {
            self.bytes
                .resize(self.bytes.len() + PIECE.max(self.end / 2), 0);
        }
        let into = &mut self.bytes[self.end..];
        let deadline = (until != u64::MAX).then_some(until);
        let Some(got) = self.stream.read_unless(into, deadline, over)? else {
            return Err(InputError::Attend);
        };
        self.end += got;
        Ok(got > 0)
    }
}
