//! What is around statements: beginning and ending transactions, savepoints.

use crate::{constraints, settings};
use core::sync::atomic::Ordering;
use pg_executor_port::errors::txn_error;
use pg_plan::{IsolationLevel, TransactionCommand, TransactionModes};
use pg_txn_port::{Isolation, Transaction};
use pg_types::{SqlError, SqlState};
use pg_wire_port::{Block, Savepoint, Session, Severity};

/// 25P02.
#[cold]
pub fn aborted() -> SqlError {
    SqlError::new(
        SqlState::IN_FAILED_SQL_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block",
    )
}

fn level(level: IsolationLevel) -> Isolation {
    match level {
        IsolationLevel::ReadUncommitted | IsolationLevel::ReadCommitted => Isolation::ReadCommitted,
        IsolationLevel::RepeatableRead => Isolation::RepeatableRead,
        IsolationLevel::Serializable => Isolation::Serializable,
    }
}

/// Begins a transaction unless there is one: every statement runs in one.
#[inline]
pub fn ensure(session: &mut Session) -> Result<(), SqlError> {
    if session.tx.is_some() {
        return Ok(());
    }
    begin(session, TransactionModes::default())
}

fn begin(session: &mut Session, modes: TransactionModes) -> Result<(), SqlError> {
    settings::refresh(session);
    let isolation = modes.isolation.map_or(session.default_isolation, level);
    let read_only = modes.read_only.unwrap_or(session.default_read_only);
    let deferrable = modes.deferrable.unwrap_or(session.default_deferrable);
    let cancel = session.entry.cancel.clone();
    let mut tx = Transaction::begin_with(isolation, read_only, cancel).map_err(txn_error)?;
    tx.set_deferrable(deferrable);
    tx.set_lock_timeout(session.lock_timeout);
    tx.set_deadlock_timeout(session.deadlock_timeout);
    let advisory = session.advisory.get_mut();
    if !advisory.is_empty() {
        advisory.attach(&tx).map_err(txn_error)?;
    }
    session
        .entry
        .transaction
        .store(tx.proc().serial, Ordering::Relaxed);
    session.tx = Some(tx);
    session.tx_start = session.statement_start;
    session.format.now = session.statement_start;
    if session.block == Block::Idle {
        session.block = Block::Implicit;
    }
    Ok(())
}

/// Ends a transaction that no block keeps open: at the end of a query, at Sync.
pub fn finish(session: &mut Session) -> Result<(), SqlError> {
    match session.block {
        Block::Implicit => commit(session),
        _ => Ok(()),
    }
}

/// Commits. Whatever comes of it, the session is outside afterwards.
pub fn commit(session: &mut Session) -> Result<(), SqlError> {
    if let Err(error) = crate::cursor::hold(session) {
        session.end_transaction(false);
        return Err(error);
    }
    if !session.notes.deferred.get_mut().is_empty()
        && let Err(error) = constraints::check(session, None)
    {
        session.end_transaction(false);
        return Err(error);
    }
    let Some(mut tx) = session.tx.take() else {
        session.end_transaction(true);
        return Ok(());
    };
    if tx.xid().is_some() || tx.savepoints() > 0 {
        session.effects = true;
    }
    // As the setting is now: it may have changed within the transaction.
    settings::refresh(session);
    tx.set_durability(session.durability);
    let done = tx.commit().map_err(txn_error);
    session.end_transaction(done.is_ok());
    done
}

/// Carries out BEGIN and its like. Gives the tag when it is not the usual one.
pub fn command(
    session: &mut Session,
    command: &TransactionCommand,
) -> Result<Option<&'static str>, SqlError> {
    // What was failed is only known here; running it again would miss that.
    if !matches!(command, TransactionCommand::Begin { .. }) {
        session.effects = true;
    }
    match command {
        TransactionCommand::Begin { modes, .. } => begin_block(session, *modes).map(|()| None),
        TransactionCommand::Commit { chain } => end_block(session, true, *chain),
        TransactionCommand::Rollback { chain } => end_block(session, false, *chain),
        TransactionCommand::Savepoint(name) => {
            open_transaction(session, "SAVEPOINT")?.savepoint(name);
            session.notes.mark();
            let savepoint = Savepoint {
                name: name.clone(),
                settings: session.settings.clone(),
            };
            session.savepoints.push(savepoint);
            Ok(None)
        }
        TransactionCommand::Release(name) => {
            let tx = open_transaction(session, "RELEASE SAVEPOINT")?;
            tx.release(name).map_err(txn_error)?;
            forget_savepoints(session, name, false);
            let depth = session.savepoints.len();
            session.notes.release(depth);
            Ok(None)
        }
        TransactionCommand::RollbackTo(name) => rollback_to(session, name).map(|()| None),
    }
}

/// The transaction of an open block; commands that make no sense outside fail.
fn open_transaction<'a>(
    session: &'a mut Session,
    command: &str,
) -> Result<&'a mut Transaction, SqlError> {
    match (session.block, &mut session.tx) {
        (Block::Open | Block::Failed, Some(tx)) => Ok(tx),
        (Block::Open | Block::Failed, None) => Err(aborted()),
        _ => Err(only_inside(command)),
    }
}

/// 25P01.
pub fn only_inside(command: &str) -> SqlError {
    SqlError::new(
        SqlState::NO_ACTIVE_SQL_TRANSACTION,
        alloc::format!("{command} can only be used in transaction blocks"),
    )
}

/// 25001 for commands that commit by themselves.
pub fn only_outside(session: &Session, command: &str) -> Result<(), SqlError> {
    match session.block {
        Block::Open | Block::Failed => Err(SqlError::new(
            SqlState::ACTIVE_SQL_TRANSACTION,
            alloc::format!("{command} cannot run inside a transaction block"),
        )),
        Block::Idle | Block::Implicit => Ok(()),
    }
}

fn begin_block(session: &mut Session, modes: TransactionModes) -> Result<(), SqlError> {
    match session.block {
        Block::Failed => Err(aborted()),
        Block::Open => {
            session.out.notice(
                Severity::Warning,
                SqlState::ACTIVE_SQL_TRANSACTION,
                "there is already a transaction in progress",
            );
            set_modes(session, modes)
        }
        Block::Implicit => {
            session.block = Block::Open;
            ensure(session)?;
            set_modes(session, modes)
        }
        Block::Idle => {
            begin(session, modes)?;
            session.block = Block::Open;
            Ok(())
        }
    }
}

fn end_block(
    session: &mut Session,
    commit: bool,
    chain: bool,
) -> Result<Option<&'static str>, SqlError> {
    let modes = session
        .tx
        .as_ref()
        .map(|tx| (tx.isolation(), tx.is_read_only(), tx.is_deferrable()));
    let inside = matches!(session.block, Block::Open | Block::Failed);
    if chain && !inside {
        let command = if commit {
            "COMMIT AND CHAIN"
        } else {
            "ROLLBACK AND CHAIN"
        };
        return Err(only_inside(command));
    }
    let failed = session.block == Block::Failed;
    if !inside {
        session.out.notice(
            Severity::Warning,
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            "there is no transaction in progress",
        );
    }
    if commit && !failed {
        self::commit(session)?;
    } else {
        session.end_transaction(false);
    }
    if chain {
        begin(session, TransactionModes::default())?;
        session.block = Block::Open;
        if let (Some(tx), Some((isolation, read_only, deferrable))) = (&mut session.tx, modes) {
            tx.set_isolation(isolation);
            tx.set_read_only(read_only);
            tx.set_deferrable(deferrable);
        }
    }
    Ok((commit && failed).then_some("ROLLBACK"))
}

fn rollback_to(session: &mut Session, name: &str) -> Result<(), SqlError> {
    let tx = open_transaction(session, "ROLLBACK TO SAVEPOINT")?;
    tx.rollback_to(name).map_err(txn_error)?;
    let found = session.savepoints.iter().rfind(|s| s.name == name);
    if let Some(savepoint) = found
        && session.settings != savepoint.settings
    {
        session.settings = savepoint.settings.clone();
        session.epoch += 1;
    }
    forget_savepoints(session, name, true);
    let depth = session.savepoints.len();
    session.notes.roll_back(depth);
    session.block = Block::Open;
    Ok(())
}

/// Forgets a savepoint and those opened after it; `keep` spares itself.
fn forget_savepoints(session: &mut Session, name: &str, keep: bool) {
    if let Some(at) = session.savepoints.iter().rposition(|s| s.name == name) {
        session.savepoints.truncate(at + usize::from(keep));
    }
}

/// SET TRANSACTION, and modes of a BEGIN within a block.
pub fn set_modes(session: &mut Session, modes: TransactionModes) -> Result<(), SqlError> {
    if let Some(written) = modes.isolation {
        set_isolation(session, level(written))?;
    }
    if let Some(read_only) = modes.read_only {
        set_read_only(session, read_only)?;
    }
    if let Some(deferrable) = modes.deferrable {
        set_deferrable(session, deferrable)?;
    }
    Ok(())
}

/// SET SESSION CHARACTERISTICS.
pub fn set_session_modes(session: &mut Session, modes: TransactionModes) -> Result<(), SqlError> {
    let isolation = modes.isolation.map(|l| match l {
        IsolationLevel::ReadUncommitted => "read uncommitted",
        IsolationLevel::ReadCommitted => "read committed",
        IsolationLevel::RepeatableRead => "repeatable read",
        IsolationLevel::Serializable => "serializable",
    });
    let switch = |on: bool| if on { "on" } else { "off" };
    let values = [
        ("default_transaction_isolation", isolation),
        ("default_transaction_read_only", modes.read_only.map(switch)),
        (
            "default_transaction_deferrable",
            modes.deferrable.map(switch),
        ),
    ];
    for (name, value) in values {
        if value.is_some() {
            settings::set(session, name, value, false)?;
        }
    }
    Ok(())
}

/// 25001 for modes that come too late.
fn too_late(message: &str) -> SqlError {
    SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message)
}

/// Sets the transaction's isolation level, which its first query fixes.
pub fn set_isolation(session: &mut Session, isolation: Isolation) -> Result<(), SqlError> {
    let Some(tx) = &mut session.tx else {
        return Ok(());
    };
    if tx.isolation() == isolation {
        return Ok(());
    }
    if tx.savepoints() > 0 {
        return Err(too_late(
            "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction",
        ));
    }
    match tx.set_isolation(isolation) {
        true => Ok(()),
        false => Err(too_late(
            "SET TRANSACTION ISOLATION LEVEL must be called before any query",
        )),
    }
}

/// Makes the transaction read-only, or read-write before its first query.
pub fn set_read_only(session: &mut Session, read_only: bool) -> Result<(), SqlError> {
    let Some(tx) = &mut session.tx else {
        return Ok(());
    };
    if tx.is_read_only() && !read_only {
        if tx.savepoints() > 0 {
            return Err(too_late(
                "cannot set transaction read-write mode inside a read-only transaction",
            ));
        }
        if tx.has_snapshot() {
            return Err(too_late(
                "transaction read-write mode must be set before any query",
            ));
        }
    }
    tx.set_read_only(read_only);
    Ok(())
}

/// Makes the transaction wait for a safe snapshot, or not, before its first query.
pub fn set_deferrable(session: &mut Session, deferrable: bool) -> Result<(), SqlError> {
    let Some(tx) = &mut session.tx else {
        return Ok(());
    };
    if tx.savepoints() > 0 {
        return Err(too_late(
            "SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction",
        ));
    }
    match tx.set_deferrable(deferrable) {
        true => Ok(()),
        false => Err(too_late(
            "SET TRANSACTION [NOT] DEFERRABLE must be called before any query",
        )),
    }
}
