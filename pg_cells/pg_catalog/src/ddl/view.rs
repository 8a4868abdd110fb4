//! CREATE VIEW. A view's query is kept as SQL text; the planner reads it again.

use super::Change;
use super::table::{NewRelation, persistence, refuse_system_name};
use crate::lookup::class_named;
use crate::row::Row;
use crate::rows::{self, Object};
use crate::store::{ids, relation};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_plan::{CreateView, Relation};
use pg_types::oid::FIRST_NORMAL;
use pg_types::{Attr, Datum, Oid, SqlError, SqlResult, SqlState, Str, format_type};

impl Change<'_> {
    pub(super) fn create_view(&mut self, def: &CreateView) -> SqlResult<()> {
        let (schema, schema_name) = self.creation_schema(&def.name, def.temporary)?;
        let name = &def.name.name;
        let mut attrs: Vec<Attr> = Vec::with_capacity(def.columns.len());
        for (column, type_oid, typmod) in &def.columns {
            refuse_system_name(column)?;
            if attrs.iter().any(|a| a.name == **column) {
                return Err(SqlError::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{column}\" specified more than once"),
                ));
            }
            attrs.push(Attr::new(Str::from(column.as_str()), *type_oid, *typmod));
        }
        let existing = class_named(&self.reader()?, schema, name)?;
        if let (true, Some(class)) = (def.or_replace, existing) {
            return self.replace_view(class.oid("oid"), &attrs, def);
        }
        self.name_taken(schema, name, false)?;
        let oid = self.new_oid()?;
        let temporary = def.temporary || schema_name.starts_with("pg_temp");
        let new = NewRelation {
            name,
            schema,
            kind: 'v',
            persistence: persistence(temporary, false),
            options: &[],
        };
        self.new_relation(oid, &new, &attrs)?;
        self.outcome.object = Some(oid);
        self.view_rule(oid, def)
    }

    /// The query and what it depends on.
    fn view_rule(&mut self, oid: Oid, def: &CreateView) -> SqlResult<()> {
        let rule = self.new_oid()?;
        let row = Row::new(relation(self.system(), ids::REWRITE)?)
            .set_oid("oid", rule)
            .set("rulename", "_RETURN")
            .set_oid("ev_class", oid)
            .set_char("ev_type", '1')
            .set_char("ev_enabled", 'O')
            .set("is_instead", true)
            .set("ev_qual", "<>")
            .set("ev_action", def.query.as_str());
        self.insert(&row)?;
        let mut uses: Vec<Oid> = def.uses.clone();
        uses.sort_unstable();
        uses.dedup();
        for used in uses.into_iter().filter(|o| *o >= FIRST_NORMAL && *o != oid) {
            self.depend(Object::relation(oid), Object::relation(used), 'n')?;
        }
        Ok(())
    }

    fn replace_view(&mut self, oid: Oid, attrs: &[Attr], def: &CreateView) -> SqlResult<()> {
        self.lock(oid)?;
        let view = self.fresh(oid)?;
        if view.view.is_none() {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("\"{}\" is not a view", view.name),
            ));
        }
        check_replacement(&view, attrs)?;
        for (place, attr) in attrs.iter().enumerate().skip(view.desc.len()) {
            let row = rows::attribute(self.system(), oid, place as i16 + 1, attr)?;
            self.insert(&row)?;
        }
        for rule in self
            .reader()?
            .find(ids::REWRITE_BY_RELATION, &[Datum::Oid(oid)])?
        {
            self.delete(&rule)?;
        }
        let key = [Datum::Oid(ids::CLASS), Datum::Oid(oid)];
        for depend in self.reader()?.find(ids::DEPEND_BY_OBJECT, &key)? {
            if depend.oid("refclassid") == ids::CLASS {
                self.delete(&depend)?;
            }
        }
        self.change_class(oid, |class| class.put("relnatts", attrs.len() as i16))?;
        self.outcome.object = Some(oid);
        self.view_rule(oid, def)
    }
}

/// 42P16: the columns there are must stay.
fn check_replacement(view: &Relation, attrs: &[Attr]) -> SqlResult<()> {
    let refuse = |message| Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    if attrs.len() < view.desc.len() {
        return refuse(String::from("cannot drop columns from view"));
    }
    for (old, new) in view.desc.attrs().iter().zip(attrs) {
        if old.name != new.name {
            return refuse(format!(
                "cannot change name of view column \"{}\" to \"{}\"",
                old.name, new.name
            ))
            .map_err(|e: SqlError| {
                e.with_hint(
                    "Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.",
                )
            });
        }
        if old.type_oid != new.type_oid || old.typmod != new.typmod {
            return refuse(format!(
                "cannot change data type of view column \"{}\" from {} to {}",
                old.name,
                format_type(old.type_oid, old.typmod),
                format_type(new.type_oid, new.typmod)
            ));
        }
    }
    Ok(())
}
