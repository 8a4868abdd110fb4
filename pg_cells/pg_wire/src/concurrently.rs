//! CREATE INDEX CONCURRENTLY: three transactions, and two waits without any.
//!
//! ```text
//! 1  the index is made: empty, not valid, but kept by all who write from now on
//!    wait for those who write the table and may not know of it
//! 2  rows that are older get their entries, as a snapshot sees them
//!    wait for those whose snapshot is older: they may see other versions
//! 3  the index is valid
//! ```
//! In between nothing is locked, so the waits are part of no deadlock; each step looks
//! the table and the index up anew. When one fails, the index stays as it is: not
//! valid, and kept. DROP INDEX or REINDEX then helps, as in PostgreSQL.

use crate::ddl;
use crate::eval::split;
use crate::{ready, transaction};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_executor_port::errors::{port_error, txn_error};
use pg_plan::{CreateIndex, Ddl, Relation};
use pg_txn_port::{LockMode, LockTarget, Process, TxnError, Xid};
use pg_types::{Oid, SqlError, SqlState};
use pg_wire_port::Session;

/// Between two looks at those who are waited for.
const LOOK_NS: u64 = 5_000_000;

/// Runs it. The last transaction is open afterwards.
pub fn create_index(session: &mut Session, create: &CreateIndex) -> Result<(), SqlError> {
    transaction::only_outside(session, "CREATE INDEX CONCURRENTLY")?;
    let outcome = ddl::apply(session, &Ddl::CreateIndex(create.clone()))?;
    let Some(index) = outcome.object else {
        // It was there already (IF NOT EXISTS).
        return Ok(());
    };
    let table = create.table.oid;
    transaction::commit(session)?;
    wait_while(session, |process| writes(process, table))?;

    let relation = take(session, table, index)?;
    ddl::complete_index(session, &relation, index)?;
    let seen = oldest_seen(session)?;
    transaction::commit(session)?;
    wait_while(session, |process| {
        process.xmin.is_some_and(|xmin| xmin <= seen)
    })?;

    take(session, table, index)?;
    let Some(tx) = &mut session.tx else {
        return Err(vanished());
    };
    pg_catalog_port::CATALOG
        .enter()
        .map_err(port_error)?
        .index_is_valid(tx, index)
}

/// Begins a transaction that holds the table, as it is now, with the index.
fn take(session: &mut Session, table: Oid, index: Oid) -> Result<Arc<Relation>, SqlError> {
    transaction::ensure(session)?;
    if let Some(tx) = &mut session.tx {
        tx.lock_relation(table, LockMode::ShareUpdateExclusive)
            .map_err(txn_error)?;
    }
    ready::start_command(session)?;
    let (eval, _) = split(session)?;
    let found = eval.ask(|catalog, tx| catalog.relation_by_oid(tx, table))?;
    let has_it = |r: &Arc<Relation>| r.indexes.iter().any(|i| i.oid == index);
    found.filter(has_it).ok_or_else(vanished)
}

fn vanished() -> SqlError {
    SqlError::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "the index was dropped while it was made",
    )
}

/// Everything before it is seen as it was when the entries were made.
fn oldest_seen(session: &mut Session) -> Result<Xid, SqlError> {
    let snapshot = session.tx.as_mut().map(|tx| tx.snapshot());
    let snapshot = snapshot.ok_or_else(vanished)?.map_err(txn_error)?;
    Ok(snapshot.xmin())
}

/// Whether a transaction may change rows of the table.
fn writes(process: &Process, table: Oid) -> bool {
    let target = LockTarget::relation(table);
    let hinders = |modes: u8| modes & LockMode::Share.conflicts() != 0;
    let mut locks = process.locks.iter();
    locks.any(|(of, modes, _)| *of == target && hinders(*modes))
}

/// Waits until none of those is left that are so now. The session is outside any
/// transaction.
fn wait_while(session: &Session, is_so: impl Fn(&Process) -> bool) -> Result<(), SqlError> {
    let now = |known: Option<&[(u32, u64)]>| -> Result<Vec<(u32, u64)>, SqlError> {
        let processes = pg_txn_port::processes().map_err(txn_error)?;
        let who = processes.iter().filter(|p| is_so(p));
        let who = who.map(|p| (p.slot, p.serial));
        Ok(who
            .filter(|one| known.is_none_or(|known| known.contains(one)))
            .collect())
    };
    let mut left = now(None)?;
    while !left.is_empty() {
        if session.entry.cancel.is_cancelled() {
            return Err(txn_error(TxnError::Cancelled));
        }
        task_port::sleep(LOOK_NS);
        left = now(Some(&left))?;
    }
    Ok(())
}
