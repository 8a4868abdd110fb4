//! FOR UPDATE and its kin.

use crate::analyzer::{Analyzer, Var};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_parser_port::{KEY_SHARE, NO_KEY_UPDATE, ast};
use pg_plan::{LockStrength, Relation};
use pg_types::{SqlError, SqlResult, SqlState};

/// A locking clause, resolved.
pub struct Lock {
    /// The tables with the variables of their row ids.
    pub targets: Vec<(Arc<Relation>, Var)>,
    /// How strongly.
    pub strength: LockStrength,
    /// NOWAIT.
    pub nowait: bool,
    /// SKIP LOCKED.
    pub skip_locked: bool,
}

impl Analyzer<'_> {
    /// The locking clauses of a query.
    pub fn lock_clauses(&mut self, clauses: &[ast::LockClause]) -> SqlResult<Vec<Lock>> {
        clauses
            .iter()
            .map(|clause| self.lock_clause(clause))
            .collect()
    }

    fn lock_clause(&mut self, clause: &ast::LockClause) -> SqlResult<Lock> {
        let (strength, of) = strength(clause);
        let items = &self.level().names.items;
        let mut targets: Vec<(Arc<Relation>, Var)> = Vec::new();
        match of.as_ref() {
            None => {
                for item in items {
                    if let (Some(relation), Some(var)) = (&item.relation, item.row_id) {
                        targets.push((relation.clone(), var));
                    }
                }
            }
            Some(name) => {
                let (_, name) = crate::analyzer::qualified(name)?;
                let item = items
                    .iter()
                    .find(|item| item.alias.as_deref() == Some(name.as_str()));
                match item {
                    Some(item) => match (&item.relation, item.row_id) {
                        (Some(relation), Some(var)) => targets.push((relation.clone(), var)),
                        _ => {
                            return Err(SqlError::new(
                                SqlState::FEATURE_NOT_SUPPORTED,
                                format!("FOR UPDATE cannot be applied to \"{name}\""),
                            ));
                        }
                    },
                    None => {
                        return Err(SqlError::new(
                            SqlState::UNDEFINED_TABLE,
                            format!(
                                "relation \"{name}\" in FOR UPDATE clause not found in FROM clause"
                            ),
                        ));
                    }
                }
            }
        }
        Ok(Lock {
            targets,
            strength,
            nowait: clause.nonblock == Some(ast::NonBlock::Nowait),
            skip_locked: clause.nonblock == Some(ast::NonBlock::SkipLocked),
        })
    }
}

/// How strongly, and which table. The strength may be the first part of the
/// table's name: see [`pg_parser_port::NO_KEY_UPDATE`].
fn strength(clause: &ast::LockClause) -> (LockStrength, Option<ast::ObjectName>) {
    let usual = match clause.lock_type {
        ast::LockType::Share => LockStrength::Share,
        ast::LockType::Update => LockStrength::Update,
    };
    let Some(ast::ObjectName(parts)) = &clause.of else {
        return (usual, None);
    };
    let first = parts.first().and_then(|p| p.as_ident());
    let strength = match first.map(|i| i.value.as_str()) {
        Some(NO_KEY_UPDATE) => LockStrength::NoKeyUpdate,
        Some(KEY_SHARE) => LockStrength::KeyShare,
        _ => return (usual, clause.of.clone()),
    };
    let rest = parts[1..].to_vec();
    (
        strength,
        (!rest.is_empty()).then_some(ast::ObjectName(rest)),
    )
}
