//! Commands that touch all rows of a table: filling an index ([`index_build`],
//! [`index_complete`]),
//! ALTER TABLE's checks and rewrites ([`change_rows`]), VACUUM and ANALYZE
//! ([`maintenance`], [`statistics`]). Locks and the catalog's part are the
//! caller's.

pub mod change_rows;
pub mod index_build;
pub mod index_complete;
pub mod maintenance;
pub mod statistics;

use crate::env::{Memory, RunState};
use crate::prepare::Surroundings;
use crate::store::PortStore;
use core::cell::RefCell;
use pg_executor_port::errors::txn_error;
use pg_executor_port::{ExecContext, InTransaction};
use pg_types::SqlResult;

/// Runs `work` in an environment of its own.
///
/// # Errors
/// As `work`; when the transaction has no snapshot.
pub fn with_env<T>(
    ctx: &mut ExecContext<'_>,
    work: impl FnOnce(&mut crate::env::Env<'_>) -> SqlResult<T>,
) -> SqlResult<T> {
    let snapshot = ctx.tx.snapshot().map_err(txn_error)?;
    let cancel = ctx.tx.cancel_token().clone();
    let mut run = RunState {
        epoch: 1,
        memory: Memory::new(ctx.work_mem, ctx.hash_mem, ctx.memory_limit),
        ..RunState::default()
    };
    let (params, views, spill) = (ctx.params, ctx.views, ctx.spill);
    let notes = ctx.session.notes();
    let tx = RefCell::new(&mut *ctx.tx);
    let session = InTransaction::new(ctx.session, &tx);
    let mut store = PortStore::new(&tx, snapshot);
    let surroundings = Surroundings {
        store: &mut store,
        params,
        session: &session,
        views,
        cancel: &cancel,
        spill,
        notes,
    };
    work(&mut surroundings.env(&mut run))
}
