//! The session as functions see it.

use crate::settings::{self, Change};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};
use pg_builtins::{CatalogQuery, EvalContext, PatternCache, SequenceCall};
use pg_catalog_port::{CATALOG, Catalog};
use pg_executor_port::Notes;
use pg_executor_port::errors::{port_error, txn_error};
use pg_txn_port::{CancelToken, SessionLocks, Transaction, TxnError};
use pg_types::{Datum, FormatSettings, Oid, SqlError, SqlResult, SqlState, Str};
use pg_wire_port::{Entry, Named, Portal, SequenceMemory, Session, Settings, Statement};

/// What functions have done that the session must be told of.
pub struct Changes {
    /// What `set_config` asked for.
    pub settings: Vec<Change>,
    /// Warnings, to be sent.
    pub warnings: Vec<(SqlState, &'static str)>,
}

impl Changes {
    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.warnings.is_empty()
    }
}

/// What functions are told; made for one statement.
pub struct Eval<'a> {
    format: &'a FormatSettings,
    settings: &'a Settings,
    user: &'a str,
    database: &'a str,
    pid: u32,
    sequences: &'a RefCell<SequenceMemory>,
    seed: &'a Cell<u64>,
    statement_start: i64,
    /// A second hand on the transaction: the first is lent to the executor. Made
    /// when it is needed.
    tx: RefCell<Option<Transaction>>,
    cancel: &'a CancelToken,
    /// The session's advisory locks.
    pub advisory: &'a RefCell<SessionLocks>,
    notes: &'a Notes,
    /// The session, as others see it.
    pub entry: &'a Entry,
    /// Warnings to be sent when the statement has run.
    warnings: RefCell<Vec<(SqlState, &'static str)>>,
    /// What `set_config` asked for.
    changes: RefCell<Vec<Change>>,
    patterns: PatternCache,
    /// Prepared statements and portals, for the views of them.
    pub statements: &'a Named<Statement>,
    /// See there.
    pub portals: &'a Named<Portal>,
    /// The schemas of the search path that exist.
    path: OnceCell<Vec<Str>>,
}

/// How many bytes an operator may use before it goes to disk.
#[derive(Clone, Copy, Debug)]
pub struct WorkMemory {
    /// A sort, or rows that are kept.
    pub sort: usize,
    /// A hash table.
    pub hash: usize,
}

/// The parts of a session that a statement needs beside its [`Eval`].
pub struct Parts<'a> {
    /// The transaction.
    pub tx: &'a mut Transaction,
    /// Where rows go.
    pub out: &'a mut pg_wire_port::Out,
    /// Texts, while they are written.
    pub scratch: &'a mut String,
    /// Bytes that a sort may use, and a hash table.
    pub work: WorkMemory,
}

/// Splits a session that has a transaction with a snapshot.
pub fn split(session: &mut Session) -> Result<(Eval<'_>, Parts<'_>), SqlError> {
    let (eval, parts) = split_for_executor(session)?;
    pg_executor_port::Session::lend(&eval, parts.tx);
    Ok((eval, parts))
}

/// The same for a call into the executor, which lends the transaction where that
/// is needed.
pub fn split_for_executor(session: &mut Session) -> Result<(Eval<'_>, Parts<'_>), SqlError> {
    let Some(tx) = &mut session.tx else {
        return Err(SqlError::internal("there is no transaction"));
    };
    let eval = Eval {
        format: &session.format,
        settings: &session.settings,
        user: &session.user,
        database: &session.database,
        pid: session.entry.pid,
        sequences: &session.sequences,
        seed: &session.seed,
        statement_start: session.statement_start,
        tx: RefCell::new(None),
        cancel: &session.entry.cancel,
        advisory: &session.advisory,
        notes: &session.notes,
        entry: &session.entry,
        warnings: RefCell::default(),
        changes: RefCell::default(),
        patterns: PatternCache::default(),
        statements: &session.statements,
        portals: &session.portals,
        path: OnceCell::new(),
    };
    let parts = Parts {
        tx,
        out: &mut session.out,
        scratch: &mut session.scratch,
        work: WorkMemory {
            sort: session.work_mem,
            hash: session.hash_mem,
        },
    };
    Ok((eval, parts))
}

impl Eval<'_> {
    /// Asks the catalog.
    pub fn ask<T>(
        &self,
        ask: impl FnOnce(&dyn Catalog, &mut Transaction) -> SqlResult<T>,
    ) -> SqlResult<T> {
        let catalog = CATALOG.enter().map_err(port_error)?;
        let mut tx = self
            .tx
            .try_borrow_mut()
            .map_err(|_| SqlError::internal("the catalog asked for itself"))?;
        match &mut *tx {
            Some(tx) => ask(&*catalog, tx),
            None => Err(SqlError::internal("the transaction is not at hand")),
        }
    }

    /// Notes a warning.
    pub fn warn(&self, code: SqlState, message: &'static str) {
        self.warnings.borrow_mut().push((code, message));
    }

    /// What functions left to be done with the session.
    pub fn into_changes(self) -> Changes {
        Changes {
            settings: self.changes.into_inner(),
            warnings: self.warnings.into_inner(),
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        self.settings
    }

    /// The role.
    pub fn user(&self) -> &str {
        self.user
    }

    /// The schemas on the search path that exist, in order.
    pub fn path(&self) -> &[Str] {
        self.path.get_or_init(|| {
            let text = settings::raw(self.settings, "search_path").unwrap_or_default();
            let mut path = Vec::new();
            for name in settings::names(text) {
                let name = match name.as_str() {
                    "$user" => self.user,
                    name => name,
                };
                let exists = self.ask(|catalog, tx| catalog.schema(tx, name));
                if matches!(exists, Ok(Some(_))) && !path.iter().any(|p: &Str| *p == name) {
                    path.push(Str::from(name));
                }
            }
            path
        })
    }

    fn next_random(&self) -> u64 {
        // xorshift64*, after Vigna.
        let mut x = self.seed.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.seed.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn next_value(&self, sequence: Oid) -> SqlResult<i64> {
        let value = self.ask(|catalog, tx| catalog.nextval(tx, sequence))?;
        self.remember(sequence, value);
        Ok(value)
    }

    fn remember(&self, sequence: Oid, value: i64) {
        let mut memory = self.sequences.borrow_mut();
        memory.values.insert(sequence, value);
        memory.last = Some(sequence);
    }

    fn current_value(&self, sequence: Oid) -> SqlResult<i64> {
        if let Some(value) = self.sequences.borrow().values.get(&sequence) {
            return Ok(*value);
        }
        let relation = self.ask(|catalog, tx| catalog.relation_by_oid(tx, sequence))?;
        let name = relation.map_or_else(|| sequence.to_string(), |r| r.name.clone());
        Err(not_yet(format!(
            "currval of sequence \"{name}\" is not yet defined in this session"
        )))
    }
}

fn not_yet(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
}

impl pg_executor_port::Session for Eval<'_> {
    fn sequence_given(&self, sequence: Oid, value: i64) {
        self.remember(sequence, value);
    }

    fn function(
        &self,
        tx: &mut Transaction,
        name: &str,
        args: &[Datum],
    ) -> Option<SqlResult<Datum>> {
        let advisory = crate::advisory::call(self, tx, name, args);
        advisory.or_else(|| crate::activity::call(self, name, args))
    }

    fn notes(&self) -> Option<&Notes> {
        Some(self.notes)
    }

    fn lend(&self, tx: &Transaction) {
        if let Ok(mut own) = self.tx.try_borrow_mut()
            && own.is_none()
        {
            *own = Some(tx.companion());
        }
    }
}

impl EvalContext for Eval<'_> {
    fn format(&self) -> &FormatSettings {
        self.format
    }

    fn statement_timestamp(&self) -> i64 {
        self.statement_start
    }

    fn clock_timestamp(&self) -> i64 {
        pg_wire_port::now()
    }

    fn current_user(&self) -> Str {
        Str::from(self.user)
    }

    fn current_database(&self) -> Str {
        Str::from(self.database)
    }

    fn search_path(&self, implicit: bool) -> Vec<Str> {
        let path = self.path();
        let front = implicit && !path.iter().any(|p| *p == "pg_catalog");
        let front = front.then(|| Str::from("pg_catalog"));
        front.into_iter().chain(path.iter().cloned()).collect()
    }

    fn setting(&self, name: &str) -> Option<String> {
        let changes = self.changes.borrow();
        let changed = changes
            .iter()
            .rev()
            .find(|c| c.name.eq_ignore_ascii_case(name));
        if let Some(change) = changed {
            return Some(change.value.clone());
        }
        if name.eq_ignore_ascii_case("session_authorization") {
            return Some(self.user.to_string());
        }
        settings::show(self.settings, name).map(Cow::into_owned)
    }

    fn set_setting(&self, name: &str, value: &str, local: bool) -> SqlResult<String> {
        let value = settings::checked(name, value)?;
        self.changes.borrow_mut().push(Change {
            name: name.to_string(),
            value: value.clone(),
            local,
        });
        Ok(value)
    }

    fn random(&self) -> f64 {
        (self.next_random() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn set_seed(&self, seed: f64) {
        self.seed.set(seed.to_bits() | 1);
    }

    fn random_bytes(&self, out: &mut [u8]) {
        for byte in out {
            *byte = (self.next_random() >> 56) as u8;
        }
    }

    fn backend_pid(&self) -> i32 {
        self.pid.cast_signed()
    }

    fn transaction_id(&self, only_if_assigned: bool) -> SqlResult<Option<u64>> {
        let mut tx = self.tx.borrow_mut();
        let Some(tx) = &mut *tx else {
            return Err(SqlError::internal("the transaction is not at hand"));
        };
        match tx.xid() {
            None if only_if_assigned => Ok(None),
            None => tx.ensure_xid().map(|x| Some(x.0)).map_err(txn_error),
            Some(xid) => Ok(Some(xid.0)),
        }
    }

    fn sequence(&self, call: SequenceCall) -> SqlResult<i64> {
        match call {
            SequenceCall::Next(sequence) => self.next_value(sequence),
            SequenceCall::Current(sequence) => self.current_value(sequence),
            SequenceCall::Last => {
                let memory = self.sequences.borrow();
                let last = memory.last.and_then(|s| memory.values.get(&s));
                last.copied()
                    .ok_or_else(|| not_yet("lastval is not yet defined in this session"))
            }
            SequenceCall::Set(sequence, value, called) => {
                self.ask(|catalog, tx| catalog.setval(tx, sequence, value, called))?;
                if called {
                    self.remember(sequence, value);
                }
                Ok(value)
            }
        }
    }

    fn catalog(&self, query: CatalogQuery<'_>) -> SqlResult<Datum> {
        let path = self.search_path(true);
        self.ask(|catalog, tx| catalog.describe(tx, &path, query))
    }

    fn sleep(&self, micros: i64) -> SqlResult<()> {
        let micros = u64::try_from(micros).unwrap_or(0);
        let until = task_port::now().saturating_add(micros.saturating_mul(1000));
        loop {
            self.check_interrupts()?;
            let now = task_port::now();
            if now >= until {
                return Ok(());
            }
            task_port::sleep((until - now).min(10_000_000));
        }
    }

    fn patterns(&self) -> Option<&PatternCache> {
        Some(&self.patterns)
    }

    fn check_interrupts(&self) -> SqlResult<()> {
        // The transaction has the session's switch.
        match self.cancel.is_cancelled() {
            true => Err(txn_error(TxnError::Cancelled)),
            false => Ok(()),
        }
    }
}
