//! ALTER TABLE's changes of constraints that are there.

use super::Change;
use super::constraint::is_empty;
use crate::rows::Object;
use crate::store::ids;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_catalog_port::RowWork;
use pg_plan::{Deferral, Expr, Relation};
use pg_types::{Datum, SqlError, SqlResult, SqlState};

impl Change<'_> {
    /// DROP CONSTRAINT.
    pub fn drop_constraint(
        &mut self,
        table: &Relation,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> SqlResult<()> {
        let row = match self.constraint_named(table, name) {
            Ok(row) => row,
            Err(error) if if_exists && error.code() == SqlState::UNDEFINED_OBJECT => {
                self.skipping(&error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let constraint = Object::new(ids::CONSTRAINT, row.oid("oid"));
        self.drop_objects(&[constraint], cascade, false)
    }

    /// VALIDATE CONSTRAINT.
    pub fn validate(
        &mut self,
        table: &Arc<Relation>,
        name: &str,
        check: Option<&Expr>,
    ) -> SqlResult<()> {
        let row = self.constraint_named(table, name)?;
        if row.bool("convalidated") {
            return Ok(());
        }
        let oid = row.oid("oid");
        if !matches!(row.char("contype"), 'c' | 'f') {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!(
                    "constraint \"{name}\" of relation \"{}\" is not a foreign key or check constraint",
                    table.name
                ),
            ));
        }
        self.change_row(ids::CONSTRAINT_BY_OID, &[Datum::Oid(oid)], |row| {
            row.put("convalidated", true);
        })?;
        if row.char("contype") == 'c' {
            let check = check.ok_or_else(|| SqlError::internal("a CHECK without its condition"))?;
            let checks = alloc::vec![(String::from(name), check.clone())];
            return self.check_rows(table, checks, Vec::new());
        }
        if !is_empty(table)? {
            let table = self.fresh(table.oid)?;
            self.outcome.work.push(RowWork::CheckForeignKey {
                table,
                constraint: oid,
            });
        }
        Ok(())
    }

    /// ALTER CONSTRAINT.
    pub fn alter_constraint(
        &mut self,
        table: &Relation,
        name: &str,
        deferral: Deferral,
    ) -> SqlResult<()> {
        let row = self.constraint_named(table, name)?;
        if row.char("contype") != 'f' {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!(
                    "constraint \"{name}\" of relation \"{}\" is not a foreign key constraint",
                    table.name
                ),
            ));
        }
        let key = [row.get("oid").clone()];
        self.change_row(ids::CONSTRAINT_BY_OID, &key, |row| {
            row.put("condeferrable", deferral.deferrable);
            row.put("condeferred", deferral.deferred);
        })
    }
}
