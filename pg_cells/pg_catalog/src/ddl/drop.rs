//! DROP, with dependencies: what goes along by itself (`a`, `i` in `pg_depend`),
//! and what is in the way unless CASCADE is said (`n`).

use super::Change;
use crate::cache::Named;
use crate::describe::objects::describe;
use crate::error::{no_relation, no_schema};
use crate::rows::Object;
use crate::store::ids;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_catalog_port::{Notice, SHARED};
use pg_plan::{Drop, DropKind, QualifiedName, Relation, RelationKind};
use pg_types::oid::FIRST_NORMAL;
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState};

/// Everything that a DROP removes.
#[derive(Default)]
struct Plan {
    /// What is named, then what goes along, each after what it depends on.
    all: Vec<Object>,
    known: BTreeSet<Object>,
    /// What goes only because of CASCADE, and because of what.
    cascaded: Vec<(Object, Object)>,
}

impl Plan {
    fn add(&mut self, object: Object) -> bool {
        let whole = Object::new(object.class, object.oid);
        if self.known.contains(&whole) || !self.known.insert(object) {
            return false;
        }
        self.all.push(object);
        true
    }
}

impl Change<'_> {
    pub(super) fn drop_named(&mut self, drop: &Drop) -> SqlResult<()> {
        let mut objects = Vec::new();
        for name in &drop.names {
            match self.find_dropped(drop.kind, name) {
                Ok(object) => objects.push(object),
                Err(error) if drop.if_exists && is_missing(&error) => self.skipping(&error),
                Err(error) => return Err(error),
            }
        }
        self.drop_objects(&objects, drop.cascade, false)
    }

    fn find_dropped(&mut self, kind: DropKind, name: &QualifiedName) -> SqlResult<Object> {
        if kind == DropKind::Schema {
            let oid = self.catalogs.schema_oid(self.tx, &name.name)?;
            let oid = oid.ok_or_else(|| no_schema(&name.name))?;
            if oid < FIRST_NORMAL && name.name != "public" {
                return Err(required(&format!("schema {}", name.name)));
            }
            return Ok(Object::new(ids::NAMESPACE, oid));
        }
        let path = self.session.path;
        let schema = name.schema.as_deref();
        let named = self.catalogs.named(self.tx, path, schema, &name.name)?;
        let (found, oid) = match &named {
            Named::Nothing => return Err(missing(kind, name)),
            Named::Index(_, oid) => (DropKind::Index, *oid),
            Named::Relation(relation) => (kind_of(relation), relation.oid),
        };
        if oid < FIRST_NORMAL {
            return Err(required(&format!("relation \"{}\"", name.name)));
        }
        if found != kind {
            let hint = format!("Use DROP {} to remove {}.", verb(found), article(found));
            let message = format!("\"{}\" is not {}", name.name, article(kind));
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint(hint));
        }
        Ok(Object::relation(oid))
    }

    /// Drops objects with all that goes along.
    ///
    /// # Errors
    /// 2BP01 when others depend on them and `cascade` is false.
    pub fn drop_objects(
        &mut self,
        objects: &[Object],
        cascade: bool,
        quiet: bool,
    ) -> SqlResult<()> {
        let mut plan = Plan::default();
        for object in objects {
            self.lock_object(*object)?;
        }
        self.bump()?;
        for object in objects {
            self.refuse_part(*object, objects)?;
            plan.add(*object);
        }
        self.follow(&mut plan, 0)?;
        let named = plan.all.len();
        self.follow_users(&mut plan)?;
        if !plan.cascaded.is_empty() {
            if !cascade {
                return Err(self.in_the_way(objects, &plan)?);
            }
            if !quiet {
                self.tell(&plan)?;
            }
        }
        for object in plan.all[named..].iter().copied() {
            self.lock_object(object)?;
        }
        for object in plan.all.iter().rev() {
            self.remove(*object, &plan.known)?;
        }
        self.bump()
    }

    /// Who uses an index has locked its table alone: so that is locked too.
    fn lock_object(&mut self, object: Object) -> SqlResult<()> {
        if object.class != ids::CLASS {
            return Ok(());
        }
        if let Some(table) = self.table_of_index(object.oid)? {
            self.lock(table)?;
        }
        self.lock(object.oid)
    }

    /// 2BP01 for a part of something that is not dropped itself: the index of a
    /// constraint, the sequence of an identity column.
    fn refuse_part(&mut self, object: Object, all: &[Object]) -> SqlResult<()> {
        let key = [Datum::Oid(object.class), Datum::Oid(object.oid)];
        let reader = self.reader()?;
        for row in reader.find(ids::DEPEND_BY_OBJECT, &key)? {
            if row.char("deptype") != 'i' || row.int("objsubid") != i64::from(object.column) {
                continue;
            }
            let whole = Object {
                class: row.oid("refclassid"),
                oid: row.oid("refobjid"),
                column: row.int("refobjsubid") as i32,
            };
            if all.contains(&whole) || all.contains(&Object::new(whole.class, whole.oid)) {
                continue;
            }
            let path = self.session.path;
            let part = describe(&reader, path, object)?;
            let whole = describe(&reader, path, whole)?;
            return Err(SqlError::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!("cannot drop {part} because {whole} requires it"),
            )
            .with_hint(format!("You can drop {whole} instead.")));
        }
        Ok(())
    }

    /// Adds what goes along with the objects from `start` on.
    fn follow(&mut self, plan: &mut Plan, start: usize) -> SqlResult<()> {
        let mut at = start;
        while at < plan.all.len() {
            for (user, kind) in self.users(plan.all[at])? {
                if matches!(kind, 'a' | 'i') {
                    plan.add(user);
                }
            }
            at += 1;
        }
        Ok(())
    }

    /// Adds what depends on the objects otherwise, with all that goes along.
    fn follow_users(&mut self, plan: &mut Plan) -> SqlResult<()> {
        let mut at = 0;
        while at < plan.all.len() {
            let object = plan.all[at];
            for (user, kind) in self.users(object)? {
                let start = plan.all.len();
                if kind == 'n' && plan.add(user) {
                    plan.cascaded.push((user, object));
                    self.follow(plan, start)?;
                }
            }
            at += 1;
        }
        Ok(())
    }

    /// What depends on an object, and how.
    fn users(&mut self, object: Object) -> SqlResult<Vec<(Object, char)>> {
        let key = [Datum::Oid(object.class), Datum::Oid(object.oid)];
        let mut users = Vec::new();
        for row in self.reader()?.find(ids::DEPEND_BY_REFERENCE, &key)? {
            if object.column != 0 && row.int("refobjsubid") != i64::from(object.column) {
                continue;
            }
            let user = Object {
                class: row.oid("classid"),
                oid: row.oid("objid"),
                column: row.int("objsubid") as i32,
            };
            users.push((user, row.char("deptype")));
        }
        Ok(users)
    }

    fn in_the_way(&mut self, objects: &[Object], plan: &Plan) -> SqlResult<SqlError> {
        let reader = self.reader()?;
        let path = self.session.path;
        let what = match objects {
            [only] => describe(&reader, path, *only)?,
            _ => String::from("desired object(s)"),
        };
        let mut lines = Vec::new();
        for (user, used) in &plan.cascaded {
            let (user, used) = (
                describe(&reader, path, *user)?,
                describe(&reader, path, *used)?,
            );
            lines.push(format!("{user} depends on {used}"));
        }
        Ok(SqlError::new(
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            format!("cannot drop {what} because other objects depend on it"),
        )
        .with_detail(lines.join("\n"))
        .with_hint("Use DROP ... CASCADE to drop the dependent objects too."))
    }

    /// `drop cascades to ...`.
    fn tell(&mut self, plan: &Plan) -> SqlResult<()> {
        let reader = self.reader()?;
        let path = self.session.path;
        let mut lines = Vec::new();
        for (user, _) in &plan.cascaded {
            lines.push(format!(
                "drop cascades to {}",
                describe(&reader, path, *user)?
            ));
        }
        let code = SqlState::SUCCESSFUL_COMPLETION;
        match &lines[..] {
            [only] => self.notice(code, only.as_str()),
            many => self.outcome.notices.push(Notice {
                code,
                message: format!("drop cascades to {} other objects", many.len()),
                detail: Some(many.join("\n")),
            }),
        }
        Ok(())
    }

    fn remove(&mut self, object: Object, gone: &BTreeSet<Object>) -> SqlResult<()> {
        match object.class {
            ids::CLASS if object.column != 0 => self.remove_column(object)?,
            ids::CLASS => self.remove_relation(object)?,
            ids::CONSTRAINT => self.remove_constraint(object, gone)?,
            ids::ATTRDEF => self.remove_default(object, gone)?,
            ids::NAMESPACE => {
                let key = [Datum::Oid(object.oid)];
                self.delete_all(ids::NAMESPACE_BY_OID, &key)?;
            }
            _ => {}
        }
        self.forget(object)
    }

    fn delete_all(&mut self, index: u32, key: &[Datum]) -> SqlResult<()> {
        for row in self.reader()?.find(index, key)? {
            self.delete(&row)?;
        }
        Ok(())
    }

    /// An index's table; none when it is no index.
    fn table_of_index(&mut self, oid: Oid) -> SqlResult<Option<Oid>> {
        let index = self.reader()?.one(ids::INDEX_BY_OID, &[Datum::Oid(oid)])?;
        Ok(index.map(|i| i.oid("indrelid")))
    }

    /// The file of an index's table; none when it is no index.
    fn file_of_table(&mut self, index: Oid) -> SqlResult<Option<u32>> {
        let Some(table) = self.table_of_index(index)? else {
            return Ok(None);
        };
        let class = self
            .reader()?
            .one(ids::CLASS_BY_OID, &[Datum::Oid(table)])?;
        Ok(class.map(|c| c.oid("relfilenode")))
    }

    fn remove_relation(&mut self, object: Object) -> SqlResult<()> {
        let key = [Datum::Oid(object.oid)];
        for class in self.reader()?.find(ids::CLASS_BY_OID, &key)? {
            let file = class.oid("relfilenode");
            if let Some(table) = self.file_of_table(object.oid)? {
                self.read_moves(file, table)?;
            }
            self.note_dropped(file)?;
            if let Some(xid) = self.tx.xid() {
                SHARED.gone(xid, object.oid);
            }
            self.delete(&class)?;
        }
        let parts = [
            ids::ATTRIBUTE_BY_NUMBER,
            ids::ATTRDEF_BY_COLUMN,
            ids::CONSTRAINT_BY_RELATION,
            ids::INDEX_BY_OID,
            ids::REWRITE_BY_RELATION,
            ids::SEQUENCE_BY_OID,
            ids::STATISTIC_BY_COLUMN,
        ];
        for index in parts {
            self.delete_all(index, &key)?;
        }
        Ok(())
    }

    fn remove_column(&mut self, object: Object) -> SqlResult<()> {
        let number = object.column as i16;
        let place = format!("........pg.dropped.{number}........");
        self.change_attribute(object.oid, number, |row| {
            row.put("attisdropped", true);
            row.put("attname", place.as_str());
            row.put("attnotnull", false);
            row.put("atthasdef", false);
            row.put("attidentity", Datum::Char(0));
        })?;
        let key = [Datum::Oid(object.oid), Datum::Int2(number)];
        self.delete_all(ids::STATISTIC_BY_COLUMN, &key)?;
        self.delete_all(ids::ATTRDEF_BY_COLUMN, &key)
    }

    fn remove_constraint(&mut self, object: Object, gone: &BTreeSet<Object>) -> SqlResult<()> {
        let key = [Datum::Oid(object.oid)];
        for row in self.reader()?.find(ids::CONSTRAINT_BY_OID, &key)? {
            self.delete(&row)?;
            let table = row.oid("conrelid");
            if row.char("contype") == 'c' && !gone.contains(&Object::relation(table)) {
                self.change_class(table, |class| {
                    let checks = (class.int("relchecks") - 1).max(0);
                    class.put("relchecks", checks as i16);
                })?;
            }
        }
        Ok(())
    }

    fn remove_default(&mut self, object: Object, gone: &BTreeSet<Object>) -> SqlResult<()> {
        let reader = self.reader()?;
        let key = [Datum::Oid(object.oid)];
        for row in reader.find(ids::ATTRDEF_BY_OID, &key)? {
            let (table, number) = (row.oid("adrelid"), row.int("adnum") as i16);
            self.delete(&row)?;
            let column_gone = gone.contains(&Object::column(table, number));
            if !column_gone && !gone.contains(&Object::relation(table)) {
                self.change_attribute(table, number, |row| row.put("atthasdef", false))?;
            }
        }
        Ok(())
    }
}

fn kind_of(relation: &Relation) -> DropKind {
    match relation.kind {
        RelationKind::Table | RelationKind::Virtual => DropKind::Table,
        RelationKind::View => DropKind::View,
        RelationKind::Sequence => DropKind::Sequence,
    }
}

fn verb(kind: DropKind) -> &'static str {
    match kind {
        DropKind::Table => "TABLE",
        DropKind::Index => "INDEX",
        DropKind::View => "VIEW",
        DropKind::Sequence => "SEQUENCE",
        DropKind::Schema => "SCHEMA",
    }
}

fn article(kind: DropKind) -> &'static str {
    match kind {
        DropKind::Table => "a table",
        DropKind::Index => "an index",
        DropKind::View => "a view",
        DropKind::Sequence => "a sequence",
        DropKind::Schema => "a schema",
    }
}

fn missing(kind: DropKind, name: &QualifiedName) -> SqlError {
    let what = match kind {
        DropKind::Table => "table",
        DropKind::View => "view",
        DropKind::Sequence => "sequence",
        DropKind::Index => {
            return SqlError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("index \"{name}\" does not exist"),
            );
        }
        DropKind::Schema => return no_relation(name),
    };
    SqlError::new(
        SqlState::UNDEFINED_TABLE,
        format!("{what} \"{name}\" does not exist"),
    )
}

fn is_missing(error: &SqlError) -> bool {
    let code = error.code();
    code == SqlState::UNDEFINED_TABLE
        || code == SqlState::UNDEFINED_OBJECT
        || code == SqlState::UNDEFINED_SCHEMA
}

/// 2BP01: the system needs it.
fn required(what: &str) -> SqlError {
    SqlError::new(
        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot drop {what} because it is required by the database system"),
    )
}
