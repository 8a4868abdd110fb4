//! Fitting values to type modifiers: `varchar(n)`, `char(n)`, `numeric(p,s)`, `timestamp(p)`.

use crate::datetime::{round_micros, round_time};
use crate::datum::{ArrayValue, Datum, Interval};
use crate::error::{SqlError, SqlResult};
use crate::oid::{self, Oid};
use crate::sqlstate::SqlState;
use crate::text::Str;
use crate::typename::VARHDRSZ;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

/// Makes a value of `type_oid` fit `typmod`. Explicit casts cut texts that are too long;
/// assignments refuse them (22001) unless only blanks are lost.
pub fn coerce_typmod(datum: Datum, type_oid: Oid, typmod: i32, explicit: bool) -> SqlResult<Datum> {
    if typmod < 0 {
        return Ok(datum);
    }
    Ok(match datum {
        Datum::Text(s) => match type_oid {
            oid::VARCHAR => Datum::Text(fit_varchar(s, typmod - VARHDRSZ, explicit)?),
            oid::BPCHAR => Datum::Text(fit_bpchar(s, typmod - VARHDRSZ, explicit)?),
            _ => Datum::Text(s),
        },
        Datum::Numeric(n) => Datum::Numeric(n.apply_typmod(typmod)?),
        Datum::Timestamp(t) => Datum::Timestamp(round_micros(t, typmod)),
        Datum::TimestampTz(t) => Datum::TimestampTz(round_micros(t, typmod)),
        Datum::Time(t) => Datum::Time(round_time(t, typmod)),
        Datum::Interval(i) => Datum::Interval(fit_interval(i, typmod)),
        Datum::Array(a) => {
            let items = a
                .items
                .iter()
                .map(|d| coerce_typmod(d.clone(), a.elem, typmod, explicit))
                .collect::<SqlResult<_>>()?;
            Datum::Array(Arc::new(ArrayValue {
                elem: a.elem,
                dims: a.dims.clone(),
                items,
            }))
        }
        other => other,
    })
}

/// Byte offset of character `n`; none when there are not that many behind it.
fn char_offset(s: &str, n: i32) -> Option<usize> {
    if s.len() <= n.max(0) as usize {
        return None;
    }
    s.char_indices().nth(n.max(0) as usize).map(|(i, _)| i)
}

fn too_long(name: &str, n: i32) -> SqlError {
    SqlError::new(
        SqlState::STRING_DATA_RIGHT_TRUNCATION,
        format!("value too long for type {name}({n})"),
    )
}

fn fit_varchar(s: Str, n: i32, explicit: bool) -> SqlResult<Str> {
    match char_offset(&s, n) {
        None => Ok(s),
        Some(end) if explicit || s.as_bytes()[end..].iter().all(|&b| b == b' ') => {
            Ok(Str::from(&s.as_str()[..end]))
        }
        Some(_) => Err(too_long("character varying", n)),
    }
}

fn fit_bpchar(s: Str, n: i32, explicit: bool) -> SqlResult<Str> {
    if let Some(end) = char_offset(&s, n) {
        if explicit || s.as_bytes()[end..].iter().all(|&b| b == b' ') {
            return Ok(Str::from(&s.as_str()[..end]));
        }
        return Err(too_long("character", n));
    }
    let have = s.as_str().chars().count();
    let missing = (n.max(0) as usize).saturating_sub(have);
    if missing == 0 {
        return Ok(s);
    }
    let mut padded = String::with_capacity(s.len() + missing);
    padded.push_str(&s);
    (0..missing).for_each(|_| padded.push(' '));
    Ok(Str::from(padded))
}

/// Cuts an interval to the fields and the precision of its typmod.
pub(crate) fn fit_interval(i: Interval, typmod: i32) -> Interval {
    const HOUR: i64 = 3_600_000_000;
    const MINUTE: i64 = 60_000_000;
    let fields = (typmod >> 16) & 0x7fff;
    let precision = typmod & 0xffff;
    let micros = i.micros;
    let mut out = match fields {
        0x0004 => Interval {
            months: i.months / 12 * 12,
            days: 0,
            micros: 0,
        },
        0x0002 | 0x0006 => Interval {
            months: i.months,
            days: 0,
            micros: 0,
        },
        0x0008 => Interval { micros: 0, ..i },
        0x0400 | 0x0408 => Interval {
            micros: micros / HOUR * HOUR,
            ..i
        },
        0x0800 | 0x0c08 | 0x0c00 => Interval {
            micros: micros / MINUTE * MINUTE,
            ..i
        },
        _ => i,
    };
    if precision < 6 {
        out.micros = round_micros(out.micros, precision);
    }
    out
}
