//! LIKE and ILIKE, for texts and bytea.

use super::args::{arg, bytes, done, str_arg, text, yes};
use crate::context::Call;
use crate::function::{Function, f};
use alloc::string::String;
use pg_types::oid::*;
use pg_types::{Datum, SqlError, SqlResult, SqlState};

fn bad_escape() -> SqlError {
    SqlError::new(
        SqlState::INVALID_ESCAPE_SEQUENCE,
        "LIKE pattern must not end with escape character",
    )
}

/// Bytes of the character that starts with `b`; 1 for plain bytes.
fn width(b: u8, utf8: bool) -> usize {
    match b {
        0xf0.. if utf8 => 4,
        0xe0.. if utf8 => 3,
        0xc0.. if utf8 => 2,
        _ => 1,
    }
}

/// Matches by remembering the last `%`: when the rest fails, it takes one more character.
pub(super) fn matches(s: &[u8], p: &[u8], utf8: bool, fold: bool) -> SqlResult<bool> {
    let same = |a: u8, b: u8| a == b || (fold && a.eq_ignore_ascii_case(&b));
    let (mut si, mut pi) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let advanced = match p.get(pi) {
            Some(b'%') => {
                pi += 1;
                if pi == p.len() {
                    return Ok(true);
                }
                retry = Some((si, pi));
                continue;
            }
            Some(b'_') if si < s.len() => Some((width(s[si], utf8), 1)),
            Some(b'_') => None,
            _ if si == s.len() && pi < p.len() => None,
            Some(b'\\') => {
                let literal = *p.get(pi + 1).ok_or_else(bad_escape)?;
                s.get(si).filter(|c| same(**c, literal)).map(|_| (1, 2))
            }
            Some(c) => s.get(si).filter(|x| same(**x, *c)).map(|_| (1, 1)),
            None if si == s.len() => return Ok(true),
            None => None,
        };
        match advanced {
            Some((ds, dp)) => {
                si += ds;
                pi += dp;
            }
            None => {
                let Some((rs, rp)) = retry else {
                    return Ok(false);
                };
                if rs >= s.len() {
                    return Ok(false);
                }
                let next = rs + width(s[rs], utf8);
                retry = Some((next, rp));
                (si, pi) = (next, rp);
            }
        }
    }
}

fn test(args: &[Datum], fold: bool) -> SqlResult<bool> {
    matches(
        str_arg(args, 0)?.as_bytes(),
        str_arg(args, 1)?.as_bytes(),
        true,
        fold,
    )
}

fn like(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(test(args, false)?)
}

fn not_like(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(!test(args, false)?)
}

fn ilike(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(test(args, true)?)
}

fn not_ilike(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(!test(args, true)?)
}

fn bytea_like(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(matches(bytes(args, 0)?, bytes(args, 1)?, false, false)?)
}

fn bytea_not_like(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(!matches(bytes(args, 0)?, bytes(args, 1)?, false, false)?)
}

/// `like_escape(pattern, escape)`: rewrites a pattern with its own escape character to backslashes.
fn like_escape(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (pattern, escape) = (text(args, 0)?, text(args, 1)?);
    let mut chars = escape.chars();
    let escape = match (chars.next(), chars.next()) {
        (None, _) => return done(pattern.replace('\\', "\\\\")),
        (Some('\\'), None) => return Ok(arg(args, 0).clone()),
        (Some(c), None) => c,
        _ => {
            return Err(
                SqlError::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
                    .with_hint("Escape string must be empty or one character."),
            );
        }
    };
    let mut out = String::with_capacity(pattern.len());
    let mut after_escape = false;
    for c in pattern.chars() {
        if c == escape && !after_escape {
            out.push('\\');
            after_escape = true;
        } else if c == '\\' {
            out.push('\\');
            if !after_escape {
                out.push('\\');
            }
            after_escape = false;
        } else {
            out.push(c);
            after_escape = false;
        }
    }
    done(out)
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(850, "textlike", &[TEXT, TEXT], BOOL, like),
    f(1569, "like", &[TEXT, TEXT], BOOL, like),
    f(1631, "bpcharlike", &[BPCHAR, TEXT], BOOL, like),
    f(851, "textnlike", &[TEXT, TEXT], BOOL, not_like),
    f(1570, "notlike", &[TEXT, TEXT], BOOL, not_like),
    f(1632, "bpcharnlike", &[BPCHAR, TEXT], BOOL, not_like),
    f(858, "namelike", &[NAME, TEXT], BOOL, like),
    f(1571, "like", &[NAME, TEXT], BOOL, like),
    f(859, "namenlike", &[NAME, TEXT], BOOL, not_like),
    f(1572, "notlike", &[NAME, TEXT], BOOL, not_like),
    f(1633, "texticlike", &[TEXT, TEXT], BOOL, ilike),
    f(1660, "bpchariclike", &[BPCHAR, TEXT], BOOL, ilike),
    f(1634, "texticnlike", &[TEXT, TEXT], BOOL, not_ilike),
    f(1661, "bpcharicnlike", &[BPCHAR, TEXT], BOOL, not_ilike),
    f(1635, "nameiclike", &[NAME, TEXT], BOOL, ilike),
    f(1636, "nameicnlike", &[NAME, TEXT], BOOL, not_ilike),
    f(2005, "bytealike", &[BYTEA, BYTEA], BOOL, bytea_like),
    f(2007, "like", &[BYTEA, BYTEA], BOOL, bytea_like),
    f(2006, "byteanlike", &[BYTEA, BYTEA], BOOL, bytea_not_like),
    f(2008, "notlike", &[BYTEA, BYTEA], BOOL, bytea_not_like),
    f(1637, "like_escape", &[TEXT, TEXT], TEXT, like_escape),
];
