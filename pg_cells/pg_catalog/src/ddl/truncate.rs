//! TRUNCATE: new, empty files.

use super::Change;
use crate::error::OrSql;
use crate::store::{ids, main_file};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Relation, RelationKind};
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState};

impl Change<'_> {
    pub(super) fn truncate(
        &mut self,
        tables: &[Arc<Relation>],
        restart_identity: bool,
        cascade: bool,
    ) -> SqlResult<()> {
        let mut all: Vec<Oid> = Vec::new();
        for table in tables {
            if table.kind != RelationKind::Table {
                return Err(SqlError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("\"{}\" is not a table", table.name),
                ));
            }
            if table.oid < pg_types::oid::FIRST_NORMAL {
                return Err(SqlError::new(
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    format!("permission denied: \"{}\" is a system catalog", table.name),
                ));
            }
            if !all.contains(&table.oid) {
                all.push(table.oid);
            }
        }
        let mut seen = BTreeSet::new();
        let mut at = 0;
        while at < all.len() {
            self.lock(all[at])?;
            self.referencing(&mut all, at, cascade, &mut seen)?;
            at += 1;
        }
        for oid in all {
            let table = self.fresh(oid)?;
            self.empty(&table)?;
            if restart_identity {
                for sequence in table.columns.iter().filter_map(|c| c.sequence) {
                    self.restart_sequence(sequence)?;
                }
            }
        }
        Ok(())
    }

    /// Adds the tables with foreign keys to the one at `at`, or refuses.
    fn referencing(
        &mut self,
        all: &mut Vec<Oid>,
        at: usize,
        cascade: bool,
        seen: &mut BTreeSet<Oid>,
    ) -> SqlResult<()> {
        let table = all[at];
        if !seen.insert(table) {
            return Ok(());
        }
        let key = [Datum::Oid(ids::CLASS), Datum::Oid(table)];
        let reader = self.reader()?;
        for depend in reader.find(ids::DEPEND_BY_REFERENCE, &key)? {
            if depend.oid("classid") != ids::CONSTRAINT {
                continue;
            }
            let key = [depend.get("objid").clone()];
            let constraint = reader.one(ids::CONSTRAINT_BY_OID, &key)?;
            let Some(constraint) = constraint.filter(|c| c.char("contype") == 'f') else {
                continue;
            };
            let other = constraint.oid("conrelid");
            if constraint.oid("confrelid") != table || all.contains(&other) {
                continue;
            }
            let other_table = self.fresh(other)?;
            if !cascade {
                let this = self.fresh(table)?;
                return Err(SqlError::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "cannot truncate a table referenced in a foreign key constraint",
                )
                .with_detail(format!(
                    "Table \"{}\" references \"{}\".",
                    other_table.name, this.name
                ))
                .with_hint(format!(
                    "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                    other_table.name
                )));
            }
            self.notice(
                SqlState::SUCCESSFUL_COMPLETION,
                format!("truncate cascades to table \"{}\"", other_table.name),
            );
            all.push(other);
        }
        Ok(())
    }

    /// Gives a table and its indexes new, empty files.
    pub fn empty(&mut self, table: &Relation) -> SqlResult<()> {
        let file = self.new_oid()?;
        let table_file = file;
        self.new_table_file(file)?;
        self.note_dropped(table.file)?;
        self.read_moves(table.file, file)?;
        self.change_class(table.oid, |class| {
            class.put("relfilenode", Datum::Oid(file));
            class.put("relpages", 0);
            class.put("reltuples", Datum::Float4(-1.0));
            class.put("relallvisible", 0);
        })?;
        for index in &table.indexes {
            self.new_file_of_index(index.oid, index.file, table_file)?;
        }
        Ok(())
    }

    /// Gives an index a new, empty file.
    pub(super) fn new_file_of_index(
        &mut self,
        index: Oid,
        before: u32,
        table_file: u32,
    ) -> SqlResult<()> {
        let file = self.new_oid()?;
        self.new_index_file(file)?;
        self.note_dropped(before)?;
        self.read_moves(before, table_file)?;
        self.change_class(index, |class| {
            class.put("relfilenode", Datum::Oid(file));
        })
    }

    /// Serializable transactions that have read some of the file `from` count as
    /// having read all of `to`, which stands for it from now on.
    pub(super) fn read_moves(&self, from: u32, to: u32) -> SqlResult<()> {
        pg_txn_port::file_replaced(main_file(from).0, main_file(to).0).sql()
    }
}
