//! Type names of casts, as sqlparser prints them.

use pg_builtins::{BasicContext, EvalContext};
use pg_types::oid::{self, Oid};
use pg_types::typename::{VARHDRSZ, numeric_typmod};
use pg_types::{SqlError, SqlResult, SqlState};
use sqlparser::ast::{DateTimeField, Interval};

/// Id and typmod of a type.
pub fn type_of(name: &str, ctx: &BasicContext) -> SqlResult<(Oid, i32)> {
    let _ = ctx.current_user();
    let lower = name.to_lowercase();
    let (base, args) = match (lower.find('('), lower.find(')')) {
        (Some(open), Some(close)) => {
            let args = lower[open + 1..close]
                .split(',')
                .filter_map(|n| n.trim().parse::<i32>().ok())
                .collect();
            (format!("{}{}", &lower[..open], &lower[close + 1..]), args)
        }
        _ => (lower.clone(), Vec::new()),
    };
    let missing = || {
        SqlError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("type \"{base}\" does not exist"),
        )
    };
    let ty = pg_builtins::system::builtin_type(&base).ok_or_else(missing)?;
    let typmod = match (ty, args.as_slice()) {
        (oid::NUMERIC, [p]) => numeric_typmod(*p, 0),
        (oid::NUMERIC, [p, s]) => numeric_typmod(*p, *s),
        (oid::NUMERIC, _) => -1,
        (oid::BPCHAR, []) if base != "bpchar" => 1 + VARHDRSZ,
        (oid::VARCHAR | oid::BPCHAR, [n]) => n + VARHDRSZ,
        (oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ, [p]) => *p,
        (oid::INTERVAL, [p]) => 0x7fff << 16 | p,
        _ => -1,
    };
    Ok((ty, typmod))
}

/// The typmod of an interval literal's fields.
pub fn interval_typmod(i: &Interval) -> i32 {
    use DateTimeField as F;
    let fields = match (&i.leading_field, &i.last_field) {
        (None, _) => return -1,
        (Some(F::Year), None) => 0x0004,
        (Some(F::Month), None) => 0x0002,
        (Some(F::Day), None) => 0x0008,
        (Some(F::Hour), None) => 0x0400,
        (Some(F::Minute), None) => 0x0800,
        (Some(F::Second), None) => 0x1000,
        (Some(F::Year), Some(F::Month)) => 0x0006,
        (Some(F::Day), Some(F::Hour)) => 0x0408,
        (Some(F::Day), Some(F::Minute)) => 0x0c08,
        (Some(F::Day), Some(F::Second)) => 0x1c08,
        (Some(F::Hour), Some(F::Minute)) => 0x0c00,
        (Some(F::Hour), Some(F::Second)) => 0x1c00,
        (Some(F::Minute), Some(F::Second)) => 0x1800,
        _ => 0x7fff,
    };
    let precision = i
        .fractional_seconds_precision
        .or(i.leading_precision)
        .map_or(0xffff, |p| p as i32);
    fields << 16 | precision
}
