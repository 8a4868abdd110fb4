//! COPY's CSV format: values in quotes where need be, a quoted one may hold line
//! ends.

use super::{Fields, Format, damaged};
use alloc::vec::Vec;
use pg_types::SqlResult;

/// The end of the record that starts at `from`: the place behind its last byte
/// and where the next one begins. `None` when it is not complete.
pub fn line_end(bytes: &[u8], from: usize, format: &Format) -> Option<(usize, usize)> {
    let (mut at, mut quoted) = (from, false);
    while let Some(&byte) = bytes.get(at) {
        if quoted && byte == format.escape && format.escape != format.quote {
            at += 1;
        } else if byte == format.quote {
            quoted = !quoted;
        } else if byte == b'\n' && !quoted {
            return Some((
                at - usize::from(at > from && bytes[at - 1] == b'\r'),
                at + 1,
            ));
        }
        at += 1;
    }
    None
}

/// Takes a record apart. `never_null` and `always_null` name the columns of
/// FORCE_NOT_NULL and FORCE_NULL.
///
/// # Errors
/// 22P04 when a quote is not closed.
pub fn split(
    line: &[u8],
    format: &Format,
    never_null: &[bool],
    always_null: &[bool],
    fields: &mut Fields,
) -> SqlResult<()> {
    fields.clear();
    let mut at = 0;
    let mut value = Vec::new();
    loop {
        let column = fields.len();
        let flag = |flags: &[bool]| flags.get(column).copied().unwrap_or(false);
        value.clear();
        let quoted = read(line, &mut at, format, &mut value)?;
        let matches = value == format.null.as_bytes();
        let null = matches
            && if quoted {
                flag(always_null)
            } else {
                !flag(never_null)
            };
        if !null {
            value.iter().for_each(|b| fields.byte(*b));
        }
        fields.end(null);
        if at >= line.len() {
            return Ok(());
        }
        at += 1; // The delimiter.
        if at == line.len() {
            // An empty last value.
            let null =
                format.null.is_empty() && !never_null.get(fields.len()).copied().unwrap_or(false);
            fields.end(null);
            return Ok(());
        }
    }
}

/// Reads one value up to the delimiter or the end; tells whether any of it was
/// quoted.
fn read(line: &[u8], at: &mut usize, format: &Format, value: &mut Vec<u8>) -> SqlResult<bool> {
    let (mut quoted, mut inside) = (false, false);
    while let Some(&byte) = line.get(*at) {
        if inside {
            let next = line.get(*at + 1).copied();
            if byte == format.escape
                && next.is_some_and(|n| n == format.quote || n == format.escape)
            {
                value.extend(next);
                *at += 2;
                continue;
            }
            if byte == format.quote {
                inside = false;
            } else {
                value.push(byte);
            }
        } else if byte == format.quote {
            (quoted, inside) = (true, true);
        } else if byte == format.delimiter {
            return Ok(quoted);
        } else {
            value.push(byte);
        }
        *at += 1;
    }
    if inside {
        Err(damaged("unterminated CSV quoted field"))
    } else {
        Ok(quoted)
    }
}

/// Appends a value, quoted if need be.
pub fn write(out: &mut Vec<u8>, value: Option<&str>, force: bool, only: bool, format: &Format) {
    let Some(value) = value else {
        out.extend_from_slice(format.null.as_bytes());
        return;
    };
    let special =
        |b: &u8| *b == format.delimiter || *b == format.quote || matches!(b, b'\n' | b'\r');
    let needs = force
        || value == format.null
        || (only && value == "\\.")
        || value.bytes().any(|b| special(&b));
    if !needs {
        out.extend_from_slice(value.as_bytes());
        return;
    }
    out.push(format.quote);
    for byte in value.bytes() {
        if byte == format.quote || byte == format.escape {
            out.push(format.escape);
        }
        out.push(byte);
    }
    out.push(format.quote);
}
