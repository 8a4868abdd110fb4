//! A session: everything that belongs to a connection and outlives a message.

use crate::{Named, Out, PlanCache, Portal, Registered, Settings, State, Statement};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use net_port::TcpStream;
use pg_executor_port::{CopyInHandle, Notes};
use pg_plan::Normalized;
use pg_txn_port::{Durability, Isolation, SessionLocks, Transaction};
use pg_types::{Datum, FormatSettings, Oid, SqlError, SqlState};

/// Between 1970 and 2000, in microseconds.
const EPOCH: i64 = 946_684_800_000_000;

/// The role and the database that are there from the beginning.
const SUPERUSER: &str = "postgres";

/// What the session expects from the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The startup packet, which has no tag.
    Startup,
    /// Commands.
    Ready,
    /// Data of COPY FROM.
    CopyIn,
}

/// Where the session stands between transactions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Block {
    /// Outside; a statement commits by itself.
    Idle,
    /// Inside a transaction that ends with the message or the pipeline.
    Implicit,
    /// After BEGIN.
    Open,
    /// The same, but a statement has failed.
    Failed,
}

/// What a savepoint must bring back beside rows.
#[derive(Clone, Debug)]
pub struct Savepoint {
    /// Its name.
    pub name: String,
    /// The settings when it was made.
    pub settings: Settings,
}

/// What `currval` and `lastval` know.
#[derive(Clone, Debug, Default)]
pub struct SequenceMemory {
    /// The value each sequence gave this session last.
    pub values: BTreeMap<Oid, i64>,
    /// The sequence asked last.
    pub last: Option<Oid>,
}

/// COPY FROM in progress.
#[derive(Debug)]
pub struct CopyState {
    /// Takes the data.
    pub handle: CopyInHandle,
    /// It was begun by Execute, not by Query.
    pub extended: bool,
    /// What is still to be run of the query's text.
    pub rest: String,
    /// It failed already; what still comes is thrown away.
    pub failed: bool,
}

/// See the module. The fields are the cell's to use; this crate looks after
/// them when a fault leaves a message half done.
#[derive(Debug)]
pub struct Session {
    /// The connection, as others see it.
    pub entry: Registered,
    /// What is expected.
    pub phase: Phase,
    /// What is to be sent.
    pub out: Out,
    /// The transaction, when there is one.
    pub tx: Option<Transaction>,
    /// Where it stands.
    pub block: Block,
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// What was set.
    pub settings: Settings,
    /// The settings when the transaction first changed one.
    pub settings_before: Option<Settings>,
    /// Open savepoints, outermost first.
    pub savepoints: Vec<Savepoint>,
    /// Counts changes of settings.
    pub epoch: u64,
    /// The epoch that `format` and all that follows from the settings are of.
    pub format_epoch: u64,
    /// The number of the settings that plans depend on: cached plans of another
    /// one are stale. See [`crate::plan_epoch`].
    pub plan_epoch: u64,
    /// What a transaction's isolation is when nobody says.
    pub default_isolation: Isolation,
    /// Whether a transaction is read-only when nobody says.
    pub default_read_only: bool,
    /// Whether a transaction is deferrable when nobody says.
    pub default_deferrable: bool,
    /// How values are written.
    pub format: FormatSettings,
    /// What the client was told of settings that were not at their default, by
    /// name.
    pub reported: BTreeMap<String, String>,
    /// Bytes that a sort may use.
    pub work_mem: usize,
    /// Bytes that a hash table may use.
    pub hash_mem: usize,
    /// Nanoseconds that a wait for a lock may last; 0 for ever.
    pub lock_timeout: u64,
    /// Nanoseconds until a wait is looked at for a deadlock.
    pub deadlock_timeout: u64,
    /// What a commit waits for.
    pub durability: Durability,
    /// Nanoseconds that a statement may last; 0 for ever.
    pub statement_timeout: u64,
    /// Nanoseconds that a client may leave a transaction open without a command;
    /// 0 for ever.
    pub idle_in_transaction_timeout: u64,
    /// The same outside a transaction.
    pub idle_timeout: u64,
    /// Prepared statements.
    pub statements: Named<Statement>,
    /// Portals and cursors.
    pub portals: Named<Portal>,
    /// Plans of the simple protocol.
    pub plans: PlanCache,
    /// COPY FROM in progress.
    pub copy: Option<CopyState>,
    /// A message of the extended protocol failed: skip to Sync.
    pub skip: bool,
    /// The message at hand has changed something: it must not be run again.
    pub effects: bool,
    /// What sequences gave.
    pub sequences: RefCell<SequenceMemory>,
    /// Advisory locks that are the session's own.
    pub advisory: RefCell<SessionLocks>,
    /// What the transaction remembers until it ends.
    pub notes: Notes,
    /// State of `random()`.
    pub seed: Cell<u64>,
    /// Start of the transaction, in microseconds since 2000.
    pub tx_start: i64,
    /// Start of the statement.
    pub statement_start: i64,
    /// Texts of values, while they are written.
    pub scratch: String,
    /// Parameters, while they are read.
    pub values: Vec<Datum>,
    /// A statement with its literals lifted out.
    pub normalized: Normalized,
}

impl Session {
    /// A session that waits for its startup packet.
    #[must_use]
    pub fn new(stream: Option<Arc<TcpStream>>) -> Self {
        let entry = Registered::new(stream.as_ref(), now());
        Self::with(stream, entry)
    }

    /// The session of the task that vacuums: nobody is at its other end.
    pub(crate) fn vacuum() -> Self {
        let mut session = Self::with(None, Registered::vacuum(now()));
        session.phase = Phase::Ready;
        session.user = String::from(SUPERUSER);
        session.database = String::from(SUPERUSER);
        {
            let mut activity = session.entry.activity.lock();
            activity.user.push_str(SUPERUSER);
            activity.database.push_str(SUPERUSER);
        }
        session
    }

    /// A session that another generation has served: its number and secret, and when
    /// it began.
    pub(crate) fn known_as(
        stream: Option<Arc<TcpStream>>,
        identity: (u32, u32),
        started: i64,
    ) -> Self {
        let entry = Registered::known_as(identity, stream.as_ref(), started);
        Self::with(stream, entry)
    }

    fn with(stream: Option<Arc<TcpStream>>, entry: Registered) -> Self {
        let seed = u64::from(entry.secret) << 16 | 1;
        Session {
            entry,
            phase: Phase::Startup,
            out: Out::new(stream),
            tx: None,
            block: Block::Idle,
            user: String::new(),
            database: String::new(),
            settings: Settings::default(),
            settings_before: None,
            savepoints: Vec::new(),
            epoch: 1,
            format_epoch: 0,
            plan_epoch: 0,
            default_isolation: Isolation::ReadCommitted,
            default_read_only: false,
            default_deferrable: false,
            format: FormatSettings::default(),
            reported: BTreeMap::new(),
            work_mem: 4 << 20,
            hash_mem: 8 << 20,
            lock_timeout: 0,
            deadlock_timeout: 1_000_000_000,
            durability: Durability::Flushed,
            statement_timeout: 0,
            idle_in_transaction_timeout: 0,
            idle_timeout: 0,
            statements: Named::default(),
            portals: Named::default(),
            plans: PlanCache::default(),
            copy: None,
            skip: false,
            effects: false,
            sequences: RefCell::new(SequenceMemory::default()),
            advisory: RefCell::default(),
            notes: Notes::default(),
            seed: Cell::new(seed),
            tx_start: 0,
            statement_start: 0,
            scratch: String::new(),
            values: Vec::new(),
            normalized: Normalized::default(),
        }
    }

    /// Forgets what the first message has set, so that it can be handled again.
    pub(crate) fn start_anew(&mut self) {
        self.end_transaction(false);
        self.phase = Phase::Startup;
        self.user.clear();
        self.database.clear();
        self.settings = Settings::default();
        self.settings_before = None;
        self.reported.clear();
        self.epoch += 1;
    }

    /// Cleans up after the transaction, which has committed or not: portals,
    /// settings, savepoints. Rolls back what is still open.
    pub fn end_transaction(&mut self, committed: bool) {
        drop(self.tx.take());
        if self.block != Block::Idle {
            crate::count_transaction(self.entry.pid, committed);
        }
        self.block = Block::Idle;
        self.savepoints.clear();
        self.notes.end(committed);
        if !self.portals.is_empty() {
            self.portals
                .retain(|_, p| p.hold && (committed || p.started));
        }
        let before = self.settings_before.take();
        if let Some(before) = before.filter(|_| !committed) {
            self.settings = before;
            self.epoch += 1;
        }
        if !self.settings.local.is_empty() {
            self.settings.local.clear();
            self.epoch += 1;
        }
    }

    /// A statement has failed: an open block waits for its end or a savepoint,
    /// anything else is rolled back.
    pub fn fail_transaction(&mut self) {
        match self.block {
            Block::Open | Block::Failed => {
                self.block = Block::Failed;
                // Locks and the place among the running are of no use to a
                // transaction that can only end.
                if self.savepoints.is_empty() {
                    drop(self.tx.take());
                    self.portals.retain(|_, p| p.hold && p.started);
                }
            }
            Block::Idle | Block::Implicit => self.end_transaction(false),
        }
    }

    /// Keeps the settings for the case that the transaction fails, then says
    /// that they change.
    pub fn touch_settings(&mut self) {
        if self.settings_before.is_none() {
            self.settings_before = Some(self.settings.clone());
        }
        self.epoch += 1;
    }

    /// ReadyForQuery, unless the session is to end.
    pub fn ready(&mut self) {
        let (status, state) = match self.block {
            Block::Idle | Block::Implicit => (b'I', State::Idle),
            Block::Open => (b'T', State::IdleInTransaction),
            Block::Failed => (b'E', State::IdleInFailedTransaction),
        };
        if !self.entry.is_terminated() {
            self.out.begin(b'Z');
            self.out.bytes().push(status);
            self.out.end();
        }
        let mut activity = self.entry.activity.lock();
        activity.state = state;
        if state == State::Idle {
            activity.xact_start = 0;
        }
    }

    /// How long it waits for the next command, and what it says when none has
    /// come; none for ever.
    pub(crate) fn patience(&self) -> Option<(u64, SqlError)> {
        let (ns, code, message) = match self.block {
            _ if self.phase != Phase::Ready => return None,
            Block::Idle => (
                self.idle_timeout,
                SqlState::IDLE_SESSION_TIMEOUT,
                "terminating connection due to idle-session timeout",
            ),
            Block::Implicit | Block::Open | Block::Failed => (
                self.idle_in_transaction_timeout,
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout",
            ),
        };
        (ns != 0).then(|| (ns, SqlError::new(code, message)))
    }

    /// Whether the message runs outside any transaction block.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.block == Block::Idle
    }
}

/// This instant, in microseconds since 2000.
#[must_use]
pub fn now() -> i64 {
    task_port::wall_clock_us().saturating_sub(EPOCH)
}
