//! Building a descriptor from catalog rows.

use crate::error::lost;
use crate::row::Row;
use crate::store::{Reader, ids};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_catalog_port::SHARED;
use pg_plan::{
    CheckConstraint, Column, Deferral, ForeignKey, Index, IndexColumn, Relation, RelationKind,
    SequenceInfo,
};
use pg_types::tuple::take_value;
use pg_types::{Attr, Datum, Oid, SqlResult, Str, TupleDesc};

/// Separates the expressions of an index in `pg_index.indexprs`.
pub const EXPR_SEPARATOR: char = '\u{1f}';

/// Bits of `pg_index.indoption`.
pub const DESCENDING: i64 = 1;
/// See [`DESCENDING`].
pub const NULLS_FIRST: i64 = 2;

/// The relation with this id; none when there is none, or it is an index.
///
/// # Errors
/// Failures of the storage.
pub fn relation(reader: &Reader<'_>, oid: Oid) -> SqlResult<Option<Relation>> {
    match reader.one(ids::CLASS_BY_OID, &[Datum::Oid(oid)])? {
        Some(class) => from_class(reader, &class),
        None => Ok(None),
    }
}

/// The same from its `pg_class` row.
///
/// # Errors
/// Failures of the storage.
pub fn from_class(reader: &Reader<'_>, class: &Row) -> SqlResult<Option<Relation>> {
    let kind = match class.char("relkind") {
        'r' => RelationKind::Table,
        'v' => RelationKind::View,
        'S' => RelationKind::Sequence,
        _ => return Ok(None),
    };
    let oid = class.oid("oid");
    let schema_oid = class.oid("relnamespace");
    let (desc, columns) = columns(reader, oid)?;
    let constraints = match kind {
        RelationKind::Table => reader.find(ids::CONSTRAINT_BY_RELATION, &[Datum::Oid(oid)])?,
        _ => Vec::new(),
    };
    let indexes = match class.bool("relhasindex") {
        true => indexes(reader, oid, &desc, &constraints)?,
        false => Vec::new(),
    };
    Ok(Some(Relation {
        oid,
        file: class.oid("relfilenode"),
        name: class.text("relname").to_string(),
        schema: schema_name(reader, schema_oid)?,
        schema_oid,
        owner: class.oid("relowner"),
        kind,
        desc: Arc::new(desc),
        columns,
        indexes,
        checks: constraints.iter().filter_map(check).collect(),
        foreign_keys: constraints.iter().filter_map(foreign_key).collect(),
        referenced_by: match class.bool("relhastriggers") {
            true => referencing(reader, oid)?,
            false => Vec::new(),
        },
        view: match kind {
            RelationKind::View => view(reader, oid)?,
            _ => None,
        },
        sequence: match kind {
            RelationKind::Sequence => Some(sequence(reader, oid)?),
            _ => None,
        },
        reltuples: class.float("reltuples"),
        relpages: class.int("relpages") as u32,
        relallvisible: class.int("relallvisible") as u32,
        counters: SHARED.counters(oid),
    }))
}

/// A schema's name.
///
/// # Errors
/// XX000 when there is none.
pub fn schema_name(reader: &Reader<'_>, oid: Oid) -> SqlResult<String> {
    let row = reader.one(ids::NAMESPACE_BY_OID, &[Datum::Oid(oid)])?;
    let row = row.ok_or_else(|| lost(format!("namespace {oid}")))?;
    Ok(row.text("nspname").to_string())
}

fn columns(reader: &Reader<'_>, oid: Oid) -> SqlResult<(TupleDesc, Vec<Column>)> {
    let rows = reader.find(ids::ATTRIBUTE_BY_NUMBER, &[Datum::Oid(oid)])?;
    let has_default = rows.iter().any(|r| r.bool("atthasdef"));
    let mut columns = alloc::vec![Column::default(); rows.len()];
    if has_default {
        for default in reader.find(ids::ATTRDEF_BY_COLUMN, &[Datum::Oid(oid)])? {
            let place = (default.int("adnum") - 1) as usize;
            if let Some(column) = columns.get_mut(place) {
                column.default = Some(default.text("adbin").to_string());
            }
        }
    }
    let mut attrs = Vec::with_capacity(rows.len());
    let mut owns = false;
    for (row, column) in rows.iter().zip(&mut columns) {
        let mut attr = Attr::new(
            Str::from(row.text("attname")),
            row.oid("atttypid"),
            row.int("atttypmod") as i32,
        );
        attr.not_null = row.bool("attnotnull");
        attr.dropped = row.bool("attisdropped");
        attr.missing = missing(row);
        column.missing = attr.missing.clone();
        column.identity = Some(row.char("attidentity")).filter(|c| *c != '\0');
        let from_sequence = |d: &String| d.contains("nextval(");
        owns |= column.identity.is_some() || column.default.as_ref().is_some_and(from_sequence);
        attrs.push(attr);
    }
    if owns {
        owned_sequences(reader, oid, &mut columns)?;
    }
    Ok((TupleDesc::new(attrs), columns))
}

/// What rows older than the column have in it.
fn missing(row: &Row) -> Option<Datum> {
    match row.get("attmissingval") {
        Datum::Bytea(bytes) => take_value(&mut &bytes[..], row.oid("atttypid")).ok(),
        _ => None,
    }
}

fn owned_sequences(reader: &Reader<'_>, oid: Oid, columns: &mut [Column]) -> SqlResult<()> {
    let key = [Datum::Oid(ids::CLASS), Datum::Oid(oid)];
    for depend in reader.find(ids::DEPEND_BY_REFERENCE, &key)? {
        let column = depend.int("refobjsubid");
        if depend.oid("classid") != ids::CLASS || column <= 0 {
            continue;
        }
        let object = [depend.get("objid").clone()];
        let class = reader.one(ids::CLASS_BY_OID, &object)?;
        if class.is_some_and(|c| c.char("relkind") == 'S')
            && let Some(column) = columns.get_mut(column as usize - 1)
        {
            column.sequence = Some(depend.oid("objid"));
        }
    }
    Ok(())
}

fn indexes(
    reader: &Reader<'_>,
    table: Oid,
    desc: &TupleDesc,
    constraints: &[Row],
) -> SqlResult<Vec<Arc<Index>>> {
    let mut indexes = Vec::new();
    for row in reader.find(ids::INDEX_BY_TABLE, &[Datum::Oid(table)])? {
        let oid = row.oid("indexrelid");
        let constraint = constraints
            .iter()
            .find(|c| c.oid("conindid") == oid && matches!(c.char("contype"), 'p' | 'u' | 'x'));
        indexes.push(Arc::new(index(reader, &row, desc, constraint)?));
    }
    // PostgreSQL's order: by id.
    indexes.sort_by_key(|index| index.oid);
    Ok(indexes)
}

fn index(
    reader: &Reader<'_>,
    row: &Row,
    desc: &TupleDesc,
    constraint: Option<&Row>,
) -> SqlResult<Index> {
    let oid = row.oid("indexrelid");
    let class = reader.one(ids::CLASS_BY_OID, &[Datum::Oid(oid)])?;
    let class = class.ok_or_else(|| lost(format!("relation {oid}")))?;
    let expressions = row.get("indexprs").as_str().unwrap_or("");
    let mut expressions = expressions.split(EXPR_SEPARATOR);
    let all = row.ints("indkey");
    let count = usize::try_from(row.int("indnkeyatts")).unwrap_or(0);
    let (attributes, included) = all.split_at(count.min(all.len()));
    let included = included.iter().map(|n| *n as i16).collect();
    let types = match attributes.contains(&0) {
        true => reader.find(ids::ATTRIBUTE_BY_NUMBER, &[Datum::Oid(oid)])?,
        false => Vec::new(),
    };
    let mut keys = Vec::with_capacity(attributes.len());
    for (place, (attribute, option)) in attributes.iter().zip(row.ints("indoption")).enumerate() {
        let type_oid = match attribute {
            0 => types.get(place).map(|a| a.oid("atttypid")),
            n => desc.attrs().get(*n as usize - 1).map(|a| a.type_oid),
        };
        keys.push(IndexColumn {
            attribute: *attribute as i16,
            expression: match attribute {
                0 => expressions.next().map(ToString::to_string),
                _ => None,
            },
            type_oid: type_oid.ok_or_else(|| lost(format!("a column of index {oid}")))?,
            descending: option & DESCENDING != 0,
            nulls_first: option & NULLS_FIRST != 0,
        });
    }
    Ok(Index {
        oid,
        name: class.text("relname").to_string(),
        file: class.oid("relfilenode"),
        table: row.oid("indrelid"),
        unique: row.bool("indisunique"),
        nulls_not_distinct: row.bool("indnullsnotdistinct"),
        primary: row.bool("indisprimary"),
        constraint: constraint.map(|c| c.text("conname").to_string()),
        constraint_oid: constraint.map_or(0, |c| c.oid("oid")),
        deferral: constraint.map_or_else(Deferral::default, deferral),
        keys,
        included,
        predicate: row.get("indpred").as_str().map(ToString::to_string),
        valid: row.bool("indisvalid"),
        counters: SHARED.counters(oid),
    })
}

/// The tables whose foreign keys lead to this one.
fn referencing(reader: &Reader<'_>, oid: Oid) -> SqlResult<Vec<Oid>> {
    let mut tables = Vec::new();
    let key = [Datum::Oid(ids::CLASS), Datum::Oid(oid)];
    for depend in reader.find(ids::DEPEND_BY_REFERENCE, &key)? {
        if depend.oid("classid") != ids::CONSTRAINT {
            continue;
        }
        let key = [depend.get("objid").clone()];
        let constraint = reader.one(ids::CONSTRAINT_BY_OID, &key)?;
        tables.extend(
            constraint
                .filter(|c| c.char("contype") == 'f' && c.oid("confrelid") == oid)
                .map(|c| c.oid("conrelid")),
        );
    }
    tables.sort_unstable();
    tables.dedup();
    Ok(tables)
}

fn check(row: &Row) -> Option<CheckConstraint> {
    (row.char("contype") == 'c').then(|| CheckConstraint {
        oid: row.oid("oid"),
        name: row.text("conname").to_string(),
        expression: row.text("conbin").to_string(),
    })
}

fn deferral(row: &Row) -> Deferral {
    Deferral {
        deferrable: row.bool("condeferrable"),
        deferred: row.bool("condeferred"),
    }
}

fn foreign_key(row: &Row) -> Option<ForeignKey> {
    let numbers = |column: &str| -> Vec<i16> {
        let numbers = row.ints(column);
        numbers.iter().map(|n| *n as i16).collect()
    };
    (row.char("contype") == 'f').then(|| ForeignKey {
        oid: row.oid("oid"),
        name: row.text("conname").to_string(),
        columns: numbers("conkey"),
        references: row.oid("confrelid"),
        referenced: numbers("confkey"),
        on_delete: row.char("confdeltype"),
        on_update: row.char("confupdtype"),
        set_columns: numbers("confdelsetcols"),
        match_full: row.char("confmatchtype") == 'f',
        deferral: deferral(row),
    })
}

fn view(reader: &Reader<'_>, oid: Oid) -> SqlResult<Option<String>> {
    let rules = reader.find(ids::REWRITE_BY_RELATION, &[Datum::Oid(oid)])?;
    let select = rules.iter().find(|r| r.text("rulename") == "_RETURN");
    Ok(select.map(|r| r.text("ev_action").to_string()))
}

/// A sequence's parameters.
///
/// # Errors
/// XX000 when there is none.
pub fn sequence(reader: &Reader<'_>, oid: Oid) -> SqlResult<SequenceInfo> {
    let row = reader.one(ids::SEQUENCE_BY_OID, &[Datum::Oid(oid)])?;
    let row = row.ok_or_else(|| lost(format!("sequence {oid}")))?;
    Ok(SequenceInfo {
        type_oid: row.oid("seqtypid"),
        start: row.int("seqstart"),
        increment: row.int("seqincrement"),
        min: row.int("seqmin"),
        max: row.int("seqmax"),
        cache: row.int("seqcache"),
        cycle: row.bool("seqcycle"),
    })
}
