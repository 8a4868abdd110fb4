//! What a change of the schema leaves to be done with rows: the catalog says
//! what ([`RowWork`]), the other files of this folder do it.

use super::{change_rows, index_build, with_env};
use crate::env::Env;
use crate::op::decode::Decoder;
use crate::op::modify::foreign::ForeignKeys;
use crate::store::RowBatch;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_catalog_port::RowWork;
use pg_executor_port::{ExecContext, IndexBuild, RowExprs, TableChangeRows};
use pg_plan::{Expr, Index, IndexExprs, Relation, TargetColumn};
use pg_types::{Oid, SqlError, SqlResult};

/// Does all of it, in order.
///
/// # Errors
/// 23502, 23503, 23505, 23514; as the layers below.
pub fn finish(work: &[RowWork], ctx: &mut ExecContext<'_>) -> SqlResult<()> {
    for one in work {
        match one {
            RowWork::BuildIndex {
                table,
                index,
                keys,
                predicate,
            } => {
                let index = index_of(table, *index)?;
                let computed = predicate.is_some() || keys.iter().any(Option::is_some);
                let exprs = computed.then(|| IndexExprs {
                    index: index.oid,
                    keys: keys.clone(),
                    predicate: predicate.clone(),
                });
                let build = IndexBuild {
                    relation: table,
                    index,
                    exprs: exprs.as_ref(),
                };
                index_build::build(&build, ctx)?;
            }
            RowWork::ChangeRows {
                before,
                after,
                checks,
                not_null,
                rewrite,
            } => {
                let values = rewrite.as_ref().map(|new| new_values(before, after, new));
                if values.is_some() {
                    refuse_computed(after)?;
                }
                let change = TableChangeRows {
                    relation: before,
                    checks,
                    not_null,
                    rewrite: values.as_ref().map(|values| RowExprs {
                        relation: after,
                        values,
                        index_exprs: &[],
                    }),
                };
                change_rows::change(&change, ctx)?;
            }
            RowWork::CheckForeignKey { table, constraint } => {
                with_env(ctx, |env| check_keys(table, *constraint, env))?;
            }
        }
    }
    Ok(())
}

fn index_of(table: &Relation, index: Oid) -> SqlResult<&Arc<Index>> {
    let found = table.indexes.iter().find(|i| i.oid == index);
    found.ok_or_else(|| SqlError::internal("the index to be built is not the table's"))
}

/// Typed forms of the expressions are not at hand here.
fn refuse_computed(table: &Relation) -> SqlResult<()> {
    let computed = |i: &Arc<Index>| i.predicate.is_some() || i.keys.iter().any(|k| k.attribute == 0);
    match table.indexes.iter().any(computed) {
        true => Err(SqlError::unsupported(
            "rewriting a table that has computed or partial indexes",
        )),
        false => Ok(()),
    }
}

/// One value for each column of the new row, over the old one.
fn new_values(before: &Relation, after: &Relation, new: &[(usize, Expr)]) -> Vec<TargetColumn> {
    let attrs = after.desc.attrs().iter().enumerate();
    let value = |(place, attr): (usize, &pg_types::Attr)| {
        // A column can be changed twice; the last word counts.
        let changed = new.iter().rev().find(|(at, _)| *at == place);
        let value = match changed {
            Some((_, expr)) => expr.clone(),
            None if place < before.desc.len() && !attr.dropped => Expr::Column {
                index: place,
                type_oid: attr.type_oid,
            },
            None => Expr::Const {
                value: attr.missing.clone().unwrap_or_default(),
                type_oid: attr.type_oid,
            },
        };
        TargetColumn {
            value,
            not_null: attr.not_null,
        }
    };
    attrs.map(value).collect()
}

/// Looks for the partners of all rows, a page of them at a time.
fn check_keys(table: &Arc<Relation>, constraint: Oid, env: &mut Env<'_>) -> SqlResult<()> {
    let mut only = Relation::clone(table);
    only.foreign_keys.retain(|key| key.oid == constraint);
    let mut keys = ForeignKeys::new(&Arc::new(only));
    let mut decoder = Decoder::all(table, false);
    let (mut batch, mut row) = (RowBatch::new(), Vec::new());
    for block in 0..env.store.blocks(table.file)? {
        env.store.scan_block(table.file, block, &mut batch)?;
        for (tid, bytes) in batch.iter() {
            env.tick()?;
            decoder.decode(bytes, tid, &mut row)?;
            keys.stored(None, &row);
        }
        keys.settle(env)?;
    }
    Ok(())
}
