//! VACUUM: rows that nobody sees any more leave the indexes, then the table; pages
//! that are empty then leave the disk, if they are at the table's end.

use pg_buffer_port::{FileId, Fork};
use pg_executor_port::errors::{heap_error, index_error, txn_error};
use pg_executor_port::{ExecContext, VacuumResult};
use pg_heap_port::VacuumReport;
use pg_plan::Relation;
use pg_txn_port::{LockMode, LockTarget, TxnError};
use pg_types::SqlResult;

/// Cutting is worth the table's lock when so many pages go, or this part of it
/// (PostgreSQL's numbers).
const WORTH_PAGES: u32 = 1000;
const WORTH_PART: u32 = 16;
/// How often the lock is asked for, and how long in between (ns).
const TRIES: usize = 20;
const PAUSE: u64 = 50_000_000;

/// Vacuums a table with its indexes.
///
/// # Errors
/// As the layers below; 57014.
pub fn vacuum(relation: &Relation, ctx: &mut ExecContext<'_>) -> SqlResult<VacuumResult> {
    let file = FileId::new(relation.file, Fork::Main);
    let (dead, report) = pg_heap_port::vacuum_collect(ctx.tx, file).map_err(heap_error)?;
    if !dead.is_empty() {
        for index in &relation.indexes {
            let index = FileId::new(index.file, Fork::Main);
            pg_btree_port::remove(ctx.tx, index, &dead).map_err(index_error)?;
        }
        pg_heap_port::vacuum_finish(ctx.tx, file, &dead).map_err(heap_error)?;
    }
    let cut = cut(relation, file, &report, ctx)?;
    Ok(VacuumResult {
        pages: report.pages - cut,
        cut,
        all_visible: pg_heap_port::count_all_visible(file).map_err(heap_error)?,
        live: report.live,
        removed: report.removed,
        kept_dead: report.kept_dead,
    })
}

/// Cuts empty pages off the table's end, if there are enough and nobody uses the
/// table. Answers how many went.
///
/// The lock is only tried: who waits for it would make all others wait behind.
fn cut(
    relation: &Relation,
    file: FileId,
    report: &VacuumReport,
    ctx: &mut ExecContext<'_>,
) -> SqlResult<u32> {
    let empty = report.pages - report.in_use;
    if empty == 0 || (empty < WORTH_PAGES && empty < report.pages / WORTH_PART) {
        return Ok(0);
    }
    let table = LockTarget::relation(relation.oid);
    for _ in 0..TRIES {
        match ctx
            .tx
            .try_lock_relation(relation.oid, LockMode::AccessExclusive)
        {
            Ok(()) => {
                let cut = pg_heap_port::vacuum_truncate(ctx.tx, file, table);
                let unlocked = ctx.tx.unlock(table, LockMode::AccessExclusive);
                let cut = cut.map_err(heap_error)?;
                return unlocked.map(|()| cut).map_err(txn_error);
            }
            Err(TxnError::LockNotAvailable) => {
                ctx.tx.check_cancel().map_err(txn_error)?;
                task_port::sleep(PAUSE);
            }
            Err(error) => return Err(txn_error(error)),
        }
    }
    Ok(0)
}
