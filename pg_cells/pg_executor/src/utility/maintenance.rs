//! VACUUM: rows that nobody sees any more leave the indexes, then the table.

use pg_buffer_port::{FileId, Fork};
use pg_executor_port::errors::{heap_error, index_error};
use pg_executor_port::{ExecContext, VacuumResult};
use pg_plan::Relation;
use pg_types::SqlResult;

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
    Ok(VacuumResult {
        pages: report.pages,
        live: report.live,
        removed: report.removed,
        kept_dead: report.kept_dead,
    })
}
