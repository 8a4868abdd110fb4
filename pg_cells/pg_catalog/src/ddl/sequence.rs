//! CREATE and ALTER SEQUENCE.

use super::Change;
use super::table::{NewRelation, persistence};
use crate::row::Row;
use crate::rows::Object;
use crate::sequence::{create_file, position};
use crate::store::{ids, relation};
use alloc::format;
use pg_plan::{AlterSequence, CreateSequence, Relation, SequenceInfo};
use pg_types::{Attr, Datum, Oid, SqlError, SqlResult, SqlState, oid};

impl Change<'_> {
    pub(super) fn create_sequence(&mut self, def: &CreateSequence) -> SqlResult<()> {
        let (schema, schema_name) = self.creation_schema(&def.name, def.temporary)?;
        let name = &def.name.name;
        if self.name_taken(schema, name, def.if_not_exists)? {
            return Ok(());
        }
        let temporary = def.temporary || schema_name.starts_with("pg_temp");
        let new = NewRelation {
            name,
            schema,
            kind: 'S',
            persistence: persistence(temporary, false),
            options: &[],
        };
        let sequence = self.new_sequence(&new, &def.info)?;
        if let Some((table, column)) = def.owned_by {
            let owner = Object::column(table, column);
            self.depend(Object::relation(sequence), owner, 'a')?;
        }
        self.outcome.object = Some(sequence);
        Ok(())
    }

    /// The rows and the file of a sequence.
    pub fn new_sequence(&mut self, new: &NewRelation<'_>, info: &SequenceInfo) -> SqlResult<Oid> {
        let id = self.new_oid()?;
        let attrs = [
            Attr::new("last_value", oid::INT8, -1).not_null(),
            Attr::new("log_cnt", oid::INT8, -1).not_null(),
            Attr::new("is_called", oid::BOOL, -1).not_null(),
        ];
        self.new_relation(id, new, &attrs)?;
        let row = Row::new(relation(self.system(), ids::SEQUENCE)?).set_oid("seqrelid", id);
        self.insert(&with_info(row, info))?;
        self.new_sequence_file(id, info.start, false)?;
        Ok(id)
    }

    fn new_sequence_file(&mut self, file: u32, value: i64, called: bool) -> SqlResult<()> {
        self.note_created(file)?;
        let xid = self.tx.xid().map_or(0, |x| x.0);
        create_file(xid, file, value, called)
    }

    pub(super) fn alter_sequence(&mut self, alter: &AlterSequence) -> SqlResult<()> {
        let oid = alter.sequence.oid;
        self.lock(oid)?;
        let sequence = self.fresh(oid)?;
        if let Some(owner) = alter.owned_by {
            self.set_sequence_owner(&sequence, owner)?;
        }
        let info = &alter.info;
        let (value, called) = match alter.restart {
            Some(value) => (value, false),
            None => {
                let now = position(sequence.file)?;
                (now.value, now.called)
            }
        };
        check_bounds(value, info)?;
        self.change_row(ids::SEQUENCE_BY_OID, &[Datum::Oid(oid)], |row| {
            *row = with_info(row.clone(), info);
        })?;
        self.move_sequence(&sequence, value, called)
    }

    /// Another file with another value, so that it is undone with the
    /// transaction.
    fn move_sequence(&mut self, sequence: &Relation, value: i64, called: bool) -> SqlResult<()> {
        let file = self.new_oid()?;
        self.new_sequence_file(file, value, called)?;
        self.note_dropped(sequence.file)?;
        self.change_class(sequence.oid, |class| {
            class.put("relfilenode", Datum::Oid(file));
        })
    }

    /// RESTART IDENTITY.
    pub fn restart_sequence(&mut self, oid: Oid) -> SqlResult<()> {
        let sequence = self.fresh(oid)?;
        let start = sequence.sequence.as_ref().map_or(1, |s| s.start);
        self.move_sequence(&sequence, start, false)
    }

    fn set_sequence_owner(
        &mut self,
        sequence: &Relation,
        owner: Option<(Oid, i16)>,
    ) -> SqlResult<()> {
        let key = [Datum::Oid(ids::CLASS), Datum::Oid(sequence.oid)];
        for row in self.reader()?.find(ids::DEPEND_BY_OBJECT, &key)? {
            if row.oid("refclassid") != ids::CLASS {
                continue;
            }
            if row.char("deptype") == 'i' {
                return Err(SqlError::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "cannot change ownership of identity sequence",
                ));
            }
            self.delete(&row)?;
        }
        if let Some((table, column)) = owner {
            let column = Object::column(table, column);
            self.depend(Object::relation(sequence.oid), column, 'a')?;
        }
        self.bump()
    }
}

fn with_info(row: Row, info: &SequenceInfo) -> Row {
    row.set_oid("seqtypid", info.type_oid)
        .set("seqstart", info.start)
        .set("seqincrement", info.increment)
        .set("seqmax", info.max)
        .set("seqmin", info.min)
        .set("seqcache", info.cache)
        .set("seqcycle", info.cycle)
}

fn check_bounds(value: i64, info: &SequenceInfo) -> SqlResult<()> {
    let what = "RESTART value";
    let error = if value < info.min {
        format!(
            "{what} ({value}) cannot be less than MINVALUE ({})",
            info.min
        )
    } else if value > info.max {
        format!(
            "{what} ({value}) cannot be greater than MAXVALUE ({})",
            info.max
        )
    } else {
        return Ok(());
    };
    Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, error))
}
