//! ALTER TABLE, change by change.
//!
//! What touches the rows of the table is gathered ([`Pending`]) and left to the
//! executor as one piece of work at the end: checks over the rows as they were,
//! or all rows written anew into another file.

use super::Change;
use super::columns::column_name;
use super::constraint::is_empty;
use super::table::{attr, refuse_system_name};
use crate::rows::{self, Object};
use crate::store::ids;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_catalog_port::RowWork;
use pg_plan::{AlterTable, Expr, NewColumn, NewConstraint, Relation, RelationKind, TableChange};
use pg_types::oid::FIRST_NORMAL;
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState};

/// What is to be done with the rows.
#[derive(Default)]
struct Pending {
    checks: Vec<(String, Expr)>,
    not_null: Vec<usize>,
    rewrite: Vec<(usize, Expr)>,
    /// Columns that this statement has added.
    fresh: Vec<i16>,
}

impl Change<'_> {
    pub(super) fn alter_table(&mut self, alter: &AlterTable) -> SqlResult<()> {
        let oid = alter.relation.oid;
        if oid < FIRST_NORMAL {
            return Err(SqlError::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!(
                    "permission denied: \"{}\" is a system catalog",
                    alter.relation.name
                ),
            ));
        }
        self.lock(oid)?;
        let before = self.fresh(oid)?;
        if let Some(index) = alter.index {
            return self.alter_index(&before, index, &alter.changes);
        }
        let mut pending = Pending::default();
        for change in &alter.changes {
            self.alter(oid, change, &mut pending)?;
        }
        self.leave_rows(&before, pending)
    }

    /// Hands the gathered work over. Work that was noted before (index builds,
    /// checks of constraints) comes after a rewrite, over the new rows.
    fn leave_rows(&mut self, before: &Arc<Relation>, pending: Pending) -> SqlResult<()> {
        if before.kind != RelationKind::Table || is_empty(before)? {
            return Ok(());
        }
        if pending.rewrite.is_empty() {
            return self.check_rows(before, pending.checks, pending.not_null);
        }
        let now = self.fresh(before.oid)?;
        self.empty(&now)?;
        let after = self.fresh(before.oid)?;
        // All indexes are filled by the rewrite.
        let mut work = core::mem::take(&mut self.outcome.work);
        work.retain(|w| !matches!(w, RowWork::BuildIndex { .. }));
        for w in &mut work {
            match w {
                RowWork::CheckForeignKey { table, .. } => *table = Arc::clone(&after),
                RowWork::ChangeRows { after: a, .. } => *a = Arc::clone(&after),
                RowWork::BuildIndex { .. } => {}
            }
        }
        let rewrite = RowWork::ChangeRows {
            before: Arc::clone(before),
            after,
            checks: pending.checks,
            not_null: pending.not_null,
            rewrite: Some(pending.rewrite),
        };
        // Checks look at the rows as they were, so they come first.
        let late = work
            .iter()
            .position(|w| matches!(w, RowWork::CheckForeignKey { .. }));
        work.insert(late.unwrap_or(work.len()), rewrite);
        self.outcome.work = work;
        Ok(())
    }

    fn alter(&mut self, oid: Oid, change: &TableChange, pending: &mut Pending) -> SqlResult<()> {
        let table = self.fresh(oid)?;
        match change {
            TableChange::AddColumn {
                column,
                constraints,
                if_not_exists,
            } => self.add_column(&table, column, constraints, *if_not_exists, pending),
            TableChange::DropColumn { attribute, cascade } => {
                self.drop_column(&table, *attribute, *cascade)
            }
            TableChange::RenameColumn { attribute, to } => {
                self.rename_column(&table, *attribute, to)
            }
            TableChange::ColumnType {
                attribute,
                type_oid,
                typmod,
                using,
                binary_compatible,
            } => {
                let target = (*type_oid, *typmod);
                let using = (!binary_compatible).then_some(using);
                self.change_type(&table, *attribute, target, using, pending)
            }
            TableChange::ColumnDefault { attribute, default } => {
                self.set_default(oid, *attribute, default.as_deref())
            }
            TableChange::ColumnNotNull {
                attribute,
                not_null,
            } => self.set_not_null(&table, *attribute, *not_null, pending),
            TableChange::AddIdentity {
                attribute,
                always,
                info,
            } => self.alter_add_identity(&table, *attribute, *always, info),
            TableChange::DropIdentity {
                attribute,
                if_exists,
            } => self.drop_identity(&table, *attribute, *if_exists),
            TableChange::AddConstraint(constraint) => {
                self.add_constraint(oid, constraint, &pending.fresh)
            }
            TableChange::DropConstraint {
                name,
                if_exists,
                cascade,
            } => self.drop_constraint(&table, name, *if_exists, *cascade),
            TableChange::RenameConstraint { name, to } => self.rename_constraint(&table, name, to),
            TableChange::ValidateConstraint { name, check } => {
                self.validate(&table, name, check.as_ref())
            }
            TableChange::AlterConstraint { name, deferral } => {
                self.alter_constraint(&table, name, *deferral)
            }
            TableChange::Rename { to } => self.rename_relation(&table, oid, to),
            TableChange::SetSchema { schema } => self.move_relation(&table, schema),
            TableChange::Owner { owner } => self.give_relation(&table, owner),
            TableChange::Options(options) => self.set_options(oid, options),
        }
    }

    fn alter_index(
        &mut self,
        table: &Relation,
        index: Oid,
        changes: &[TableChange],
    ) -> SqlResult<()> {
        for change in changes {
            match change {
                TableChange::Rename { to } => self.rename_relation(table, index, to)?,
                TableChange::Options(options) => self.set_options(index, options)?,
                _ => return Err(SqlError::unsupported("this change of an index")),
            }
        }
        Ok(())
    }

    fn add_column(
        &mut self,
        table: &Arc<Relation>,
        column: &NewColumn,
        constraints: &[NewConstraint],
        if_not_exists: bool,
        pending: &mut Pending,
    ) -> SqlResult<()> {
        refuse_system_name(&column.name)?;
        if table.desc.find(&column.name).is_some() {
            let error = SqlError::new(
                SqlState::DUPLICATE_COLUMN,
                format!(
                    "column \"{}\" of relation \"{}\" already exists",
                    column.name, table.name
                ),
            );
            if !if_not_exists {
                return Err(error);
            }
            self.skipping(&error);
            return Ok(());
        }
        let place = table.desc.len();
        let number = place as i16 + 1;
        let mut attr = attr(column);
        let filled = fill(column, &mut attr, place, pending);
        let row = rows::attribute(self.system(), table.oid, number, &attr)?;
        self.insert(&row)?;
        self.change_class(table.oid, |class| class.put("relnatts", number))?;
        self.column_extras(table.oid, number, column)?;
        if column.serial || column.identity.is_some() {
            self.number_rows(table.oid, place, column.type_oid, pending)?;
        }
        if attr.not_null && !filled && !is_empty(table)? {
            return Err(SqlError::new(
                SqlState::NOT_NULL_VIOLATION,
                format!(
                    "column \"{}\" of relation \"{}\" contains null values",
                    column.name, table.name
                ),
            )
            .with_table(table.schema.as_str(), table.name.as_str())
            .with_column(column.name.as_str()));
        }
        pending.fresh.push(number);
        for constraint in constraints {
            self.add_constraint(table.oid, constraint, &pending.fresh)?;
        }
        Ok(())
    }

    /// Existing rows get values of a new column's sequence.
    fn number_rows(
        &mut self,
        table: Oid,
        place: usize,
        type_oid: Oid,
        pending: &mut Pending,
    ) -> SqlResult<()> {
        let table = self.fresh(table)?;
        let sequence = table.columns.get(place).and_then(|c| c.sequence);
        if let Some(sequence) = sequence {
            let next = Expr::NextValue { sequence, type_oid };
            pending.rewrite.push((place, next));
        }
        Ok(())
    }

    fn drop_column(&mut self, table: &Relation, number: i16, cascade: bool) -> SqlResult<()> {
        column_name(table, number)?;
        let column = Object::column(table.oid, number);
        self.drop_objects(&[column], cascade, false)
    }

    fn change_type(
        &mut self,
        table: &Arc<Relation>,
        number: i16,
        (type_oid, typmod): (Oid, i32),
        using: Option<&Expr>,
        pending: &mut Pending,
    ) -> SqlResult<()> {
        let name = column_name(table, number)?;
        let key = [Datum::Oid(ids::CLASS), Datum::Oid(table.oid)];
        for user in self.reader()?.find(ids::DEPEND_BY_REFERENCE, &key)? {
            if user.oid("classid") == ids::CLASS && user.char("deptype") == 'n' {
                let reader = self.reader()?;
                let view = Object::relation(user.oid("objid"));
                let path = self.session.path;
                let view = crate::describe::objects::describe(&reader, path, view)?;
                return Err(SqlError::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "cannot alter type of a column used by a view or rule",
                )
                .with_detail(format!("{view} depends on column \"{name}\"")));
            }
        }
        self.change_attribute(table.oid, number, |row| {
            rows::set_type(row, type_oid, typmod);
            row.put("atthasmissing", false);
            row.put("attmissingval", Datum::Null);
        })?;
        for index in &table.indexes {
            for (place, key) in index.keys.iter().enumerate() {
                if key.attribute == number {
                    self.change_attribute(index.oid, place as i16 + 1, |row| {
                        rows::set_type(row, type_oid, -1);
                    })?;
                }
            }
        }
        let place = number as usize - 1;
        match using {
            Some(using) => pending.rewrite.push((place, using.clone())),
            // Values of older rows that the catalog kept are in no row yet.
            None if table.columns[place].missing.is_some() => {
                let column = Expr::Column {
                    index: place,
                    type_oid,
                };
                pending.rewrite.push((place, column));
            }
            None => {}
        }
        Ok(())
    }

    fn set_not_null(
        &mut self,
        table: &Relation,
        number: i16,
        not_null: bool,
        pending: &mut Pending,
    ) -> SqlResult<()> {
        let name = column_name(table, number)?;
        let place = number as usize - 1;
        if table.desc.attrs()[place].not_null == not_null {
            return Ok(());
        }
        let refuse = |what: &str| {
            let message = format!("column \"{name}\" {what}");
            Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message))
        };
        if !not_null {
            let primary = table.indexes.iter().find(|i| i.primary);
            if primary.is_some_and(|i| i.keys.iter().any(|k| k.attribute == number)) {
                return refuse("is in a primary key");
            }
            if table.columns[place].identity.is_some() {
                return refuse("is an identity column");
            }
        }
        self.change_attribute(table.oid, number, |row| row.put("attnotnull", not_null))?;
        if not_null && !pending.fresh.contains(&number) {
            pending.not_null.push(place);
        }
        Ok(())
    }

    fn alter_add_identity(
        &mut self,
        table: &Relation,
        number: i16,
        always: char,
        info: &pg_plan::SequenceInfo,
    ) -> SqlResult<()> {
        let name = column_name(table, number)?;
        let place = number as usize - 1;
        let message = if table.columns[place].identity.is_some() {
            "is already an identity column"
        } else if table.columns[place].default.is_some() {
            "already has a default value"
        } else if !table.desc.attrs()[place].not_null {
            "must be declared NOT NULL before identity can be added"
        } else {
            return self.add_identity(table.oid, number, always, info);
        };
        Err(SqlError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("column \"{name}\" of relation \"{}\" {message}", table.name),
        ))
    }

    fn drop_identity(&mut self, table: &Relation, number: i16, if_exists: bool) -> SqlResult<()> {
        let name = column_name(table, number)?;
        let column = &table.columns[number as usize - 1];
        if column.identity.is_none() {
            let error = SqlError::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!(
                    "column \"{name}\" of relation \"{}\" is not an identity column",
                    table.name
                ),
            );
            if !if_exists {
                return Err(error);
            }
            self.skipping(&error);
            return Ok(());
        }
        self.change_attribute(table.oid, number, |row| {
            row.put("attidentity", Datum::Char(0));
        })?;
        match column.sequence {
            Some(sequence) => {
                let sequence = Object::relation(sequence);
                self.forget_uses(sequence)?;
                self.drop_objects(&[sequence], false, true)
            }
            None => Ok(()),
        }
    }

    fn set_options(&mut self, oid: Oid, options: &[(String, Option<String>)]) -> SqlResult<()> {
        self.change_class(oid, |class| {
            let mut now: Vec<String> = match class.get("reloptions").as_array() {
                Some(a) => a
                    .items
                    .iter()
                    .filter_map(|d| d.as_str().map(String::from))
                    .collect(),
                None => Vec::new(),
            };
            for (name, value) in options {
                now.retain(|o| o.split('=').next() != Some(name));
                if let Some(value) = value {
                    now.push(format!("{name}={value}"));
                }
            }
            let value = match now.is_empty() {
                true => Datum::Null,
                false => rows::text_array(&now),
            };
            class.put("reloptions", value);
        })
    }
}

/// What existing rows have in a new column. True when that is not NULL.
fn fill(
    column: &NewColumn,
    attr: &mut pg_types::Attr,
    place: usize,
    pending: &mut Pending,
) -> bool {
    match &column.fill {
        Some(Expr::Const { value, .. }) if !column.fill_volatile => {
            attr.missing = Some(value.clone()).filter(|v| !v.is_null());
            attr.missing.is_some()
        }
        Some(fill) => {
            pending.rewrite.push((place, fill.clone()));
            true
        }
        // Its sequence gives the values, see `number_rows`.
        None => column.serial || column.identity.is_some(),
    }
}
