//! Rows of `pg_class`, `pg_attribute` and their kin as they are when new.

use crate::row::{Row, int2vector, oidvector};
use crate::schema::{BTREE_AM, HEAP_AM, PG_CATALOG, POSTGRES, System};
use crate::store::{ids, relation};
use alloc::string::String;
use alloc::vec::Vec;
use pg_plan::IndexColumn;
use pg_types::tuple::put_value;
use pg_types::{Attr, Datum, Oid, SqlResult, TypeInfo, oid, type_info};

/// What a new `pg_class` row says.
pub struct NewClass<'a> {
    /// Its id.
    pub oid: Oid,
    /// Its name.
    pub name: &'a str,
    /// Its schema.
    pub schema: Oid,
    /// Its owner.
    pub owner: Oid,
    /// `relkind`.
    pub kind: char,
    /// Its file, or 0.
    pub file: u32,
    /// Its number of columns.
    pub columns: usize,
    /// `relpersistence`.
    pub persistence: char,
}

/// A `pg_class` row.
///
/// # Errors
/// XX000 by a mistake of this cell; so for all of them.
pub fn class(system: &System, new: &NewClass<'_>) -> SqlResult<Row> {
    let access_method = match new.kind {
        'r' => HEAP_AM,
        'i' => BTREE_AM,
        _ => 0,
    };
    let identity = match new.kind {
        'r' if new.schema != PG_CATALOG => 'd',
        _ => 'n',
    };
    Ok(Row::new(relation(system, ids::CLASS)?)
        .set_oid("oid", new.oid)
        .set("relname", new.name)
        .set_oid("relnamespace", new.schema)
        .set_oid("relowner", new.owner)
        .set_oid("relam", access_method)
        .set_oid("relfilenode", new.file)
        .set("reltuples", Datum::Float4(-1.0))
        .set_char("relpersistence", new.persistence)
        .set_char("relkind", new.kind)
        .set("relnatts", new.columns as i16)
        .set_char("relreplident", identity)
        .set("relispopulated", true))
}

/// A `pg_attribute` row; `number` counts from one.
pub fn attribute(system: &System, table: Oid, number: i16, attr: &Attr) -> SqlResult<Row> {
    let mut row = Row::new(relation(system, ids::ATTRIBUTE)?)
        .set_oid("attrelid", table)
        .set("attname", attr.name.clone())
        .set("attstattarget", -1)
        .set("attnum", number)
        .set("attcacheoff", -1)
        .set("attnotnull", attr.not_null)
        .set("attislocal", true);
    set_type(&mut row, attr.type_oid, attr.typmod);
    if let Some(missing) = &attr.missing {
        set_missing(&mut row, missing);
    }
    Ok(row)
}

/// Gives a `pg_attribute` row a type.
pub fn set_type(row: &mut Row, type_oid: Oid, typmod: i32) {
    let info = type_info(type_oid);
    row.put("atttypid", Datum::Oid(type_oid));
    row.put("atttypmod", typmod);
    // Types that users create are enums: four bytes by value.
    row.put("attlen", info.map_or(4, |t| t.len));
    row.put("attbyval", info.is_none_or(|t| t.by_val));
    row.put("attalign", Datum::Char(info.map_or(b'i', |t| t.align)));
    row.put("attstorage", Datum::Char(info.map_or(b'p', |t| t.storage)));
    let collation = info.map_or(0, |t| t.collation);
    row.put("attcollation", Datum::Oid(collation));
    let array = pg_types::typeinfo::element_of(type_oid).is_some();
    row.put("attndims", i32::from(array));
}

/// Gives a `pg_attribute` row the value that older rows have.
pub fn set_missing(row: &mut Row, missing: &Datum) {
    if missing.is_null() {
        return;
    }
    let mut bytes = Vec::new();
    put_value(&mut bytes, missing);
    row.put("atthasmissing", true);
    row.put("attmissingval", Datum::bytea(&bytes));
}

/// What a new `pg_index` row says.
pub struct NewIndexRow<'a> {
    /// The index.
    pub oid: Oid,
    /// Its table.
    pub table: Oid,
    /// Its key columns.
    pub keys: &'a [IndexColumn],
    /// Attribute numbers of INCLUDE columns.
    pub included: &'a [i16],
    /// UNIQUE.
    pub unique: bool,
    /// PRIMARY KEY.
    pub primary: bool,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// Its constraint is checked at once.
    pub immediate: bool,
    /// A partial index's condition.
    pub predicate: Option<&'a str>,
}

/// A `pg_index` row.
pub fn index(system: &System, new: &NewIndexRow<'_>) -> SqlResult<Row> {
    let option = |k: &IndexColumn| {
        let (desc, first) = (i16::from(k.descending), i16::from(k.nulls_first));
        desc | first << 1
    };
    let classes: Vec<Oid> = new
        .keys
        .iter()
        .map(|k| operator_class(k.type_oid))
        .collect();
    let collations: Vec<Oid> = new.keys.iter().map(|k| collation(k.type_oid)).collect();
    let attributes = new.keys.iter().map(|k| k.attribute);
    let attributes: Vec<i16> = attributes.chain(new.included.iter().copied()).collect();
    let options: Vec<i16> = new.keys.iter().map(option).collect();
    let mut row = Row::new(relation(system, ids::INDEX)?)
        .set_oid("indexrelid", new.oid)
        .set_oid("indrelid", new.table)
        .set("indnatts", attributes.len() as i16)
        .set("indnkeyatts", new.keys.len() as i16)
        .set("indisunique", new.unique)
        .set("indnullsnotdistinct", new.nulls_not_distinct)
        .set("indisprimary", new.primary)
        .set("indimmediate", new.immediate)
        .set("indisvalid", true)
        .set("indisready", true)
        .set("indislive", true)
        .set("indkey", int2vector(&attributes))
        .set("indcollation", oidvector(&collations))
        .set("indclass", oidvector(&classes))
        .set("indoption", int2vector(&options));
    let texts: Vec<&str> = new
        .keys
        .iter()
        .filter_map(|k| k.expression.as_deref())
        .collect();
    if !texts.is_empty() {
        let mut separator = [0; 4];
        let separator = crate::load::EXPR_SEPARATOR.encode_utf8(&mut separator);
        row.put("indexprs", texts.join(separator).as_str());
    }
    if let Some(predicate) = new.predicate {
        row.put("indpred", predicate);
    }
    Ok(row)
}

fn collation(type_oid: Oid) -> Oid {
    type_info(type_oid).map_or(0, |t| t.collation)
}

/// The default operator class of a type for B-trees, or 0.
pub fn operator_class(type_oid: Oid) -> Oid {
    let class = crate::fixed::classes::by_type(type_oid);
    class.map_or(0, |c| c.oid)
}

/// A `pg_type` row of a built-in type.
pub fn builtin_type(system: &System, info: &TypeInfo) -> SqlResult<Row> {
    Ok(Row::new(relation(system, ids::TYPE)?)
        .set_oid("oid", info.oid)
        .set("typname", info.name)
        .set_oid("typnamespace", PG_CATALOG)
        .set_oid("typowner", POSTGRES)
        .set("typlen", info.len)
        .set("typbyval", info.by_val)
        .set("typtype", Datum::Char(info.typtype))
        .set("typcategory", Datum::Char(info.category))
        .set("typispreferred", info.preferred)
        .set("typisdefined", true)
        .set_char("typdelim", ',')
        .set_oid("typelem", info.elem)
        .set_oid("typarray", info.array)
        .set("typalign", Datum::Char(info.align))
        .set("typstorage", Datum::Char(info.storage))
        .set("typtypmod", -1)
        .set_oid("typcollation", info.collation))
}

/// What a dependency leads from and to: catalog, object, column (0: all of it).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Object {
    /// The catalog that has its row.
    pub class: Oid,
    /// Its id.
    pub oid: Oid,
    /// Its column.
    pub column: i32,
}

impl Object {
    /// An object as a whole.
    #[must_use]
    pub const fn new(class: Oid, oid: Oid) -> Self {
        Object {
            class,
            oid,
            column: 0,
        }
    }

    /// A relation as a whole.
    #[must_use]
    pub const fn relation(oid: Oid) -> Self {
        Object::new(ids::CLASS, oid)
    }

    /// A column.
    #[must_use]
    pub const fn column(oid: Oid, column: i16) -> Self {
        Object {
            class: ids::CLASS,
            oid,
            column: column as i32,
        }
    }
}

/// A `pg_depend` row: `from` depends on `to`, `n`ormally, `a`utomatically or
/// `i`nternally.
pub fn depend(system: &System, from: Object, to: Object, kind: char) -> SqlResult<Row> {
    Ok(Row::new(relation(system, ids::DEPEND)?)
        .set_oid("classid", from.class)
        .set_oid("objid", from.oid)
        .set("objsubid", from.column)
        .set_oid("refclassid", to.class)
        .set_oid("refobjid", to.oid)
        .set("refobjsubid", to.column)
        .set_char("deptype", kind))
}

/// A `pg_namespace` row.
pub fn namespace(system: &System, oid: Oid, name: &str, owner: Oid) -> SqlResult<Row> {
    Ok(Row::new(relation(system, ids::NAMESPACE)?)
        .set_oid("oid", oid)
        .set("nspname", name)
        .set_oid("nspowner", owner))
}

/// The type of an array of texts, for `reloptions` and their like.
pub fn text_array(values: &[String]) -> Datum {
    let items = values.iter().map(|v| Datum::text(v.as_str())).collect();
    Datum::array(oid::TEXT, items)
}
