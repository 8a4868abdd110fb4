//! Text input of datums: literals, casts from text, COPY and text parameters.

use crate::array_text::parse_array;
use crate::datetime::{parse_date, parse_interval, parse_time, parse_timestamp, parse_timestamptz};
use crate::datum::Datum;
use crate::error::{SqlError, SqlResult};
use crate::float::{parse_f32, parse_f64};
use crate::numeric::Numeric;
use crate::oid::{self, Oid};
use crate::settings::FormatSettings;
use crate::sqlstate::SqlState;
use crate::text::Str;
use crate::typeinfo::{element_of, is_string};
use crate::typmod::coerce_typmod;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Reads a value of a built-in type from its text form and fits it to `typmod` (-1 for none).
///
/// Object id aliases take numbers only; names need the catalog and are read by `pg_builtins`.
/// Errors: 22P02 for bad syntax, 22003 and 22008 for values out of range, 22001 for
/// a text too long, 0A000 for types without an input function here.
pub fn input(
    type_oid: Oid,
    typmod: i32,
    text: &str,
    settings: &FormatSettings,
) -> SqlResult<Datum> {
    if let Some(number) = plain_int(type_oid, text.as_bytes()) {
        return Ok(number);
    }
    let datum = match type_oid {
        oid::BOOL => Datum::Bool(parse_bool(text)?),
        oid::INT2 => {
            Datum::Int2(
                parse_int(text, i64::from(i16::MIN), i64::from(i16::MAX), "smallint")? as i16,
            )
        }
        oid::INT4 => {
            Datum::Int4(
                parse_int(text, i64::from(i32::MIN), i64::from(i32::MAX), "integer")? as i32,
            )
        }
        oid::INT8 => Datum::Int8(parse_int(text, i64::MIN, i64::MAX, "bigint")?),
        oid::FLOAT4 => Datum::Float4(parse_f32(text)?),
        oid::FLOAT8 => Datum::Float8(parse_f64(text)?),
        oid::NUMERIC => Datum::Numeric(Numeric::parse(text)?),
        oid::OID | oid::XID | oid::CID => Datum::Oid(parse_oid(text)?),
        oid::CHAR => Datum::Char(parse_char(text)),
        oid::BYTEA => Datum::Bytea(Arc::from(parse_bytea(text)?)),
        oid::DATE => Datum::Date(parse_date(text, settings)?),
        oid::TIME => Datum::Time(parse_time(text, settings)?),
        oid::TIMESTAMP => Datum::Timestamp(parse_timestamp(text, settings)?),
        oid::TIMESTAMPTZ => Datum::TimestampTz(parse_timestamptz(text, settings)?),
        oid::INTERVAL => Datum::Interval(parse_interval(text, typmod)?),
        oid::UUID => Datum::Uuid(parse_uuid(text)?),
        oid::NAME => Datum::Text(Str::from(truncate_name(text))),
        oid::TID => parse_tid(text)?,
        oid::PG_LSN => parse_lsn(text)?,
        oid::XID8 => Datum::Xid8(
            text.trim()
                .parse()
                .map_err(|_| SqlError::invalid_text("xid8", text))?,
        ),
        oid::INT2VECTOR | oid::OIDVECTOR => return parse_vector(type_oid, text, settings),
        oid::VOID => Datum::text(""),
        oid::JSON => {
            crate::json::parse(text, "json")?;
            Datum::Text(Str::from(text))
        }
        oid::JSONB => Datum::Text(Str::from(crate::json::canonical(text)?)),
        t if is_string(t) => Datum::Text(Str::from(text)),
        t if crate::typeinfo::is_reg(t) => Datum::Oid(parse_reg(t, text)?),
        t => match element_of(t) {
            Some(elem) => return parse_array(elem, typmod, text, settings),
            None => return Err(no_input(t)),
        },
    };
    if typmod < 0 {
        Ok(datum)
    } else {
        coerce_typmod(datum, type_oid, typmod, false)
    }
}

/// A value of type int4 or int8 that is written as nothing but digits, perhaps
/// behind a minus: the way in which most numbers come. `None` is no error; then
/// [`input`] knows more.
#[inline]
pub fn plain_int(type_oid: Oid, text: &[u8]) -> Option<Datum> {
    // So many digits cannot overflow.
    let most = match type_oid {
        oid::INT4 => 9,
        oid::INT8 => 18,
        _ => return None,
    };
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > most {
        return None;
    }
    let mut value = 0i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    let value = if negative { -value } else { value };
    Some(match type_oid {
        oid::INT4 => Datum::Int4(value as i32),
        _ => Datum::Int8(value),
    })
}

fn no_input(type_oid: Oid) -> SqlError {
    let name = crate::typeinfo::format_type(type_oid, -1);
    SqlError::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("cannot accept a value of type {name}"),
    )
}

/// Whitespace as C's isspace sees it.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b')
}

fn parse_bool(text: &str) -> SqlResult<bool> {
    let word = trim(text).to_ascii_lowercase();
    // Unique prefixes of the words count too.
    let prefix_of =
        |full: &str, least: usize| word.len() >= least && full.starts_with(word.as_str());
    if prefix_of("true", 1) || prefix_of("yes", 1) || word == "on" || word == "1" {
        Ok(true)
    } else if prefix_of("false", 1) || prefix_of("no", 1) || prefix_of("off", 2) || word == "0" {
        Ok(false)
    } else {
        Err(SqlError::invalid_text("boolean", text))
    }
}

fn parse_int(text: &str, min: i64, max: i64, name: &str) -> SqlResult<i64> {
    let body = trim(text);
    let digits = body.strip_prefix(['-', '+']).unwrap_or(body);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SqlError::invalid_text(name, text));
    }
    body.parse::<i64>()
        .ok()
        .filter(|v| (min..=max).contains(v))
        .ok_or_else(|| {
            SqlError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("value \"{text}\" is out of range for type {name}"),
            )
        })
}

fn parse_oid(text: &str) -> SqlResult<Oid> {
    let body = trim(text);
    let digits = body.strip_prefix(['-', '+']).unwrap_or(body);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SqlError::invalid_text("oid", text));
    }
    // As with strtoul, small negative numbers wrap around.
    match body.parse::<i64>() {
        Ok(v) if (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(&v) => Ok(v as u32),
        _ => Err(SqlError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{text}\" is out of range for type oid"),
        )),
    }
}

fn parse_reg(type_oid: Oid, text: &str) -> SqlResult<Oid> {
    if text == "-" {
        return Ok(oid::INVALID);
    }
    let name = crate::typeinfo::format_type(type_oid, -1);
    text.parse()
        .map_err(|_| SqlError::unsupported(format!("input of a name as {name} without a catalog")))
}

fn parse_char(text: &str) -> u8 {
    let b = text.as_bytes();
    match b {
        [b'\\', a @ b'0'..=b'3', c @ b'0'..=b'7', d @ b'0'..=b'7'] => {
            (a - b'0') << 6 | (c - b'0') << 3 | (d - b'0')
        }
        _ => b.first().copied().unwrap_or(0),
    }
}

/// Cuts a text to the 63 bytes of `name`, at a character.
pub fn truncate_name(text: &str) -> &str {
    if text.len() <= 63 {
        return text;
    }
    let end = (0..=63)
        .rev()
        .find(|&i| text.is_char_boundary(i))
        .unwrap_or(0);
    &text[..end]
}

fn hex_digit(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).map(|d| d as u8)
}

/// Reads `\x` and hexadecimal digits, or escaped bytes.
pub fn parse_bytea(text: &str) -> SqlResult<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(hex) => parse_hex(hex),
        None => parse_escaped_bytea(text),
    }
}

/// Reads pairs of hexadecimal digits, with white space between pairs.
pub fn parse_hex(text: &str) -> SqlResult<Vec<u8>> {
    let bad = |m: alloc::string::String| SqlError::new(SqlState::INVALID_PARAMETER_VALUE, m);
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c.is_ascii_whitespace() {
            continue;
        }
        let digit = |c: char| {
            u8::try_from(c)
                .ok()
                .and_then(hex_digit)
                .ok_or_else(|| bad(format!("invalid hexadecimal digit: \"{c}\"")))
        };
        let high = digit(c)?;
        let low = chars
            .next()
            .ok_or_else(|| bad("invalid hexadecimal data: odd number of digits".into()))?;
        out.push(high << 4 | digit(low)?);
    }
    Ok(out)
}

fn parse_escaped_bytea(text: &str) -> SqlResult<Vec<u8>> {
    let b = text.as_bytes();
    let mut out = Vec::with_capacity(b.len());
    let mut i = 0;
    while i < b.len() {
        match &b[i..] {
            [b'\\', b'\\', ..] => {
                out.push(b'\\');
                i += 2;
            }
            [b'\\', a @ b'0'..=b'3', c @ b'0'..=b'7', d @ b'0'..=b'7', ..] => {
                out.push((a - b'0') << 6 | (c - b'0') << 3 | (d - b'0'));
                i += 4;
            }
            [b'\\', ..] => {
                return Err(SqlError::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    "invalid input syntax for type bytea",
                ));
            }
            _ => {
                out.push(b[i]);
                i += 1;
            }
        }
    }
    Ok(out)
}

fn parse_uuid(text: &str) -> SqlResult<[u8; 16]> {
    let bad = || SqlError::invalid_text("uuid", text);
    let mut body = text.as_bytes();
    if let [b'{', inner @ .., b'}'] = body {
        body = inner;
    }
    let mut out = [0u8; 16];
    for (i, slot) in out.iter_mut().enumerate() {
        let [high, low, rest @ ..] = body else {
            return Err(bad());
        };
        *slot = hex_digit(*high).ok_or_else(bad)? << 4 | hex_digit(*low).ok_or_else(bad)?;
        body = rest;
        // A hyphen may follow every two bytes.
        if i % 2 == 1 && i < 15 {
            body = body.strip_prefix(b"-").unwrap_or(body);
        }
    }
    if body.is_empty() { Ok(out) } else { Err(bad()) }
}

fn parse_tid(text: &str) -> SqlResult<Datum> {
    let parse = || {
        let (block, item) = trim(text)
            .strip_prefix('(')?
            .strip_suffix(')')?
            .split_once(',')?;
        Some(Datum::Tid(block.parse().ok()?, item.parse().ok()?))
    };
    parse().ok_or_else(|| SqlError::invalid_text("tid", text))
}

fn parse_lsn(text: &str) -> SqlResult<Datum> {
    let parse = || {
        let (high, low) = text.split_once('/')?;
        let part = |s: &str| u32::from_str_radix(s, 16).ok().filter(|_| s.len() <= 8);
        Some(Datum::Xid8(
            u64::from(part(high)?) << 32 | u64::from(part(low)?),
        ))
    };
    parse().ok_or_else(|| SqlError::invalid_text("pg_lsn", text))
}

fn parse_vector(type_oid: Oid, text: &str, settings: &FormatSettings) -> SqlResult<Datum> {
    let elem = element_of(type_oid).unwrap_or(oid::OID);
    let items = text
        .split_ascii_whitespace()
        .map(|word| input(elem, -1, word, settings))
        .collect::<SqlResult<_>>()?;
    Ok(Datum::Array(Arc::new(
        crate::datum::ArrayValue::from_lower(elem, 0, items),
    )))
}

#[cfg(test)]
mod plain_tests {
    use super::*;

    #[test]
    fn plain_numbers_are_read_as_the_others_are() {
        let settings = FormatSettings::default();
        let texts = [
            "0",
            "7",
            "-7",
            "999999999",
            "-999999999",
            "2147483647",
            "-2147483648",
            "2147483648",
            "999999999999999999",
            "-9223372036854775808",
            "9223372036854775808",
            "",
            "-",
            "--1",
            "+5",
            " 5 ",
            "1x",
            "1.5",
            "0012",
        ];
        for (type_oid, from, to, name) in [
            (
                oid::INT4,
                i64::from(i32::MIN),
                i64::from(i32::MAX),
                "integer",
            ),
            (oid::INT8, i64::MIN, i64::MAX, "bigint"),
        ] {
            for text in texts {
                let number = |v: i64| match type_oid {
                    oid::INT4 => Datum::Int4(v as i32),
                    _ => Datum::Int8(v),
                };
                let slow = parse_int(text, from, to, name).map(number);
                let fast = input(type_oid, -1, text, &settings);
                assert_eq!(format!("{fast:?}"), format!("{slow:?}"), "{text}");
            }
        }
    }
}
