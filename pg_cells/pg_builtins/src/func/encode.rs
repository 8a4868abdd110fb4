//! Bytes: digests, encodings, parts of bytea.

use super::args::{arg, bytes, done, int, text};
use crate::context::Call;
use crate::function::{Function, f};
use alloc::string::String;
use alloc::vec::Vec;
use md5::{Digest, Md5};
use pg_types::input::parse_hex;
use pg_types::oid::*;
use pg_types::output::put_hex;
use pg_types::{Datum, SqlError, SqlResult, SqlState};

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    put_hex(&mut out, bytes);
    out
}

/// The bytes of a bytea or text argument.
fn raw(args: &[Datum]) -> SqlResult<&[u8]> {
    match arg(args, 0) {
        Datum::Text(s) => Ok(s.as_bytes()),
        _ => bytes(args, 0),
    }
}

fn md5(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    done(hex(&Md5::digest(raw(args)?)))
}

macro_rules! digests {
    ($($name:ident $digest:ty;)*) => {
        $(fn $name(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
            Ok(Datum::bytea(&<$digest>::digest(raw(args)?)))
        })*
    };
}

digests! {
    sha224 sha2::Sha224;
    sha256 sha2::Sha256;
    sha384 sha2::Sha384;
    sha512 sha2::Sha512;
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// MIME's base64: lines of 76 characters.
fn base64_encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (i, chunk) in bytes.chunks(3).enumerate() {
        if i > 0 && i % 19 == 0 {
            out.push('\n');
        }
        let word = chunk
            .iter()
            .enumerate()
            .fold(0u32, |w, (j, b)| w | u32::from(*b) << (16 - 8 * j));
        for j in 0..4 {
            if j <= chunk.len() {
                out.push(char::from(BASE64[(word >> (18 - 6 * j)) as usize & 63]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

fn base64_decode(s: &str) -> SqlResult<Vec<u8>> {
    let bad = |c: char| {
        SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            alloc::format!("invalid symbol \"{c}\" found while decoding base64 sequence"),
        )
    };
    let end = || {
        SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "invalid base64 end sequence",
        )
        .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted.")
    };
    let (mut out, mut word, mut count, mut padding) = (Vec::new(), 0u32, 0, 0);
    for c in s.chars().filter(|c| !matches!(c, ' ' | '\t' | '\n' | '\r')) {
        let value = match u8::try_from(c)
            .ok()
            .and_then(|b| BASE64.iter().position(|x| *x == b))
        {
            Some(v) if padding == 0 => v as u32,
            None if c == '=' && count >= 2 => {
                padding += 1;
                0
            }
            _ => return Err(bad(c)),
        };
        word = word << 6 | value;
        count += 1;
        if count == 4 {
            let group = word.to_be_bytes();
            out.extend_from_slice(&group[1..4 - padding.min(2)]);
            (word, count) = (0, 0);
        }
    }
    if count == 0 { Ok(out) } else { Err(end()) }
}

fn escape_encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for &b in bytes {
        match b {
            b'\\' => out.push_str("\\\\"),
            0 | 0x80.. => out.push_str(&alloc::format!("\\{b:03o}")),
            _ => out.push(char::from(b)),
        }
    }
    out
}

fn unknown_encoding(name: &str) -> SqlError {
    SqlError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        alloc::format!("unrecognized encoding: \"{name}\""),
    )
}

fn encode(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (data, name) = (bytes(args, 0)?, text(args, 1)?);
    match name.to_ascii_lowercase().as_str() {
        "hex" => done(hex(data)),
        "base64" => done(base64_encode(data)),
        "escape" => done(escape_encode(data)),
        _ => Err(unknown_encoding(name)),
    }
}

fn decode(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (data, name) = (text(args, 0)?, text(args, 1)?);
    let out = match name.to_ascii_lowercase().as_str() {
        "hex" => parse_hex(data)?,
        "base64" => base64_decode(data)?,
        "escape" => pg_types::input::parse_bytea(data)?,
        _ => return Err(unknown_encoding(name)),
    };
    Ok(Datum::bytea(&out))
}

fn octet_length(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int4(bytes(args, 0)?.len() as i32))
}

fn concat(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let mut out = bytes(args, 0)?.to_vec();
    out.extend_from_slice(bytes(args, 1)?);
    Ok(Datum::bytea(&out))
}

fn substr(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (data, from) = (bytes(args, 0)?, int(args, 1)?);
    let end = if args.len() > 2 {
        let count = int(args, 2)?;
        if count < 0 {
            return Err(SqlError::new(
                SqlState::SUBSTRING_ERROR,
                "negative substring length not allowed",
            ));
        }
        from.saturating_add(count)
    } else {
        i64::MAX
    };
    let clamp = |v: i64| (v.max(1) - 1).min(data.len() as i64) as usize;
    let (start, end) = (clamp(from), clamp(end));
    Ok(Datum::bytea(data.get(start..end).unwrap_or(&[])))
}

fn position(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (data, part) = (bytes(args, 0)?, bytes(args, 1)?);
    if part.is_empty() {
        return Ok(Datum::Int4(1));
    }
    let at = data.windows(part.len()).position(|w| w == part);
    Ok(Datum::Int4(at.map_or(0, |i| i as i32 + 1)))
}

fn out_of_bounds(i: i64, len: usize) -> SqlError {
    SqlError::new(
        SqlState::ARRAY_SUBSCRIPT_ERROR,
        alloc::format!("index {i} out of valid range, 0..{}", len as i64 - 1),
    )
}

fn get_byte(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (data, i) = (bytes(args, 0)?, int(args, 1)?);
    let byte = usize::try_from(i).ok().and_then(|i| data.get(i));
    byte.map(|b| Datum::Int4((*b).into()))
        .ok_or_else(|| out_of_bounds(i, data.len()))
}

fn set_byte(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (mut data, i) = (bytes(args, 0)?.to_vec(), int(args, 1)?);
    let len = data.len();
    let slot = usize::try_from(i)
        .ok()
        .and_then(|i| data.get_mut(i))
        .ok_or_else(|| out_of_bounds(i, len))?;
    *slot = int(args, 2)? as u8;
    Ok(Datum::bytea(&data))
}

fn random_uuid(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let mut uuid = [0u8; 16];
    call.ctx.random_bytes(&mut uuid);
    uuid[6] = uuid[6] & 0x0f | 0x40; // Version 4,
    uuid[8] = uuid[8] & 0x3f | 0x80; // of the variant of RFC 9562.
    Ok(Datum::Uuid(uuid))
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(2311, "md5", &[TEXT], TEXT, md5),
    f(2321, "md5", &[BYTEA], TEXT, md5),
    f(3419, "sha224", &[BYTEA], BYTEA, sha224),
    f(3420, "sha256", &[BYTEA], BYTEA, sha256),
    f(3421, "sha384", &[BYTEA], BYTEA, sha384),
    f(3422, "sha512", &[BYTEA], BYTEA, sha512),
    f(1946, "encode", &[BYTEA, TEXT], TEXT, encode),
    f(1947, "decode", &[TEXT, TEXT], BYTEA, decode),
    f(720, "octet_length", &[BYTEA], INT4, octet_length),
    f(2010, "length", &[BYTEA], INT4, octet_length),
    f(2011, "byteacat", &[BYTEA, BYTEA], BYTEA, concat),
    f(2012, "substring", &[BYTEA, INT4, INT4], BYTEA, substr),
    f(2085, "substr", &[BYTEA, INT4, INT4], BYTEA, substr),
    f(2013, "substring", &[BYTEA, INT4], BYTEA, substr),
    f(2086, "substr", &[BYTEA, INT4], BYTEA, substr),
    f(2014, "position", &[BYTEA, BYTEA], INT4, position),
    f(721, "get_byte", &[BYTEA, INT4], INT4, get_byte),
    f(722, "set_byte", &[BYTEA, INT4, INT4], BYTEA, set_byte),
    f(3432, "gen_random_uuid", &[], UUID, random_uuid).volatile(),
];
