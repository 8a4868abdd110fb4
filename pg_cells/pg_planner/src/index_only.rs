//! Index-only scans: when an index's keys say all that is wanted of a row, and
//! what is saved by not reading it.

use crate::path::RANDOM_PAGE;
use pg_plan::{Index, IndexColumn, Relation};
use pg_types::{Oid, keycode, oid, typeinfo};

/// Bytes of a page that hold entries, two thirds full as splits leave them.
const FILLED: f64 = 8192.0 * 0.67;
/// Bytes of an entry beside its key.
const ENTRY: f64 = 12.0;
/// Bytes of a key of a type without a fixed length.
const UNKNOWN_WIDTH: f64 = 24.0;

/// Whether each of `columns`, places in the table's descriptor, is a key of the
/// index from which its value can be read as it was, or goes with the key.
pub fn covers(index: &Index, columns: &[usize]) -> bool {
    let holds = |column: usize| {
        let is_it = |key: &&IndexColumn| usize::try_from(key.attribute - 1) == Ok(column);
        let key = index.keys.iter().position(|key| is_it(&key));
        // What lies before it must be read past.
        let past = |keys: &[IndexColumn]| keys.iter().all(|key| reads_back(key.type_oid));
        let is_included = |number: &i16| usize::try_from(number - 1) == Ok(column);
        match key {
            Some(at) => past(&index.keys[..at]) && is_exact(index.keys[at].type_oid),
            None => index.included.iter().any(is_included) && past(&index.keys),
        }
    };
    columns.iter().all(|column| holds(*column))
}

fn is_exact(key: Oid) -> bool {
    reads_back(key) && keycode::is_exact(key)
}

/// Whether a key of the type can be decoded at all.
fn reads_back(key: Oid) -> bool {
    const PLAIN: [Oid; 19] = [
        oid::BOOL,
        oid::CHAR,
        oid::INT2,
        oid::INT4,
        oid::INT8,
        oid::DATE,
        oid::TIME,
        oid::TIMESTAMP,
        oid::TIMESTAMPTZ,
        oid::FLOAT4,
        oid::FLOAT8,
        oid::OID,
        oid::XID8,
        oid::TID,
        oid::BYTEA,
        oid::NUMERIC,
        oid::INTERVAL,
        oid::UUID,
        oid::PG_LSN,
    ];
    PLAIN.contains(&key) || typeinfo::is_string(key) || typeinfo::is_reg(key)
}

/// The share of a table's pages that a scan must read although the index says it
/// all: those that not everyone sees all of.
pub fn unseen(relation: &Relation) -> f64 {
    let pages = f64::from(relation.relpages.max(1));
    1.0 - (f64::from(relation.relallvisible) / pages).min(1.0)
}

/// What reading so many entries costs in pages of the index.
pub fn leaf_cost(index: &Index, entries: f64) -> f64 {
    let width = |key: &IndexColumn| match typeinfo::type_info(key.type_oid).map_or(-1, |t| t.len) {
        len if len > 0 => f64::from(len) + 1.0,
        _ => UNKNOWN_WIDTH,
    };
    let included = index.included.len() as f64 * UNKNOWN_WIDTH;
    let entry: f64 = ENTRY + index.keys.iter().map(width).sum::<f64>() + included;
    libm::floor(entries * entry / FILLED) * RANDOM_PAGE
}
