//! Quoting of identifiers and literals.

use super::args::{arg, done, text};
use super::text::shown;
use crate::context::Call;
use crate::function::{Function, f};
use alloc::string::String;
use pg_types::oid::*;
use pg_types::{Datum, SqlResult};

/// Quotes an identifier where it needs it: not lower case, or a word of the grammar.
pub fn quote_identifier(name: &str) -> String {
    let plain = name
        .bytes()
        .enumerate()
        .all(|(i, b)| b.is_ascii_lowercase() || b == b'_' || (i > 0 && b.is_ascii_digit()));
    if plain && !name.is_empty() && !is_keyword(name) {
        return name.into();
    }
    alloc::format!("\"{}\"", name.replace('"', "\"\""))
}

/// Words that cannot stand as a column name unquoted, sorted: PostgreSQL's reserved ones and
/// those that are functions or types to its grammar.
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

fn is_keyword(name: &str) -> bool {
    KEYWORDS.binary_search(&name).is_ok()
}

/// Quotes a literal; backslashes make it an escape string.
pub fn quote_string(s: &str) -> String {
    let doubled = s.replace('\'', "''");
    if s.contains('\\') {
        alloc::format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        alloc::format!("'{doubled}'")
    }
}

fn quote_ident(args: &[Datum], _: &Call<'_>) -> SqlResult<Datum> {
    done(quote_identifier(text(args, 0)?))
}

fn quote_literal(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    done(quote_string(&shown(args, 0, call)?))
}

fn quote_nullable(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    if arg(args, 0).is_null() {
        Ok(Datum::text("NULL"))
    } else {
        quote_literal(args, call)
    }
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(1285, "quote_literal", &[ANYELEMENT], TEXT, quote_literal).stable(),
    f(1290, "quote_nullable", &[ANYELEMENT], TEXT, quote_nullable).lenient().stable(),
    f(1282, "quote_ident", &[TEXT], TEXT, quote_ident),
    f(1283, "quote_literal", &[TEXT], TEXT, quote_literal),
    f(1289, "quote_nullable", &[TEXT], TEXT, quote_nullable).lenient(),
];
