//! What is to be sent to the client: messages, gathered into one buffer.

use alloc::sync::Arc;
use alloc::vec::Vec;
use net_port::TcpStream;
use pg_types::{ErrorFields, SqlState};

/// Beyond so many bytes the buffer is sent without waiting for more.
const FULL: usize = 32 * 1024;

/// How grave an error or notice is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// The connection ends.
    Fatal,
    /// The statement ended.
    Error,
    /// Nothing ended.
    Warning,
    /// The same, less grave.
    Notice,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Fatal => "FATAL",
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
            Severity::Notice => "NOTICE",
        }
    }
}

/// The buffer. A message is begun, filled and ended; only ended ones are ever
/// sent.
#[derive(Debug)]
pub struct Out {
    bytes: Vec<u8>,
    /// The end of the last message that is complete.
    complete: usize,
    /// How often bytes went out.
    sent: u64,
    /// The client is gone; nothing is kept any more.
    broken: bool,
    stream: Option<Arc<TcpStream>>,
}

impl Out {
    /// A buffer in front of a connection; without one it gathers everything.
    #[must_use]
    pub fn new(stream: Option<Arc<TcpStream>>) -> Self {
        Out {
            bytes: Vec::with_capacity(1024),
            complete: 0,
            sent: 0,
            broken: false,
            stream,
        }
    }

    /// Begins a message.
    #[inline]
    pub fn begin(&mut self, tag: u8) {
        self.bytes.truncate(self.complete);
        self.bytes.extend_from_slice(&[tag, 0, 0, 0, 0]);
    }

    /// Ends the message begun last.
    #[inline]
    pub fn end(&mut self) {
        let length = self.bytes.len().saturating_sub(self.complete + 1);
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        let at = self.complete + 1;
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&length);
        }
        self.complete = self.bytes.len();
    }

    /// The message being written, to append to.
    #[inline]
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Appends a number of 16 bits.
    #[inline]
    pub fn put_i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Appends a number of 32 bits.
    #[inline]
    pub fn put_i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Appends a text with its terminator. A zero byte within ends it.
    pub fn put_text(&mut self, text: &str) {
        let whole = match text.as_bytes().contains(&0) {
            false => text,
            true => text.split('\0').next().unwrap_or_default(),
        };
        self.bytes.extend_from_slice(whole.as_bytes());
        self.bytes.push(0);
    }

    /// A whole message without contents.
    pub fn empty(&mut self, tag: u8) {
        self.begin(tag);
        self.end();
    }

    /// A whole message that was written before.
    #[inline]
    pub fn message(&mut self, message: &[u8]) {
        self.bytes.truncate(self.complete);
        self.bytes.extend_from_slice(message);
        self.complete = self.bytes.len();
    }

    /// A single byte that is no message: the answer to a request for encryption.
    pub fn raw(&mut self, byte: u8) {
        self.bytes.truncate(self.complete);
        self.bytes.push(byte);
        self.complete = self.bytes.len();
    }

    /// CommandComplete.
    pub fn command_complete(&mut self, tag: &str) {
        self.begin(b'C');
        self.put_text(tag);
        self.end();
    }

    /// ParameterStatus.
    pub fn parameter_status(&mut self, name: &str, value: &str) {
        self.begin(b'S');
        self.put_text(name);
        self.put_text(value);
        self.end();
    }

    /// ErrorResponse or NoticeResponse with all fields that are there.
    pub fn report(&mut self, severity: Severity, error: &ErrorFields) {
        self.begin(match severity {
            Severity::Fatal | Severity::Error => b'E',
            Severity::Warning | Severity::Notice => b'N',
        });
        self.field(b'S', severity.name());
        self.field(b'V', severity.name());
        self.field(b'C', error.code.code());
        self.field(b'M', &error.message);
        let optional = [
            (b'D', &error.detail),
            (b'H', &error.hint),
            (b'W', &error.context),
            (b's', &error.schema),
            (b't', &error.table),
            (b'c', &error.column),
            (b'd', &error.data_type),
            (b'n', &error.constraint),
        ];
        for (tag, text) in optional {
            if let Some(text) = text {
                self.field(tag, text);
            }
        }
        if let Some(position) = error.position {
            self.field(b'P', &alloc::format!("{position}"));
        }
        self.bytes.push(0);
        self.end();
    }

    fn field(&mut self, tag: u8, text: &str) {
        self.bytes.push(tag);
        self.put_text(text);
    }

    /// A notice or warning of one line.
    pub fn notice(&mut self, severity: Severity, code: SqlState, message: &str) {
        let error = pg_types::SqlError::new(code, message);
        self.report(severity, error.fields());
    }

    /// Sends what is complete when it has become much.
    #[inline]
    pub fn flush_if_full(&mut self) {
        if self.complete >= FULL {
            self.flush();
        }
    }

    /// Sends what is complete. Blocks while the client does not read.
    pub fn flush(&mut self) {
        let Some(stream) = &self.stream else {
            return;
        };
        if self.complete == 0 {
            return;
        }
        let bytes = self.bytes.get(..self.complete).unwrap_or_default();
        if !self.broken && stream.write_all(bytes).is_err() {
            self.broken = true;
        }
        self.sent += 1;
        self.bytes.drain(..self.complete);
        self.complete = 0;
    }

    /// Whether the client is gone.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Where the complete messages end, and how often was sent: a place to
    /// [`Out::rewind`] to.
    #[must_use]
    pub fn mark(&self) -> (usize, u64) {
        (self.complete, self.sent)
    }

    /// Forgets what was written since the mark. False when some of it was sent.
    pub fn rewind(&mut self, mark: (usize, u64)) -> bool {
        let whole = mark.1 == self.sent && mark.0 <= self.complete;
        if whole {
            self.complete = mark.0;
        }
        self.bytes.truncate(self.complete);
        whole
    }

    /// Takes what is complete: for tests without a connection.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        let rest = self.bytes.split_off(self.complete);
        self.complete = 0;
        core::mem::replace(&mut self.bytes, rest)
    }
}
