//! COPY's text format: one line a row, backslash escapes.

use super::{Fields, Format};
use alloc::vec::Vec;

/// The end of the line that starts at `from`: the place behind its last byte and
/// where the next one begins. `None` when the line is not complete.
pub fn line_end(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            // An escaped line end belongs to the value.
            b'\\' => at += 1,
            b'\n' => {
                return Some((
                    at - usize::from(at > from && bytes[at - 1] == b'\r'),
                    at + 1,
                ));
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Takes a line apart.
pub fn split(line: &[u8], format: &Format, fields: &mut Fields) {
    fields.clear();
    let mut rest = line;
    loop {
        let end = field_end(rest, format.delimiter);
        let raw = &rest[..end];
        // NULL is compared before escapes are undone.
        if raw == format.null.as_bytes() {
            fields.end(true);
        } else {
            unescape(raw, fields);
            fields.end(false);
        }
        match rest.get(end + 1..) {
            Some(next) => rest = next,
            None => return,
        }
    }
}

fn field_end(bytes: &[u8], delimiter: u8) -> usize {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b if b == delimiter => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn unescape(raw: &[u8], fields: &mut Fields) {
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        at += 1;
        if byte != b'\\' {
            fields.byte(byte);
            continue;
        }
        let Some(&escaped) = raw.get(at) else {
            fields.byte(b'\\');
            return;
        };
        at += 1;
        match escaped {
            b'b' => fields.byte(8),
            b'f' => fields.byte(12),
            b'n' => fields.byte(b'\n'),
            b'r' => fields.byte(b'\r'),
            b't' => fields.byte(b'\t'),
            b'v' => fields.byte(11),
            b'0'..=b'7' => {
                let (value, used) = number(&raw[at - 1..], 3, 8);
                fields.byte(value);
                at += used - 1;
            }
            b'x' if raw.get(at).is_some_and(u8::is_ascii_hexdigit) => {
                let (value, used) = number(&raw[at..], 2, 16);
                fields.byte(value);
                at += used;
            }
            other => fields.byte(other),
        }
    }
}

/// A number of at most `most` digits, and how many there were.
fn number(bytes: &[u8], most: usize, base: u32) -> (u8, usize) {
    let digits = bytes
        .iter()
        .take(most)
        .map_while(|b| (*b as char).to_digit(base));
    let (mut value, mut used) = (0u32, 0);
    for digit in digits {
        value = value * base + digit;
        used += 1;
    }
    (value as u8, used)
}

/// Appends a value, escaped.
pub fn write(out: &mut Vec<u8>, value: Option<&str>, format: &Format) {
    let Some(value) = value else {
        out.extend_from_slice(format.null.as_bytes());
        return;
    };
    for &byte in value.as_bytes() {
        let escaped = match byte {
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            11 => b'v',
            b'\\' => b'\\',
            b if b == format.delimiter => b,
            b => {
                out.push(b);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', escaped]);
    }
}
