//! ALTER TABLE and the other ALTERs.

use crate::analyzer::{Analyzer, Clause, fold, qualified};
use crate::error;
use crate::walk::type_of;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_builtins::{CastContext, CastMethod, find_cast};
use pg_parser_port::ast::{self, AlterColumnOperation, AlterTableOperation};
use pg_parser_port::{AlterAction, AlterObject, ObjectKind};
use pg_plan::{AlterTable, Ddl, Drop, DropKind, Relation, RelationKind, TableChange};
use pg_types::{SqlError, SqlResult, SqlState, format_type, oid};

/// A change of nothing: IF EXISTS of what does not exist.
pub fn nothing() -> Ddl {
    Ddl::Drop(Drop {
        kind: DropKind::Table,
        names: Vec::new(),
        if_exists: true,
        cascade: false,
    })
}

impl Analyzer<'_> {
    /// ALTER TABLE.
    pub fn alter_table(&mut self, alter: &ast::AlterTable) -> SqlResult<Ddl> {
        if alter.location.is_some() || alter.table_type.is_some() || alter.on_cluster.is_some() {
            return Err(error::syntax(
                "syntax error in ALTER TABLE: a clause of another dialect",
            ));
        }
        let (schema, name) = qualified(&alter.name)?;
        let relation = match self.relation(schema.as_deref(), &name)? {
            Some(relation) => relation,
            None if alter.if_exists => return Ok(nothing()),
            None => return Err(error::no_table(&name)),
        };
        let mut changes = Vec::new();
        for operation in &alter.operations {
            self.table_change(&relation, operation, &mut changes)?;
        }
        Ok(Ddl::AlterTable(AlterTable {
            relation,
            index: None,
            changes,
        }))
    }

    /// A dispatch table, so longer than a function should be.
    fn table_change(
        &mut self,
        relation: &Arc<Relation>,
        operation: &AlterTableOperation,
        out: &mut Vec<TableChange>,
    ) -> SqlResult<()> {
        use AlterTableOperation as Op;
        match operation {
            Op::AddConstraint {
                constraint,
                not_valid,
            } => {
                out.push(TableChange::AddConstraint(
                    self.constraint(relation, constraint, *not_valid)?,
                ));
            }
            Op::AddColumn {
                if_not_exists,
                column_def,
                column_position: None,
                ..
            } => {
                out.push(self.add_column(relation, column_def, *if_not_exists)?);
            }
            Op::DropColumn {
                column_names,
                if_exists,
                drop_behavior,
                ..
            } => {
                for name in column_names {
                    let name = fold(name);
                    match relation.desc.find(&name) {
                        Some(at) => out.push(TableChange::DropColumn {
                            attribute: at as i16 + 1,
                            cascade: matches!(drop_behavior, Some(ast::DropBehavior::Cascade)),
                        }),
                        None if *if_exists => {}
                        None => return Err(error::no_column_in(&relation.name, &name)),
                    }
                }
            }
            Op::RenameColumn {
                old_column_name,
                new_column_name,
            } => {
                let at = self.column_place(relation, &fold(old_column_name))?;
                out.push(TableChange::RenameColumn {
                    attribute: at as i16 + 1,
                    to: fold(new_column_name),
                });
            }
            Op::RenameTable {
                table_name: ast::RenameTableNameKind::To(name),
            } => {
                out.push(TableChange::Rename {
                    to: qualified(name)?.1,
                });
            }
            Op::RenameConstraint { old_name, new_name } => {
                out.push(TableChange::RenameConstraint {
                    name: fold(old_name),
                    to: fold(new_name),
                });
            }
            Op::DropConstraint {
                if_exists,
                name,
                drop_behavior,
            } => out.push(TableChange::DropConstraint {
                name: fold(name),
                if_exists: *if_exists,
                cascade: matches!(drop_behavior, Some(ast::DropBehavior::Cascade)),
            }),
            Op::ValidateConstraint { name } => {
                let name = fold(name);
                let checks = self.checks(relation)?;
                let check = checks.into_iter().find(|(of, _)| *of == name);
                out.push(TableChange::ValidateConstraint {
                    name,
                    check: check.map(|(_, condition)| condition),
                });
            }
            Op::OwnerTo { new_owner } => out.push(TableChange::Owner {
                owner: owner(new_owner),
            }),
            Op::AlterColumn { column_name, op } => {
                let at = self.column_place(relation, &fold(column_name))?;
                out.push(self.column_change(relation, at, op)?);
            }
            Op::SetOptionsParens { options } => {
                let mut list = Vec::new();
                for option in options {
                    if let ast::SqlOption::KeyValue { key, value } = option {
                        list.push((
                            fold(key),
                            Some(value.to_string().trim_matches('\'').to_string()),
                        ));
                    }
                }
                out.push(TableChange::Options(list));
            }
            other => return Err(SqlError::unsupported(format!("ALTER TABLE ... {other}"))),
        }
        Ok(())
    }

    fn add_column(
        &mut self,
        relation: &Arc<Relation>,
        definition: &ast::ColumnDef,
        if_not_exists: bool,
    ) -> SqlResult<TableChange> {
        let (mut column, pending) = self.column(definition)?;
        if relation.desc.find(&column.name).is_some() && !if_not_exists {
            return Err(SqlError::new(
                SqlState::DUPLICATE_COLUMN,
                format!(
                    "column \"{}\" of relation \"{}\" already exists",
                    column.name, relation.name
                ),
            ));
        }
        // Constraints see the table with the new column at its end.
        let mut wider = (**relation).clone();
        let mut attrs = relation.desc.attrs().to_vec();
        attrs.push(pg_types::Attr::new(
            column.name.as_str(),
            column.type_oid,
            column.typmod,
        ));
        wider.desc = Arc::new(pg_types::TupleDesc::new(attrs));
        let wider = Arc::new(wider);
        let mut constraints = Vec::new();
        for constraint in &pending {
            constraints.push(self.constraint(&wider, constraint, false)?);
        }
        if column.serial || column.identity.is_some() {
            column.fill_volatile = true;
        }
        Ok(TableChange::AddColumn {
            column,
            constraints,
            if_not_exists,
        })
    }

    fn column_change(
        &mut self,
        relation: &Arc<Relation>,
        at: usize,
        op: &AlterColumnOperation,
    ) -> SqlResult<TableChange> {
        let attribute = at as i16 + 1;
        let attr = relation.desc.attrs()[at].clone();
        Ok(match op {
            AlterColumnOperation::SetNotNull => TableChange::ColumnNotNull {
                attribute,
                not_null: true,
            },
            AlterColumnOperation::DropNotNull => TableChange::ColumnNotNull {
                attribute,
                not_null: false,
            },
            AlterColumnOperation::SetDefault { value } => {
                self.lone_value(
                    value,
                    attr.name.as_str(),
                    attr.type_oid,
                    attr.typmod,
                    Clause::Default,
                )?;
                TableChange::ColumnDefault {
                    attribute,
                    default: Some(value.to_string()),
                }
            }
            AlterColumnOperation::DropDefault => TableChange::ColumnDefault {
                attribute,
                default: None,
            },
            AlterColumnOperation::SetDataType {
                data_type, using, ..
            } => self.column_type(relation, at, data_type, using.as_ref())?,
            AlterColumnOperation::AddGenerated {
                generated_as,
                sequence_options,
            } => {
                let always = match generated_as {
                    None | Some(ast::GeneratedAs::Always) => 'a',
                    Some(ast::GeneratedAs::ByDefault) => 'd',
                    Some(ast::GeneratedAs::ExpStored) => {
                        return Err(SqlError::unsupported("a generated column"));
                    }
                };
                if !matches!(attr.type_oid, oid::INT2 | oid::INT4 | oid::INT8) {
                    return Err(SqlError::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        "identity column type must be smallint, integer, or bigint",
                    ));
                }
                let spec = crate::sequence::spec_of(sequence_options.as_deref().unwrap_or(&[]))?;
                let info = crate::sequence::info(attr.type_oid, &spec, None)?;
                TableChange::AddIdentity {
                    attribute,
                    always,
                    info,
                }
            }
        })
    }

    fn column_type(
        &mut self,
        relation: &Arc<Relation>,
        at: usize,
        data_type: &ast::DataType,
        using: Option<&ast::Expr>,
    ) -> SqlResult<TableChange> {
        let attr = relation.desc.attrs()[at].clone();
        let name: String = attr.name.as_str().into();
        let (type_oid, typmod) = self.resolve_type(data_type)?;
        let expr = self.over_row(relation, Clause::Set, |a| {
            let value = match using {
                Some(ast) => a.expr(ast)?,
                None => a.resolve_name(&name)?,
            };
            let from = type_of(&value);
            match a.try_coerce(value, type_oid, CastContext::Assignment)? {
                Some(value) => Ok(a.modify(value, type_oid, typmod, false)),
                None if using.is_some() => Err(SqlError::new(
                    SqlState::DATATYPE_MISMATCH,
                    format!(
                        "result of USING clause for column \"{name}\" cannot be cast automatically to type {}",
                        format_type(type_oid, -1)
                    ),
                )
                .with_hint("You might need to add an explicit cast.")),
                None => Err(SqlError::new(
                    SqlState::DATATYPE_MISMATCH,
                    format!("column \"{name}\" cannot be cast automatically to type {}", format_type(type_oid, -1)),
                )
                .with_hint(format!(
                    "You might need to specify \"USING {name}::{}\".",
                    format_type(type_oid, typmod)
                ))),
            }
            .inspect(|_| {
                let _ = from;
            })
        })?;
        Ok(TableChange::ColumnType {
            attribute: at as i16 + 1,
            type_oid,
            typmod,
            binary_compatible: using.is_none() && compatible(&attr, type_oid, typmod),
            using: expr,
        })
    }

    /// ALTER INDEX, VIEW, SEQUENCE, SCHEMA, and the plain forms of ALTER TABLE.
    pub fn alter_object(
        &mut self,
        object: &AlterObject,
        if_exists: bool,
        action: &AlterAction,
    ) -> SqlResult<Ddl> {
        let name = &object.name;
        if object.kind == ObjectKind::Schema {
            return self.alter_schema(&name.name, action);
        }
        let mut index = None;
        let found = match self.relation(name.schema.as_deref(), &name.name)? {
            Some(relation) => Some(relation),
            None => {
                let found =
                    self.ctx
                        .catalog
                        .index(&self.path, name.schema.as_deref(), &name.name)?;
                found.map(|(table, oid)| {
                    index = Some(oid);
                    table
                })
            }
        };
        let Some(relation) = found else {
            return if if_exists {
                Ok(nothing())
            } else {
                Err(error::no_table(&name.to_string()))
            };
        };
        check_kind(object, &relation, index.is_some())?;
        let change = match action {
            AlterAction::Rename(to) => TableChange::Rename { to: to.clone() },
            AlterAction::RenameColumn(from, to) => {
                let at = self.column_place(&relation, from)?;
                TableChange::RenameColumn {
                    attribute: at as i16 + 1,
                    to: to.clone(),
                }
            }
            AlterAction::Owner(owner) => TableChange::Owner {
                owner: self.role(owner),
            },
            AlterAction::Schema(schema) => TableChange::SetSchema {
                schema: schema.clone(),
            },
            AlterAction::Options(options) => TableChange::Options(options.clone()),
            AlterAction::Constraint(name, deferral) => TableChange::AlterConstraint {
                name: name.clone(),
                deferral: *deferral,
            },
        };
        Ok(Ddl::AlterTable(AlterTable {
            relation,
            index,
            changes: alloc::vec![change],
        }))
    }

    fn alter_schema(&self, name: &str, action: &AlterAction) -> SqlResult<Ddl> {
        let name = name.to_string();
        match action {
            AlterAction::Rename(to) => Ok(Ddl::RenameSchema {
                name,
                to: to.clone(),
            }),
            AlterAction::Owner(owner) => Ok(Ddl::SchemaOwner {
                name,
                owner: self.role(owner),
            }),
            _ => Err(SqlError::unsupported("this form of ALTER SCHEMA")),
        }
    }

    fn role(&self, name: &str) -> String {
        match name {
            "current_user" | "current_role" => self.ctx.eval.current_user().as_str().into(),
            "session_user" => self.ctx.eval.session_user().as_str().into(),
            name => name.into(),
        }
    }
}

fn owner(owner: &ast::Owner) -> String {
    match owner {
        ast::Owner::Ident(ident) => fold(ident),
        ast::Owner::CurrentRole | ast::Owner::CurrentUser => "current_user".into(),
        ast::Owner::SessionUser => "session_user".into(),
    }
}

/// Whether stored values stay as they are under the new type.
fn compatible(attr: &pg_types::Attr, type_oid: pg_types::Oid, typmod: i32) -> bool {
    let same_bits = attr.type_oid == type_oid
        || matches!(
            find_cast(attr.type_oid, type_oid, CastContext::Assignment),
            Some(CastMethod::Relabel)
        );
    let grows = typmod < 0
        || attr.typmod >= 0
            && typmod >= attr.typmod
            && matches!(type_oid, oid::VARCHAR)
            && matches!(attr.type_oid, oid::VARCHAR)
        || attr.typmod == typmod && attr.type_oid == type_oid;
    same_bits && grows && type_oid != oid::BPCHAR
}

/// Refuses an ALTER of another kind of object than the one named.
fn check_kind(object: &AlterObject, relation: &Relation, index: bool) -> SqlResult<()> {
    let (fits, what) = match object.kind {
        ObjectKind::Index => (index, "an index"),
        ObjectKind::View => (relation.kind == RelationKind::View, "a view"),
        ObjectKind::Sequence => (relation.kind == RelationKind::Sequence, "a sequence"),
        ObjectKind::Table | ObjectKind::Schema => (true, "a table"),
    };
    if fits {
        return Ok(());
    }
    Err(SqlError::new(
        SqlState::WRONG_OBJECT_TYPE,
        format!("\"{}\" is not {what}", object.name.name),
    ))
}
