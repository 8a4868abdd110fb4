//! Helpers over types and the catalog that several function files share.

use crate::context::{CatalogQuery, EvalContext};
use pg_types::{Datum, Oid, SqlResult, Str, format_type, type_name};

/// `format_type` for built-in and user types; without a modifier as `regtype` prints it.
pub fn format_type_name(t: Oid, typmod: Option<i32>, ctx: &dyn EvalContext) -> SqlResult<Datum> {
    let name = typmod.map_or_else(|| type_name(t), |m| format_type(t, m));
    if name == "???" {
        let answer = ctx.catalog(CatalogQuery::FormatType(t, typmod.unwrap_or(-1)))?;
        if !answer.is_null() {
            return Ok(answer);
        }
    }
    Ok(Datum::Text(Str::from(name)))
}

/// The type behind a name as SQL writes it (`integer`, `int4[]`, `pg_catalog.text`); NULL when there is none.
pub fn type_from_name(text: &str, ctx: &dyn EvalContext) -> SqlResult<Datum> {
    match builtin_type(text) {
        Some(t) => Ok(Datum::Oid(t)),
        None => ctx.catalog(CatalogQuery::RegFromName(pg_types::oid::REGTYPE, text)),
    }
}

/// The built-in type behind a name, without the catalog.
pub fn builtin_type(text: &str) -> Option<Oid> {
    use pg_types::oid::*;
    let name = text.trim();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    if let Some(elem) = name.strip_suffix("[]") {
        return pg_types::typeinfo::array_of(builtin_type(elem)?);
    }
    let base = name.split('(').next().unwrap_or(name).trim_end();
    let lower = base.to_ascii_lowercase();
    Some(match lower.as_str() {
        "integer" | "int" => INT4,
        "bigint" => INT8,
        "smallint" => INT2,
        "real" => FLOAT4,
        "double precision" | "float" => FLOAT8,
        "decimal" | "dec" => NUMERIC,
        "boolean" => BOOL,
        "character varying" => VARCHAR,
        "character" | "char" => BPCHAR,
        "\"char\"" => CHAR,
        "time" | "time without time zone" => TIME,
        "timestamp" | "timestamp without time zone" => TIMESTAMP,
        "timestamp with time zone" => TIMESTAMPTZ,
        other => return pg_types::typeinfo::type_by_name(other.trim_matches('"')).map(|t| t.oid),
    })
}
