//! Messages of more than a line: what a statement needs and gives.

use alloc::vec::Vec;
use pg_plan::OutputColumn;
use pg_types::{Oid, oid, type_info};
use pg_wire_port::{Out, Ready, Session};

/// Text, in the protocol's numbers.
pub const TEXT: i16 = 0;
/// Binary.
pub const BINARY: i16 = 1;

/// The format of column `at`: one number is for all, none is text.
#[inline]
pub fn format_of(formats: &[i16], at: usize) -> i16 {
    match formats {
        [] => TEXT,
        [all] => *all,
        each => each.get(at).copied().unwrap_or(TEXT),
    }
}

/// The type as clients know it: unknown literals are texts.
fn shown_type(type_oid: Oid) -> Oid {
    match type_oid {
        oid::INVALID | oid::UNKNOWN => oid::TEXT,
        other => other,
    }
}

/// RowDescription.
pub fn row_description(out: &mut Out, columns: &[OutputColumn], formats: &[i16]) {
    out.begin(b'T');
    out.put_i16(i16::try_from(columns.len()).unwrap_or(i16::MAX));
    for (at, column) in columns.iter().enumerate() {
        let type_oid = shown_type(column.type_oid);
        out.put_text(&column.name);
        out.put_i32(column.table.cast_signed());
        out.put_i16(column.attribute);
        out.put_i32(type_oid.cast_signed());
        out.put_i16(type_info(type_oid).map_or(-1, |t| t.len));
        out.put_i32(column.typmod);
        out.put_i16(format_of(formats, at));
    }
    out.end();
}

/// The same, all columns as texts, to be sent again and again.
pub fn text_description(columns: &[OutputColumn]) -> Vec<u8> {
    let mut out = Out::new(None);
    row_description(&mut out, columns, &[]);
    out.take()
}

/// RowDescription of a planned query.
pub fn describe(out: &mut Out, ready: &Ready, columns: &[OutputColumn], formats: &[i16]) {
    match formats {
        [] | [TEXT] if !ready.description.is_empty() => out.message(&ready.description),
        _ => row_description(out, columns, formats),
    }
}

/// ParameterDescription.
pub fn parameter_description(out: &mut Out, types: &[Oid]) {
    out.begin(b't');
    out.put_i16(i16::try_from(types.len()).unwrap_or(i16::MAX));
    for type_oid in types {
        out.put_i32(shown_type(*type_oid).cast_signed());
    }
    out.end();
}

/// RowDescription, or NoData when there are no columns.
pub fn description(out: &mut Out, columns: Option<&[OutputColumn]>, formats: &[i16]) {
    match columns {
        Some(columns) => row_description(out, columns, formats),
        None => out.empty(b'n'),
    }
}

/// CommandComplete of a verb and a number, without a string in between.
pub fn complete(out: &mut Out, verb: &str, rows: u64) {
    out.begin(b'C');
    out.bytes().extend_from_slice(verb.as_bytes());
    put_number(out.bytes(), rows);
    out.bytes().push(0);
    out.end();
}

/// Appends a number in decimal digits.
#[inline]
pub fn put_number(bytes: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    bytes.extend_from_slice(&digits[at..]);
}

/// CopyInResponse (`G`) or CopyOutResponse (`H`).
pub fn copy_response(session: &mut Session, tag: u8, columns: usize, binary: bool) {
    let format = i16::from(binary);
    let out = &mut session.out;
    out.begin(tag);
    out.bytes().push(u8::from(binary));
    out.put_i16(i16::try_from(columns).unwrap_or(i16::MAX));
    for _ in 0..columns {
        out.put_i16(format);
    }
    out.end();
}

/// A column of text that a utility statement returns.
pub fn text_column(name: &str) -> OutputColumn {
    OutputColumn {
        name: name.into(),
        type_oid: oid::TEXT,
        typmod: -1,
        table: 0,
        attribute: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_full() {
        for value in [0, 7, 10, 1234, u64::MAX] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, value);
            assert_eq!(bytes, value.to_string().as_bytes());
        }
    }

    #[test]
    fn one_format_is_for_all_columns() {
        assert_eq!(format_of(&[], 3), TEXT);
        assert_eq!(format_of(&[1], 3), BINARY);
        assert_eq!(format_of(&[0, 1], 1), BINARY);
        assert_eq!(format_of(&[0, 1], 2), TEXT);
    }
}
