//! Talking to a running system over its control line (see the crate
//! `control` for the framing).

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use control::{MAILBOX_LEN, MAILBOX_WORD, PushBody, Reader, Reply, Request, Verb};

use crate::instance::Instance;

/// Why there is no answer, or a bad one.
#[derive(Debug)]
pub enum ClientError {
    /// No system runs on this port.
    NotRunning(u16),
    /// The system went away before it answered.
    Closed,
    /// No answer in this time.
    Timeout(Duration),
    /// The system answered that it failed.
    Refused(String),
    /// The socket failed.
    Io(io::Error),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning(port) => write!(f, "no system is running on port {port}"),
            Self::Closed => f.write_str("the system went away before it answered"),
            Self::Timeout(limit) => write!(f, "no answer after {limit:?}"),
            Self::Refused(reason) => f.write_str(reason.trim_end()),
            Self::Io(error) => write!(f, "the control line failed: {error}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => {
                Self::Closed
            }
            _ => Self::Io(error),
        }
    }
}

/// Sends one request and waits for its answer.
///
/// # Errors
/// Any [`ClientError`].
pub fn request(
    instance: &Instance,
    verb: Verb,
    body: &[u8],
    limit: Duration,
) -> Result<Vec<u8>, ClientError> {
    let deadline = Instant::now() + limit;
    let mut stream = UnixStream::connect(instance.control_socket())
        .map_err(|_| ClientError::NotRunning(instance.port()))?;
    let id = fresh_id();
    let request = Request {
        verb,
        id,
        body: body.to_vec(),
    };
    stream.set_write_timeout(Some(limit))?;
    stream
        .write_all(&request.encode())
        .map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => ClientError::Timeout(limit),
            _ => error.into(),
        })?;
    let reply = read_reply(&mut stream, id, deadline, limit)?;
    if reply.ok {
        Ok(reply.body)
    } else {
        Err(ClientError::Refused(
            String::from_utf8_lossy(&reply.body).into_owned(),
        ))
    }
}

fn read_reply(
    stream: &mut UnixStream,
    id: u32,
    deadline: Instant,
    limit: Duration,
) -> Result<Reply, ClientError> {
    let mut reader = Reader::<Reply>::new();
    let mut buffer = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ClientError::Timeout(limit));
        }
        stream.set_read_timeout(Some(left))?;
        let count = match stream.read(&mut buffer) {
            Ok(0) => return Err(ClientError::Closed),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let (taken, reply) = reader.feed(rest);
            rest = &rest[taken..];
            if let Some(reply) = reply.filter(|reply| reply.id == id) {
                return Ok(reply);
            }
        }
    }
}

/// Differs from one request to the next, so that a late answer to an earlier
/// one is recognised.
fn fresh_id() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |elapsed| elapsed.subsec_nanos()) ^ std::process::id().rotate_left(16)
}

/// Runs a shell command and gives its answer.
///
/// # Errors
/// Any [`ClientError`]; a command that fails is `Refused`.
pub fn shell(instance: &Instance, command: &str, limit: Duration) -> Result<String, ClientError> {
    let answer = request(instance, Verb::Shell, command.as_bytes(), limit)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Sends an archive of cells, through the mailbox where the system reads it.
/// Gives the system's answer, which names the pause.
///
/// # Errors
/// Any [`ClientError`]; a set that does not fit is `Refused`.
pub fn push(instance: &Instance, archive: &[u8], limit: Duration) -> Result<String, ClientError> {
    let has_mailbox = archive.len() <= MAILBOX_LEN
        && match shell(instance, MAILBOX_WORD, limit) {
            Ok(_) => true,
            Err(ClientError::Refused(_)) => false,
            Err(error) => return Err(error),
        };
    let mut mailbox = File::options().write(true).open(instance.mailbox())?;
    let body = if has_mailbox {
        // Until the answer is there; another push has to wait that long.
        mailbox.lock()?;
        mailbox.write_all(archive)?;
        PushBody::Mailbox(archive.len())
    } else {
        PushBody::Inline(archive)
    };
    let answer = request(instance, Verb::Push, &body.encode(), limit)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Asks for a clean end and waits until it has come.
///
/// # Errors
/// When nothing runs there, the system refuses, or still runs at the limit.
pub fn stop(instance: &Instance, limit: Duration) -> Result<(), ClientError> {
    let deadline = Instant::now() + limit;
    match shell(instance, "stop", limit) {
        // The system may be gone before its answer is through.
        Ok(_) | Err(ClientError::Closed) => {}
        Err(error) => return Err(error),
    }
    if instance.wait_until_gone(deadline.saturating_duration_since(Instant::now())) {
        Ok(())
    } else {
        Err(ClientError::Timeout(limit))
    }
}
