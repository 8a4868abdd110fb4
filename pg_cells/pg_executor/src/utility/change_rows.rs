//! ALTER TABLE's part: checking all rows, or writing them anew.

use super::with_env;
use crate::env::Env;
use crate::expr::{Code, compile};
use crate::op::Builder;
use crate::op::decode::Decoder;
use crate::op::modify::errors;
use crate::op::modify::target::{NewRow, Target};
use crate::store::RowBatch;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pg_executor_port::{ExecContext, TableChangeRows};
use pg_plan::Relation;
use pg_types::{Datum, SqlError, SqlResult, SqlState};

/// Does what `change` says with every row; gives their number.
///
/// # Errors
/// 23502, 23514, 23505; as the layers below.
pub fn change(change: &TableChangeRows<'_>, ctx: &mut ExecContext<'_>) -> SqlResult<u64> {
    with_env(ctx, |env| Work::compile(change)?.run(env))
}

struct Work<'a> {
    change: &'a TableChangeRows<'a>,
    checks: Vec<(String, Code)>,
    rewrite: Option<(Target, NewRow)>,
    new: Vec<Datum>,
}

impl<'a> Work<'a> {
    fn compile(change: &'a TableChangeRows<'a>) -> SqlResult<Self> {
        let mut builder = Builder::default();
        let mut checks = Vec::new();
        for (name, expr) in change.checks {
            checks.push((name.clone(), compile(expr, &mut builder)?));
        }
        let rewrite = match &change.rewrite {
            Some(to) => Some((
                Target::compile(to.relation, &[], to.index_exprs, &mut builder)?,
                NewRow::compile(to.values, &mut builder)?,
            )),
            None => None,
        };
        Ok(Work {
            change,
            checks,
            rewrite,
            new: Vec::new(),
        })
    }

    fn run(&mut self, env: &mut Env<'_>) -> SqlResult<u64> {
        let relation = self.change.relation;
        let mut decoder = Decoder::all(relation, false);
        let mut batch = RowBatch::new();
        let (mut row, mut count) = (Vec::new(), 0);
        for block in 0..env.store.blocks(relation.file)? {
            env.store.scan_block(relation.file, block, &mut batch)?;
            for (tid, bytes) in batch.iter() {
                env.tick()?;
                decoder.decode(bytes, tid, &mut row)?;
                self.row(relation, &row, env)?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn row(&mut self, relation: &Relation, row: &[Datum], env: &mut Env<'_>) -> SqlResult<()> {
        for &column in self.change.not_null {
            if row.get(column).is_none_or(Datum::is_null) {
                return Err(contains_nulls(relation, column));
            }
        }
        for (name, code) in &mut self.checks {
            if code.eval_bool(row, env)? == Some(false) {
                return Err(violated(relation, name));
            }
        }
        let Some((target, values)) = &mut self.rewrite else {
            return Ok(());
        };
        values.compute(row, env, &mut self.new)?;
        target.check(values, &self.new, env)?;
        let tid = target.insert(env)?;
        match target.index_row(&self.new, tid, env)? {
            Some((at, _)) => Err(match target.indexes.get(at) {
                Some(w) => {
                    errors::not_unique(&target.relation, &w.index, &w.values, env.session.format())
                }
                None => SqlError::internal("a unique violation of an unknown index"),
            }),
            None => Ok(()),
        }
    }
}

fn contains_nulls(relation: &Relation, column: usize) -> SqlError {
    let name = relation.desc.attrs().get(column).map_or("", |a| &*a.name);
    SqlError::new(
        SqlState::NOT_NULL_VIOLATION,
        format!(
            "column \"{name}\" of relation \"{}\" contains null values",
            relation.name
        ),
    )
    .with_table(relation.schema.clone(), relation.name.clone())
    .with_column(name)
}

fn violated(relation: &Relation, name: &str) -> SqlError {
    SqlError::new(
        SqlState::CHECK_VIOLATION,
        format!(
            "check constraint \"{name}\" of relation \"{}\" is violated by some row",
            relation.name
        ),
    )
    .with_table(relation.schema.clone(), relation.name.clone())
    .with_constraint(name)
}
