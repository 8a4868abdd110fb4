//! Type names as SQL writes them, with their modifiers.

use crate::oid::*;
use crate::typeinfo::{element_of, type_info};
use alloc::format;
use alloc::string::{String, ToString};

/// Bytes that a typmod of varlena types counts for the length word.
pub const VARHDRSZ: i32 = 4;

/// The typmod of `numeric(precision, scale)`.
pub fn numeric_typmod(precision: i32, scale: i32) -> i32 {
    ((precision << 16) | (scale & 0x7ff)) + VARHDRSZ
}

/// Precision and scale of a numeric typmod; none when it is unconstrained.
pub fn numeric_precision_scale(typmod: i32) -> Option<(i32, i32)> {
    if typmod < VARHDRSZ {
        return None;
    }
    let raw = typmod - VARHDRSZ;
    // The scale is an 11-bit two's complement number since PostgreSQL 15.
    Some(((raw >> 16) & 0xffff, ((raw & 0x7ff) ^ 1024) - 1024))
}

/// The name of a type whose modifier is not of interest: as messages and `regtype` show it.
///
/// Differs from `format_type(oid, -1)` for `bpchar`, which is `character` here.
pub fn type_name(oid: Oid) -> String {
    match oid {
        BPCHAR => "character".to_string(),
        BPCHAR_ARRAY => "character[]".to_string(),
        _ => format_type(oid, -1),
    }
}

/// See [`crate::typeinfo::format_type`].
pub(crate) fn format_type(oid: Oid, typmod: i32) -> String {
    if oid == 0 {
        return "-".to_string();
    }
    if oid != INT2VECTOR
        && oid != OIDVECTOR
        && let Some(elem) = element_of(oid)
    {
        return format!("{}[]", format_type(elem, typmod));
    }
    let Some(info) = type_info(oid) else {
        return "???".to_string();
    };
    let plain = match oid {
        BOOL => "boolean",
        INT2 => "smallint",
        INT4 => "integer",
        INT8 => "bigint",
        FLOAT4 => "real",
        FLOAT8 => "double precision",
        CHAR => "\"char\"",
        ANY => "\"any\"",
        BPCHAR if typmod < 0 => "bpchar",
        BPCHAR => return with_length("character", typmod),
        VARCHAR => return with_length("character varying", typmod),
        NUMERIC => {
            return match numeric_precision_scale(typmod) {
                Some((p, s)) => format!("numeric({p},{s})"),
                None => "numeric".to_string(),
            };
        }
        TIME => return with_precision("time", typmod, " without time zone"),
        TIMESTAMP => return with_precision("timestamp", typmod, " without time zone"),
        TIMESTAMPTZ => return with_precision("timestamp", typmod, " with time zone"),
        INTERVAL => return interval_name(typmod),
        _ => info.name,
    };
    plain.to_string()
}

fn with_length(name: &str, typmod: i32) -> String {
    if typmod >= VARHDRSZ {
        format!("{name}({})", typmod - VARHDRSZ)
    } else {
        name.to_string()
    }
}

fn with_precision(name: &str, typmod: i32, tail: &str) -> String {
    if typmod >= 0 {
        format!("{name}({typmod}){tail}")
    } else {
        format!("{name}{tail}")
    }
}

fn interval_name(typmod: i32) -> String {
    // Low 16 bits: precision, 0xffff for none; above them the fields, 0x7fff for all.
    let fields = match (typmod >> 16) & 0x7fff {
        0x0004 => " year",
        0x0002 => " month",
        0x0008 => " day",
        0x0400 => " hour",
        0x0800 => " minute",
        0x1000 => " second",
        0x0006 => " year to month",
        0x0408 => " day to hour",
        0x0c08 => " day to minute",
        0x1c08 => " day to second",
        0x0c00 => " hour to minute",
        0x1c00 => " hour to second",
        0x1800 => " minute to second",
        _ => "",
    };
    let precision = typmod & 0xffff;
    if typmod >= 0 && precision != 0xffff {
        format!("interval{fields}({precision})")
    } else if typmod >= 0 {
        format!("interval{fields}")
    } else {
        "interval".to_string()
    }
}
