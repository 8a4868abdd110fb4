//! Functions that ask the session: who, where, settings, sequences, sizes in words.

use super::args::{arg, boolean, done, float, int, interval, numeric, str_arg, text, yes};
use crate::context::{Call, SequenceCall};
use crate::function::{Function, f};
use crate::system::format_type_name;
use alloc::string::String;
use pg_types::oid::*;
use pg_types::{Datum, Numeric, SqlError, SqlResult, SqlState, Str};

fn version(_: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::text(crate::VERSION))
}

fn current_user(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Text(call.ctx.current_user()))
}

fn session_user(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Text(call.ctx.session_user()))
}

fn current_database(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Text(call.ctx.current_database()))
}

fn current_schema(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(call.ctx.search_path(false).into_iter().next().into())
}

fn current_schemas(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let names = call.ctx.search_path(boolean(args, 0)?);
    Ok(Datum::array(
        NAME,
        names.into_iter().map(Datum::Text).collect(),
    ))
}

fn encoding(_: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::text("UTF8"))
}

/// The encodings that clients ask about, by PostgreSQL's numbers.
const ENCODINGS: &[(i32, &str)] = &[
    (0, "SQL_ASCII"),
    (6, "UTF8"),
    (8, "LATIN1"),
    (24, "WIN1252"),
];

fn encoding_to_char(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let n = int(args, 0)?;
    let name = ENCODINGS
        .iter()
        .find(|(i, _)| i64::from(*i) == n)
        .map_or("", |(_, name)| name);
    Ok(Datum::text(name))
}

fn char_to_encoding(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let plain = |s: &str| {
        s.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_uppercase()
    };
    let wanted = plain(text(args, 0)?);
    let found = ENCODINGS.iter().find(|(_, name)| plain(name) == wanted);
    Ok(Datum::Int4(found.map_or(-1, |(i, _)| *i)))
}

fn unknown_setting(name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_OBJECT,
        alloc::format!("unrecognized configuration parameter \"{name}\""),
    )
}

fn current_setting(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let name = text(args, 0)?;
    let missing_ok = args.len() > 1 && boolean(args, 1)?;
    match call.ctx.setting(name) {
        Some(value) => done(value),
        None if missing_ok => Ok(Datum::Null),
        None => Err(unknown_setting(name)),
    }
}

fn set_config(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    if arg(args, 0).is_null() {
        return Err(SqlError::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "SET requires parameter name",
        ));
    }
    let value = match arg(args, 1) {
        Datum::Null => "",
        _ => text(args, 1)?,
    };
    done(
        call.ctx
            .set_setting(text(args, 0)?, value, arg(args, 2).is_true())?,
    )
}

fn backend_pid(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int4(call.ctx.backend_pid()))
}

fn xid(call: &Call<'_>, only_if_assigned: bool) -> SqlResult<Option<u64>> {
    call.ctx.transaction_id(only_if_assigned)
}

fn current_xid(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let as_xid8 = call.ret == XID8;
    Ok(xid(call, false)?.map_or(Datum::Null, |x| {
        if as_xid8 {
            Datum::Xid8(x)
        } else {
            Datum::Int8(x as i64)
        }
    }))
}

fn current_xid_if_assigned(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let as_xid8 = call.ret == XID8;
    Ok(xid(call, true)?.map_or(Datum::Null, |x| {
        if as_xid8 {
            Datum::Xid8(x)
        } else {
            Datum::Int8(x as i64)
        }
    }))
}

fn void() -> SqlResult<Datum> {
    Ok(Datum::text(""))
}

fn sleep(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let micros = float(args, 0)? * 1e6;
    if micros > 0.0 {
        call.ctx.sleep(micros.min(9e18) as i64)?;
    }
    void()
}

fn sleep_for(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let span = pg_types::compare::interval_span(interval(args, 0)?);
    if let Ok(micros @ 1..) = i64::try_from(span) {
        call.ctx.sleep(micros)?;
    }
    void()
}

fn type_of(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Oid(call.arg_type(0, arg(args, 0))))
}

fn format_type(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let Datum::Oid(oid) = arg(args, 0) else {
        return Ok(Datum::Null);
    };
    let typmod = arg(args, 1).as_i64().map(|m| m as i32);
    format_type_name(*oid, typmod, call.ctx)
}

fn always_true(_: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(true)
}

fn always_false(_: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    yes(false)
}

fn always_null(_: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Null)
}

fn nextval(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int8(
        call.ctx.sequence(SequenceCall::Next(sequence(args)?))?,
    ))
}

fn currval(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int8(
        call.ctx.sequence(SequenceCall::Current(sequence(args)?))?,
    ))
}

fn lastval(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    Ok(Datum::Int8(call.ctx.sequence(SequenceCall::Last)?))
}

fn setval(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let called = args.len() < 3 || boolean(args, 2)?;
    let set = SequenceCall::Set(sequence(args)?, int(args, 1)?, called);
    Ok(Datum::Int8(call.ctx.sequence(set)?))
}

fn sequence(args: &[Datum]) -> SqlResult<Oid> {
    Ok(int(args, 0)? as Oid)
}

fn nulls(args: &[Datum], call: &Call<'_>, want: bool) -> SqlResult<Datum> {
    let items = match arg(args, 0) {
        Datum::Array(a) if call.spread => &a.items,
        Datum::Null if call.spread => return Ok(Datum::Null),
        _ => {
            return Ok(Datum::Int4(
                args.iter().filter(|d| d.is_null() == want).count() as i32,
            ));
        }
    };
    Ok(Datum::Int4(
        items.iter().filter(|d| d.is_null() == want).count() as i32,
    ))
}

fn num_nulls(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    nulls(args, call, true)
}

fn num_nonnulls(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    nulls(args, call, false)
}

/// Bytes that a value takes in a row.
fn column_size(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    if arg(args, 0).is_null() {
        return Ok(Datum::Null);
    }
    let mut out = alloc::vec::Vec::new();
    pg_types::tuple::put_value(&mut out, arg(args, 0));
    Ok(Datum::Int4(out.len() as i32))
}

/// Sizes in the largest unit that keeps them below 10240 (or 20 of the next), rounded half up.
fn size_pretty(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let mut size = match arg(args, 0) {
        Datum::Int8(v) => i128::from(*v),
        _ => numeric(args, 0)?
            .to_i128()
            .ok_or_else(|| SqlError::out_of_range("bigint"))?,
    };
    if size.abs() < 10_240 {
        let bytes = match arg(args, 0) {
            Datum::Numeric(n) => alloc::format!("{n} bytes"),
            _ => alloc::format!("{size} bytes"),
        };
        return done(bytes);
    }
    // One bit is kept for rounding; the unit changes below 20,480 half-units.
    size >>= 9;
    let units = ["kB", "MB", "GB", "TB", "PB"];
    for (i, unit) in units.iter().enumerate() {
        let halved = (size + size.signum()) / 2;
        if size.abs() < 20_479 || i == units.len() - 1 {
            return done(alloc::format!("{halved} {unit}"));
        }
        size >>= 10;
    }
    Ok(Datum::Null)
}

fn size_bytes(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    let s = text(args, 0)?.trim();
    let split = s
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(s.len());
    let bad = || {
        SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            alloc::format!("invalid size: \"{s}\""),
        )
    };
    let number = Numeric::parse(&s[..split]).map_err(|_| bad())?;
    let factor: i64 = match s[split..].trim().to_ascii_lowercase().as_str() {
        "" | "bytes" | "b" => 1,
        "kb" => 1 << 10,
        "mb" => 1 << 20,
        "gb" => 1 << 30,
        "tb" => 1 << 40,
        "pb" => 1 << 50,
        _ => {
            return Err(bad().with_hint(
                "Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".",
            ));
        }
    };
    let bytes = number.mul(&Numeric::from(factor))?.to_i64();
    bytes
        .map(Datum::Int8)
        .ok_or_else(|| SqlError::out_of_range("bigint"))
}

fn start_time(_: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    call.ctx.catalog(crate::CatalogQuery::Function(
        "pg_postmaster_start_time",
        &[],
    ))
}

fn notify(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let payload = match arg(args, 1) {
        Datum::Null => Str::EMPTY,
        _ => str_arg(args, 1)?.clone(),
    };
    let channel = str_arg(args, 0)?.clone();
    call.ctx.catalog(crate::CatalogQuery::Function(
        "pg_notify",
        &[Datum::Text(channel), Datum::Text(payload)],
    ))
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    // Of type inet in PostgreSQL; always unknown here.
    f(2196, "inet_client_addr", &[], TEXT, always_null).lenient().stable(),
    f(2198, "inet_server_addr", &[], TEXT, always_null).lenient().stable(),
    f(89, "version", &[], TEXT, version).stable(),
    f(710, "getpgusername", &[], NAME, current_user).stable(),
    f(745, "current_user", &[], NAME, current_user).stable(),
    f(746, "session_user", &[], NAME, session_user).stable(),
    f(861, "current_database", &[], NAME, current_database).stable(),
    f(1402, "current_schema", &[], NAME, current_schema).stable(),
    f(1403, "current_schemas", &[BOOL], NAME_ARRAY, current_schemas).stable(),
    f(810, "pg_client_encoding", &[], NAME, encoding).stable(),
    f(1039, "getdatabaseencoding", &[], NAME, encoding).stable(),
    f(1597, "pg_encoding_to_char", &[INT4], NAME, encoding_to_char).stable(),
    f(1264, "pg_char_to_encoding", &[NAME], INT4, char_to_encoding).stable(),
    f(2077, "current_setting", &[TEXT], TEXT, current_setting).stable(),
    f(3294, "current_setting", &[TEXT, BOOL], TEXT, current_setting).stable(),
    f(2078, "set_config", &[TEXT, TEXT, BOOL], TEXT, set_config).lenient().volatile(),
    f(2026, "pg_backend_pid", &[], INT4, backend_pid).stable(),
    f(2943, "txid_current", &[], INT8, current_xid).stable(),
    f(5059, "pg_current_xact_id", &[], XID8, current_xid).stable(),
    f(3348, "txid_current_if_assigned", &[], INT8, current_xid_if_assigned).stable(),
    f(5060, "pg_current_xact_id_if_assigned", &[], XID8, current_xid_if_assigned).stable(),
    f(2626, "pg_sleep", &[FLOAT8], VOID, sleep).volatile(),
    f(3935, "pg_sleep_for", &[INTERVAL], VOID, sleep_for).volatile(),
    f(1619, "pg_typeof", &[ANY], REGTYPE, type_of).lenient().stable(),
    f(1081, "format_type", &[OID, INT4], TEXT, format_type).lenient().stable(),
    f(3810, "pg_is_in_recovery", &[], BOOL, always_false).volatile(),
    f(315, "pg_jit_available", &[], BOOL, always_false).volatile(),
    f(3298, "row_security_active", &[OID], BOOL, always_false).stable(),
    f(3299, "row_security_active", &[TEXT], BOOL, always_false).stable(),
    f(2199, "inet_server_port", &[], INT4, always_null).lenient().stable(),
    f(3162, "pg_collation_for", &[ANY], TEXT, always_null).lenient().stable(),
    f(6121, "pg_relation_is_publishable", &[REGCLASS], BOOL, always_true).stable(),
    f(1574, "nextval", &[REGCLASS], INT8, nextval).volatile(),
    f(1575, "currval", &[REGCLASS], INT8, currval).volatile(),
    f(2559, "lastval", &[], INT8, lastval).volatile(),
    f(1576, "setval", &[REGCLASS, INT8], INT8, setval).volatile(),
    f(1765, "setval", &[REGCLASS, INT8, BOOL], INT8, setval).volatile(),
    f(438, "num_nulls", &[ANY], INT4, num_nulls).variadic().lenient(),
    f(440, "num_nonnulls", &[ANY], INT4, num_nonnulls).variadic().lenient(),
    f(1269, "pg_column_size", &[ANY], INT4, column_size).stable(),
    f(2288, "pg_size_pretty", &[INT8], TEXT, size_pretty),
    f(3166, "pg_size_pretty", &[NUMERIC], TEXT, size_pretty),
    f(3334, "pg_size_bytes", &[TEXT], INT8, size_bytes),
    f(2560, "pg_postmaster_start_time", &[], TIMESTAMPTZ, start_time).stable(),
    f(2034, "pg_conf_load_time", &[], TIMESTAMPTZ, start_time).stable(),
    f(3036, "pg_notify", &[TEXT, TEXT], VOID, notify).lenient().volatile(),
];
