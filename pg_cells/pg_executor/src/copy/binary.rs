//! COPY's binary format (PostgreSQL's manual, "COPY", Binary Format):
//!
//! ```text
//! "PGCOPY\n\xff\r\n\0"  flags i32  length of extension i32, extension
//! per row: number of fields i16; per field: length i32 (-1 is NULL), value
//! -1 i16
//! ```
//! All numbers are big endian; values are in their types' binary forms.

use super::damaged;
use alloc::vec::Vec;
use pg_types::{Datum, Oid, SqlResult, wire};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the extension.
const HEADER: usize = 19;
/// A flag above this bit that is not known makes the file unreadable.
const CRITICAL_FLAGS: u32 = 0xffff_0000;

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The end of the header (`first`) or row that starts at `from`; `None` when it
/// is not complete.
pub fn record_end(bytes: &[u8], from: usize, first: bool) -> Option<usize> {
    if first {
        let start = bytes.get(from..)?;
        let known = start.len().min(SIGNATURE.len());
        if start[..known] != SIGNATURE[..known] {
            // Not a copy file: reading on would tell nothing more.
            return Some(bytes.len());
        }
        let extension = u32::from_be_bytes(number(bytes, from + HEADER - 4)?) as usize;
        let end = from.checked_add(HEADER)?.checked_add(extension)?;
        return (end <= bytes.len()).then_some(end);
    }
    let count = i16::from_be_bytes(number(bytes, from)?);
    let mut at = from + 2;
    for _ in 0..count {
        let length = i32::from_be_bytes(number(bytes, at)?);
        // A negative length is NULL; senseless ones are found when it is read.
        at = at.checked_add(4 + usize::try_from(length).unwrap_or(0))?;
        if at > bytes.len() {
            return None;
        }
    }
    Some(at)
}

/// Checks the header.
///
/// # Errors
/// 22P04.
pub fn check_header(bytes: &[u8]) -> SqlResult<()> {
    if !bytes.starts_with(SIGNATURE) {
        return Err(damaged("COPY file signature not recognized"));
    }
    let flags = number(bytes, SIGNATURE.len()).map_or(u32::MAX, u32::from_be_bytes);
    if flags & CRITICAL_FLAGS != 0 {
        return Err(damaged("unrecognized critical flags in COPY file header"));
    }
    Ok(())
}

/// Reads a row; false at the end mark. `column` reads one value: its place and
/// its bytes.
///
/// # Errors
/// 22P04; what `column` reports.
pub fn read(
    bytes: &[u8],
    columns: usize,
    row: &mut Vec<Datum>,
    mut column: impl FnMut(usize, &[u8]) -> SqlResult<Datum>,
) -> SqlResult<bool> {
    let end = || damaged("unexpected EOF in COPY data");
    let count = i16::from_be_bytes(number(bytes, 0).ok_or_else(end)?);
    if count == -1 {
        return Ok(false);
    }
    if usize::try_from(count) != Ok(columns) {
        return Err(damaged(alloc::format!(
            "row field count is {count}, expected {columns}"
        )));
    }
    row.clear();
    let mut at = 2;
    for place in 0..columns {
        let length = i32::from_be_bytes(number(bytes, at).ok_or_else(end)?);
        at += 4;
        row.push(match length {
            -1 => Datum::Null,
            _ => {
                let length = usize::try_from(length).map_err(|_| damaged("invalid field size"))?;
                let value = bytes.get(at..at + length).ok_or_else(end)?;
                at += length;
                column(place, value)?
            }
        });
    }
    Ok(true)
}

/// Appends the header.
pub fn write_header(out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&[0; 8]);
}

/// Appends a row.
///
/// # Errors
/// As the types' binary forms.
pub fn write(out: &mut Vec<u8>, row: &[Datum], types: &[Oid]) -> SqlResult<()> {
    out.extend_from_slice(&(row.len() as i16).to_be_bytes());
    for (place, value) in row.iter().enumerate() {
        if value.is_null() {
            out.extend_from_slice(&(-1i32).to_be_bytes());
            continue;
        }
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        let type_oid = types.get(place).copied();
        wire::send(out, value, type_oid.unwrap_or_else(|| value.natural_type()))?;
        let length = (out.len() - at - 4) as i32;
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Appends the end mark.
pub fn write_end(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1i16).to_be_bytes());
}
