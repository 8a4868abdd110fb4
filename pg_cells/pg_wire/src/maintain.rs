//! VACUUM and ANALYZE, asked for or not, CHECKPOINT and LOCK TABLE.

use crate::eval::split;
use crate::run::with_context;
use crate::transaction::{commit, only_inside, only_outside};
use crate::{ready, settings, transaction};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use pg_catalog_port::TableStatistics;
use pg_executor_port::EXECUTOR;
use pg_executor_port::errors::{buffer_error, port_error, txn_error};
use pg_plan::{Relation, RelationKind, TableLock, Utility};
use pg_txn_port::{LockMode, TxnError};
use pg_types::{Oid, SqlError, SqlState};
use pg_wire_port::{Block, Due, Session, Severity};

/// In which manner tables are looked after.
#[derive(Clone, Copy)]
struct Manner {
    /// VERBOSE.
    verbose: bool,
    /// Nobody has asked for it: it gives way to others.
    by_itself: bool,
}

impl Manner {
    fn asked(verbose: bool) -> Manner {
        Manner {
            verbose,
            by_itself: false,
        }
    }
}

/// The tables of a command.
type Tables = [(Arc<Relation>, Vec<alloc::string::String>)];

/// Runs VACUUM, ANALYZE or CHECKPOINT.
pub fn run(session: &mut Session, utility: &Utility) -> Result<(), SqlError> {
    match utility {
        Utility::Vacuum {
            tables,
            analyze,
            verbose,
            ..
        } => {
            only_outside(session, "VACUUM")?;
            for table in chosen(session, tables)? {
                vacuum(session, table, Manner::asked(*verbose))?;
                if *analyze {
                    self::analyze(session, table, Manner::asked(*verbose))?;
                }
            }
            Ok(())
        }
        Utility::Analyze { tables, verbose } => {
            for table in chosen(session, tables)? {
                self::analyze(session, table, Manner::asked(*verbose))?;
            }
            Ok(())
        }
        Utility::Checkpoint => pg_buffer_port::checkpoint().map_err(buffer_error),
        _ => Ok(()),
    }
}

/// The tables named, or all.
fn chosen(session: &mut Session, tables: &Tables) -> Result<Vec<Oid>, SqlError> {
    if !tables.is_empty() {
        return Ok(tables.iter().map(|(t, _)| t.oid).collect());
    }
    let found = crate::ddl::query(
        session,
        "SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'r' ORDER BY oid",
    )?;
    Ok(found
        .iter()
        .filter_map(|row| row.first()?.as_oid())
        .collect())
}

/// Vacuums or analyzes a table that nobody had asked to be, unless somebody uses it in
/// a way that hinders that.
pub fn by_itself(session: &mut Session, due: &Due) -> Result<(), SqlError> {
    let manner = Manner {
        verbose: false,
        by_itself: true,
    };
    if due.vacuum {
        vacuum(session, due.table, manner)?;
    }
    if due.analyze {
        analyze(session, due.table, manner)?;
    }
    Ok(())
}

/// The pause of a vacuum after each few pages, in nanoseconds.
fn pause(session: &Session, manner: Manner) -> u64 {
    let own = || {
        settings::raw(&session.settings, "vacuum_cost_delay")?
            .parse()
            .ok()
    };
    let ms = match manner.by_itself {
        true => settings::system_number("autovacuum_vacuum_cost_delay"),
        false => -1.0,
    };
    // Below zero: as a vacuum that was asked for.
    let ms = if ms < 0.0 { own().unwrap_or(0.0) } else { ms };
    (ms * 1e6) as u64
}

/// Locks a table and looks it up. None when it is gone, or is none, or (by itself) is
/// in use.
fn take(
    session: &mut Session,
    table: Oid,
    manner: Manner,
) -> Result<Option<Arc<Relation>>, SqlError> {
    const MODE: LockMode = LockMode::ShareUpdateExclusive;
    transaction::ensure(session)?;
    let pause = pause(session, manner);
    if let Some(tx) = &mut session.tx {
        tx.set_pause(pause);
        match manner.by_itself {
            false => tx.lock_relation(table, MODE).map_err(txn_error)?,
            true => match tx.try_lock_relation(table, MODE) {
                Err(TxnError::LockNotAvailable) => return Ok(None),
                locked => locked.map_err(txn_error)?,
            },
        }
    }
    ready::start_command(session)?;
    let (eval, _) = split(session)?;
    let found = eval.ask(|catalog, tx| catalog.relation_by_oid(tx, table))?;
    Ok(found.filter(|r| r.kind == RelationKind::Table))
}

/// Each table in a transaction of its own.
fn end(session: &mut Session) -> Result<(), SqlError> {
    match session.block {
        Block::Implicit => commit(session),
        _ => Ok(()),
    }
}

fn vacuum(session: &mut Session, table: Oid, manner: Manner) -> Result<(), SqlError> {
    let Some(relation) = take(session, table, manner)? else {
        return end(session);
    };
    let done = with_context(session, &[], |context| {
        EXECUTOR
            .enter()
            .map_err(port_error)?
            .vacuum(&relation, context)
    })?;
    if manner.verbose {
        session.out.notice(
            Severity::Notice,
            SqlState::SUCCESSFUL_COMPLETION,
            &format!(
                "\"{}\": removed {} row versions, {} remain in {} pages, {} dead ones cannot be removed yet",
                relation.name, done.removed, done.live, done.pages, done.kept_dead
            ),
        );
    }
    let statistics = TableStatistics {
        rows: done.live as f64,
        pages: done.pages,
        all_visible: done.all_visible,
        columns: Vec::new(),
    };
    store(session, table, &statistics)?;
    let counters = &relation.counters;
    let signed = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    counters.live.store(signed(done.live), Ordering::Relaxed);
    counters
        .dead
        .store(signed(done.kept_dead), Ordering::Relaxed);
    counters.fresh.store(0, Ordering::Relaxed);
    let (count, time) = match manner.by_itself {
        false => (&counters.vacuums, &counters.vacuumed),
        true => (&counters.autovacuums, &counters.autovacuumed),
    };
    count.fetch_add(1, Ordering::Relaxed);
    time.store(pg_wire_port::now(), Ordering::Relaxed);
    end(session)
}

fn analyze(session: &mut Session, table: Oid, manner: Manner) -> Result<(), SqlError> {
    let Some(relation) = take(session, table, manner)? else {
        return end(session);
    };
    let statistics = with_context(session, &[], |context| {
        EXECUTOR
            .enter()
            .map_err(port_error)?
            .analyze(&relation, context)
    })?;
    if manner.verbose {
        session.out.notice(
            Severity::Notice,
            SqlState::SUCCESSFUL_COMPLETION,
            &format!(
                "\"{}\": {} rows in {} pages",
                relation.name, statistics.rows, statistics.pages
            ),
        );
    }
    store(session, table, &statistics)?;
    let counters = &relation.counters;
    counters
        .live
        .store(statistics.rows as i64, Ordering::Relaxed);
    counters.changed.store(0, Ordering::Relaxed);
    let (count, time) = match manner.by_itself {
        false => (&counters.analyzes, &counters.analyzed),
        true => (&counters.autoanalyzes, &counters.autoanalyzed),
    };
    count.fetch_add(1, Ordering::Relaxed);
    time.store(pg_wire_port::now(), Ordering::Relaxed);
    end(session)
}

fn store(session: &mut Session, table: Oid, statistics: &TableStatistics) -> Result<(), SqlError> {
    let Some(tx) = &mut session.tx else {
        return Ok(());
    };
    pg_catalog_port::CATALOG
        .enter()
        .map_err(port_error)?
        .update_statistics(tx, table, statistics)
}

/// LOCK TABLE.
pub fn lock(
    session: &mut Session,
    tables: &[Arc<Relation>],
    mode: TableLock,
    nowait: bool,
) -> Result<(), SqlError> {
    let (Block::Open, Some(tx)) = (session.block, &mut session.tx) else {
        return Err(only_inside("LOCK TABLE"));
    };
    let mode = match mode {
        TableLock::AccessShare => LockMode::AccessShare,
        TableLock::RowShare => LockMode::RowShare,
        TableLock::RowExclusive => LockMode::RowExclusive,
        TableLock::ShareUpdateExclusive => LockMode::ShareUpdateExclusive,
        TableLock::Share => LockMode::Share,
        TableLock::ShareRowExclusive => LockMode::ShareRowExclusive,
        TableLock::Exclusive => LockMode::Exclusive,
        TableLock::AccessExclusive => LockMode::AccessExclusive,
    };
    for table in tables {
        let locked = match nowait {
            true => tx.try_lock_relation(table.oid, mode),
            false => tx.lock_relation(table.oid, mode),
        };
        locked.map_err(|error| match error {
            pg_txn_port::TxnError::LockNotAvailable => SqlError::new(
                SqlState::LOCK_NOT_AVAILABLE,
                format!("could not obtain lock on relation \"{}\"", table.name),
            ),
            other => txn_error(other),
        })?;
    }
    Ok(())
}
