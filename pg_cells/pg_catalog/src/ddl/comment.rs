//! COMMENT ON.

use super::Change;
use crate::error::{no_constraint, no_schema};
use crate::row::Row;
use crate::rows::Object;
use crate::store::{ids, relation};
use alloc::format;
use pg_plan::CommentTarget;
use pg_types::{Datum, SqlError, SqlResult, SqlState};

impl Change<'_> {
    pub(super) fn comment(&mut self, target: &CommentTarget, text: Option<&str>) -> SqlResult<()> {
        // An empty comment is none.
        let text = text.filter(|t| !t.is_empty());
        let object = match target {
            CommentTarget::Relation(relation) => Object::relation(relation.oid),
            CommentTarget::Index(oid) => Object::relation(*oid),
            CommentTarget::Column {
                relation,
                attribute,
            } => Object::column(relation.oid, *attribute),
            CommentTarget::Schema(name) => {
                let oid = self.catalogs.schema_oid(self.tx, name)?;
                Object::new(ids::NAMESPACE, oid.ok_or_else(|| no_schema(name))?)
            }
            CommentTarget::Constraint { relation, name } => {
                let key = [
                    Datum::Oid(relation.oid),
                    Datum::Oid(0),
                    Datum::text(name.as_str()),
                ];
                let row = self.reader()?.one(ids::CONSTRAINT_BY_RELATION, &key)?;
                let row = row.ok_or_else(|| no_constraint(name, &relation.name))?;
                Object::new(ids::CONSTRAINT, row.oid("oid"))
            }
            CommentTarget::Database(name) => return self.comment_database(name, text),
        };
        let key = [
            Datum::Oid(object.oid),
            Datum::Oid(object.class),
            Datum::Int4(object.column),
        ];
        for row in self.reader()?.find(ids::DESCRIPTION_BY_OBJECT, &key)? {
            self.delete(&row)?;
        }
        self.bump()?;
        let Some(text) = text else {
            return Ok(());
        };
        let row = Row::new(relation(self.system(), ids::DESCRIPTION)?)
            .set_oid("objoid", object.oid)
            .set_oid("classoid", object.class)
            .set("objsubid", object.column)
            .set("description", text);
        self.insert(&row)
    }

    fn comment_database(&mut self, name: &str, text: Option<&str>) -> SqlResult<()> {
        let databases = self.reader()?.scan(ids::DATABASE)?;
        let database = databases.iter().find(|d| d.text("datname") == name);
        let oid = database.map(|d| d.oid("oid")).ok_or_else(|| {
            SqlError::new(
                SqlState::UNDEFINED_DATABASE,
                format!("database \"{name}\" does not exist"),
            )
        })?;
        let key = [Datum::Oid(oid), Datum::Oid(ids::DATABASE)];
        for row in self.reader()?.find(ids::SHDESCRIPTION_BY_OBJECT, &key)? {
            self.delete(&row)?;
        }
        self.bump()?;
        let Some(text) = text else {
            return Ok(());
        };
        let row = Row::new(relation(self.system(), ids::SHDESCRIPTION)?)
            .set_oid("objoid", oid)
            .set_oid("classoid", ids::DATABASE)
            .set("description", text);
        self.insert(&row)
    }
}
