//! Conversions between the kinds of text, and to and from bytes.

use super::args::{arg, bytes, done, int, int4, str_arg, text};
use crate::coercion::output_text;
use crate::context::Call;
use crate::function::{Function, f};
use alloc::string::String;
use pg_types::compare::trim_blanks;
use pg_types::oid::*;
use pg_types::{Datum, SqlError, SqlResult, Str};

fn bool_text(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::text(if arg(args, 0).is_true() {
        "true"
    } else {
        "false"
    }))
}

fn same_text(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(arg(args, 0).clone())
}

/// `bpchar` to text: the padding goes.
fn unpad(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let s = str_arg(args, 0)?;
    let kept = trim_blanks(s.as_bytes()).len();
    Ok(if kept == s.as_bytes().len() {
        Datum::Text(s.clone())
    } else {
        Datum::text(&s.as_str()[..kept])
    })
}

fn to_name(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::text(pg_types::input::truncate_name(text(args, 0)?)))
}

fn bpchar_to_name(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::text(
        pg_types::input::truncate_name(text(args, 0)?).trim_end_matches(' '),
    ))
}

fn char_to_text(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    done(output_text(arg(args, 0), CHAR, call.ctx)?.unwrap_or_default())
}

fn text_to_char(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    pg_types::input(CHAR, -1, text(args, 0)?, call.ctx.format())
}

fn char_to_int(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    match arg(args, 0) {
        Datum::Char(c) => Ok(Datum::Int4(i32::from(*c as i8))),
        _ => Err(SqlError::internal("not a \"char\"")),
    }
}

fn int_to_char(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    i8::try_from(int4(args, 0)?)
        .map(|v| Datum::Char(v as u8))
        .map_err(|_| SqlError::out_of_range("\"char\""))
}

/// `varchar(x, typmod, explicit)` and `bpchar(...)`: the length coercions.
fn fit_varchar(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    pg_types::coerce_typmod(
        arg(args, 0).clone(),
        VARCHAR,
        int4(args, 1)?,
        arg(args, 2).is_true(),
    )
}

fn fit_bpchar(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    pg_types::coerce_typmod(
        arg(args, 0).clone(),
        BPCHAR,
        int4(args, 1)?,
        arg(args, 2).is_true(),
    )
}

fn larger(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let pick = usize::from(pg_types::compare(arg(args, 0), arg(args, 1)).is_lt());
    Ok(arg(args, pick).clone())
}

fn smaller(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let pick = usize::from(pg_types::compare(arg(args, 0), arg(args, 1)).is_gt());
    Ok(arg(args, pick).clone())
}

fn name_concat_oid(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let suffix = alloc::format!("_{}", int(args, 1)?);
    let name = text(args, 0)?;
    let keep = (0..=name.len().min(63 - suffix.len()))
        .rev()
        .find(|i| name.is_char_boundary(*i))
        .unwrap_or(0);
    Ok(Datum::Text(Str::from(alloc::format!(
        "{}{suffix}",
        &name[..keep]
    ))))
}

fn convert_from(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    utf8_only(text(args, 1)?)?;
    Ok(Datum::Text(pg_types::wire::text(bytes(args, 0)?)?))
}

fn convert_to(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    utf8_only(text(args, 1)?)?;
    Ok(Datum::bytea(text(args, 0)?.as_bytes()))
}

fn utf8_only(encoding: &str) -> SqlResult<()> {
    let plain: String = encoding
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    if plain.eq_ignore_ascii_case("utf8") || plain.eq_ignore_ascii_case("unicode") {
        return Ok(());
    }
    Err(SqlError::unsupported(alloc::format!(
        "encoding \"{encoding}\""
    )))
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(2971, "text", &[BOOL], TEXT, bool_text),
    f(406, "text", &[NAME], TEXT, same_text),
    f(1401, "varchar", &[NAME], VARCHAR, same_text),
    f(408, "bpchar", &[NAME], BPCHAR, same_text),
    f(407, "name", &[TEXT], NAME, to_name),
    f(1400, "name", &[VARCHAR], NAME, to_name),
    f(409, "name", &[BPCHAR], NAME, bpchar_to_name),
    f(946, "text", &[CHAR], TEXT, char_to_text),
    f(860, "bpchar", &[CHAR], BPCHAR, char_to_text),
    f(944, "char", &[TEXT], CHAR, text_to_char),
    f(77, "int4", &[CHAR], INT4, char_to_int),
    f(78, "char", &[INT4], CHAR, int_to_char),
    f(669, "varchar", &[VARCHAR, INT4, BOOL], VARCHAR, fit_varchar),
    f(668, "bpchar", &[BPCHAR, INT4, BOOL], BPCHAR, fit_bpchar),
    f(458, "text_larger", &[TEXT, TEXT], TEXT, larger),
    f(459, "text_smaller", &[TEXT, TEXT], TEXT, smaller),
    f(1063, "bpchar_larger", &[BPCHAR, BPCHAR], BPCHAR, larger),
    f(1064, "bpchar_smaller", &[BPCHAR, BPCHAR], BPCHAR, smaller),
    f(266, "nameconcatoid", &[NAME, OID], NAME, name_concat_oid),
    f(1714, "convert_from", &[BYTEA, NAME], TEXT, convert_from).stable(),
    f(1717, "convert_to", &[TEXT, NAME], BYTEA, convert_to).stable(),
    f(401, "text", &[BPCHAR], TEXT, unpad),
];
