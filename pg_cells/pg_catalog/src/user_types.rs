//! Types that users create. There are none yet: CREATE TYPE and CREATE DOMAIN
//! are not among the changes of the schema, and tables have no row types.

use crate::Catalogs;
use crate::store::{Reader, ids};
use pg_catalog_port::{UserType, UserTypeKind};
use pg_txn_port::Transaction;
use pg_types::oid::FIRST_NORMAL;
use pg_types::{Datum, SqlResult, Str};

impl Catalogs {
    /// See [`pg_catalog_port::Catalog::user_type`].
    ///
    /// # Errors
    /// As there.
    pub fn find_user_type(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> SqlResult<Option<UserType>> {
        let one;
        let path = match schema {
            Some(schema) => {
                one = [Str::from(schema)];
                &one[..]
            }
            None => path,
        };
        for schema in path {
            let Some(schema) = self.schema_oid(tx, schema)? else {
                continue;
            };
            let reader = Reader::new(&self.system, tx)?;
            let key = [Datum::text(name), Datum::Oid(schema)];
            let row = reader.one(ids::TYPE_BY_NAME, &key)?;
            if let Some(row) = row.filter(|r| r.oid("oid") >= FIRST_NORMAL) {
                return Ok(Some(UserType {
                    oid: row.oid("oid"),
                    kind: UserTypeKind::Composite(row.oid("typrelid")),
                }));
            }
        }
        Ok(None)
    }
}
