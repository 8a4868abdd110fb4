//! Functions and operators over regular expressions.

use super::args::{arg, done, int, text, yes};
use super::pattern::{Flags, compile};
use crate::context::Call;
use crate::function::{Function, SetIter, f, set};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_types::oid::*;
use pg_types::{Datum, SqlError, SqlResult, SqlState};
use regex_automata::meta::Regex;

fn regex(pattern: &str, flags: Flags, call: &Call<'_>) -> SqlResult<Arc<Regex>> {
    match call.ctx.patterns() {
        Some(cache) => cache.get(pattern, flags),
        None => Ok(Arc::new(compile(pattern, flags)?)),
    }
}

fn test(args: &[Datum], fold: bool, call: &Call<'_>) -> SqlResult<bool> {
    let flags = Flags {
        fold,
        ..Flags::default()
    };
    Ok(regex(text(args, 1)?, flags, call)?.is_match(text(args, 0)?))
}

fn matches(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    yes(test(args, false, call)?)
}

fn not_matches(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    yes(!test(args, false, call)?)
}

fn imatches(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    yes(test(args, true, call)?)
}

fn not_imatches(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    yes(!test(args, true, call)?)
}

/// `bpchar` has its blanks counted here, as in PostgreSQL.
fn flags_at(args: &[Datum], i: usize) -> SqlResult<Flags> {
    if args.len() > i {
        Flags::parse(text(args, i)?)
    } else {
        Ok(Flags::default())
    }
}

fn no_global(flags: Flags, function: &str) -> SqlResult<()> {
    if !flags.global {
        return Ok(());
    }
    Err(SqlError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        alloc::format!("{function} does not support the \"global\" option"),
    ))
}

/// `substring(text from pattern)`: the first group, or the whole match.
fn substring(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let s = text(args, 0)?;
    let re = regex(text(args, 1)?, Flags::default(), call)?;
    Ok(
        first_match(&re, s).map_or(Datum::Null, |(whole, groups)| match groups.first() {
            Some(group) => group.map_or(Datum::Null, Datum::text),
            None => Datum::text(whole),
        }),
    )
}

type Found<'a> = (&'a str, Vec<Option<&'a str>>);

fn first_match<'a>(re: &Regex, s: &'a str) -> Option<Found<'a>> {
    let mut caps = re.create_captures();
    re.captures(s, &mut caps);
    let whole = caps.get_match()?;
    let groups = (1..caps.group_len())
        .map(|g| caps.get_group(g).map(|m| &s[m.start..m.end]))
        .collect();
    Some((&s[whole.start()..whole.end()], groups))
}

/// The groups of a match as a text array; the whole match when there are none.
fn group_array((whole, groups): Found<'_>) -> Datum {
    let items = if groups.is_empty() {
        alloc::vec![Datum::text(whole)]
    } else {
        groups
            .into_iter()
            .map(|g| g.map_or(Datum::Null, Datum::text))
            .collect()
    };
    Datum::array(TEXT, items)
}

fn regexp_match(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let flags = flags_at(args, 2)?;
    if flags.global {
        no_global(flags, "regexp_match()")
            .map_err(|e| e.with_hint("Use the regexp_matches function instead."))?;
    }
    let re = regex(text(args, 1)?, flags, call)?;
    Ok(first_match(&re, text(args, 0)?).map_or(Datum::Null, group_array))
}

fn regexp_matches(args: &[Datum], call: &Call<'_>) -> SqlResult<SetIter> {
    let flags = flags_at(args, 2)?;
    let s = text(args, 0)?;
    let re = regex(text(args, 1)?, flags, call)?;
    let mut rows = Vec::new();
    for caps in re
        .captures_iter(s)
        .take(if flags.global { usize::MAX } else { 1 })
    {
        let groups = (1..caps.group_len())
            .map(|g| caps.get_group(g).map(|m| &s[m.start..m.end]))
            .collect();
        let whole = caps.get_match().map_or("", |m| &s[m.start()..m.end()]);
        rows.push(Ok(group_array((whole, groups))));
    }
    Ok(Box::new(rows.into_iter()))
}

/// Pieces of a text between matches; empty matches at its ends do not count.
fn pieces<'a>(re: &Regex, s: &'a str) -> Vec<&'a str> {
    let mut out = Vec::new();
    let mut from = 0;
    for m in re.find_iter(s) {
        if m.is_empty() && (m.start() == 0 || m.start() >= s.len() || m.start() == from) {
            continue;
        }
        out.push(&s[from..m.start()]);
        from = m.end();
    }
    out.push(&s[from..]);
    out
}

fn split_array(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let flags = flags_at(args, 2)?;
    no_global(flags, "regexp_split_to_array()")?;
    let re = regex(text(args, 1)?, flags, call)?;
    let items = pieces(&re, text(args, 0)?)
        .into_iter()
        .map(Datum::text)
        .collect();
    Ok(Datum::array(TEXT, items))
}

fn split_table(args: &[Datum], call: &Call<'_>) -> SqlResult<SetIter> {
    let flags = flags_at(args, 2)?;
    no_global(flags, "regexp_split_to_table()")?;
    let re = regex(text(args, 1)?, flags, call)?;
    let rows: Vec<SqlResult<Datum>> = pieces(&re, text(args, 0)?)
        .into_iter()
        .map(|p| Ok(Datum::text(p)))
        .collect();
    Ok(Box::new(rows.into_iter()))
}

/// Appends a replacement: `\1` to `\9` are groups, `\&` the match, `\\` a backslash.
fn put_replacement(
    out: &mut String,
    template: &str,
    s: &str,
    caps: &regex_automata::util::captures::Captures,
) {
    let group = |out: &mut String, g: usize| {
        if let Some(m) = caps.get_group(g) {
            out.push_str(&s[m.start..m.end]);
        }
    };
    let mut chars = template.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('&') => group(out, 0),
            Some(d @ '1'..='9') => group(out, d as usize - '0' as usize),
            Some('\\') => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
}

/// Replaces match number `nth` (0 for all) from character `start` on.
fn replace_in(re: &Regex, s: &str, template: &str, start: usize, nth: usize) -> String {
    let begin = s.char_indices().nth(start).map_or(s.len(), |(i, _)| i);
    let mut out = String::from(&s[..begin]);
    let tail = &s[begin..];
    let mut from = 0;
    for (i, caps) in re.captures_iter(tail).enumerate() {
        let Some(m) = caps.get_match() else {
            continue;
        };
        if nth != 0 && i + 1 != nth {
            continue;
        }
        out.push_str(&tail[from..m.start()]);
        put_replacement(&mut out, template, tail, &caps);
        from = m.end();
        if nth != 0 {
            break;
        }
    }
    out.push_str(&tail[from..]);
    out
}

/// `regexp_replace(s, pattern, new [, flags])` and `(s, pattern, new, start [, n [, flags]])`.
fn replace(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let positional = matches!(arg(args, 3), Datum::Int4(_));
    let flags = flags_at(args, if positional { 5 } else { 3 })?;
    let start = if positional {
        positive(int(args, 3)?, "start")? - 1
    } else {
        0
    };
    let nth = if positional && args.len() > 4 {
        let n = int(args, 4)?;
        if n < 0 {
            return Err(invalid("n", n));
        }
        n as usize
    } else {
        usize::from(!flags.global)
    };
    let re = regex(text(args, 1)?, flags, call)?;
    done(replace_in(&re, text(args, 0)?, text(args, 2)?, start, nth))
}

fn invalid(name: &str, v: i64) -> SqlError {
    SqlError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        alloc::format!("invalid value for parameter \"{name}\": {v}"),
    )
}

fn positive(v: i64, name: &str) -> SqlResult<usize> {
    if v <= 0 {
        Err(invalid(name, v))
    } else {
        Ok(v as usize)
    }
}

/// The part of a text from argument `i` (a start, counted from 1) on.
fn from_start(args: &[Datum], i: usize) -> SqlResult<(&str, usize)> {
    let s = text(args, 0)?;
    let skip = if args.len() > i {
        positive(int(args, i)?, "start")? - 1
    } else {
        0
    };
    Ok((
        s.char_indices().nth(skip).map_or("", |(at, _)| &s[at..]),
        skip,
    ))
}

fn count(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let flags = flags_at(args, 3)?;
    no_global(flags, "regexp_count()")?;
    let (s, _) = from_start(args, 2)?;
    let re = regex(text(args, 1)?, flags, call)?;
    Ok(Datum::Int4(re.find_iter(s).count() as i32))
}

fn like(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let flags = flags_at(args, 2)?;
    no_global(flags, "regexp_like()")?;
    yes(regex(text(args, 1)?, flags, call)?.is_match(text(args, 0)?))
}

/// `regexp_substr(s, pattern [, start [, n [, flags [, group]]]])`.
fn substr(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let flags = flags_at(args, 4)?;
    no_global(flags, "regexp_substr()")?;
    let (s, _) = from_start(args, 2)?;
    let nth = if args.len() > 3 {
        positive(int(args, 3)?, "n")?
    } else {
        1
    };
    let group = if args.len() > 5 {
        int(args, 5)?.max(0) as usize
    } else {
        0
    };
    let re = regex(text(args, 1)?, flags, call)?;
    let found = re
        .captures_iter(s)
        .nth(nth - 1)
        .and_then(|c| c.get_group(group));
    Ok(found.map_or(Datum::Null, |m| Datum::text(&s[m.start..m.end])))
}

/// `regexp_instr(s, pattern [, start [, n [, end [, flags [, group]]]]])`.
fn instr(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let flags = flags_at(args, 5)?;
    no_global(flags, "regexp_instr()")?;
    let (s, skipped) = from_start(args, 2)?;
    let nth = if args.len() > 3 {
        positive(int(args, 3)?, "n")?
    } else {
        1
    };
    let at_end = args.len() > 4 && int(args, 4)? == 1;
    let group = if args.len() > 6 {
        int(args, 6)?.max(0) as usize
    } else {
        0
    };
    let re = regex(text(args, 1)?, flags, call)?;
    let found = re
        .captures_iter(s)
        .nth(nth - 1)
        .and_then(|c| c.get_group(group));
    Ok(Datum::Int4(found.map_or(0, |m| {
        let at = if at_end { m.end } else { m.start };
        (skipped + s[..at].chars().count() + 1) as i32
    })))
}

/// SQL's `SIMILAR TO`: its pattern as a regular expression.
fn similar_to_escape(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let escape = if args.len() > 1 {
        text(args, 1)?.chars().next()
    } else {
        Some('\\')
    };
    let mut out = String::from("^(?:");
    let mut in_brackets = false;
    let mut chars = text(args, 0)?.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            if let Some(next) = chars.next() {
                out.push('\\');
                out.push(next);
            }
        } else if in_brackets {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
            in_brackets = c != ']';
        } else {
            match c {
                '[' => {
                    out.push('[');
                    in_brackets = true;
                }
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '(' => out.push_str("(?:"),
                '\\' | '.' | '^' | '$' => {
                    out.push('\\');
                    out.push(c);
                }
                _ => out.push(c),
            }
        }
    }
    out.push_str(")$");
    done(out)
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(1254, "textregexeq", &[TEXT, TEXT], BOOL, matches),
    f(1658, "bpcharregexeq", &[BPCHAR, TEXT], BOOL, matches),
    f(1256, "textregexne", &[TEXT, TEXT], BOOL, not_matches),
    f(1659, "bpcharregexne", &[BPCHAR, TEXT], BOOL, not_matches),
    f(79, "nameregexeq", &[NAME, TEXT], BOOL, matches),
    f(1252, "nameregexne", &[NAME, TEXT], BOOL, not_matches),
    f(1238, "texticregexeq", &[TEXT, TEXT], BOOL, imatches),
    f(1656, "bpcharicregexeq", &[BPCHAR, TEXT], BOOL, imatches),
    f(1239, "texticregexne", &[TEXT, TEXT], BOOL, not_imatches),
    f(1657, "bpcharicregexne", &[BPCHAR, TEXT], BOOL, not_imatches),
    f(1240, "nameicregexeq", &[NAME, TEXT], BOOL, imatches),
    f(1241, "nameicregexne", &[NAME, TEXT], BOOL, not_imatches),
    f(2073, "substring", &[TEXT, TEXT], TEXT, substring),
    f(3397, "regexp_match", &[TEXT, TEXT, TEXT], TEXT_ARRAY, regexp_match),
    f(3396, "regexp_match", &[TEXT, TEXT], TEXT_ARRAY, regexp_match),
    set(2764, "regexp_matches", &[TEXT, TEXT, TEXT], TEXT_ARRAY, regexp_matches),
    set(2763, "regexp_matches", &[TEXT, TEXT], TEXT_ARRAY, regexp_matches),
    f(2768, "regexp_split_to_array", &[TEXT, TEXT, TEXT], TEXT_ARRAY, split_array),
    f(2767, "regexp_split_to_array", &[TEXT, TEXT], TEXT_ARRAY, split_array),
    set(2766, "regexp_split_to_table", &[TEXT, TEXT, TEXT], TEXT, split_table),
    set(2765, "regexp_split_to_table", &[TEXT, TEXT], TEXT, split_table),
    f(2284, "regexp_replace", &[TEXT, TEXT, TEXT], TEXT, replace),
    f(2285, "regexp_replace", &[TEXT, TEXT, TEXT, TEXT], TEXT, replace),
    f(6251, "regexp_replace", &[TEXT, TEXT, TEXT, INT4, INT4, TEXT], TEXT, replace),
    f(6252, "regexp_replace", &[TEXT, TEXT, TEXT, INT4, INT4], TEXT, replace),
    f(6253, "regexp_replace", &[TEXT, TEXT, TEXT, INT4], TEXT, replace),
    f(6256, "regexp_count", &[TEXT, TEXT, INT4, TEXT], INT4, count),
    f(6254, "regexp_count", &[TEXT, TEXT], INT4, count),
    f(6255, "regexp_count", &[TEXT, TEXT, INT4], INT4, count),
    f(6264, "regexp_like", &[TEXT, TEXT, TEXT], BOOL, like),
    f(6263, "regexp_like", &[TEXT, TEXT], BOOL, like),
    f(6269, "regexp_substr", &[TEXT, TEXT, INT4, INT4, TEXT, INT4], TEXT, substr),
    f(6265, "regexp_substr", &[TEXT, TEXT], TEXT, substr),
    f(6266, "regexp_substr", &[TEXT, TEXT, INT4], TEXT, substr),
    f(6267, "regexp_substr", &[TEXT, TEXT, INT4, INT4], TEXT, substr),
    f(6268, "regexp_substr", &[TEXT, TEXT, INT4, INT4, TEXT], TEXT, substr),
    f(6262, "regexp_instr", &[TEXT, TEXT, INT4, INT4, INT4, TEXT, INT4], INT4, instr),
    f(6257, "regexp_instr", &[TEXT, TEXT], INT4, instr),
    f(6258, "regexp_instr", &[TEXT, TEXT, INT4], INT4, instr),
    f(6259, "regexp_instr", &[TEXT, TEXT, INT4, INT4], INT4, instr),
    f(6260, "regexp_instr", &[TEXT, TEXT, INT4, INT4, INT4], INT4, instr),
    f(6261, "regexp_instr", &[TEXT, TEXT, INT4, INT4, INT4, TEXT], INT4, instr),
    f(1987, "similar_to_escape", &[TEXT], TEXT, similar_to_escape),
    f(1986, "similar_to_escape", &[TEXT, TEXT], TEXT, similar_to_escape),
];
