//! Objects in words, as messages name them: `constraint c on table t`.

use super::visible::shown_relation;
use crate::error::lost;
use crate::row::Row;
use crate::rows::Object;
use crate::store::{Reader, ids};
use alloc::format;
use alloc::string::{String, ToString};
use pg_types::{Datum, Oid, SqlResult, Str};

/// An object in words.
///
/// # Errors
/// XX000 when there is none.
pub fn describe(reader: &Reader<'_>, path: &[Str], object: Object) -> SqlResult<String> {
    let key = [Datum::Oid(object.oid)];
    match object.class {
        ids::CLASS if object.column != 0 => {
            let key = [key[0].clone(), Datum::Int2(object.column as i16)];
            let row = reader.one(ids::ATTRIBUTE_BY_NUMBER, &key)?;
            let row = row.ok_or_else(|| lost("a column"))?;
            let table = relation(reader, path, object.oid)?;
            Ok(format!("column {} of {table}", row.text("attname")))
        }
        ids::CLASS => relation(reader, path, object.oid),
        ids::CONSTRAINT => {
            let row = reader.one(ids::CONSTRAINT_BY_OID, &key)?;
            let row = row.ok_or_else(|| lost("a constraint"))?;
            let table = relation(reader, path, row.oid("conrelid"))?;
            Ok(format!("constraint {} on {table}", row.text("conname")))
        }
        ids::ATTRDEF => {
            let row = reader.one(ids::ATTRDEF_BY_OID, &key)?;
            let row = row.ok_or_else(|| lost("a default"))?;
            let column = Object::column(row.oid("adrelid"), row.int("adnum") as i16);
            let column = describe(reader, path, column)?;
            Ok(format!("default value for {column}"))
        }
        ids::NAMESPACE => {
            let row = reader.one(ids::NAMESPACE_BY_OID, &key)?;
            let row = row.ok_or_else(|| lost("a schema"))?;
            Ok(format!("schema {}", row.text("nspname")))
        }
        _ => Ok("an object".to_string()),
    }
}

fn relation(reader: &Reader<'_>, path: &[Str], oid: Oid) -> SqlResult<String> {
    let class = reader.one(ids::CLASS_BY_OID, &[Datum::Oid(oid)])?;
    let class = class.ok_or_else(|| lost(format!("relation {oid}")))?;
    let name = shown_relation(reader, path, &class)?;
    Ok(format!("{} {name}", kind(&class)))
}

/// What kind of relation a `pg_class` row is of.
#[must_use]
pub fn kind(class: &Row) -> &'static str {
    match class.char("relkind") {
        'v' => "view",
        'S' => "sequence",
        'i' => "index",
        _ => "table",
    }
}
