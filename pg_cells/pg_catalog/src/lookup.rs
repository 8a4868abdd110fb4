//! Looking up by name and id, through the cache.

use crate::Catalogs;
use crate::cache::Named;
use crate::error::no_schema;
use crate::load;
use crate::row::Row;
use crate::store::{Reader, ids};
use alloc::sync::Arc;
use pg_plan::Relation;
use pg_txn_port::Transaction;
use pg_types::{Datum, Oid, SqlResult, Str};

impl Catalogs {
    /// What a name of `pg_class` stands for, in a schema or along a path.
    ///
    /// # Errors
    /// 3F000 when `schema` is named and does not exist.
    pub fn named(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> SqlResult<Named> {
        let version = self.current(tx);
        if let Some(schema) = schema {
            let temporary = || path.iter().find(|s| s.starts_with("pg_temp_"));
            let schema = match schema {
                "pg_temp" => temporary().map_or(schema, Str::as_str),
                schema => schema,
            };
            let named = self.named_in(tx, version, schema, name)?;
            if matches!(named, Named::Nothing) && self.schema_oid(tx, schema)?.is_none() {
                return Err(no_schema(schema));
            }
            return Ok(named);
        }
        // `pg_catalog` comes first unless the path says where it is. All its
        // names begin alike.
        if name.starts_with("pg_") && !path.iter().any(|s| *s == *"pg_catalog") {
            let named = self.named_in(tx, version, "pg_catalog", name)?;
            if !matches!(named, Named::Nothing) {
                return Ok(named);
            }
        }
        for schema in path {
            let named = self.named_in(tx, version, schema, name)?;
            if !matches!(named, Named::Nothing) {
                return Ok(named);
            }
        }
        Ok(Named::Nothing)
    }

    /// The same in one schema; nothing when the schema does not exist.
    #[inline]
    fn named_in(
        &self,
        tx: &mut Transaction,
        version: u64,
        schema: &str,
        name: &str,
    ) -> SqlResult<Named> {
        if let Some(relation) = self.system.by_name(schema, name) {
            return Ok(Named::Relation(Arc::clone(relation)));
        }
        if schema == "pg_catalog" {
            // Users create nothing there.
            return Ok(match self.system.index_named(name) {
                Some((relation, oid)) => Named::Index(Arc::clone(relation), oid),
                None => Named::Nothing,
            });
        }
        if let Some(named) = self.cache.name(version, schema, name) {
            return Ok(named);
        }
        self.load_name(tx, version, schema, name)
    }

    #[cold]
    fn load_name(
        &self,
        tx: &mut Transaction,
        version: u64,
        schema: &str,
        name: &str,
    ) -> SqlResult<Named> {
        let named = match self.schema_oid(tx, schema)? {
            Some(schema) => {
                let reader = Reader::new(&self.system, tx)?;
                match class_named(&reader, schema, name)? {
                    Some(class) => self.classify(&reader, &class)?,
                    None => Named::Nothing,
                }
            }
            None => Named::Nothing,
        };
        self.cache.put_name(version, schema, name, &named);
        Ok(named)
    }

    fn classify(&self, reader: &Reader<'_>, class: &Row) -> SqlResult<Named> {
        if class.char("relkind") != 'i' {
            let relation = load::from_class(reader, class)?;
            return Ok(relation.map_or(Named::Nothing, |r| Named::Relation(Arc::new(r))));
        }
        let oid = class.oid("oid");
        let index = reader.one(ids::INDEX_BY_OID, &[Datum::Oid(oid)])?;
        let table = match index {
            Some(index) => load::relation(reader, index.oid("indrelid"))?,
            None => None,
        };
        Ok(table.map_or(Named::Nothing, |t| Named::Index(Arc::new(t), oid)))
    }

    /// A relation by id; for an index's id nothing.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn by_oid(&self, tx: &mut Transaction, oid: Oid) -> SqlResult<Option<Arc<Relation>>> {
        if let Some(relation) = self.system.by_oid(oid) {
            return Ok(Some(Arc::clone(relation)));
        }
        let version = self.current(tx);
        if let Some(relation) = self.cache.relation(version, oid) {
            return Ok(relation);
        }
        let reader = Reader::new(&self.system, tx)?;
        let relation = load::relation(&reader, oid)?.map(Arc::new);
        self.cache.put_relation(version, oid, &relation);
        Ok(relation)
    }

    /// A schema's id by name.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn schema_oid(&self, tx: &mut Transaction, name: &str) -> SqlResult<Option<Oid>> {
        let version = self.current(tx);
        if let Some(oid) = self.cache.schema(version, name) {
            return Ok(oid);
        }
        let reader = Reader::new(&self.system, tx)?;
        let row = reader.one(ids::NAMESPACE_BY_NAME, &[Datum::text(name)])?;
        let oid = row.map(|r| r.oid("oid"));
        self.cache.put_schema(version, name, oid);
        Ok(oid)
    }
}

/// The `pg_class` row of a name in a schema.
///
/// # Errors
/// Failures of the storage.
pub fn class_named(reader: &Reader<'_>, schema: Oid, name: &str) -> SqlResult<Option<Row>> {
    let key = [Datum::text(name), Datum::Oid(schema)];
    reader.one(ids::CLASS_BY_NAME, &key)
}
