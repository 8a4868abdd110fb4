//! Constraints of tables that are made or altered.

use crate::analyzer::{Analyzer, Clause, fold, qualified};
use crate::error;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::ast::{self, TableConstraint};
use pg_plan::{ConstraintKind, NewConstraint, QualifiedName, Relation};
use pg_types::{SqlError, SqlResult, SqlState};

impl Analyzer<'_> {
    /// A constraint of a table, which may be a draft.
    pub fn constraint(
        &mut self,
        relation: &Arc<Relation>,
        constraint: &TableConstraint,
        not_valid: bool,
    ) -> SqlResult<NewConstraint> {
        let (name, kind, characteristics) = match constraint {
            TableConstraint::PrimaryKey(c) => {
                let columns = self.key_names(relation, &c.columns, &c.include)?;
                (
                    &c.name,
                    ConstraintKind::PrimaryKey { columns },
                    &c.characteristics,
                )
            }
            TableConstraint::Unique(c) => {
                let columns = self.key_names(relation, &c.columns, &c.include)?;
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
        let (deferrable, deferred) = deferral(characteristics.as_ref());
        Ok(NewConstraint {
            name: name.as_ref().map(fold),
            kind,
            deferrable: deferrable || deferred,
            deferred,
            not_valid,
        })
    }

    /// The columns of a key, which must be there.
    pub fn key_names(
        &mut self,
        relation: &Relation,
        columns: &[ast::IndexColumn],
        include: &[ast::Ident],
    ) -> SqlResult<Vec<String>> {
        if !include.is_empty() {
            return Err(SqlError::unsupported("INCLUDE in a constraint"));
        }
        let mut out: Vec<String> = Vec::new();
        for column in columns {
            let ast::Expr::Identifier(ident) = &column.column.expr else {
                return Err(error::syntax("a key constraint takes column names"));
            };
            let name = fold(ident);
            if relation.desc.find(&name).is_none() {
                return Err(SqlError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{name}\" named in key does not exist"),
                ));
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
            expression: ast.to_string(),
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
        let mut columns = Vec::new();
        for ident in &c.columns {
            let name = fold(ident);
            if relation.desc.find(&name).is_none() {
                return Err(SqlError::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!(
                        "column \"{name}\" referenced in foreign key constraint does not exist"
                    ),
                ));
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
        })
    }
}

/// DEFERRABLE and INITIALLY DEFERRED.
fn deferral(characteristics: Option<&ast::ConstraintCharacteristics>) -> (bool, bool) {
    let deferrable = characteristics.and_then(|c| c.deferrable).unwrap_or(false);
    let deferred = characteristics
        .is_some_and(|c| matches!(c.initially, Some(ast::DeferrableInitial::Deferred)));
    (deferrable, deferred)
}
