//! The table of built-in types, in the terms of `pg_type`.
//!
//! [`type_info`] finds a type by id, [`type_by_name`] by its catalog name.
//! Types that users create (enums, domains, composites) are the catalog's.

use crate::oid::*;

/// One row of `pg_type`, for a built-in type.
#[derive(Debug, Clone, Copy)]
pub struct TypeInfo {
    /// `pg_type.oid`.
    pub oid: Oid,
    /// `typname`, such as `int4`.
    pub name: &'static str,
    /// `typlen`: bytes, or -1 for variable length, -2 for a C string.
    pub len: i16,
    /// `typbyval`.
    pub by_val: bool,
    /// `typtype`: `b` base, `p` pseudo.
    pub typtype: u8,
    /// `typcategory`, as the type resolution rules use it.
    pub category: u8,
    /// `typispreferred` within its category.
    pub preferred: bool,
    /// `typelem`: the element type of an array, else 0.
    pub elem: Oid,
    /// `typarray`: the array over this type, else 0.
    pub array: Oid,
    /// `typalign`.
    pub align: u8,
    /// `typstorage`.
    pub storage: u8,
    /// `typcollation`: 100 (default), 950 (C) or 0.
    pub collation: Oid,
}

#[allow(clippy::too_many_arguments)] // One row of the table below, in its column order.
const fn t(
    oid: Oid,
    name: &'static str,
    len: i16,
    by_val: bool,
    typtype: u8,
    category: u8,
    preferred: bool,
    elem: Oid,
    array: Oid,
    align: u8,
    storage: u8,
    collation: Oid,
) -> TypeInfo {
    TypeInfo {
        oid,
        name,
        len,
        by_val,
        typtype,
        category,
        preferred,
        elem,
        array,
        align,
        storage,
        collation,
    }
}

/// All built-in types, by ascending id.
#[rustfmt::skip] // A table: one type a line.
pub static TYPES: &[TypeInfo] = &[
    t(BOOL, "bool", 1, true, b'b', b'B', true, 0, 1000, b'c', b'p', 0),
    t(BYTEA, "bytea", -1, false, b'b', b'U', false, 0, 1001, b'i', b'x', 0),
    t(CHAR, "char", 1, true, b'b', b'Z', false, 0, 1002, b'c', b'p', 0),
    t(NAME, "name", 64, false, b'b', b'S', false, 18, 1003, b'c', b'p', 950),
    t(INT8, "int8", 8, true, b'b', b'N', false, 0, 1016, b'd', b'p', 0),
    t(INT2, "int2", 2, true, b'b', b'N', false, 0, 1005, b's', b'p', 0),
    t(INT2VECTOR, "int2vector", -1, false, b'b', b'A', false, 21, 1006, b'i', b'p', 0),
    t(INT4, "int4", 4, true, b'b', b'N', false, 0, 1007, b'i', b'p', 0),
    t(REGPROC, "regproc", 4, true, b'b', b'N', false, 0, 1008, b'i', b'p', 0),
    t(TEXT, "text", -1, false, b'b', b'S', true, 0, 1009, b'i', b'x', 100),
    t(OID, "oid", 4, true, b'b', b'N', true, 0, 1028, b'i', b'p', 0),
    t(TID, "tid", 6, false, b'b', b'U', false, 0, 1010, b's', b'p', 0),
    t(XID, "xid", 4, true, b'b', b'U', false, 0, 1011, b'i', b'p', 0),
    t(CID, "cid", 4, true, b'b', b'U', false, 0, 1012, b'i', b'p', 0),
    t(OIDVECTOR, "oidvector", -1, false, b'b', b'A', false, 26, 1013, b'i', b'p', 0),
    t(JSON, "json", -1, false, b'b', b'U', false, 0, 199, b'i', b'x', 0),
    t(PG_NODE_TREE, "pg_node_tree", -1, false, b'b', b'Z', false, 0, 0, b'i', b'x', 100),
    t(JSON_ARRAY, "_json", -1, false, b'b', b'A', false, 114, 0, b'i', b'x', 0),
    t(XID8_ARRAY, "_xid8", -1, false, b'b', b'A', false, 5069, 0, b'd', b'x', 0),
    t(FLOAT4, "float4", 4, true, b'b', b'N', false, 0, 1021, b'i', b'p', 0),
    t(FLOAT8, "float8", 8, true, b'b', b'N', true, 0, 1022, b'd', b'p', 0),
    t(UNKNOWN, "unknown", -2, false, b'p', b'X', false, 0, 0, b'c', b'p', 0),
    t(BOOL_ARRAY, "_bool", -1, false, b'b', b'A', false, 16, 0, b'i', b'x', 0),
    t(BYTEA_ARRAY, "_bytea", -1, false, b'b', b'A', false, 17, 0, b'i', b'x', 0),
    t(CHAR_ARRAY, "_char", -1, false, b'b', b'A', false, 18, 0, b'i', b'x', 0),
    t(NAME_ARRAY, "_name", -1, false, b'b', b'A', false, 19, 0, b'i', b'x', 950),
    t(INT2_ARRAY, "_int2", -1, false, b'b', b'A', false, 21, 0, b'i', b'x', 0),
    t(INT2VECTOR_ARRAY, "_int2vector", -1, false, b'b', b'A', false, 22, 0, b'i', b'x', 0),
    t(INT4_ARRAY, "_int4", -1, false, b'b', b'A', false, 23, 0, b'i', b'x', 0),
    t(REGPROC_ARRAY, "_regproc", -1, false, b'b', b'A', false, 24, 0, b'i', b'x', 0),
    t(TEXT_ARRAY, "_text", -1, false, b'b', b'A', false, 25, 0, b'i', b'x', 100),
    t(TID_ARRAY, "_tid", -1, false, b'b', b'A', false, 27, 0, b'i', b'x', 0),
    t(XID_ARRAY, "_xid", -1, false, b'b', b'A', false, 28, 0, b'i', b'x', 0),
    t(CID_ARRAY, "_cid", -1, false, b'b', b'A', false, 29, 0, b'i', b'x', 0),
    t(OIDVECTOR_ARRAY, "_oidvector", -1, false, b'b', b'A', false, 30, 0, b'i', b'x', 0),
    t(BPCHAR_ARRAY, "_bpchar", -1, false, b'b', b'A', false, 1042, 0, b'i', b'x', 100),
    t(VARCHAR_ARRAY, "_varchar", -1, false, b'b', b'A', false, 1043, 0, b'i', b'x', 100),
    t(INT8_ARRAY, "_int8", -1, false, b'b', b'A', false, 20, 0, b'd', b'x', 0),
    t(FLOAT4_ARRAY, "_float4", -1, false, b'b', b'A', false, 700, 0, b'i', b'x', 0),
    t(FLOAT8_ARRAY, "_float8", -1, false, b'b', b'A', false, 701, 0, b'd', b'x', 0),
    t(OID_ARRAY, "_oid", -1, false, b'b', b'A', false, 26, 0, b'i', b'x', 0),
    t(ACLITEM, "aclitem", 12, false, b'b', b'U', false, 0, 1034, b'i', b'p', 0),
    t(ACLITEM_ARRAY, "_aclitem", -1, false, b'b', b'A', false, 1033, 0, b'i', b'x', 0),
    t(BPCHAR, "bpchar", -1, false, b'b', b'S', false, 0, 1014, b'i', b'x', 100),
    t(VARCHAR, "varchar", -1, false, b'b', b'S', false, 0, 1015, b'i', b'x', 100),
    t(DATE, "date", 4, true, b'b', b'D', false, 0, 1182, b'i', b'p', 0),
    t(TIME, "time", 8, true, b'b', b'D', false, 0, 1183, b'd', b'p', 0),
    t(TIMESTAMP, "timestamp", 8, true, b'b', b'D', false, 0, 1115, b'd', b'p', 0),
    t(TIMESTAMP_ARRAY, "_timestamp", -1, false, b'b', b'A', false, 1114, 0, b'd', b'x', 0),
    t(DATE_ARRAY, "_date", -1, false, b'b', b'A', false, 1082, 0, b'i', b'x', 0),
    t(TIME_ARRAY, "_time", -1, false, b'b', b'A', false, 1083, 0, b'd', b'x', 0),
    t(TIMESTAMPTZ, "timestamptz", 8, true, b'b', b'D', true, 0, 1185, b'd', b'p', 0),
    t(TIMESTAMPTZ_ARRAY, "_timestamptz", -1, false, b'b', b'A', false, 1184, 0, b'd', b'x', 0),
    t(INTERVAL, "interval", 16, false, b'b', b'T', true, 0, 1187, b'd', b'p', 0),
    t(INTERVAL_ARRAY, "_interval", -1, false, b'b', b'A', false, 1186, 0, b'd', b'x', 0),
    t(NUMERIC_ARRAY, "_numeric", -1, false, b'b', b'A', false, 1700, 0, b'i', b'x', 0),
    t(CSTRING_ARRAY, "_cstring", -1, false, b'b', b'A', false, 2275, 0, b'i', b'x', 0),
    t(NUMERIC, "numeric", -1, false, b'b', b'N', false, 0, 1231, b'i', b'm', 0),
    t(REFCURSOR, "refcursor", -1, false, b'b', b'U', false, 0, 2201, b'i', b'x', 0),
    t(REFCURSOR_ARRAY, "_refcursor", -1, false, b'b', b'A', false, 1790, 0, b'i', b'x', 0),
    t(REGPROCEDURE, "regprocedure", 4, true, b'b', b'N', false, 0, 2207, b'i', b'p', 0),
    t(REGOPER, "regoper", 4, true, b'b', b'N', false, 0, 2208, b'i', b'p', 0),
    t(REGOPERATOR, "regoperator", 4, true, b'b', b'N', false, 0, 2209, b'i', b'p', 0),
    t(REGCLASS, "regclass", 4, true, b'b', b'N', false, 0, 2210, b'i', b'p', 0),
    t(REGTYPE, "regtype", 4, true, b'b', b'N', false, 0, 2211, b'i', b'p', 0),
    t(REGPROCEDURE_ARRAY, "_regprocedure", -1, false, b'b', b'A', false, 2202, 0, b'i', b'x', 0),
    t(REGOPER_ARRAY, "_regoper", -1, false, b'b', b'A', false, 2203, 0, b'i', b'x', 0),
    t(REGOPERATOR_ARRAY, "_regoperator", -1, false, b'b', b'A', false, 2204, 0, b'i', b'x', 0),
    t(REGCLASS_ARRAY, "_regclass", -1, false, b'b', b'A', false, 2205, 0, b'i', b'x', 0),
    t(REGTYPE_ARRAY, "_regtype", -1, false, b'b', b'A', false, 2206, 0, b'i', b'x', 0),
    t(RECORD, "record", -1, false, b'p', b'P', false, 0, 2287, b'd', b'x', 0),
    t(CSTRING, "cstring", -2, false, b'p', b'P', false, 0, 1263, b'c', b'p', 0),
    t(ANY, "any", 4, true, b'p', b'P', false, 0, 0, b'i', b'p', 0),
    t(ANYARRAY, "anyarray", -1, false, b'p', b'P', false, 0, 0, b'd', b'x', 0),
    t(VOID, "void", 4, true, b'p', b'P', false, 0, 0, b'i', b'p', 0),
    t(TRIGGER, "trigger", 4, true, b'p', b'P', false, 0, 0, b'i', b'p', 0),
    t(LANGUAGE_HANDLER, "language_handler", 4, true, b'p', b'P', false, 0, 0, b'i', b'p', 0),
    t(INTERNAL, "internal", 8, true, b'p', b'P', false, 0, 0, b'd', b'p', 0),
    t(ANYELEMENT, "anyelement", 4, true, b'p', b'P', false, 0, 0, b'i', b'p', 0),
    t(RECORD_ARRAY, "_record", -1, false, b'p', b'P', false, 2249, 0, b'd', b'x', 0),
    t(ANYNONARRAY, "anynonarray", 4, true, b'p', b'P', false, 0, 0, b'i', b'p', 0),
    t(UUID, "uuid", 16, false, b'b', b'U', false, 0, 2951, b'c', b'p', 0),
    t(UUID_ARRAY, "_uuid", -1, false, b'b', b'A', false, 2950, 0, b'i', b'x', 0),
    t(PG_LSN, "pg_lsn", 8, true, b'b', b'U', false, 0, 3221, b'd', b'p', 0),
    t(PG_LSN_ARRAY, "_pg_lsn", -1, false, b'b', b'A', false, 3220, 0, b'd', b'x', 0),
    t(ANYENUM, "anyenum", 4, true, b'p', b'P', false, 0, 0, b'i', b'p', 0),
    t(REGCONFIG, "regconfig", 4, true, b'b', b'N', false, 0, 3735, b'i', b'p', 0),
    t(REGCONFIG_ARRAY, "_regconfig", -1, false, b'b', b'A', false, 3734, 0, b'i', b'x', 0),
    t(REGDICTIONARY, "regdictionary", 4, true, b'b', b'N', false, 0, 3770, b'i', b'p', 0),
    t(REGDICTIONARY_ARRAY, "_regdictionary", -1, false, b'b', b'A', false, 3769, 0, b'i', b'x', 0),
    t(JSONB, "jsonb", -1, false, b'b', b'U', false, 0, 3807, b'i', b'x', 0),
    t(JSONB_ARRAY, "_jsonb", -1, false, b'b', b'A', false, 3802, 0, b'i', b'x', 0),
    t(EVENT_TRIGGER, "event_trigger", 4, true, b'p', b'P', false, 0, 0, b'i', b'p', 0),
    t(REGNAMESPACE, "regnamespace", 4, true, b'b', b'N', false, 0, 4090, b'i', b'p', 0),
    t(REGNAMESPACE_ARRAY, "_regnamespace", -1, false, b'b', b'A', false, 4089, 0, b'i', b'x', 0),
    t(REGROLE, "regrole", 4, true, b'b', b'N', false, 0, 4097, b'i', b'p', 0),
    t(REGROLE_ARRAY, "_regrole", -1, false, b'b', b'A', false, 4096, 0, b'i', b'x', 0),
    t(REGCOLLATION, "regcollation", 4, true, b'b', b'N', false, 0, 4192, b'i', b'p', 0),
    t(REGCOLLATION_ARRAY, "_regcollation", -1, false, b'b', b'A', false, 4191, 0, b'i', b'x', 0),
    t(XID8, "xid8", 8, true, b'b', b'U', false, 0, 271, b'd', b'p', 0),
    t(ANYCOMPATIBLE, "anycompatible", 4, true, b'p', b'P', false, 0, 0, b'i', b'p', 0),
    t(ANYCOMPATIBLEARRAY, "anycompatiblearray", -1, false, b'p', b'P', false, 0, 0, b'd', b'x', 0),
    t(ANYCOMPATIBLENONARRAY, "anycompatiblenonarray", 4, true, b'p', b'P', false, 0, 0, b'i', b'p', 0),
];

/// The built-in type with this id.
pub fn type_info(oid: Oid) -> Option<&'static TypeInfo> {
    let at = TYPES.binary_search_by_key(&oid, |t| t.oid).ok()?;
    Some(&TYPES[at])
}

/// The built-in type with this catalog name (`int4`, not `integer`).
pub fn type_by_name(name: &str) -> Option<&'static TypeInfo> {
    TYPES.iter().find(|t| t.name == name)
}

/// The array type over `elem`, when there is one.
pub fn array_of(elem: Oid) -> Option<Oid> {
    type_info(elem).map(|t| t.array).filter(|&a| a != 0)
}

/// The element type of a true array type; `int2vector` and `oidvector` count as arrays too.
pub fn element_of(array: Oid) -> Option<Oid> {
    match array {
        INT2VECTOR => Some(INT2),
        OIDVECTOR => Some(OID),
        // `name` and others have typelem for subscripting but are no arrays.
        _ => type_info(array)
            .filter(|t| t.category == b'A')
            .map(|t| t.elem)
            .filter(|&e| e != 0),
    }
}

/// True for types whose datums are [`crate::Datum::Text`].
pub fn is_string(oid: Oid) -> bool {
    matches!(
        oid,
        TEXT | VARCHAR
            | BPCHAR
            | NAME
            | UNKNOWN
            | CSTRING
            | REFCURSOR
            | JSON
            | JSONB
            | PG_NODE_TREE
            | ACLITEM
    )
}

/// True for object id alias types (`regclass` and its kin).
pub fn is_reg(oid: Oid) -> bool {
    matches!(
        oid,
        REGPROC
            | REGPROCEDURE
            | REGOPER
            | REGOPERATOR
            | REGCLASS
            | REGTYPE
            | REGCONFIG
            | REGDICTIONARY
            | REGNAMESPACE
            | REGROLE
            | REGCOLLATION
    )
}

/// The name of a type as SQL writes it: `integer`, `character varying(10)`, `numeric(5,2)[]`.
///
/// Unknown ids give `???`, as `format_type` does.
pub fn format_type(oid: Oid, typmod: i32) -> alloc::string::String {
    crate::typename::format_type(oid, typmod)
}
