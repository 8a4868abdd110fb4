//! What functions over the catalog answer: names of objects, definitions,
//! comments, sizes.

pub mod defs;
mod functions;
pub mod names;
pub mod objects;
pub mod regs;
pub mod visible;

use crate::Catalogs;
use crate::store::{Reader, ids};
use pg_builtins::CatalogQuery;
use pg_txn_port::Transaction;
use pg_types::{Datum, Oid, SqlResult, Str};

impl Catalogs {
    /// See [`pg_catalog_port::Catalog::describe`].
    ///
    /// # Errors
    /// As there.
    pub fn answer(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        query: CatalogQuery<'_>,
    ) -> SqlResult<Datum> {
        match query {
            CatalogQuery::RegFromName(kind, text) => self.reg_from_name(tx, path, kind, text),
            CatalogQuery::NameOfReg(kind, oid) => self.name_of_reg(tx, path, kind, oid),
            CatalogQuery::FormatType(oid, _) => self.user_type_name(tx, path, oid),
            CatalogQuery::IsVisible(catalog, oid) => self.is_visible(tx, path, catalog, oid),
            CatalogQuery::UserById(oid) => {
                let reader = Reader::new(&self.system, tx)?;
                let row = reader.one(ids::AUTHID_BY_OID, &[Datum::Oid(oid)])?;
                Ok(row.map_or(Datum::Null, |r| r.get("rolname").clone()))
            }
            CatalogQuery::Description(oid, catalog, column) => {
                self.description(tx, oid, catalog, column)
            }
            CatalogQuery::Function(name, args) => self.function(tx, path, name, args),
        }
    }

    fn is_visible(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        catalog: &str,
        oid: Oid,
    ) -> SqlResult<Datum> {
        let reader = Reader::new(&self.system, tx)?;
        match catalog {
            "pg_class" => match reader.one(ids::CLASS_BY_OID, &[Datum::Oid(oid)])? {
                Some(class) => {
                    let visible = visible::relation_visible(&reader, path, &class)?;
                    Ok(Datum::Bool(visible))
                }
                None => Ok(Datum::Null),
            },
            // Everything else is built in, and `pg_catalog` is always looked at.
            _ => Ok(Datum::Bool(true)),
        }
    }

    fn description(
        &self,
        tx: &mut Transaction,
        oid: Oid,
        catalog: &str,
        column: i32,
    ) -> SqlResult<Datum> {
        let reader = Reader::new(&self.system, tx)?;
        let shared = matches!(catalog, "pg_database" | "pg_authid" | "pg_tablespace");
        let class = self.system.by_name("pg_catalog", catalog);
        let key: &[Datum] = match class {
            Some(class) => &[Datum::Oid(oid), Datum::Oid(class.oid), Datum::Int4(column)],
            None => &[Datum::Oid(oid)],
        };
        let row = match shared {
            true => reader.one(ids::SHDESCRIPTION_BY_OBJECT, &key[..2])?,
            false => reader.one(ids::DESCRIPTION_BY_OBJECT, key)?,
        };
        Ok(row.map_or(Datum::Null, |r| r.get("description").clone()))
    }
}
