//! Text output of datums, as the simple query protocol and casts to text need it.

use crate::datetime::{
    format_date, format_interval, format_time, format_timestamp, format_timestamptz,
};
use crate::datum::{ArrayValue, Datum, RecordValue};
use crate::float::{format_f32, format_f64};
use crate::oid::{self, Oid};
use crate::settings::{ByteaOutput, FormatSettings};
use alloc::string::String;
use core::fmt::Write;

/// Appends the text form of a datum of this type. NULL appends nothing: the caller must tell it apart.
///
/// Object id aliases print as numbers here; names need the catalog and are made by `pg_builtins`.
pub fn output(out: &mut String, datum: &Datum, type_oid: Oid, settings: &FormatSettings) {
    // Writing to a String cannot fail, so the results of `write!` are dropped.
    let _ = match datum {
        Datum::Null => Ok(()),
        Datum::Bool(v) => out.write_str(if *v { "t" } else { "f" }),
        Datum::Int2(v) => write!(out, "{v}"),
        Datum::Int4(v) => write!(out, "{v}"),
        Datum::Int8(v) => write!(out, "{v}"),
        Datum::Oid(0) if crate::typeinfo::is_reg(type_oid) => out.write_str("-"),
        Datum::Oid(v) => write!(out, "{v}"),
        Datum::Xid8(v) if type_oid == oid::PG_LSN => {
            write!(out, "{:X}/{:X}", v >> 32, v & 0xffff_ffff)
        }
        Datum::Xid8(v) => write!(out, "{v}"),
        Datum::Tid(block, item) => write!(out, "({block},{item})"),
        Datum::Text(s) => out.write_str(s.as_str()),
        Datum::Numeric(n) => write!(out, "{n}"),
        Datum::Char(c) => {
            put_char(out, *c);
            Ok(())
        }
        Datum::Float4(v) => {
            format_f32(out, *v, settings.extra_float_digits);
            Ok(())
        }
        Datum::Float8(v) => {
            format_f64(out, *v, settings.extra_float_digits);
            Ok(())
        }
        Datum::Bytea(b) => {
            put_bytea(out, b, settings.bytea_output);
            Ok(())
        }
        Datum::Date(v) => {
            format_date(out, *v, settings);
            Ok(())
        }
        Datum::Time(v) => {
            format_time(out, *v);
            Ok(())
        }
        Datum::Timestamp(v) => {
            format_timestamp(out, *v, settings);
            Ok(())
        }
        Datum::TimestampTz(v) => {
            format_timestamptz(out, *v, settings);
            Ok(())
        }
        Datum::Interval(i) => {
            format_interval(out, i, settings.interval_style);
            Ok(())
        }
        Datum::Uuid(u) => put_uuid(out, u),
        Datum::Array(a) if matches!(type_oid, oid::INT2VECTOR | oid::OIDVECTOR) => {
            put_vector(out, a, settings);
            Ok(())
        }
        Datum::Array(a) => {
            put_array(out, a, settings);
            Ok(())
        }
        Datum::Record(r) => {
            put_record(out, r, settings);
            Ok(())
        }
    };
}

/// The text form as a new string; none for NULL.
pub fn to_text(datum: &Datum, type_oid: Oid, settings: &FormatSettings) -> Option<String> {
    if datum.is_null() {
        return None;
    }
    let mut out = String::new();
    output(&mut out, datum, type_oid, settings);
    Some(out)
}

fn put_char(out: &mut String, c: u8) {
    match c {
        0 => {}
        1..0x80 => out.push(char::from(c)),
        _ => {
            let _ = write!(out, "\\{c:03o}");
        }
    }
}

fn put_bytea(out: &mut String, bytes: &[u8], form: ByteaOutput) {
    if form == ByteaOutput::Hex {
        out.push_str("\\x");
        put_hex(out, bytes);
        return;
    }
    for &b in bytes {
        match b {
            b'\\' => out.push_str("\\\\"),
            0x20..0x7f => out.push(char::from(b)),
            _ => {
                let _ = write!(out, "\\{b:03o}");
            }
        }
    }
}

/// Appends bytes as lower-case hexadecimal.
pub fn put_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for b in bytes {
        out.push(char::from(DIGITS[usize::from(b >> 4)]));
        out.push(char::from(DIGITS[usize::from(b & 15)]));
    }
}

fn put_uuid(out: &mut String, u: &[u8; 16]) -> core::fmt::Result {
    for (i, b) in u.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        write!(out, "{b:02x}")?;
    }
    Ok(())
}

fn put_vector(out: &mut String, a: &ArrayValue, settings: &FormatSettings) {
    for (i, item) in a.items.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        output(out, item, a.elem, settings);
    }
}

fn put_array(out: &mut String, a: &ArrayValue, settings: &FormatSettings) {
    if a.dims.is_empty() {
        return out.push_str("{}");
    }
    if a.dims.iter().any(|d| d.lower != 1) {
        for d in &a.dims {
            let _ = write!(out, "[{}:{}]", d.lower, d.lower + d.len - 1);
        }
        out.push('=');
    }
    let mut scratch = String::new();
    put_level(out, a, 0, &mut 0, settings, &mut scratch);
}

fn put_level(
    out: &mut String,
    a: &ArrayValue,
    depth: usize,
    at: &mut usize,
    settings: &FormatSettings,
    scratch: &mut String,
) {
    out.push('{');
    for i in 0..a.dims[depth].len {
        if i > 0 {
            out.push(',');
        }
        if depth + 1 < a.dims.len() {
            put_level(out, a, depth + 1, at, settings, scratch);
        } else {
            match a.items.get(*at) {
                None | Some(Datum::Null) => out.push_str("NULL"),
                Some(item) => {
                    scratch.clear();
                    output(scratch, item, a.elem, settings);
                    put_array_element(out, scratch);
                }
            }
            *at += 1;
        }
    }
    out.push('}');
}

fn put_array_element(out: &mut String, text: &str) {
    let quote = text.is_empty()
        || text.eq_ignore_ascii_case("null")
        || text
            .bytes()
            .any(|b| matches!(b, b'"' | b'\\' | b'{' | b'}' | b',') || is_space(b));
    if !quote {
        return out.push_str(text);
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

fn is_space(b: u8) -> bool {
    b.is_ascii_whitespace() || b == 0x0b
}

fn put_record(out: &mut String, r: &RecordValue, settings: &FormatSettings) {
    out.push('(');
    let mut scratch = String::new();
    for (i, field) in r.fields.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        if field.is_null() {
            continue;
        }
        scratch.clear();
        output(
            &mut scratch,
            field,
            r.types.get(i).copied().unwrap_or(oid::TEXT),
            settings,
        );
        let quote = scratch.is_empty()
            || scratch
                .bytes()
                .any(|b| matches!(b, b'"' | b'\\' | b'(' | b')' | b',') || is_space(b));
        if quote {
            out.push('"');
            for c in scratch.chars() {
                if matches!(c, '"' | '\\') {
                    out.push(c);
                }
                out.push(c);
            }
            out.push('"');
        } else {
            out.push_str(&scratch);
        }
    }
    out.push(')');
}
