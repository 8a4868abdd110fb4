//! concat, format, quoting, splitting.

use super::args::{arg, array, done, int, text};
use super::quote::{quote_identifier, quote_string};
use super::text::shown;
use crate::coercion::output_text;
use crate::context::Call;
use crate::function::{Function, SetIter, f, set};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use pg_types::oid::*;
use pg_types::{Datum, SqlError, SqlResult, SqlState};

/// Arguments of a variadic `"any"` function from `from` on: given one by one, or as one array
/// when the call was `VARIADIC array`.
fn spread(args: &[Datum], from: usize, call: &Call<'_>) -> SqlResult<Vec<Option<String>>> {
    if call.spread
        && let Datum::Array(a) = arg(args, from)
    {
        return a
            .items
            .iter()
            .map(|d| output_text(d, a.elem, call.ctx))
            .collect();
    }
    (from..args.len())
        .map(|i| {
            if args[i].is_null() {
                Ok(None)
            } else {
                shown(args, i, call).map(Some)
            }
        })
        .collect()
}

fn concat(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    if call.spread && arg(args, 0).is_null() {
        return Ok(Datum::Null);
    }
    done(spread(args, 0, call)?.into_iter().flatten().collect())
}

fn concat_ws(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let Datum::Text(separator) = arg(args, 0) else {
        return Ok(Datum::Null);
    };
    let parts: Vec<String> = spread(args, 1, call)?.into_iter().flatten().collect();
    done(parts.join(separator))
}

fn bad_format(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// One `%` directive.
struct Directive {
    position: Option<usize>,
    left: bool,
    width: Option<Width>,
    kind: char,
}

enum Width {
    Fixed(i64),
    /// From an argument: the next one, or by number.
    Argument(Option<usize>),
}

/// `format(template, ...)`.
fn format(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let template = text(args, 0)?;
    let values = spread(args, 1, call)?;
    let mut next = 0usize;
    let mut out = String::new();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.peek() == Some(&'%') {
            chars.next();
            out.push('%');
            continue;
        }
        let d = directive(&mut chars)?;
        let mut left = d.left;
        let width = match d.width {
            None => 0,
            Some(Width::Fixed(w)) => w,
            Some(Width::Argument(at)) => {
                let place = at.map_or(next, |n| n - 1);
                next = place + 1;
                let value = values.get(place).ok_or_else(too_few)?;
                let w: i64 = value
                    .as_deref()
                    .unwrap_or("0")
                    .trim()
                    .parse()
                    .map_err(|_| bad_format("width argument must be an integer"))?;
                left |= w < 0;
                w.abs()
            }
        };
        let place = d.position.map_or(next, |n| n - 1);
        next = place + 1;
        let value = values.get(place).ok_or_else(too_few)?;
        let shown = match (d.kind, value) {
            ('s', v) => v.clone().unwrap_or_default(),
            ('L', v) => v.as_deref().map_or_else(|| "NULL".into(), quote_string),
            ('I', Some(v)) => quote_identifier(v),
            ('I', None) => {
                return Err(SqlError::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    "null values cannot be formatted as an SQL identifier",
                ));
            }
            (other, _) => {
                return Err(bad_format(alloc::format!(
                    "unrecognized format() type specifier \"{other}\""
                ))
                .with_hint("For a single \"%\" use \"%%\"."));
            }
        };
        pad(&mut out, &shown, width, left);
    }
    done(out)
}

fn too_few() -> SqlError {
    bad_format("too few arguments for format()")
}

fn pad(out: &mut String, value: &str, width: i64, left: bool) {
    let missing = (width.max(0) as usize).saturating_sub(value.chars().count());
    let fill = " ".repeat(missing);
    if left {
        out.push_str(value);
        out.push_str(&fill);
    } else {
        out.push_str(&fill);
        out.push_str(value);
    }
}

fn directive(chars: &mut core::iter::Peekable<core::str::Chars<'_>>) -> SqlResult<Directive> {
    let mut d = Directive {
        position: None,
        left: false,
        width: None,
        kind: ' ',
    };
    let first = number(chars);
    if let Some(n) = first {
        if chars.peek() == Some(&'$') {
            chars.next();
            d.position = Some(position(n)?);
        } else {
            d.width = Some(Width::Fixed(n));
        }
    }
    if d.width.is_none() {
        while chars.peek() == Some(&'-') {
            chars.next();
            d.left = true;
        }
        if chars.peek() == Some(&'*') {
            chars.next();
            let at = number(chars);
            if at.is_some() && chars.next() != Some('$') {
                return Err(bad_format("width argument position must be ended by \"$\""));
            }
            d.width = Some(Width::Argument(at.map(position).transpose()?));
        } else {
            d.width = number(chars).map(Width::Fixed);
        }
    }
    d.kind = chars.next().ok_or_else(|| {
        bad_format("unterminated format() type specifier")
            .with_hint("For a single \"%\" use \"%%\".")
    })?;
    Ok(d)
}

fn position(n: i64) -> SqlResult<usize> {
    usize::try_from(n)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| bad_format("format specifies argument 0, but arguments are numbered from 1"))
}

fn number(chars: &mut core::iter::Peekable<core::str::Chars<'_>>) -> Option<i64> {
    let mut value: Option<i64> = None;
    while let Some(d) = chars.peek().and_then(|c| c.to_digit(10)) {
        value = Some(
            value
                .unwrap_or(0)
                .saturating_mul(10)
                .saturating_add(i64::from(d)),
        );
        chars.next();
    }
    value
}

fn split_part(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let (s, separator, n) = (text(args, 0)?, text(args, 1)?, int(args, 2)?);
    if n == 0 {
        return Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "field position must not be zero",
        ));
    }
    if separator.is_empty() {
        return Ok(Datum::text(if n == 1 || n == -1 { s } else { "" }));
    }
    let part = if n > 0 {
        s.split(separator).nth((n - 1) as usize)
    } else {
        let parts: Vec<&str> = s.split(separator).collect();
        usize::try_from(parts.len() as i64 + n)
            .ok()
            .and_then(|at| parts.get(at).copied())
    };
    Ok(Datum::text(part.unwrap_or("")))
}

/// Fields of a text: split at a separator, or into characters when it is NULL.
fn fields(args: &[Datum]) -> SqlResult<Vec<Datum>> {
    let s = text(args, 0)?;
    let null = match arg(args, 2) {
        Datum::Text(n) => Some(n.as_str()),
        _ => None,
    };
    let item = |p: &str| {
        if Some(p) == null {
            Datum::Null
        } else {
            Datum::text(p)
        }
    };
    if s.is_empty() {
        return Ok(Vec::new());
    }
    Ok(match arg(args, 1) {
        Datum::Text(sep) if sep.as_bytes().is_empty() => alloc::vec![item(s)],
        Datum::Text(sep) => s.split(sep.as_str()).map(item).collect(),
        _ => s
            .chars()
            .map(|c| item(c.encode_utf8(&mut [0; 4])))
            .collect(),
    })
}

fn string_to_array(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    if arg(args, 0).is_null() {
        return Ok(Datum::Null);
    }
    Ok(Datum::array(TEXT, fields(args)?))
}

fn string_to_table(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    if arg(args, 0).is_null() {
        return Ok(Box::new(core::iter::empty()));
    }
    Ok(Box::new(fields(args)?.into_iter().map(Ok)))
}

fn array_to_string(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    if arg(args, 0).is_null() || arg(args, 1).is_null() {
        return Ok(Datum::Null);
    }
    let (a, separator) = (array(args, 0)?, text(args, 1)?);
    let null = match arg(args, 2) {
        Datum::Text(n) => Some(String::from(n.as_str())),
        _ => None,
    };
    let mut parts = Vec::with_capacity(a.items.len());
    for item in &a.items {
        match output_text(item, a.elem, call.ctx)? {
            Some(text) => parts.push(text),
            None => parts.extend(null.clone()),
        }
    }
    done(parts.join(separator))
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(3058, "concat", &[ANY], TEXT, concat).variadic().lenient().stable(),
    f(3059, "concat_ws", &[TEXT, ANY], TEXT, concat_ws).variadic().lenient().stable(),
    f(3539, "format", &[TEXT, ANY], TEXT, format).variadic().lenient().stable(),
    f(3540, "format", &[TEXT], TEXT, format).lenient().stable(),
    f(2088, "split_part", &[TEXT, TEXT, INT4], TEXT, split_part),
    f(394, "string_to_array", &[TEXT, TEXT], TEXT_ARRAY, string_to_array).lenient(),
    f(376, "string_to_array", &[TEXT, TEXT, TEXT], TEXT_ARRAY, string_to_array).lenient(),
    set(6160, "string_to_table", &[TEXT, TEXT], TEXT, string_to_table).lenient(),
    set(6161, "string_to_table", &[TEXT, TEXT, TEXT], TEXT, string_to_table).lenient(),
    f(395, "array_to_string", &[ANYARRAY, TEXT], TEXT, array_to_string).stable(),
    f(384, "array_to_string", &[ANYARRAY, TEXT, TEXT], TEXT, array_to_string).lenient().stable(),
];
