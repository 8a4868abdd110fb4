//! Operator classes and families of B-trees: which types can be keys.

use crate::row::Row;
use crate::schema::{BTREE_AM, PG_CATALOG, POSTGRES};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::Relation;
use pg_types::Oid;
use pg_types::oid::*;

/// A B-tree operator class.
pub struct Class {
    /// `pg_opclass.oid`.
    pub oid: Oid,
    name: &'static str,
    family: Oid,
    family_name: &'static str,
    input: Oid,
    default: bool,
}

const fn c(
    oid: Oid,
    name: &'static str,
    family: Oid,
    family_name: &'static str,
    input: Oid,
    default: bool,
) -> Class {
    Class {
        oid,
        name,
        family,
        family_name,
        input,
        default,
    }
}

#[rustfmt::skip] // A table: one class a line.
static CLASSES: &[Class] = &[
    c(1978, "int4_ops", 1976, "integer_ops", INT4, true),
    c(1979, "int2_ops", 1976, "integer_ops", INT2, true),
    c(1981, "oid_ops", 1989, "oid_ops", OID, true),
    c(3122, "date_ops", 434, "datetime_ops", DATE, true),
    c(3123, "float8_ops", 1970, "float_ops", FLOAT8, true),
    c(3124, "int8_ops", 1976, "integer_ops", INT8, true),
    c(3125, "numeric_ops", 1988, "numeric_ops", NUMERIC, true),
    c(3126, "text_ops", 1994, "text_ops", TEXT, true),
    c(3127, "timestamptz_ops", 434, "datetime_ops", TIMESTAMPTZ, true),
    c(3128, "timestamp_ops", 434, "datetime_ops", TIMESTAMP, true),
    c(4217, "text_pattern_ops", 2095, "text_pattern_ops", TEXT, false),
    c(4218, "varchar_pattern_ops", 2095, "text_pattern_ops", TEXT, false),
    c(4219, "bpchar_pattern_ops", 2097, "bpchar_pattern_ops", BPCHAR, false),
    c(10000, "array_ops", 397, "array_ops", ANYARRAY, true),
    c(10003, "bool_ops", 424, "bool_ops", BOOL, true),
    c(10004, "bpchar_ops", 426, "bpchar_ops", BPCHAR, true),
    c(10006, "bytea_ops", 428, "bytea_ops", BYTEA, true),
    c(10007, "char_ops", 429, "char_ops", CHAR, true),
    c(10012, "float4_ops", 1970, "float_ops", FLOAT4, true),
    c(10022, "interval_ops", 1982, "interval_ops", INTERVAL, true),
    c(10028, "name_ops", 1994, "text_ops", NAME, true),
    c(10032, "oidvector_ops", 1991, "oidvector_ops", OIDVECTOR, true),
    c(10034, "record_ops", 2994, "record_ops", RECORD, true),
    c(10038, "time_ops", 1996, "time_ops", TIME, true),
    c(10044, "varchar_ops", 1994, "text_ops", TEXT, false),
    c(10050, "tid_ops", 2789, "tid_ops", TID, true),
    c(10053, "xid8_ops", 5067, "xid8_ops", XID8, true),
    c(10065, "uuid_ops", 2968, "uuid_ops", UUID, true),
    c(10067, "pg_lsn_ops", 3253, "pg_lsn_ops", PG_LSN, true),
    c(10069, "enum_ops", 3522, "enum_ops", ANYENUM, true),
    c(10088, "jsonb_ops", 4033, "jsonb_ops", JSONB, true),
];

/// The default class of a type; none when its values have no order.
pub fn by_type(type_oid: Oid) -> Option<&'static Class> {
    let base = match type_oid {
        VARCHAR => TEXT,
        t if pg_types::typeinfo::is_reg(t) => OID,
        t if t >= FIRST_NORMAL => ANYENUM,
        t => t,
    };
    let exact = CLASSES.iter().find(|c| c.default && c.input == base);
    exact.or_else(|| {
        let element = pg_types::typeinfo::element_of(base)?;
        by_type(element)?;
        CLASSES.iter().find(|c| c.input == ANYARRAY)
    })
}

/// `pg_opclass`.
pub fn classes(table: &Arc<Relation>) -> Vec<Row> {
    let row = |c: &Class| {
        Row::new(table)
            .set_oid("oid", c.oid)
            .set_oid("opcmethod", BTREE_AM)
            .set("opcname", c.name)
            .set_oid("opcnamespace", PG_CATALOG)
            .set_oid("opcowner", POSTGRES)
            .set_oid("opcfamily", c.family)
            .set_oid("opcintype", c.input)
            .set("opcdefault", c.default)
    };
    CLASSES.iter().map(row).collect()
}

/// `pg_opfamily`.
pub fn families(table: &Arc<Relation>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for c in CLASSES {
        if rows.iter().any(|r| r.oid("oid") == c.family) {
            continue;
        }
        rows.push(
            Row::new(table)
                .set_oid("oid", c.family)
                .set_oid("opfmethod", BTREE_AM)
                .set("opfname", c.family_name)
                .set_oid("opfnamespace", PG_CATALOG)
                .set_oid("opfowner", POSTGRES),
        );
    }
    rows
}
