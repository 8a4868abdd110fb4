//! What is found without its schema, and names as short as that allows.

use crate::load::schema_name;
use crate::lookup::class_named;
use crate::row::Row;
use crate::store::{Reader, ids};
use alloc::string::String;
use pg_builtins::quote_identifier;
use pg_types::{Datum, SqlResult, Str};

/// Whether the relation of a `pg_class` row is what its bare name means.
///
/// # Errors
/// Failures of the storage.
pub fn relation_visible(reader: &Reader<'_>, path: &[Str], class: &Row) -> SqlResult<bool> {
    let schema = schema_name(reader, class.oid("relnamespace"))?;
    let first = (!path.iter().any(|s| *s == *"pg_catalog")).then_some("pg_catalog");
    for step in first.into_iter().chain(path.iter().map(Str::as_str)) {
        if step == schema {
            return Ok(true);
        }
        let key = [Datum::text(step)];
        let Some(other) = reader.one(ids::NAMESPACE_BY_NAME, &key)? else {
            continue;
        };
        let found = class_named(reader, other.oid("oid"), class.text("relname"))?;
        if found.is_some() {
            return Ok(false);
        }
    }
    Ok(false)
}

/// A relation's name, qualified unless it is visible.
///
/// # Errors
/// Failures of the storage.
pub fn shown_relation(reader: &Reader<'_>, path: &[Str], class: &Row) -> SqlResult<String> {
    let name = class.text("relname");
    if relation_visible(reader, path, class)? {
        return Ok(quote_identifier(name));
    }
    let schema = schema_name(reader, class.oid("relnamespace"))?;
    Ok(super::names::qualified(&schema, name))
}
