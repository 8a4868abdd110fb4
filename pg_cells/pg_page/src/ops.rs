//! Page operations: the only ways a page changes, and the body of a log record.
//!
//! ```text
//!  operation: kind u8 | tag u8 | a u16 | b u16 | [c u16] | bytes
//!    write  1: a offset, b length, then the bytes
//!    move   2: a from, b length, c to
//!    fill   3: a offset, b length, c byte
//!    init   4: a kind, b size of the special space
//! ```
//! The tag is the caller's: the page's number in the log record.

use crate::{PAGE_SIZE, Page, get_u16, header};
use alloc::vec::Vec;

/// One change of one page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op<'a> {
    /// Bytes at an offset.
    Write {
        /// Where.
        offset: u16,
        /// What.
        bytes: &'a [u8],
    },
    /// Copies bytes within the page; the ranges may overlap.
    Move {
        /// From where.
        from: u16,
        /// To where.
        to: u16,
        /// How many.
        len: u16,
    },
    /// One byte over a range.
    Fill {
        /// Where.
        offset: u16,
        /// How many.
        len: u16,
        /// Which.
        byte: u8,
    },
    /// Sets the page up anew, see [`header::init`].
    Init {
        /// The page's kind.
        kind: u8,
        /// Bytes of special space.
        special_size: u16,
    },
}

/// Why an operation could not be decoded or applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpError {
    /// The bytes end within an operation.
    Truncated,
    /// There is no such kind of operation.
    UnknownKind(u8),
    /// It reaches outside the page.
    OutOfBounds,
}

const WRITE: u8 = 1;
const MOVE: u8 = 2;
const FILL: u8 = 3;
const INIT: u8 = 4;

fn put(out: &mut Vec<u8>, kind: u8, tag: u8, a: u16, b: u16) {
    let ([a0, a1], [b0, b1]) = (a.to_le_bytes(), b.to_le_bytes());
    out.extend_from_slice(&[kind, tag, a0, a1, b0, b1]);
}

impl<'a> Op<'a> {
    /// Appends the operation to `out`.
    pub fn encode(&self, tag: u8, out: &mut Vec<u8>) {
        match *self {
            Op::Write { offset, bytes } => {
                debug_assert!(bytes.len() <= PAGE_SIZE);
                put(out, WRITE, tag, offset, bytes.len() as u16);
                out.extend_from_slice(bytes);
            }
            Op::Move { from, to, len } => {
                put(out, MOVE, tag, from, len);
                out.extend_from_slice(&to.to_le_bytes());
            }
            Op::Fill { offset, len, byte } => {
                put(out, FILL, tag, offset, len);
                out.extend_from_slice(&u16::from(byte).to_le_bytes());
            }
            Op::Init { kind, special_size } => put(out, INIT, tag, u16::from(kind), special_size),
        }
    }

    /// Takes one operation off the front of `bytes`: its tag, itself, the rest.
    ///
    /// # Errors
    /// When the bytes are no operation.
    pub fn decode(bytes: &'a [u8]) -> Result<(u8, Op<'a>, &'a [u8]), OpError> {
        let (head, rest) = bytes.split_at_checked(6).ok_or(OpError::Truncated)?;
        let (a, b) = (get_u16(head, 2), get_u16(head, 4));
        let third = || {
            let (c, rest) = rest.split_at_checked(2).ok_or(OpError::Truncated)?;
            Ok((get_u16(c, 0), rest))
        };
        let (op, rest) = match head[0] {
            WRITE => {
                let (bytes, rest) = rest
                    .split_at_checked(usize::from(b))
                    .ok_or(OpError::Truncated)?;
                (Op::Write { offset: a, bytes }, rest)
            }
            MOVE => {
                let (to, rest) = third()?;
                let (from, len) = (a, b);
                (Op::Move { from, to, len }, rest)
            }
            FILL => {
                let (byte, rest) = third()?;
                let (offset, len, byte) = (a, b, byte as u8);
                (Op::Fill { offset, len, byte }, rest)
            }
            INIT => {
                let (kind, special_size) = (a as u8, b);
                (Op::Init { kind, special_size }, rest)
            }
            kind => return Err(OpError::UnknownKind(kind)),
        };
        Ok((head[1], op, rest))
    }

    /// The range of the page that the operation changes, if it lies on the page
    /// (for a move, if both of its ranges do).
    #[inline]
    #[must_use]
    pub fn target(&self) -> Option<core::ops::Range<usize>> {
        let range = |start: u16, len: usize| {
            let start = usize::from(start);
            (start + len <= PAGE_SIZE).then(|| start..start + len)
        };
        match *self {
            Op::Write { offset, bytes } => range(offset, bytes.len()),
            Op::Move { from, to, len } => {
                range(from, usize::from(len)).and_then(|_| range(to, usize::from(len)))
            }
            Op::Fill { offset, len, .. } => range(offset, usize::from(len)),
            Op::Init { .. } => Some(0..PAGE_SIZE),
        }
    }

    /// Changes the page.
    ///
    /// # Errors
    /// [`OpError::OutOfBounds`]; the page is unchanged then.
    #[inline]
    pub fn apply(&self, page: &mut Page) -> Result<(), OpError> {
        let target = self.target().ok_or(OpError::OutOfBounds)?;
        match *self {
            Op::Write { bytes, .. } => page[target].copy_from_slice(bytes),
            Op::Move { from, len, .. } => {
                let from = usize::from(from);
                page.copy_within(from..from + usize::from(len), target.start);
            }
            Op::Fill { byte, .. } => page[target].fill(byte),
            Op::Init { kind, special_size } => header::init(page, kind, special_size),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Op<'static>; 5] = [
        Op::Init {
            kind: 2,
            special_size: 8,
        },
        Op::Write {
            offset: 8000,
            bytes: b"abcdef",
        },
        Op::Write {
            offset: 24,
            bytes: b"",
        },
        Op::Move {
            from: 8000,
            to: 8002,
            len: 6,
        },
        Op::Fill {
            offset: 100,
            len: 50,
            byte: 9,
        },
    ];

    #[test]
    fn decoding_gives_what_was_encoded_and_every_cut_is_an_error() {
        let mut bytes = Vec::new();
        for (tag, op) in (5..).zip(&ALL) {
            op.encode(tag, &mut bytes);
        }
        let mut rest = &bytes[..];
        for (tag, op) in (5..).zip(&ALL) {
            let (t, o, r) = Op::decode(rest).unwrap();
            assert_eq!((t, &o), (tag, op));
            for cut in 0..rest.len() - r.len() {
                assert_eq!(Op::decode(&rest[..cut]), Err(OpError::Truncated));
            }
            rest = r;
        }
        assert!(rest.is_empty());
        assert_eq!(Op::decode(&[9; 8]), Err(OpError::UnknownKind(9)));
    }

    #[test]
    fn operations_change_what_they_say_and_nothing_outside_the_page() {
        let mut page = [0; PAGE_SIZE];
        for op in ALL {
            op.apply(&mut page).unwrap();
        }
        assert_eq!(&page[8000..8009], b"ababcdef\0");
        assert_eq!((page[99], page[100], page[149], page[150]), (0, 9, 9, 0));
        let before = page;
        let outside = [
            Op::Write {
                offset: 8190,
                bytes: b"abc",
            },
            Op::Move {
                from: 8000,
                to: 0,
                len: 193,
            },
            Op::Fill {
                offset: u16::MAX,
                len: u16::MAX,
                byte: 1,
            },
        ];
        for op in outside {
            assert_eq!(op.apply(&mut page), Err(OpError::OutOfBounds));
        }
        assert!(page == before);
    }
}
