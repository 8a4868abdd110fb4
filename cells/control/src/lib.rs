//! The control line: how the host's command line talks to a running system
//! over the second serial port.
//!
//! ```text
//! host -> system   MITOS1 SHELL <id> <len>\n<len bytes: one shell command>
//! host -> system   MITOS1 PUSH <id> <len>\n<len bytes: a cell archive>
//! system -> host   OK <id> <len>\n<len bytes: the answer>
//! system -> host   ERR <id> <len>\n<len bytes: what went wrong>
//! ```
//!
//! Numbers are decimal. The id is chosen by the asker and repeated in the
//! answer, so that an answer nobody waited for is not taken for another's.
//! A line that is no header is skipped: noise on the line does no harm. An
//! asker that dies within a body would leave the reader waiting for the rest;
//! whoever owns the line calls [`Reader::reset`] when nothing arrived for
//! [`STALE_MILLISECONDS`].
//!
//! A serial port is slow: 50 KiB/s under QEMU with its FIFO on, 20 without. A
//! system that maps the *mailbox* (a file of the host, seen as the memory of a
//! PCI device) answers the shell command [`MAILBOX_WORD`] with success; pushes
//! then leave the archive there and send only its length, see [`PushBody`].
//!
//! Both directions use one [`Reader`], over [`Request`] or [`Reply`]. What the
//! commands mean does not belong here.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::marker::PhantomData;

/// The greatest body that is accepted.
pub const MAX_BODY: usize = 64 << 20;
/// Longest header line; longer ones are noise.
const MAX_HEADER: usize = 64;
/// Half a frame that did not grow for this long is dropped.
pub const STALE_MILLISECONDS: u64 = 2_000;

/// The shell command that succeeds when the system reads the mailbox.
pub const MAILBOX_WORD: &str = "mailbox";
/// PCI vendor and device of the mailbox (QEMU's `ivshmem-plain`); the memory is
/// base address register 2.
pub const MAILBOX_PCI: (u16, u16) = (0x1af4, 0x1110);
/// Size of the mailbox in bytes.
pub const MAILBOX_LEN: usize = 32 << 20;
/// Start of a push's body that points to the mailbox.
const MAILBOX_NOTE: &[u8] = b"MAILBOX ";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Run one shell command (UTF-8).
    Shell,
    /// Swap in the cells of an archive.
    Push,
}

/// What the body of a push is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushBody<'a> {
    /// The archive itself.
    Inline(&'a [u8]),
    /// The archive is so many bytes at the start of the mailbox.
    Mailbox(usize),
}

impl<'a> PushBody<'a> {
    /// Reads a push's body; `None` when it names more than the mailbox holds.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let Some(len) = body.strip_prefix(MAILBOX_NOTE) else {
            return Some(Self::Inline(body));
        };
        let len = core::str::from_utf8(len).ok()?.parse().ok()?;
        (len <= MAILBOX_LEN).then_some(Self::Mailbox(len))
    }

    /// The bytes of the body.
    pub fn encode(self) -> Vec<u8> {
        match self {
            Self::Inline(archive) => archive.to_vec(),
            Self::Mailbox(len) => {
                let mut text = String::new();
                // Writing to a string cannot fail.
                let _ = write!(text, "{len}");
                [MAILBOX_NOTE, text.as_bytes()].concat()
            }
        }
    }
}

/// A kind of frame: how its header line reads.
pub trait Frame: Sized {
    /// Reads a header line (without its newline); gives the frame without its
    /// body and the length of the body.
    fn parse_header(line: &str) -> Option<(Self, usize)>;
    /// Adds the body.
    fn with_body(self, body: Vec<u8>) -> Self;
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub verb: Verb,
    /// To be repeated in the reply.
    pub id: u32,
    /// A command, or a cell archive.
    pub body: Vec<u8>,
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// False when the request failed.
    pub ok: bool,
    /// The request's.
    pub id: u32,
    /// The answer, or what went wrong (UTF-8).
    pub body: Vec<u8>,
}

impl Request {
    /// The bytes to send.
    pub fn encode(&self) -> Vec<u8> {
        let verb = match self.verb {
            Verb::Shell => "MITOS1 SHELL",
            Verb::Push => "MITOS1 PUSH",
        };
        encode(verb, self.id, &self.body)
    }
}

impl Reply {
    /// The bytes to send.
    pub fn encode(&self) -> Vec<u8> {
        encode(if self.ok { "OK" } else { "ERR" }, self.id, &self.body)
    }
}

fn encode(word: &str, id: u32, body: &[u8]) -> Vec<u8> {
    let mut header = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(header, "{word} {id} {}", body.len());
    let mut bytes = header.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn parse_numbers(mut words: core::str::Split<'_, char>) -> Option<(u32, usize)> {
    let id = words.next()?.parse().ok()?;
    let len: usize = words.next()?.parse().ok()?;
    (words.next().is_none() && len <= MAX_BODY).then_some((id, len))
}

impl Frame for Request {
    fn parse_header(line: &str) -> Option<(Self, usize)> {
        // Noise before the magic word on the same line is skipped as well.
        let start = line.rfind("MITOS1 ")?;
        let mut words = line[start..].split(' ');
        words.next();
        let verb = match words.next()? {
            "SHELL" => Verb::Shell,
            "PUSH" => Verb::Push,
            _ => return None,
        };
        let (id, len) = parse_numbers(words)?;
        Some((
            Self {
                verb,
                id,
                body: Vec::new(),
            },
            len,
        ))
    }

    fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }
}

impl Frame for Reply {
    fn parse_header(line: &str) -> Option<(Self, usize)> {
        let mut words = line.split(' ');
        let ok = match words.next()? {
            "OK" => true,
            "ERR" => false,
            _ => return None,
        };
        let (id, len) = parse_numbers(words)?;
        Some((
            Self {
                ok,
                id,
                body: Vec::new(),
            },
            len,
        ))
    }

    fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }
}

/// Puts frames together from bytes as they arrive.
pub struct Reader<F> {
    /// The header line so far.
    line: Vec<u8>,
    /// A frame whose body is being read, and its length.
    pending: Option<(F, usize)>,
    body: Vec<u8>,
    kind: PhantomData<F>,
}

impl<F: Frame> Default for Reader<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Frame> Reader<F> {
    /// A reader at the start of a line.
    pub const fn new() -> Self {
        Self {
            line: Vec::new(),
            pending: None,
            body: Vec::new(),
            kind: PhantomData,
        }
    }

    /// Takes bytes up to the end of a frame. Gives how many were taken, and
    /// the frame if it is complete: call again with the rest.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Option<F>) {
        let mut taken = 0;
        while let Some((first, _)) = bytes.get(taken..).and_then(<[u8]>::split_first) {
            if let Some((_, len)) = &self.pending {
                let wanted = len - self.body.len();
                let available = wanted.min(bytes.len() - taken);
                self.body
                    .extend_from_slice(&bytes[taken..taken + available]);
                taken += available;
            } else {
                taken += 1;
                self.take_header_byte(*first);
            }
            if let Some(frame) = self.complete() {
                return (taken, Some(frame));
            }
        }
        (taken, None)
    }

    /// True within a frame: more bytes are expected soon.
    pub fn is_midway(&self) -> bool {
        self.pending.is_some() || !self.line.is_empty()
    }

    /// Forgets half a frame.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    fn take_header_byte(&mut self, byte: u8) {
        if byte != b'\n' {
            if self.line.len() == MAX_HEADER {
                // Too long for a header; keep the end, where one may begin.
                self.line.remove(0);
            }
            self.line.push(byte);
            return;
        }
        let line = core::mem::take(&mut self.line);
        self.pending = core::str::from_utf8(&line).ok().and_then(F::parse_header);
    }

    fn complete(&mut self) -> Option<F> {
        if self.pending.as_ref()?.1 != self.body.len() {
            return None;
        }
        let (frame, _) = self.pending.take()?;
        Some(frame.with_body(core::mem::take(&mut self.body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(verb: Verb, id: u32, body: &[u8]) -> Request {
        Request {
            verb,
            id,
            body: body.to_vec(),
        }
    }

    fn read_all<F: Frame>(reader: &mut Reader<F>, mut bytes: &[u8]) -> Vec<F> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let (taken, frame) = reader.feed(bytes);
            frames.extend(frame);
            bytes = &bytes[taken..];
        }
        frames
    }

    #[test]
    fn frames_survive_any_cutting() {
        let frames = [
            request(Verb::Shell, 1, b"cells"),
            request(Verb::Push, 2, b""),
            request(Verb::Push, 3, &[b'\n'; 40]),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(Request::encode).collect();
        for size in 1..bytes.len() {
            let mut reader = Reader::new();
            let read: Vec<Request> = bytes
                .chunks(size)
                .flat_map(|chunk| read_all(&mut reader, chunk))
                .collect();
            assert_eq!(read, frames, "in chunks of {size}");
            assert!(!reader.is_midway());
        }
    }

    #[test]
    fn noise_is_skipped() {
        let good = request(Verb::Shell, 9, b"mem");
        let mut bytes = b"hello\n\xff\xfe\nMITOS1 SHELL x 3\nMITOS1 JUMP 1 3\n".to_vec();
        bytes.extend(core::iter::repeat_n(b'z', 500));
        bytes.push(b'\n');
        bytes.extend(good.encode());
        assert_eq!(read_all(&mut Reader::<Request>::new(), &bytes), [good]);
    }

    #[test]
    fn a_body_too_long_is_refused() {
        let line = alloc::format!("MITOS1 PUSH 1 {}\n", MAX_BODY + 1);
        let mut reader = Reader::<Request>::new();
        assert!(read_all(&mut reader, line.as_bytes()).is_empty());
        assert!(!reader.is_midway());
    }

    #[test]
    fn reset_forgets_half_a_body() {
        let mut reader = Reader::<Request>::new();
        read_all(&mut reader, b"MITOS1 PUSH 1 100\nabc");
        assert!(reader.is_midway());
        reader.reset();
        let next = request(Verb::Shell, 2, b"cells");
        assert_eq!(read_all(&mut reader, &next.encode()), [next]);
    }

    #[test]
    fn a_push_points_to_the_mailbox_or_not() {
        for body in [PushBody::Inline(b"MITOSCEL..."), PushBody::Mailbox(12345)] {
            assert_eq!(PushBody::parse(&body.encode()), Some(body));
        }
        assert_eq!(PushBody::parse(b"MAILBOX 99999999999"), None);
        assert_eq!(PushBody::parse(b"MAILBOX x"), None);
    }

    #[test]
    fn replies_say_whose_they_are() {
        let replies = [
            Reply {
                ok: true,
                id: 4,
                body: b"fine".to_vec(),
            },
            Reply {
                ok: false,
                id: 5,
                body: b"no such cell".to_vec(),
            },
        ];
        let bytes: Vec<u8> = replies.iter().flat_map(Reply::encode).collect();
        assert_eq!(read_all(&mut Reader::<Reply>::new(), &bytes), replies);
    }
}
