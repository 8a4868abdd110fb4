//! All sessions: who they are, what they do, and cancelling them.

use crate::roster;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use net_port::TcpStream;
use pg_txn_port::CancelToken;
use sync::{Mutex, SpinLock, WaitQueue};

/// Longest text of a statement that others can see.
const SHOWN: usize = 1024;

static ALL: Mutex<BTreeMap<u32, Arc<Entry>>> = Mutex::new(BTreeMap::new());
/// Who watches the time, while no statement's is limited.
static LIMITED: WaitQueue = WaitQueue::new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// What a session does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// It waits for a command.
    #[default]
    Idle,
    /// It runs one.
    Active,
    /// It waits within a transaction.
    IdleInTransaction,
    /// The same, and the transaction has failed.
    IdleInFailedTransaction,
}

impl State {
    /// As `pg_stat_activity` shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Idle => "idle",
            State::Active => "active",
            State::IdleInTransaction => "idle in transaction",
            State::IdleInFailedTransaction => "idle in transaction (aborted)",
        }
    }
}

/// What a session does, for others to see. Times are in microseconds since 2000,
/// 0 for none.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// What the client calls itself.
    pub application: String,
    /// The statement that runs, or ran last.
    pub query: String,
    /// What it does.
    pub state: State,
    /// When the statement began.
    pub query_start: i64,
    /// When the transaction began.
    pub xact_start: i64,
    /// When the state changed.
    pub state_change: i64,
}

impl Activity {
    /// Notes the text of a statement, cut to what is shown.
    pub fn set_query(&mut self, sql: &str) {
        let mut end = sql.len().min(SHOWN);
        while !sql.is_char_boundary(end) {
            end -= 1;
        }
        self.query.clear();
        self.query.push_str(sql.get(..end).unwrap_or_default());
    }
}

/// Whose session it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A client's.
    Client,
    /// Of the task that vacuums without being asked.
    Vacuum,
}

/// A session, as others see it.
#[derive(Debug)]
pub struct Entry {
    /// Its number, which clients take for a process id.
    pub pid: u32,
    /// What a cancel request must know.
    pub secret: u32,
    /// Whose it is.
    pub kind: Kind,
    /// Ends its statement.
    pub cancel: CancelToken,
    /// Who connected.
    pub peer: Option<SocketAddr>,
    /// When, in microseconds since 2000.
    pub started: i64,
    /// When its statement is cancelled, in nanoseconds of the clock; 0 for never.
    pub deadline: AtomicU64,
    /// The statement was cancelled because its time was over.
    pub timed_out: AtomicBool,
    /// What it does.
    pub activity: SpinLock<Activity>,
    /// The serial number of its transaction's place, the last one's when there is
    /// none.
    pub transaction: AtomicU64,
    /// The same of the place that keeps its own locks; 0 for none.
    pub locks: AtomicU64,
    /// It is to end, whatever it does.
    pub terminated: AtomicBool,
    /// Its task is to look around rather than wait for a message.
    pub(crate) attention: AtomicBool,
    stream: Weak<TcpStream>,
}

impl Entry {
    /// Ends the session: its statement as if cancelled, and its wait for a message.
    pub fn terminate(&self) {
        self.terminated.store(true, Ordering::SeqCst);
        self.cancel.cancel();
        self.attend();
    }

    /// Lets its task look around.
    pub(crate) fn attend(&self) {
        self.attention.store(true, Ordering::SeqCst);
        if let Some(stream) = self.stream.upgrade() {
            stream.nudge();
        }
    }

    /// Whether it is to end.
    #[inline]
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::SeqCst)
    }

    /// Lets the statement that begins now last `ns` nanoseconds; 0 for ever.
    #[inline]
    pub fn deadline(&self, ns: u64) {
        let at = match ns {
            0 => 0,
            ns => task_port::now().saturating_add(ns),
        };
        self.deadline.store(at, Ordering::SeqCst);
        if at != 0 {
            LIMITED.wake_one();
        }
    }
}

/// Blocks until the time of some statement is limited, or tasks are to leave.
pub(crate) fn wait_for_limits() {
    let limited = |entry: &Arc<Entry>| entry.deadline.load(Ordering::SeqCst) != 0;
    LIMITED.wait_until(|| (roster::leaving() || sessions().iter().any(limited)).then_some(()));
}

/// Lets whoever watches the time look around.
pub(crate) fn nudge() {
    LIMITED.wake_all();
}

/// What is counted here, for another generation of this crate.
pub(crate) fn counts() -> BTreeMap<String, u64> {
    let (committed, rolled_back) = transactions();
    let counts = [
        ("next", u64::from(NEXT.load(Ordering::Relaxed))),
        ("committed", committed),
        ("rolled_back", rolled_back),
    ];
    let mut counts: BTreeMap<String, u64> = counts.map(|(name, n)| (String::from(name), n)).into();
    crate::system::give(&mut counts);
    counts
}

/// Counts on from where another generation stood; it may not have counted all.
pub(crate) fn go_on_from(counts: &BTreeMap<String, u64>) {
    crate::system::take(counts);
    let of = |name: &str| counts.get(name).copied().unwrap_or_default();
    NEXT.fetch_max(of("next") as u32, Ordering::Relaxed);
    let [first, others @ ..] = &ENDS;
    for other in others {
        other.committed.store(0, Ordering::Relaxed);
        other.rolled_back.store(0, Ordering::Relaxed);
    }
    first.committed.store(of("committed"), Ordering::Relaxed);
    first
        .rolled_back
        .store(of("rolled_back"), Ordering::Relaxed);
}

/// Cancels statements whose time is over. Called now and then.
pub(crate) fn watch() {
    let now = task_port::now();
    for entry in sessions() {
        let at = entry.deadline.load(Ordering::Relaxed);
        if at != 0 && at <= now {
            entry.deadline.store(0, Ordering::Relaxed);
            entry.timed_out.store(true, Ordering::SeqCst);
            entry.cancel.cancel();
        }
    }
}

/// An [`Entry`] in the list; it goes when this is dropped.
#[derive(Debug)]
pub struct Registered(Arc<Entry>);

impl Registered {
    /// Enters a session.
    #[must_use]
    pub fn new(stream: Option<&Arc<TcpStream>>, started: i64) -> Self {
        let pid = NEXT.fetch_add(1, Ordering::Relaxed) & 0x7FFF_FFFF;
        Self::known_as((pid, secret(pid)), stream, started)
    }

    /// Enters the session of the task that vacuums.
    pub(crate) fn vacuum(started: i64) -> Self {
        let pid = NEXT.fetch_add(1, Ordering::Relaxed) & 0x7FFF_FFFF;
        Self::enter((pid, secret(pid)), None, started, Kind::Vacuum)
    }

    /// Enters a session that has its number and secret already.
    pub(crate) fn known_as(
        identity: (u32, u32),
        stream: Option<&Arc<TcpStream>>,
        started: i64,
    ) -> Self {
        Self::enter(identity, stream, started, Kind::Client)
    }

    fn enter(
        (pid, secret): (u32, u32),
        stream: Option<&Arc<TcpStream>>,
        started: i64,
        kind: Kind,
    ) -> Self {
        let entry = Arc::new(Entry {
            pid,
            secret,
            kind,
            cancel: CancelToken::new(),
            peer: stream.map(|stream| stream.peer()),
            started,
            deadline: AtomicU64::new(0),
            timed_out: AtomicBool::new(false),
            activity: SpinLock::new(Activity::default()),
            transaction: AtomicU64::new(0),
            locks: AtomicU64::new(0),
            terminated: AtomicBool::new(false),
            attention: AtomicBool::new(false),
            stream: stream.map(Arc::downgrade).unwrap_or_default(),
        });
        ALL.lock().insert(pid, Arc::clone(&entry));
        Registered(entry)
    }
}

impl core::ops::Deref for Registered {
    type Target = Entry;
    fn deref(&self) -> &Entry {
        &self.0
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let gone = ALL.lock().remove(&self.0.pid);
        drop(gone);
    }
}

/// A number that the clock and a counter make hard to guess (SplitMix64).
fn secret(pid: u32) -> u32 {
    let mut z = task_port::now() ^ u64::from(pid) << 40;
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ z >> 31) as u32
}

/// Counters of transactions' ends, each with a cache line of its own.
#[repr(align(64))]
struct Ends {
    committed: AtomicU64,
    rolled_back: AtomicU64,
}

static ENDS: [Ends; 16] = [const {
    Ends {
        committed: AtomicU64::new(0),
        rolled_back: AtomicU64::new(0),
    }
}; 16];

/// Counts the end of a session's transaction.
#[inline]
pub(crate) fn count_transaction(pid: u32, committed: bool) {
    let ends = &ENDS[pid as usize % ENDS.len()];
    let counter = match committed {
        true => &ends.committed,
        false => &ends.rolled_back,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

/// How many transactions were committed and rolled back since the start.
#[must_use]
pub fn transactions() -> (u64, u64) {
    let sum = |of: fn(&Ends) -> &AtomicU64| {
        let counts = ENDS.iter().map(|e| of(e).load(Ordering::Relaxed));
        counts.sum()
    };
    (sum(|e| &e.committed), sum(|e| &e.rolled_back))
}

/// All sessions, by number.
#[must_use]
pub fn sessions() -> Vec<Arc<Entry>> {
    ALL.lock().values().cloned().collect()
}

/// Sessions at most, when the boot option `max_connections` says nothing.
pub const MOST: u64 = 100;
static LIMIT: AtomicU64 = AtomicU64::new(MOST);

/// Sessions at most: `max_connections`.
#[must_use]
pub fn limit() -> u64 {
    LIMIT.load(Ordering::Relaxed)
}

/// Changes how many sessions there can be at most. Called by the cell at its birth.
pub fn set_limit(most: u64) {
    LIMIT.store(most, Ordering::Relaxed);
}

/// Ends the running statement of a session. Nothing happens when the secret is
/// not its.
pub fn cancel(pid: u32, secret: u32) -> bool {
    let entry = ALL.lock().get(&pid).cloned();
    match entry {
        Some(entry) if entry.secret == secret => {
            entry.cancel.cancel();
            true
        }
        _ => false,
    }
}
