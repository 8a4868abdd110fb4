//! Small catalogs: access methods, languages, collations, tablespaces.

use crate::row::Row;
use crate::schema::{BTREE_AM, HEAP_AM, PG_CATALOG, POSTGRES};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::Relation;

/// `pg_am`.
pub fn access_methods(table: &Arc<Relation>) -> Vec<Row> {
    let all = [(HEAP_AM, "heap", 't'), (BTREE_AM, "btree", 'i')];
    let row = |(oid, name, kind): (u32, &str, char)| {
        Row::new(table)
            .set_oid("oid", oid)
            .set("amname", name)
            .set_char("amtype", kind)
    };
    all.into_iter().map(row).collect()
}

/// `pg_language`.
pub fn languages(table: &Arc<Relation>) -> Vec<Row> {
    let all = [(12, "internal", false), (13, "c", false), (14, "sql", true)];
    let row = |(oid, name, trusted): (u32, &str, bool)| {
        Row::new(table)
            .set_oid("oid", oid)
            .set("lanname", name)
            .set_oid("lanowner", POSTGRES)
            .set("lanpltrusted", trusted)
    };
    all.into_iter().map(row).collect()
}

/// `pg_collation`. All of them sort by bytes.
pub fn collations(table: &Arc<Relation>) -> Vec<Row> {
    let all = [
        (100, "default", 'd', None),
        (950, "C", 'c', Some("C")),
        (951, "POSIX", 'c', Some("POSIX")),
    ];
    let row = |(oid, name, provider, locale): (u32, &str, char, Option<&str>)| {
        Row::new(table)
            .set_oid("oid", oid)
            .set("collname", name)
            .set_oid("collnamespace", PG_CATALOG)
            .set_oid("collowner", POSTGRES)
            .set_char("collprovider", provider)
            .set("collisdeterministic", true)
            .set("collencoding", -1)
            .set("collcollate", locale)
            .set("collctype", locale)
    };
    all.into_iter().map(row).collect()
}

/// `pg_tablespace`.
pub fn tablespaces(table: &Arc<Relation>) -> Vec<Row> {
    let all = [(1663, "pg_default"), (1664, "pg_global")];
    let row = |(oid, name): (u32, &str)| {
        Row::new(table)
            .set_oid("oid", oid)
            .set("spcname", name)
            .set_oid("spcowner", POSTGRES)
    };
    all.into_iter().map(row).collect()
}
