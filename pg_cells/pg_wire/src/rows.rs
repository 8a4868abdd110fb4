//! Rows on their way to the client.

use crate::reply::{BINARY, format_of, put_number};
use alloc::string::String;
use alloc::vec::Vec;
use pg_builtins::EvalContext;
use pg_executor_port::RowSink;
use pg_plan::OutputColumn;
use pg_types::typeinfo::is_reg;
use pg_types::{Datum, SqlError};
use pg_wire_port::Out;

/// Writes each row as a DataRow and sends when there is much.
pub struct Rows<'a> {
    /// Where to.
    pub out: &'a mut Out,
    /// What the columns are.
    pub columns: &'a [OutputColumn],
    /// How the client wants them.
    pub formats: &'a [i16],
    /// Texts, while they are written.
    pub scratch: &'a mut String,
}

impl RowSink for Rows<'_> {
    fn row(&mut self, row: &[Datum], session: &dyn EvalContext) -> Result<(), SqlError> {
        self.out.begin(b'D');
        self.out.put_i16(row.len().min(self.columns.len()) as i16);
        for (at, (value, column)) in row.iter().zip(self.columns).enumerate() {
            if value.is_null() {
                self.out.put_i32(-1);
                continue;
            }
            let bytes = self.out.bytes();
            let start = bytes.len();
            bytes.extend_from_slice(&[0; 4]);
            if format_of(self.formats, at) == BINARY {
                pg_types::wire::send(bytes, value, column.type_oid)?;
            } else {
                text(bytes, value, column, session, self.scratch)?;
            }
            let length = (bytes.len() - start - 4) as u32;
            if let Some(place) = bytes.get_mut(start..start + 4) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
        self.out.end();
        self.out.flush_if_full();
        Ok(())
    }
}

/// Appends a value's text form.
#[inline]
fn text(
    bytes: &mut Vec<u8>,
    value: &Datum,
    column: &OutputColumn,
    eval: &dyn EvalContext,
    scratch: &mut String,
) -> Result<(), SqlError> {
    match value {
        Datum::Int2(v) => put_signed(bytes, i64::from(*v)),
        Datum::Int4(v) => put_signed(bytes, i64::from(*v)),
        Datum::Int8(v) => put_signed(bytes, *v),
        Datum::Text(s) => bytes.extend_from_slice(s.as_bytes()),
        Datum::Bool(v) => bytes.push(if *v { b't' } else { b'f' }),
        Datum::Oid(_) if is_reg(column.type_oid) => {
            let name = pg_builtins::output_text(value, column.type_oid, eval)?;
            bytes.extend_from_slice(name.unwrap_or_default().as_bytes());
        }
        _ => {
            scratch.clear();
            pg_types::output(scratch, value, column.type_oid, eval.format());
            bytes.extend_from_slice(scratch.as_bytes());
        }
    }
    Ok(())
}

#[inline]
fn put_signed(bytes: &mut Vec<u8>, value: i64) {
    if value < 0 {
        bytes.push(b'-');
    }
    put_number(bytes, value.unsigned_abs());
}
