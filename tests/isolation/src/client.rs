//! A client of the simple query protocol, as small as the tests need it.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// An error or a notice, as the server told it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// SQLSTATE.
    pub code: String,
    /// The message.
    pub message: String,
    /// The detail, if any.
    pub detail: String,
    /// The hint, if any.
    pub hint: String,
}

/// What a query brought.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// Rows of all statements; none for NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// Command tags.
    pub tags: Vec<String>,
    /// What went wrong.
    pub error: Option<Report>,
}

impl Answer {
    /// The SQLSTATE of its error; empty when there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.error.as_ref().map_or("", |e| &e.code)
    }

    /// The rows as lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let value = |v: &Option<String>| v.clone().unwrap_or_else(|| "null".into());
        let line = |row: &Vec<_>| row.iter().map(value).collect::<Vec<_>>().join("|");
        self.rows.iter().map(line).collect()
    }
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// The session's number.
    pub pid: u32,
    /// What a cancel request must know.
    pub secret: u32,
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

impl Client {
    /// Connects as the user `postgres`.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut client = Client {
            stream,
            pid: 0,
            secret: 0,
        };
        let body = b"user\0postgres\0database\0postgres\0\0";
        let mut packet = Vec::new();
        packet.extend((8 + body.len() as u32).to_be_bytes());
        packet.extend(196_608u32.to_be_bytes());
        packet.extend(body);
        client.stream.write_all(&packet)?;
        let answer = client.until_ready()?;
        match answer.error {
            Some(report) => Err(bad(&report.message)),
            None => Ok(client),
        }
    }

    /// Runs a text of statements and waits for its end.
    ///
    /// # Errors
    /// When the connection breaks. Errors of the server are in the answer.
    pub fn query(&mut self, sql: &str) -> io::Result<Answer> {
        let mut packet = vec![b'Q'];
        packet.extend((5 + sql.len() as u32).to_be_bytes());
        packet.extend(sql.as_bytes());
        packet.push(0);
        self.stream.write_all(&packet)?;
        self.until_ready()
    }

    /// What the server says without being asked, before it closes the connection.
    ///
    /// # Errors
    /// When it closes it without a word.
    pub fn last_words(&mut self) -> io::Result<Answer> {
        self.until_ready()
    }

    fn until_ready(&mut self) -> io::Result<Answer> {
        let mut answer = Answer::default();
        loop {
            let mut head = [0; 5];
            if let Err(error) = self.stream.read_exact(&mut head) {
                // The server's last word before it closed the connection.
                return match answer.error {
                    Some(_) => Ok(answer),
                    None => Err(error),
                };
            }
            let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; len.checked_sub(4).ok_or_else(|| bad("length"))?];
            self.stream.read_exact(&mut body)?;
            match head[0] {
                b'Z' => return Ok(answer),
                b'K' if body.len() == 8 => {
                    self.pid = u32::from_be_bytes([body[0], body[1], body[2], body[3]]);
                    self.secret = u32::from_be_bytes([body[4], body[5], body[6], body[7]]);
                }
                b'R' if body != [0, 0, 0, 0] => return Err(bad("authentication is asked for")),
                b'D' => answer.rows.push(row(&body).ok_or_else(|| bad("row"))?),
                b'C' => {
                    let tag = body.strip_suffix(&[0]).unwrap_or(&body);
                    answer.tags.push(String::from_utf8_lossy(tag).into_owned());
                }
                b'E' => answer.error = Some(report(&body)),
                _ => {}
            }
        }
    }
}

fn row(body: &[u8]) -> Option<Vec<Option<String>>> {
    let (count, mut rest) = body.split_at_checked(2)?;
    let mut values = Vec::new();
    for _ in 0..u16::from_be_bytes([count[0], count[1]]) {
        let (len, behind) = rest.split_at_checked(4)?;
        let len = i32::from_be_bytes([len[0], len[1], len[2], len[3]]);
        rest = behind;
        values.push(match usize::try_from(len) {
            Err(_) => None,
            Ok(len) => {
                let (value, behind) = rest.split_at_checked(len)?;
                rest = behind;
                Some(String::from_utf8_lossy(value).into_owned())
            }
        });
    }
    Some(values)
}

fn report(body: &[u8]) -> Report {
    let mut report = Report::default();
    for field in body.split(|b| *b == 0).filter(|f| !f.is_empty()) {
        let text = String::from_utf8_lossy(&field[1..]).into_owned();
        match field[0] {
            b'C' => report.code = text,
            b'M' => report.message = text,
            b'D' => report.detail = text,
            b'H' => report.hint = text,
            _ => {}
        }
    }
    report
}
