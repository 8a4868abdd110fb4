//! The tasks of this crate, and their move to a later generation of it.
//!
//! Each connection has a task whose code is here, and so have the listener and the
//! watch over statements that last too long. To move, they are asked to leave: a
//! connection does so between two messages outside a transaction, and leaves a
//! [`Parked`] behind; the others just end. The later generation starts tasks of its
//! own from what they left. A client notices a pause until the transactions under way
//! have ended. Who stays in a transaction, holds a cursor or an advisory lock of the
//! session's hinders the move; after a while it is given up and all go on.

use crate::parked::{Fields, Parked};
use crate::{autovacuum, registry, serve, shared};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use net_port::{TcpListener, TcpStream};
use port::{HandoverError, Moves, State};
use sync::Mutex;
use task_port::{SpawnError, SpawnOptions};

/// What all tasks' names begin with.
const NAMES: &str = "pg_wire";
/// How often is looked whether they have left.
const LOOK_NS: u64 = 500_000;
/// The version of what moves.
const SCHEMA: u32 = 2;

/// What moves: the listeners, what the registry counts by name, and of each
/// connection what [`Parked`] holds.
type Moved = (
    Vec<Arc<TcpListener>>,
    BTreeMap<alloc::string::String, u64>,
    Vec<(BTreeMap<alloc::string::String, Vec<u8>>, Arc<TcpStream>)>,
);

/// How this crate moves.
pub(crate) const MOVES: Moves = Moves {
    park,
    give,
    take,
    start: || go_on().map_err(|_| HandoverError::Busy),
    anew: false,
};

/// Tasks are to leave. Changes under the roster's lock.
static LEAVE: AtomicBool = AtomicBool::new(false);
/// Tasks that run, or are about to.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static ROSTER: Mutex<Roster> = Mutex::new(Roster {
    listeners: Vec::new(),
    watched: false,
    vacuumed: false,
    sessions: BTreeMap::new(),
    last: 0,
    parked: Vec::new(),
});

struct Roster {
    /// Each with whether a task listens.
    listeners: Vec<(Arc<TcpListener>, bool)>,
    /// A task watches the time.
    watched: bool,
    /// A task sees to it that tables are vacuumed.
    vacuumed: bool,
    /// The connections that are served, by a number of their own.
    sessions: BTreeMap<u64, Arc<TcpStream>>,
    last: u64,
    parked: Vec<Parked>,
}

/// What tells tasks to leave, for the listener.
pub(crate) fn leave() -> &'static AtomicBool {
    &LEAVE
}

/// Whether tasks are to leave.
#[inline]
pub(crate) fn leaving() -> bool {
    LEAVE.load(Ordering::SeqCst)
}

/// Starts to listen and to watch.
pub(crate) fn listen(listener: TcpListener) -> Result<(), SpawnError> {
    let listener = Arc::new(listener);
    ROSTER.lock().listeners.push((listener, false));
    go_on()
}

/// Serves a new connection in a task of its own. Without memory for one it is closed.
pub(crate) fn admit(stream: TcpStream) {
    // Closed by its drop.
    let _ = start(Parked::new(Arc::new(stream)));
}

fn start(parked: Parked) -> Result<(), SpawnError> {
    let entered = enter(&parked.stream);
    spawn(serve::options(), move || serve::session(entered, parked))
}

/// Enters a connection that is served now.
fn enter(stream: &Arc<TcpStream>) -> Entered {
    let mut roster = ROSTER.lock();
    roster.last += 1;
    let number = roster.last;
    roster.sessions.insert(number, Arc::clone(stream));
    Entered(number)
}

/// A connection on the roster, by its number; it goes when this is dropped.
pub(crate) struct Entered(pub(crate) u64);

impl Drop for Entered {
    fn drop(&mut self) {
        let stream = ROSTER.lock().sessions.remove(&self.0);
        drop(stream);
    }
}

/// Leaves a connection behind.
///
/// # Errors
/// What is to be served on, when the task need not leave after all.
pub(crate) fn park_session(entered: &Entered, parked: Parked) -> Result<(), Parked> {
    let mut roster = ROSTER.lock();
    if !leaving() {
        return Err(parked);
    }
    let stream = roster.sessions.remove(&entered.0);
    roster.parked.push(parked);
    drop(roster);
    drop(stream);
    Ok(())
}

/// Whether the listener's task ends.
pub(crate) fn park_listener(listener: &Arc<TcpListener>) -> bool {
    let mut roster = ROSTER.lock();
    let left = leaving();
    if left {
        let its = |(other, _): &&mut (Arc<TcpListener>, bool)| Arc::ptr_eq(other, listener);
        if let Some((_, listens)) = roster.listeners.iter_mut().find(its) {
            *listens = false;
        }
    }
    left
}

/// Whether the watch's task ends.
pub(crate) fn park_watch() -> bool {
    let mut roster = ROSTER.lock();
    let left = leaving();
    roster.watched &= !left;
    left
}

/// Whether the task ends that sees to tables.
pub(crate) fn park_vacuum() -> bool {
    let mut roster = ROSTER.lock();
    let left = leaving();
    roster.vacuumed &= !left;
    left
}

/// Counts a task until its body's end.
struct Live;

impl Drop for Live {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Starts a task that is waited for when tasks are to leave. Its name begins with
/// [`NAMES`].
pub(crate) fn spawn(
    options: SpawnOptions,
    body: impl FnOnce() + Send + 'static,
) -> Result<(), SpawnError> {
    LIVE.fetch_add(1, Ordering::SeqCst);
    let live = Live;
    task_port::spawn(options, move || {
        let live = live;
        body();
        drop(live);
    })
    .map(drop)
}

/// Starts the tasks that are missing: of listeners, of the watch, of connections
/// that were left behind.
fn go_on() -> Result<(), SpawnError> {
    let mut roster = ROSTER.lock();
    LEAVE.store(false, Ordering::SeqCst);
    let watches = core::mem::replace(&mut roster.watched, true);
    let vacuums = core::mem::replace(&mut roster.vacuumed, true);
    let silent = roster.listeners.iter_mut().filter(|(_, listens)| !*listens);
    let silent: Vec<Arc<TcpListener>> = silent
        .map(|(listener, listens)| {
            *listens = true;
            Arc::clone(listener)
        })
        .collect();
    let parked = core::mem::take(&mut roster.parked);
    drop(roster);
    if !watches {
        spawn(serve::watch_options(), serve::watch)?;
    }
    if !vacuums {
        spawn(autovacuum::options(), autovacuum::launch)?;
    }
    for listener in silent {
        spawn(SpawnOptions::new(NAMES), move || serve::accept(&listener))?;
    }
    for parked in parked {
        // A connection for which there is no memory is closed by its drop.
        let _ = start(parked);
    }
    Ok(())
}

fn park(deadline: u64) -> Result<(), HandoverError> {
    let roster = ROSTER.lock();
    LEAVE.store(true, Ordering::SeqCst);
    roster.listeners.iter().for_each(|(l, _)| l.nudge());
    drop(roster);
    registry::sessions().iter().for_each(|entry| entry.attend());
    registry::nudge();
    autovacuum::nudge();
    let here = |name: &str| name.starts_with(NAMES);
    loop {
        // Who counts itself out is still here for a few instructions.
        let live = LIVE.load(Ordering::SeqCst) > 0;
        if !live && !task_port::list().iter().any(|task| here(&task.name)) {
            return Ok(());
        }
        if task_port::now() >= deadline {
            let _ = go_on();
            return Err(HandoverError::Busy);
        }
        task_port::sleep(LOOK_NS);
    }
}

fn give() -> Result<Option<State>, HandoverError> {
    let mut roster = ROSTER.lock();
    let listeners = core::mem::take(&mut roster.listeners);
    let parked = core::mem::take(&mut roster.parked);
    drop(roster);
    shared::clear();
    let sessions = parked.into_iter().map(|p| (p.fields.0, p.stream));
    let moved: Moved = (
        listeners
            .into_iter()
            .map(|(listener, _)| listener)
            .collect(),
        registry::counts(),
        sessions.collect(),
    );
    Ok(Some(State::new(SCHEMA, Box::new(moved))))
}

fn take(given: Option<State>) -> Result<(), HandoverError> {
    if let Some(state) = given {
        let offered = state.schema();
        let (listeners, counts, sessions) = match state.take::<Moved>() {
            Ok(moved) if offered == SCHEMA => *moved,
            _ => return Err(HandoverError::Schema { offered }),
        };
        registry::go_on_from(&counts);
        let mut roster = ROSTER.lock();
        roster
            .listeners
            .extend(listeners.into_iter().map(|listener| (listener, false)));
        let sessions = sessions.into_iter().map(|(fields, stream)| Parked {
            fields: Fields(fields),
            stream,
        });
        roster.parked.extend(sessions);
    }
    Ok(())
}
