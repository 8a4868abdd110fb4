//! The least of PostgreSQL's protocol (version 3.0): a connection that is
//! trusted, and simple queries. Enough to see whether SQL is served and to run
//! test scripts; loads are `pgbench`'s.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const PROTOCOL: i32 = 196_608;
/// Bytes of copied data sent in one message.
const COPY_PIECE: usize = 64 << 10;
/// No message of a test is longer.
const MAX_MESSAGE: usize = 64 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum SqlError {
    /// The server says no; the session goes on.
    Refused {
        /// The SQLSTATE.
        code: String,
        /// The message.
        message: String,
    },
    /// The server wants something this client does not know.
    Unknown(&'static str),
    /// The connection is lost, or the time is over.
    Lost(io::Error),
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, message } => write!(f, "{code} {message}"),
            Self::Unknown(what) => write!(f, "the server wants {what}"),
            Self::Lost(error) => write!(f, "the connection is lost: {error}"),
        }
    }
}

impl std::error::Error for SqlError {}

impl From<io::Error> for SqlError {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl From<ErrorKind> for SqlError {
    fn from(kind: ErrorKind) -> Self {
        Self::Lost(kind.into())
    }
}

/// A row as text; `None` is NULL.
pub(crate) type TextRow = Vec<Option<String>>;

/// A session.
pub(crate) struct Session {
    stream: TcpStream,
    buffer: Vec<u8>,
    deadline: Instant,
    /// The names of prepared statements.
    prepared: BTreeSet<String>,
}

impl Session {
    /// Connects as `postgres` to the database `postgres` of 127.0.0.1.
    pub(crate) fn connect(port: u16, limit: Duration) -> Result<Self, SqlError> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut session = Self {
            stream,
            buffer: Vec::new(),
            deadline: Instant::now() + limit,
            prepared: BTreeSet::new(),
        };
        let mut start = PROTOCOL.to_be_bytes().to_vec();
        start.extend(b"user\0postgres\0database\0postgres\0\0");
        session.send(None, &start)?;
        session.answer()?;
        Ok(session)
    }

    /// What may still be taken from now on.
    pub(crate) fn allow(&mut self, limit: Duration) {
        self.deadline = Instant::now() + limit;
    }

    /// Runs statements and gives all their rows.
    pub(crate) fn query(&mut self, text: &str) -> Result<Vec<TextRow>, SqlError> {
        let mut body = text.as_bytes().to_vec();
        body.push(0);
        self.send(Some(b'Q'), &body)?;
        self.answer()
    }

    /// Runs one statement by the extended protocol, with values as text; gives
    /// its rows.
    pub(crate) fn execute(
        &mut self,
        text: &str,
        values: &[&str],
    ) -> Result<Vec<TextRow>, SqlError> {
        let mut parse = vec![0];
        parse.extend(text.as_bytes());
        parse.extend([0, 0, 0]);
        self.send(Some(b'P'), &parse)?;
        // No names, all values and results as text.
        let mut bind = vec![0, 0, 0, 0];
        let count = i16::try_from(values.len()).map_err(|_| ErrorKind::InvalidInput)?;
        bind.extend(count.to_be_bytes());
        for value in values {
            let length = i32::try_from(value.len()).map_err(|_| ErrorKind::InvalidInput)?;
            bind.extend(length.to_be_bytes());
            bind.extend(value.as_bytes());
        }
        bind.extend([0, 0]);
        self.send(Some(b'B'), &bind)?;
        self.send(Some(b'E'), &[0; 5])?;
        self.send(Some(b'S'), &[])?;
        self.answer()
    }

    /// Runs `copy … from stdin` with this data.
    pub(crate) fn copy_in(&mut self, text: &str, data: &[u8]) -> Result<(), SqlError> {
        let mut body = text.as_bytes().to_vec();
        body.push(0);
        self.send(Some(b'Q'), &body)?;
        loop {
            match self.message()? {
                (b'G', _) => break,
                (b'E', body) => {
                    let error = refusal(&body);
                    self.answer()?;
                    return Err(error);
                }
                _ => {}
            }
        }
        for piece in data.chunks(COPY_PIECE) {
            self.send(Some(b'd'), piece)?;
        }
        self.send(Some(b'c'), &[])?;
        self.answer().map(drop)
    }

    /// Runs `copy … to stdout`; gives the lines.
    pub(crate) fn copy_out(&mut self, text: &str) -> Result<Vec<String>, SqlError> {
        let mut body = text.as_bytes().to_vec();
        body.push(0);
        self.send(Some(b'Q'), &body)?;
        let (mut data, mut refused) = (Vec::new(), None);
        loop {
            match self.message()? {
                (b'd', body) => data.extend(body),
                (b'E', body) => refused = Some(refusal(&body)),
                (b'Z', _) => break,
                _ => {}
            }
        }
        let text = String::from_utf8_lossy(&data);
        let lines = text.lines().map(str::to_string).collect();
        refused.map_or(Ok(lines), Err)
    }

    /// Runs a statement without values by a name, under which it is prepared when
    /// it is run for the first time; gives its rows.
    pub(crate) fn prepared(&mut self, name: &str, text: &str) -> Result<Vec<TextRow>, SqlError> {
        if !self.prepared.contains(name) {
            let mut parse = name.as_bytes().to_vec();
            parse.push(0);
            parse.extend(text.as_bytes());
            parse.extend([0, 0, 0]);
            self.send(Some(b'P'), &parse)?;
            self.send(Some(b'S'), &[])?;
            self.answer()?;
            self.prepared.insert(name.to_string());
        }
        let mut bind = vec![0];
        bind.extend(name.as_bytes());
        bind.extend([0; 7]);
        self.send(Some(b'B'), &bind)?;
        self.send(Some(b'E'), &[0; 5])?;
        self.send(Some(b'S'), &[])?;
        self.answer()
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> Result<(), SqlError> {
        let mut message: Vec<u8> = kind.into_iter().collect();
        let length = i32::try_from(body.len() + 4).map_err(|_| ErrorKind::InvalidInput)?;
        message.extend(length.to_be_bytes());
        message.extend(body);
        let left = self.left()?;
        self.stream.set_write_timeout(Some(left))?;
        Ok(self.stream.write_all(&message)?)
    }

    /// Up to ReadyForQuery.
    fn answer(&mut self) -> Result<Vec<TextRow>, SqlError> {
        let (mut rows, mut refused) = (Vec::new(), None);
        loop {
            let (kind, body) = self.message()?;
            match kind {
                b'D' => rows.push(row(&body).ok_or(ErrorKind::InvalidData)?),
                b'E' => {
                    let error = refusal(&body);
                    // After a fatal one there is no ReadyForQuery.
                    if body.starts_with(b"SFATAL") {
                        return Err(error);
                    }
                    refused = Some(error);
                }
                b'R' if body.get(..4) != Some(&[0; 4]) => {
                    return Err(SqlError::Unknown("a password"));
                }
                b'G' => return Err(SqlError::Unknown("copied data")),
                b'Z' => return refused.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }

    fn message(&mut self) -> Result<(u8, Vec<u8>), SqlError> {
        loop {
            if let Some(&[kind, a, b, c, d]) = self.buffer.first_chunk::<5>() {
                let length = i32::from_be_bytes([a, b, c, d]);
                let length = usize::try_from(length).unwrap_or(0);
                if !(4..MAX_MESSAGE).contains(&length) {
                    return Err(ErrorKind::InvalidData.into());
                }
                if self.buffer.len() > length {
                    let message: Vec<u8> = self.buffer.drain(..=length).collect();
                    return Ok((kind, message[5..].to_vec()));
                }
            }
            self.read_more()?;
        }
    }

    fn read_more(&mut self) -> Result<(), SqlError> {
        let mut piece = [0; 16384];
        let left = self.left()?;
        self.stream.set_read_timeout(Some(left))?;
        match self.stream.read(&mut piece)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.buffer.extend_from_slice(&piece[..count]);
                Ok(())
            }
        }
    }

    fn left(&self) -> Result<Duration, SqlError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

fn row(body: &[u8]) -> Option<TextRow> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut row = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            row.push(None);
            rest = after;
            continue;
        };
        let (value, after) = after.split_at_checked(length)?;
        row.push(Some(String::from_utf8_lossy(value).into_owned()));
        rest = after;
    }
    Some(row)
}

fn refusal(body: &[u8]) -> SqlError {
    let field = |kind: u8| {
        let field = body
            .split(|byte| *byte == 0)
            .find(|f| f.first() == Some(&kind));
        let text = field.and_then(|field| field.get(1..)).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    };
    SqlError::Refused {
        code: field(b'C'),
        message: field(b'M'),
    }
}

/// Why no SQL is served on `port`, if none is.
pub(crate) fn missing(port: u16) -> Option<String> {
    let limit = Duration::from_secs(10);
    let asked = Session::connect(port, limit).and_then(|mut s| s.query("select 1"));
    let why = asked.err()?;
    Some(format!("no SQL is served: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_refusals_are_read() {
        let body = [0, 2, 0, 0, 0, 1, b'7', 0xff, 0xff, 0xff, 0xff];
        assert_eq!(row(&body), Some(vec![Some("7".to_string()), None]));
        assert_eq!(row(&[0, 1, 0, 0, 0, 9, b'7']), None);
        let error = refusal(b"SERROR\0C42P01\0Mno such table\0\0");
        assert_eq!(error.to_string(), "42P01 no such table");
    }
}
