//! SQL values as JSON text, as `to_json` and its kin write them.

use crate::coercion::output_text;
use crate::context::EvalContext;
use alloc::string::String;
use pg_types::json::put_string;
use pg_types::oid::{self, Oid};
use pg_types::{ArrayValue, Datum, SqlError, SqlResult, SqlState};

/// Appends a value of a type as JSON.
pub(crate) fn put_value(
    out: &mut String,
    value: &Datum,
    ty: Oid,
    ctx: &dyn EvalContext,
) -> SqlResult<()> {
    match value {
        Datum::Null => out.push_str("null"),
        Datum::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Datum::Int2(_)
        | Datum::Int4(_)
        | Datum::Int8(_)
        | Datum::Float4(_)
        | Datum::Float8(_)
        | Datum::Numeric(_) => {
            let text = output_text(value, ty, ctx)?.unwrap_or_default();
            // NaN and the infinities are no JSON numbers.
            if text.ends_with(|c: char| c.is_ascii_digit()) {
                out.push_str(&text);
            } else {
                put_string(out, &text);
            }
        }
        Datum::Text(s) if matches!(ty, oid::JSON | oid::JSONB) => out.push_str(s),
        Datum::Array(a) => put_array(out, a, 0, &mut 0, ctx)?,
        Datum::Record(r) => {
            out.push('{');
            for (i, field) in r.fields.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                put_string(out, &alloc::format!("f{}", i + 1));
                out.push(':');
                put_value(
                    out,
                    field,
                    r.types.get(i).copied().unwrap_or(oid::TEXT),
                    ctx,
                )?;
            }
            out.push('}');
        }
        Datum::Timestamp(_) | Datum::TimestampTz(_) | Datum::Date(_) => {
            put_string(out, &iso_time(value, ctx))
        }
        _ => put_string(out, &output_text(value, ty, ctx)?.unwrap_or_default()),
    }
    Ok(())
}

/// Dates in JSON are always ISO 8601, with a `T` and a full offset.
fn iso_time(value: &Datum, ctx: &dyn EvalContext) -> String {
    let mut settings = ctx.format().clone();
    settings.date_format = pg_types::settings::DateFormat::Iso;
    let mut text = pg_types::to_text(value, value.natural_type(), &settings).unwrap_or_default();
    if matches!(value, Datum::TimestampTz(_))
        && text
            .as_bytes()
            .iter()
            .rev()
            .nth(2)
            .is_some_and(|b| matches!(b, b'+' | b'-'))
    {
        text.push_str(":00");
    }
    text.replacen(' ', "T", 1)
}

/// Appends an object key. 22023 for NULL and compound values.
pub(crate) fn put_key(
    out: &mut String,
    value: &Datum,
    ty: Oid,
    ctx: &dyn EvalContext,
) -> SqlResult<()> {
    match value {
        Datum::Null => Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "field name must not be null",
        )),
        Datum::Array(_) | Datum::Record(_) => Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "key value must be scalar, not array, composite, or json",
        )),
        _ => {
            let text = match value {
                Datum::Bool(b) => String::from(if *b { "true" } else { "false" }),
                _ => output_text(value, ty, ctx)?.unwrap_or_default(),
            };
            put_string(out, &text);
            Ok(())
        }
    }
}

fn put_array(
    out: &mut String,
    a: &ArrayValue,
    depth: usize,
    at: &mut usize,
    ctx: &dyn EvalContext,
) -> SqlResult<()> {
    out.push('[');
    if let Some(dim) = a.dims.get(depth) {
        for i in 0..dim.len {
            if i > 0 {
                out.push(',');
            }
            if depth + 1 < a.dims.len() {
                put_array(out, a, depth + 1, at, ctx)?;
            } else {
                put_value(out, a.items.get(*at).unwrap_or(&Datum::Null), a.elem, ctx)?;
                *at += 1;
            }
        }
    }
    out.push(']');
    Ok(())
}
