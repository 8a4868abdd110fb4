//! COPY's text format: one line a row, backslash escapes.

use super::{Fields, Format};
use alloc::vec::Vec;

/// Takes the line that starts at `from` apart: gives the place behind its last
/// byte and where the next one begins. `None` when the line is not complete; at
/// the end of all data what is there is a line.
pub fn scan(
    data: &[u8],
    from: usize,
    at_end: bool,
    format: &Format,
    fields: &mut Fields,
) -> Option<(usize, usize)> {
    fields.clear();
    let (mut at, mut begun, mut escaped) = (from, from, false);
    let delimiter = format.delimiter;
    while let Some(&byte) = data.get(at) {
        if byte == delimiter {
            field(data, begun, at, escaped, format, fields);
            (begun, escaped) = (at + 1, false);
        } else if byte == b'\n' {
            // A return before it belongs to the line end.
            let end = at - usize::from(at > from && data[at - 1] == b'\r');
            field(data, begun, end.max(begun), escaped, format, fields);
            return Some((end, at + 1));
        } else if byte == b'\\' {
            // An escaped line end or delimiter belongs to the value.
            escaped = true;
            at += 1;
        }
        at += 1;
    }
    let len = data.len();
    if !at_end || from >= len {
        return None;
    }
    field(data, begun, len, escaped, format, fields);
    Some((len, len))
}

/// Adds the value that stands between two places.
fn field(data: &[u8], from: usize, to: usize, escaped: bool, format: &Format, fields: &mut Fields) {
    let raw = data.get(from..to).unwrap_or_default();
    // NULL is compared before escapes are undone.
    if raw == format.null.as_bytes() {
        fields.end(true);
    } else if escaped {
        unescape(raw, fields);
        fields.end(false);
    } else {
        fields.found(from, to);
    }
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
