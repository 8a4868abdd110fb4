//! A client of PostgreSQL's protocol that knows when it was told what: simple
//! queries, one at a time, and COPY from the client.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Nothing takes so long; the system is stuck then.
const LIMIT: Duration = Duration::from_secs(60);

/// Why a statement did not end well.
#[derive(Debug)]
pub enum Error {
    /// The server refused it: SQLSTATE and message.
    Sql(String, String),
    /// The connection ended.
    Lost(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Lost(error)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Sql(code, message) => write!(f, "{code}: {message}"),
            Error::Lost(error) => write!(f, "the connection ended: {error}"),
        }
    }
}

impl std::error::Error for Error {}

/// A row's values as text.
pub type Row = Vec<Option<String>>;

/// A connection.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    /// Connects to the loopback as `postgres`.
    ///
    /// # Errors
    /// When the server does not let us in.
    pub fn connect(port: u16) -> Result<Self, Error> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut client = Client { stream };
        let mut body = 196_608u32.to_be_bytes().to_vec();
        body.extend_from_slice(b"user\0postgres\0database\0postgres\0\0");
        let mut message = (body.len() as u32 + 4).to_be_bytes().to_vec();
        message.extend_from_slice(&body);
        client.stream.write_all(&message)?;
        client.answer(None)?;
        Ok(client)
    }

    /// Runs a statement; the rows.
    ///
    /// # Errors
    /// What the server says, once it is ready again; or the connection's end.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Row>, Error> {
        self.send(b'Q', sql)?;
        self.answer(None)
    }

    /// Runs `COPY ... FROM STDIN` with these lines.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub fn copy(&mut self, sql: &str, lines: &str) -> Result<(), Error> {
        self.send(b'Q', sql)?;
        self.answer(Some(lines)).map(drop)
    }

    fn send(&mut self, kind: u8, text: &str) -> Result<(), Error> {
        let mut message = vec![kind];
        message.extend_from_slice(&(text.len() as u32 + 5).to_be_bytes());
        message.extend_from_slice(text.as_bytes());
        message.push(0);
        Ok(self.stream.write_all(&message)?)
    }

    /// Reads until the server is ready for the next statement.
    fn answer(&mut self, copy: Option<&str>) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        let mut failed = None;
        loop {
            let (kind, body) = self.message()?;
            match kind {
                b'D' => rows.push(row(&body)),
                b'E' => failed = Some(refusal(&body)),
                b'G' => self.copy_in(copy.unwrap_or(""))?,
                b'Z' => return failed.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }

    fn copy_in(&mut self, lines: &str) -> Result<(), Error> {
        let mut message = vec![b'd'];
        message.extend_from_slice(&(lines.len() as u32 + 4).to_be_bytes());
        message.extend_from_slice(lines.as_bytes());
        message.extend_from_slice(b"c\0\0\0\x04");
        Ok(self.stream.write_all(&message)?)
    }

    fn message(&mut self) -> Result<(u8, Vec<u8>), Error> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; (len as usize).saturating_sub(4).min(64 << 20)];
        self.stream.read_exact(&mut body)?;
        Ok((head[0], body))
    }
}

fn row(body: &[u8]) -> Row {
    let mut values = Vec::new();
    let mut rest = body.get(2..).unwrap_or(&[]);
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let len = i32::from_be_bytes(*len);
        let Ok(len) = usize::try_from(len) else {
            values.push(None);
            rest = after;
            continue;
        };
        let (value, after) = after.split_at(len.min(after.len()));
        values.push(Some(String::from_utf8_lossy(value).into_owned()));
        rest = after;
    }
    values
}

fn refusal(body: &[u8]) -> Error {
    let field = |kind: u8| {
        let fields = body.split(|b| *b == 0);
        let found = fields
            .filter_map(|f| f.split_first())
            .find(|(k, _)| **k == kind);
        found.map_or(String::new(), |(_, text)| {
            String::from_utf8_lossy(text).into_owned()
        })
    };
    Error::Sql(field(b'C'), field(b'M'))
}
