//! Constraints of tables that are made or altered.

use crate::analyzer::{Analyzer, Clause, fold, qualified};
use crate::error;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::MARK;
use pg_parser_port::ast::{self, TableConstraint};
use pg_plan::{ConstraintKind, NewConstraint, QualifiedName, Relation, TableExprs};
use pg_types::{SqlError, SqlResult, SqlState};

impl Analyzer<'_> {
    /// A constraint of a table, which may be a draft.
    pub fn constraint(
        &mut self,
        relation: &Arc<Relation>,
        constraint: &TableConstraint,
        not_valid: bool,
    ) -> SqlResult<NewConstraint> {
        let mut include = Vec::new();
        let (name, kind, characteristics) = match constraint {
            TableConstraint::PrimaryKey(c) => {
                include = self.included(relation, &c.include)?;
                let columns = self.key_names(relation, &c.columns)?;
                (
                    &c.name,
                    ConstraintKind::PrimaryKey { columns },
                    &c.characteristics,
                )
            }
            TableConstraint::Unique(c) => {
                include = self.included(relation, &c.include)?;
                let columns = self.key_names(relation, &c.columns)?;
                let nulls_not_distinct =
                    matches!(c.nulls_distinct, ast::NullsDistinctOption::NotDistinct);
                (
                    &c.name,
                    ConstraintKind::Unique {
                        columns,
                        nulls_not_distinct,
                    },
                    &c.characteristics,
                )
            }
            TableConstraint::PrimaryKeyUsingIndex(c) => {
                let kind = ConstraintKind::UsingIndex {
                    primary: true,
                    index: fold(&c.index_name),
                };
                (&c.name, kind, &c.characteristics)
            }
            TableConstraint::UniqueUsingIndex(c) => {
                let kind = ConstraintKind::UsingIndex {
                    primary: false,
                    index: fold(&c.index_name),
                };
                (&c.name, kind, &c.characteristics)
            }
            TableConstraint::Check(c) => {
                if c.enforced == Some(false) {
                    return Err(SqlError::unsupported("NOT ENFORCED"));
                }
                (&c.name, self.check_kind(relation, &c.expr)?, &None)
            }
            TableConstraint::ForeignKey(c) => {
                (&c.name, self.foreign_key(relation, c)?, &c.characteristics)
            }
            TableConstraint::Exclude(_) => {
                return Err(SqlError::unsupported("an exclusion constraint"));
            }
            _ => return Err(error::syntax("syntax error in a table constraint")),
        };
        let (deferrable, deferred) = deferral(characteristics.as_ref())?;
        Ok(NewConstraint {
            name: name.as_ref().map(fold),
            kind,
            deferrable,
            deferred,
            not_valid,
            include,
        })
    }

    fn included(&self, relation: &Relation, names: &[ast::Ident]) -> SqlResult<Vec<String>> {
        let mut out = Vec::new();
        for name in names.iter().map(fold) {
            if relation.desc.find(&name).is_none() {
                return Err(no_key(&name));
            }
            out.push(name);
        }
        Ok(out)
    }

    /// The columns of a key, which must be there.
    pub fn key_names(
        &mut self,
        relation: &Relation,
        columns: &[ast::IndexColumn],
    ) -> SqlResult<Vec<String>> {
        let mut out: Vec<String> = Vec::new();
        for column in columns {
            let ast::Expr::Identifier(ident) = &column.column.expr else {
                return Err(error::syntax("a key constraint takes column names"));
            };
            let name = fold(ident);
            if relation.desc.find(&name).is_none() {
                return Err(no_key(&name));
            }
            if out.contains(&name) {
                return Err(SqlError::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{name}\" appears twice in a key constraint"),
                ));
            }
            out.push(name);
        }
        Ok(out)
    }

    /// A CHECK: its text, its condition, its columns.
    pub fn check_kind(
        &mut self,
        relation: &Arc<Relation>,
        ast: &ast::Expr,
    ) -> SqlResult<ConstraintKind> {
        let condition = self.over_row(relation, Clause::Check, |a| {
            let condition = a.expr(ast)?;
            a.boolean(condition, "CHECK")
        })?;
        if crate::walk::any(&condition, &mut |e| matches!(e, pg_plan::Expr::SubLink(_))) {
            return Err(SqlError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot use subquery in check constraint",
            ));
        }
        let mut columns: Vec<String> = Vec::new();
        crate::walk::any(&condition, &mut |e| {
            if let pg_plan::Expr::Column { index, .. } = e {
                let name: String = relation.desc.attrs()[*index].name.as_str().into();
                if !columns.contains(&name) {
                    columns.push(name);
                }
            }
            false
        });
        Ok(ConstraintKind::Check {
            expression: self.canonical(relation, ast.to_string(), &condition),
            condition,
            columns,
        })
    }

    /// A foreign key.
    pub fn foreign_key(
        &mut self,
        relation: &Relation,
        c: &ast::ForeignKeyConstraint,
    ) -> SqlResult<ConstraintKind> {
        let set_columns = set_columns(c)?;
        let mut columns = Vec::new();
        for ident in &c.columns {
            let name = fold(ident);
            if relation.desc.find(&name).is_none() {
                return Err(no_key_column(&name));
            }
            columns.push(name);
        }
        let (schema, name) = qualified(&c.foreign_table)?;
        let referenced: Vec<String> = c.referred_columns.iter().map(fold).collect();
        if !referenced.is_empty() && referenced.len() != columns.len() {
            return Err(SqlError::new(
                SqlState::INVALID_FOREIGN_KEY,
                "number of referencing and referenced columns for foreign key disagree",
            ));
        }
        for name in &set_columns {
            if relation.desc.find(name).is_none() {
                return Err(no_key_column(name));
            }
            if !columns.contains(name) {
                return Err(SqlError::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    format!(
                        "column \"{name}\" referenced in ON DELETE SET action must be part of foreign key"
                    ),
                ));
            }
        }
        let action = |a: &Option<ast::ReferentialAction>| match a {
            None | Some(ast::ReferentialAction::NoAction) => 'a',
            Some(ast::ReferentialAction::Restrict) => 'r',
            Some(ast::ReferentialAction::Cascade) => 'c',
            Some(ast::ReferentialAction::SetNull) => 'n',
            Some(ast::ReferentialAction::SetDefault) => 'd',
        };
        let match_kind = match &c.match_kind {
            None | Some(ast::ConstraintReferenceMatchKind::Simple) => 's',
            Some(ast::ConstraintReferenceMatchKind::Full) => 'f',
            Some(ast::ConstraintReferenceMatchKind::Partial) => {
                return Err(SqlError::unsupported("MATCH PARTIAL"));
            }
        };
        Ok(ConstraintKind::ForeignKey {
            columns,
            references: QualifiedName { schema, name },
            referenced,
            on_delete: action(&c.on_delete),
            on_update: action(&c.on_update),
            match_kind,
            set_columns,
        })
    }

    /// What writing takes into the tables that a change of `relation` reaches
    /// through foreign keys, the table itself among them if it references itself.
    pub fn reached(&mut self, relation: &Arc<Relation>) -> SqlResult<Vec<TableExprs>> {
        let mut out: Vec<TableExprs> = Vec::new();
        let mut pending = alloc::vec![relation.clone()];
        while let Some(parent) = pending.pop() {
            for oid in &parent.referenced_by {
                let child = match *oid == parent.oid {
                    true => Some(parent.clone()),
                    false => self.ctx.catalog.relation_by_oid(*oid)?,
                };
                let Some(child) = child.filter(|_| out.iter().all(|t| t.table != *oid)) else {
                    continue;
                };
                let writes = |action: char| !matches!(action, 'a' | 'r');
                let keys = child.foreign_keys.iter();
                let mut keys = keys.filter(|k| k.references == parent.oid);
                if keys.any(|k| writes(k.on_delete) || writes(k.on_update)) {
                    out.push(self.table_exprs(&child)?);
                    pending.push(child);
                }
            }
        }
        Ok(out)
    }

    fn table_exprs(&mut self, table: &Arc<Relation>) -> SqlResult<TableExprs> {
        let mut defaults = Vec::new();
        for key in &table.foreign_keys {
            if key.on_delete != 'd' && key.on_update != 'd' {
                continue;
            }
            for place in key
                .columns
                .iter()
                .filter_map(|c| usize::try_from(*c - 1).ok())
            {
                if defaults.iter().all(|(at, _)| *at != place) {
                    defaults.push((place, self.default_value(table, place)?));
                }
            }
        }
        Ok(TableExprs {
            table: table.oid,
            checks: self.checks(table)?,
            index_exprs: self.index_exprs(table)?,
            defaults,
        })
    }
}

fn no_key(name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_COLUMN,
        format!("column \"{name}\" named in key does not exist"),
    )
}

fn no_key_column(name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_COLUMN,
        format!("column \"{name}\" referenced in foreign key constraint does not exist"),
    )
}

/// The columns of ON DELETE SET NULL or SET DEFAULT. sqlparser has no place for
/// them; the parser cell puts them where MySQL names an index.
fn set_columns(c: &ast::ForeignKeyConstraint) -> SqlResult<Vec<String>> {
    match &c.index_name {
        None => Ok(Vec::new()),
        Some(ident) if ident.value.starts_with(MARK) => {
            Ok(ident.value.split(MARK).skip(1).map(Into::into).collect())
        }
        Some(ident) => Err(error::syntax(format!(
            "syntax error at or near \"{}\"",
            ident.value
        ))),
    }
}

/// DEFERRABLE and INITIALLY DEFERRED.
fn deferral(characteristics: Option<&ast::ConstraintCharacteristics>) -> SqlResult<(bool, bool)> {
    let deferrable = characteristics.and_then(|c| c.deferrable);
    let deferred = characteristics
        .is_some_and(|c| matches!(c.initially, Some(ast::DeferrableInitial::Deferred)));
    if deferred && deferrable == Some(false) {
        return Err(error::syntax(
            "constraint declared INITIALLY DEFERRED must be DEFERRABLE",
        ));
    }
    Ok((deferrable.unwrap_or(deferred), deferred))
}
