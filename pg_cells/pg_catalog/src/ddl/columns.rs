//! What a column has beside its type: default, identity, owned sequence.

use super::Change;
use super::table::persistence;
use crate::row::Row;
use crate::rows::Object;
use crate::store::{ids, relation};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_plan::{NewColumn, Relation, SequenceInfo};
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState, oid};

const NEXTVAL: &str = "nextval('";

impl Change<'_> {
    /// The default, sequence and identity of a column that is there already.
    pub fn column_extras(&mut self, table: Oid, number: i16, column: &NewColumn) -> SqlResult<()> {
        if column.serial {
            let info = serial_info(column.type_oid);
            let sequence = self.owned_sequence(table, number, &info, 'a')?;
            return self.set_default(table, number, Some(&default_of(sequence)));
        }
        if let Some((always, info)) = &column.identity {
            return self.add_identity(table, number, *always, info);
        }
        match &column.default {
            Some(default) => self.set_default(table, number, Some(default)),
            None => Ok(()),
        }
    }

    /// GENERATED ... AS IDENTITY.
    pub fn add_identity(
        &mut self,
        table: Oid,
        number: i16,
        always: char,
        info: &SequenceInfo,
    ) -> SqlResult<()> {
        self.owned_sequence(table, number, info, 'i')?;
        self.change_attribute(table, number, |row| {
            row.put("attidentity", Datum::Char(always as u8));
            row.put("attnotnull", true);
        })
    }

    /// A sequence that goes with the column.
    fn owned_sequence(
        &mut self,
        table: Oid,
        number: i16,
        info: &SequenceInfo,
        kind: char,
    ) -> SqlResult<Oid> {
        let owner = self.fresh(table)?;
        let column = column_name(&owner, number)?;
        let schema = owner.schema_oid;
        let name = self.choose_name(schema, &owner.name, Some(&column), "seq", false)?;
        let temporary = owner.schema.starts_with("pg_temp");
        let new = super::table::NewRelation {
            name: &name,
            schema,
            kind: 'S',
            persistence: persistence(temporary, false),
            options: &[],
        };
        let sequence = self.new_sequence(&new, info)?;
        let column = Object::column(table, number);
        self.depend(Object::relation(sequence), column, kind)?;
        Ok(sequence)
    }

    /// Sets or removes a default.
    pub fn set_default(&mut self, table: Oid, number: i16, text: Option<&str>) -> SqlResult<()> {
        self.bump()?;
        let key = [Datum::Oid(table), Datum::Int2(number)];
        if let Some(old) = self.reader()?.one(ids::ATTRDEF_BY_COLUMN, &key)? {
            self.forget(Object::new(ids::ATTRDEF, old.oid("oid")))?;
            self.delete(&old)?;
            self.bump()?;
        }
        if let Some(text) = text {
            let (text, uses) = self.resolve_sequences(text)?;
            let id = self.new_oid()?;
            let row = Row::new(relation(self.system(), ids::ATTRDEF)?)
                .set_oid("oid", id)
                .set_oid("adrelid", table)
                .set("adnum", number)
                .set("adbin", text.as_str());
            self.insert(&row)?;
            let default = Object::new(ids::ATTRDEF, id);
            self.depend(default, Object::column(table, number), 'a')?;
            for sequence in uses {
                self.depend(default, Object::relation(sequence), 'n')?;
            }
        }
        let has = text.is_some();
        let key = [Datum::Oid(table), Datum::Int2(number)];
        let row = self.reader()?.one(ids::ATTRIBUTE_BY_NUMBER, &key)?;
        if row.is_some_and(|r| r.bool("atthasdef") != has) {
            self.change_attribute(table, number, |row| row.put("atthasdef", has))?;
        }
        Ok(())
    }

    /// Writes the sequences in `nextval('name')` as ids, so that they may be
    /// renamed; tells which they are.
    fn resolve_sequences(&mut self, text: &str) -> SqlResult<(String, Vec<Oid>)> {
        let (mut out, mut uses, mut rest) = (String::new(), Vec::new(), text);
        while let Some(at) = rest.find(NEXTVAL) {
            let (before, after) = rest.split_at(at + NEXTVAL.len());
            let Some(end) = after.find('\'') else {
                break;
            };
            out.push_str(before);
            let name = &after[..end];
            match self.sequence_named(name)? {
                Some(oid) => {
                    out.push_str(&oid.to_string());
                    uses.push(oid);
                }
                None => out.push_str(name),
            }
            rest = &after[end..];
            let tail = rest.strip_prefix("')");
            if let Some(tail) = tail {
                out.push_str("'::regclass)");
                rest = tail;
            }
        }
        out.push_str(rest);
        Ok((out, uses))
    }

    fn sequence_named(&mut self, name: &str) -> SqlResult<Option<Oid>> {
        if let Ok(oid) = name.parse::<Oid>() {
            return Ok(Some(oid));
        }
        let parts = crate::describe::names::split(name)?;
        let (schema, name) = match &parts[..] {
            [name] => (None, name),
            [schema, name] => (Some(schema.as_str()), name),
            _ => return Ok(None),
        };
        let path = self.session.path;
        let named = self.catalogs.named(self.tx, path, schema, name)?;
        Ok(match named {
            crate::cache::Named::Relation(r) if r.sequence.is_some() => Some(r.oid),
            _ => None,
        })
    }
}

/// The default of a serial column.
fn default_of(sequence: Oid) -> String {
    format!("{NEXTVAL}{sequence}'::regclass)")
}

/// The name of a live column.
pub fn column_name(table: &Relation, number: i16) -> SqlResult<String> {
    let attr = table.desc.attrs().get(number as usize - 1);
    let attr = attr.filter(|a| !a.dropped);
    attr.map(|a| a.name.to_string()).ok_or_else(|| {
        SqlError::new(
            SqlState::UNDEFINED_COLUMN,
            format!(
                "column number {number} of relation \"{}\" does not exist",
                table.name
            ),
        )
    })
}

/// The sequence of a serial column of this type.
fn serial_info(type_oid: Oid) -> SequenceInfo {
    SequenceInfo {
        type_oid,
        start: 1,
        increment: 1,
        min: 1,
        max: match type_oid {
            oid::INT2 => i64::from(i16::MAX),
            oid::INT4 => i64::from(i32::MAX),
            _ => i64::MAX,
        },
        cache: 1,
        cycle: false,
    }
}
