//! A message that ended in a fault: the session is made usable again, the client
//! is told, or the message is run once more.

use crate::{Block, Phase, Session, Severity, Step};
use alloc::format;
use pg_types::{SqlError, SqlState};
use task_port::{Fault, FaultKind};

/// Where a session stood before a message.
pub(crate) struct Before {
    startup: bool,
    out: (usize, u64),
    block: Block,
    portals: usize,
}

impl Before {
    /// Notes it.
    pub(crate) fn new(session: &mut Session) -> Self {
        session.effects = false;
        Before {
            startup: session.phase == Phase::Startup,
            out: session.out.mark(),
            block: session.block,
            portals: session.portals.len(),
        }
    }

    /// Brings the session back to where it stood, if the message did nothing but
    /// read and nothing of its answer was sent.
    pub(crate) fn undo(&self, session: &mut Session) -> bool {
        if self.startup {
            // Nothing was there before the first message.
            let undone = session.out.rewind(self.out);
            if undone {
                session.start_anew();
            }
            return undone;
        }
        let transaction_is_there = match self.block {
            Block::Idle => true,
            Block::Implicit | Block::Open => session.tx.is_some(),
            Block::Failed => false,
        };
        let undone = !session.effects
            && session.phase == Phase::Ready
            && transaction_is_there
            && session.portals.len() >= self.portals
            && session.out.rewind(self.out);
        if undone && self.block == Block::Idle {
            session.end_transaction(false);
        }
        undone
    }
}

/// What the client is told.
fn error(fault: &Fault) -> SqlError {
    if fault.kind == FaultKind::OutOfMemory {
        return SqlError::new(SqlState::OUT_OF_MEMORY, "out of memory")
            .with_detail(format!("Failed on request: {}.", fault.message));
    }
    let place = match fault.cell.as_str() {
        "" => "the database",
        cell => cell,
    };
    SqlError::internal(format!("internal error in {place}: {}", fault.message))
        .with_detail(format!("The fault was of kind {:?}.", fault.kind))
        .with_hint("The part that failed has been replaced; the statement can be tried again.")
}

/// Ends the message that faulted.
pub(crate) fn fail(session: &mut Session, tag: u8, fault: &Fault) -> Step {
    fail_with(session, tag, &error(fault))
}

/// Ends a message with an error; nobody could handle it.
pub(crate) fn absent(session: &mut Session, tag: u8) -> Step {
    let error = SqlError::new(
        SqlState::CANNOT_CONNECT_NOW,
        "the database system is starting up",
    );
    fail_with(session, tag, &error)
}

fn fail_with(session: &mut Session, tag: u8, error: &SqlError) -> Step {
    let phase = session.phase;
    // A message that was begun is forgotten.
    let complete = session.out.mark();
    session.out.rewind(complete);
    // Dropping what the session holds of a cell runs its code.
    let dropped = task_port::gate(|| {
        session.copy = None;
        session.fail_transaction();
    });
    if dropped.is_err() {
        // What could not be dropped is given up.
        core::mem::forget(core::mem::take(&mut session.portals));
        let _ = task_port::gate(|| session.fail_transaction());
    }
    if phase == Phase::Startup {
        session.out.report(Severity::Fatal, error.fields());
        return Step::Close;
    }
    session.phase = Phase::Ready;
    session.out.report(Severity::Error, error.fields());
    session.skip = matches!(tag, b'P' | b'B' | b'D' | b'E' | b'C' | b'H');
    if session.skip {
        return Step::Flush;
    }
    session.ready();
    Step::Flush
}
