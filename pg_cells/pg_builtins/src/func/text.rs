//! Strings: length, case, parts, padding, trimming, joining.

use super::args::{arg, done, int, str_arg, text, yes};
use crate::coercion::output_text;
use crate::context::Call;
use crate::function::{Function, f};
use alloc::string::String;
use pg_types::oid::*;
use pg_types::{Datum, SqlError, SqlResult, SqlState};

/// Longest string that functions make, as PostgreSQL's 1 GB field.
const MAX_LENGTH: usize = (1 << 30) - 1;

pub(super) fn too_large() -> SqlError {
    SqlError::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        "requested length too large",
    )
}

fn len4(n: usize) -> SqlResult<Datum> {
    Ok(Datum::Int4(n as i32))
}

fn length(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let s = str_arg(args, 0)?;
    let ascii = s.as_bytes().is_ascii();
    len4(if ascii {
        s.as_bytes().len()
    } else {
        s.as_str().chars().count()
    })
}

fn bpchar_length(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    len4(text(args, 0)?.trim_end_matches(' ').chars().count())
}

fn octet_length(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    len4(text(args, 0)?.len())
}

fn bit_length(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    len4(match arg(args, 0) {
        Datum::Bytea(b) => b.len() * 8,
        _ => text(args, 0)?.len() * 8,
    })
}

/// Case mapping under collation C changes ASCII letters only, as a C-locale server does.
fn lower(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    done(text(args, 0)?.to_ascii_lowercase())
}

fn upper(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    done(text(args, 0)?.to_ascii_uppercase())
}

fn initcap(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let mut inside = false;
    let map = |c: char| {
        let out = if inside {
            c.to_ascii_lowercase()
        } else {
            c.to_ascii_uppercase()
        };
        inside = c.is_ascii_alphanumeric();
        out
    };
    done(text(args, 0)?.chars().map(map).collect())
}

/// Characters `from` (counted from 1, may lie before the start) for `count`, or to the end.
fn slice(s: &str, from: i64, count: Option<i64>) -> SqlResult<&str> {
    let end = match count {
        Some(n) if n < 0 => {
            return Err(SqlError::new(
                SqlState::SUBSTRING_ERROR,
                "negative substring length not allowed",
            ));
        }
        Some(n) => from.saturating_add(n),
        None => i64::MAX,
    };
    let (start, end) = (from.max(1), end.max(1));
    if end <= start {
        return Ok("");
    }
    let (skip, take) = ((start - 1) as usize, (end - start) as usize);
    if s.is_ascii() {
        let at = skip.min(s.len());
        return Ok(&s[at..at.saturating_add(take).min(s.len())]);
    }
    let mut places = s.char_indices().map(|(i, _)| i).skip(skip);
    let Some(at) = places.next() else {
        return Ok("");
    };
    let stop = if take == usize::MAX {
        None
    } else {
        places.nth(take - 1)
    };
    Ok(&s[at..stop.unwrap_or(s.len())])
}

fn substr(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let count = if args.len() > 2 {
        Some(int(args, 2)?)
    } else {
        None
    };
    Ok(Datum::text(slice(text(args, 0)?, int(args, 1)?, count)?))
}

fn left(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, n) = (text(args, 0)?, int(args, 1)?);
    let keep = if n < 0 {
        s.chars().count() as i64 + n
    } else {
        n
    };
    Ok(Datum::text(slice(s, 1, Some(keep.max(0)))?))
}

fn right(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, n) = (text(args, 0)?, int(args, 1)?);
    let drop = if n < 0 {
        -n
    } else {
        (s.chars().count() as i64 - n).max(0)
    };
    Ok(Datum::text(slice(s, drop + 1, None)?))
}

fn position(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, part) = (text(args, 0)?, text(args, 1)?);
    len4(s.find(part).map_or(0, |at| s[..at].chars().count() + 1))
}

fn overlay(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, new, from) = (text(args, 0)?, text(args, 1)?, int(args, 2)?);
    let count = if args.len() > 3 {
        int(args, 3)?
    } else {
        new.chars().count() as i64
    };
    if from <= 0 {
        return Err(SqlError::new(
            SqlState::SUBSTRING_ERROR,
            "negative substring length not allowed",
        ));
    }
    let mut out = String::from(slice(s, 1, Some(from - 1))?);
    out.push_str(new);
    out.push_str(slice(s, from.saturating_add(count), None)?);
    done(out)
}

fn replace(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, from, to) = (text(args, 0)?, text(args, 1)?, text(args, 2)?);
    if from.is_empty() {
        Ok(arg(args, 0).clone())
    } else {
        done(s.replace(from, to))
    }
}

fn translate(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, from, to) = (text(args, 0)?, text(args, 1)?, text(args, 2)?);
    let map = |c: char| match from.chars().position(|f| f == c) {
        Some(at) => to.chars().nth(at),
        None => Some(c),
    };
    done(s.chars().filter_map(map).collect())
}

/// The characters to trim: the second argument, or a blank.
fn trim_set(args: &[Datum]) -> SqlResult<&str> {
    if args.len() > 1 {
        text(args, 1)
    } else {
        Ok(" ")
    }
}

fn btrim(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let set = trim_set(args)?;
    Ok(Datum::text(
        text(args, 0)?.trim_matches(|c| set.contains(c)),
    ))
}

fn ltrim(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let set = trim_set(args)?;
    Ok(Datum::text(
        text(args, 0)?.trim_start_matches(|c| set.contains(c)),
    ))
}

fn rtrim(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let set = trim_set(args)?;
    Ok(Datum::text(
        text(args, 0)?.trim_end_matches(|c| set.contains(c)),
    ))
}

/// Filling of `lpad` and `rpad`: the text cut to `n` characters and what is missing.
fn padding(args: &[Datum]) -> SqlResult<(&str, String)> {
    let (s, n) = (text(args, 0)?, int(args, 1)?.max(0) as usize);
    let fill = if args.len() > 2 { text(args, 2)? } else { " " };
    if n > MAX_LENGTH / 4 {
        return Err(too_large());
    }
    let have = s.chars().count();
    if have >= n {
        return Ok((slice(s, 1, Some(n as i64))?, String::new()));
    }
    Ok((
        s,
        fill.chars()
            .cycle()
            .take(if fill.is_empty() { 0 } else { n - have })
            .collect(),
    ))
}

fn lpad(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, mut fill) = padding(args)?;
    fill.push_str(s);
    done(fill)
}

fn rpad(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, fill) = padding(args)?;
    let mut out = String::from(s);
    out.push_str(&fill);
    done(out)
}

fn repeat(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, n) = (text(args, 0)?, int(args, 1)?.max(0) as usize);
    if s.len().checked_mul(n).is_none_or(|l| l > MAX_LENGTH) {
        return Err(too_large());
    }
    done(s.repeat(n))
}

fn reverse(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    done(text(args, 0)?.chars().rev().collect())
}

fn ascii(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int4(
        text(args, 0)?.chars().next().map_or(0, |c| c as i32),
    ))
}

fn chr(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let n = int(args, 0)?;
    if n == 0 {
        return Err(SqlError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "null character not permitted",
        ));
    }
    if n < 0 {
        return Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "character number must be positive",
        ));
    }
    let too_large = || {
        SqlError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            alloc::format!("requested character too large for encoding: {n}"),
        )
    };
    let invalid = || {
        SqlError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            alloc::format!("requested character not valid for encoding: {n}"),
        )
    };
    let code = u32::try_from(n)
        .ok()
        .filter(|c| *c <= 0x10_ffff)
        .ok_or_else(too_large)?;
    done(String::from(char::from_u32(code).ok_or_else(invalid)?))
}

fn starts_with(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(str_arg(args, 0)?
        .as_bytes()
        .starts_with(str_arg(args, 1)?.as_bytes()))
}

fn concat2(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (a, b) = (text(args, 0)?, text(args, 1)?);
    let mut out = String::with_capacity(a.len() + b.len());
    out.push_str(a);
    out.push_str(b);
    done(out)
}

/// The text form of argument `i`; empty for NULL.
pub(super) fn shown(args: &[Datum], i: usize, call: &Call<'_>) -> SqlResult<String> {
    let d = arg(args, i);
    match d {
        Datum::Text(s) if call.arg_type(i, d) != BPCHAR => Ok(s.as_str().into()),
        _ => Ok(output_text(d, call.arg_type(i, d), call.ctx)?.unwrap_or_default()),
    }
}

/// `text || anything` and `anything || text`.
fn concat_any(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let mut out = cast_shown(args, 0, call)?;
    out.push_str(&cast_shown(args, 1, call)?);
    done(out)
}

/// As a cast to text shows it: booleans in full, unlike their output.
fn cast_shown(args: &[Datum], i: usize, call: &Call<'_>) -> SqlResult<String> {
    match arg(args, i) {
        Datum::Bool(b) => Ok(if *b { "true" } else { "false" }.into()),
        _ => shown(args, i, call),
    }
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(879, "lpad", &[TEXT, INT4], TEXT, lpad),
    f(880, "rpad", &[TEXT, INT4], TEXT, rpad),
    f(1811, "bit_length", &[TEXT], INT4, bit_length),
    f(1810, "bit_length", &[BYTEA], INT4, bit_length),
    f(2003, "textanycat", &[TEXT, ANYNONARRAY], TEXT, concat_any).stable(),
    f(2004, "anytextcat", &[ANYNONARRAY, TEXT], TEXT, concat_any).stable(),
    f(1257, "textlen", &[TEXT], INT4, length),
    f(1317, "length", &[TEXT], INT4, length),
    f(1369, "character_length", &[TEXT], INT4, length),
    f(1381, "char_length", &[TEXT], INT4, length),
    f(1318, "length", &[BPCHAR], INT4, bpchar_length),
    f(1367, "character_length", &[BPCHAR], INT4, bpchar_length),
    f(1372, "char_length", &[BPCHAR], INT4, bpchar_length),
    f(1374, "octet_length", &[TEXT], INT4, octet_length),
    f(1375, "octet_length", &[BPCHAR], INT4, octet_length),
    f(870, "lower", &[TEXT], TEXT, lower),
    f(871, "upper", &[TEXT], TEXT, upper),
    f(872, "initcap", &[TEXT], TEXT, initcap),
    f(877, "substr", &[TEXT, INT4, INT4], TEXT, substr),
    f(936, "substring", &[TEXT, INT4, INT4], TEXT, substr),
    f(883, "substr", &[TEXT, INT4], TEXT, substr),
    f(937, "substring", &[TEXT, INT4], TEXT, substr),
    f(3060, "left", &[TEXT, INT4], TEXT, left),
    f(3061, "right", &[TEXT, INT4], TEXT, right),
    f(849, "position", &[TEXT, TEXT], INT4, position),
    f(868, "strpos", &[TEXT, TEXT], INT4, position),
    f(1404, "overlay", &[TEXT, TEXT, INT4, INT4], TEXT, overlay),
    f(1405, "overlay", &[TEXT, TEXT, INT4], TEXT, overlay),
    f(2087, "replace", &[TEXT, TEXT, TEXT], TEXT, replace),
    f(878, "translate", &[TEXT, TEXT, TEXT], TEXT, translate),
    f(884, "btrim", &[TEXT, TEXT], TEXT, btrim),
    f(885, "btrim", &[TEXT], TEXT, btrim),
    f(875, "ltrim", &[TEXT, TEXT], TEXT, ltrim),
    f(881, "ltrim", &[TEXT], TEXT, ltrim),
    f(876, "rtrim", &[TEXT, TEXT], TEXT, rtrim),
    f(873, "lpad", &[TEXT, INT4, TEXT], TEXT, lpad),
    f(874, "rpad", &[TEXT, INT4, TEXT], TEXT, rpad),
    f(1622, "repeat", &[TEXT, INT4], TEXT, repeat),
    f(3062, "reverse", &[TEXT], TEXT, reverse),
    f(1620, "ascii", &[TEXT], INT4, ascii),
    f(1621, "chr", &[INT4], TEXT, chr),
    f(3696, "starts_with", &[TEXT, TEXT], BOOL, starts_with),
    f(1258, "textcat", &[TEXT, TEXT], TEXT, concat2),
    f(882, "rtrim", &[TEXT], TEXT, rtrim),
];
