//! The session as functions see it while a statement runs: what it knows itself,
//! and, through its transaction, the catalog and the sequences.

use crate::Notes;
use crate::errors::{port_error, txn_error};
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use pg_builtins::{BasicContext, CatalogQuery, EvalContext, PatternCache, SequenceCall};
use pg_catalog_port::CATALOG;
use pg_txn_port::Transaction;
use pg_types::{Datum, FormatSettings, Oid, SqlError, SqlResult, Str};

/// A session. Its own answers to [`EvalContext::catalog`] and to `nextval` and
/// `setval` are not asked for while a statement runs, since they need the
/// transaction: see [`InTransaction`].
pub trait Session: EvalContext {
    /// `nextval` has given this value: what `currval` and `lastval` answer.
    fn sequence_given(&self, sequence: Oid, value: i64);

    /// A function that needs the session and the transaction, as advisory locks do;
    /// none when it is not known here, so that the catalog is asked.
    fn function(
        &self,
        _tx: &mut Transaction,
        _name: &str,
        _args: &[Datum],
    ) -> Option<SqlResult<Datum>> {
        None
    }

    /// What the transaction remembers; without it constraints are checked at the
    /// end of the statement.
    fn notes(&self) -> Option<&Notes> {
        None
    }

    /// What is asked next needs the catalog, or the transaction otherwise: this
    /// is the transaction, to look at it in passing.
    fn lend(&self, _tx: &Transaction) {}
}

impl Session for BasicContext {
    fn sequence_given(&self, _sequence: Oid, _value: i64) {}
}

/// A transaction that the store and the functions of a statement take turns
/// with. Neither calls the other while it holds it.
pub type SharedTransaction<'t> = RefCell<&'t mut Transaction>;

/// A session with its transaction.
#[derive(Clone, Copy)]
pub struct InTransaction<'a, 't> {
    session: &'a dyn Session,
    tx: &'a SharedTransaction<'t>,
}

impl<'a, 't> InTransaction<'a, 't> {
    /// Of these two.
    #[must_use]
    pub fn new(session: &'a dyn Session, tx: &'a SharedTransaction<'t>) -> Self {
        InTransaction { session, tx }
    }

    /// The session, ready to answer what needs the transaction.
    fn informed(&self) -> &'a dyn Session {
        if let Ok(tx) = self.tx.try_borrow() {
            self.session.lend(&tx);
        }
        self.session
    }

    /// Does something with the transaction.
    fn with<T>(&self, work: impl FnOnce(&mut Transaction) -> SqlResult<T>) -> SqlResult<T> {
        match self.tx.try_borrow_mut() {
            Ok(mut tx) => work(&mut tx),
            Err(_) => Err(SqlError::internal(
                "a function was called inside a change of rows",
            )),
        }
    }
}

impl EvalContext for InTransaction<'_, '_> {
    fn format(&self) -> &FormatSettings {
        self.session.format()
    }

    fn transaction_timestamp(&self) -> i64 {
        self.session.transaction_timestamp()
    }

    fn statement_timestamp(&self) -> i64 {
        self.session.statement_timestamp()
    }

    fn clock_timestamp(&self) -> i64 {
        self.session.clock_timestamp()
    }

    fn current_user(&self) -> Str {
        self.session.current_user()
    }

    fn session_user(&self) -> Str {
        self.session.session_user()
    }

    fn current_database(&self) -> Str {
        self.session.current_database()
    }

    fn search_path(&self, implicit: bool) -> Vec<Str> {
        self.informed().search_path(implicit)
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.session.setting(name)
    }

    fn set_setting(&self, name: &str, value: &str, local: bool) -> SqlResult<String> {
        self.session.set_setting(name, value, local)
    }

    fn random(&self) -> f64 {
        self.session.random()
    }

    fn set_seed(&self, seed: f64) {
        self.session.set_seed(seed);
    }

    fn random_bytes(&self, out: &mut [u8]) {
        self.session.random_bytes(out);
    }

    fn backend_pid(&self) -> i32 {
        self.session.backend_pid()
    }

    fn transaction_id(&self, only_if_assigned: bool) -> SqlResult<Option<u64>> {
        self.with(|tx| {
            if only_if_assigned {
                return Ok(tx.xid().map(|x| x.0));
            }
            tx.ensure_xid().map(|x| Some(x.0)).map_err(txn_error)
        })
    }

    fn sequence(&self, call: SequenceCall) -> SqlResult<i64> {
        let catalog = || CATALOG.enter().map_err(port_error);
        match call {
            SequenceCall::Next(sequence) => {
                let value = self.with(|tx| catalog()?.nextval(tx, sequence))?;
                self.session.sequence_given(sequence, value);
                Ok(value)
            }
            SequenceCall::Set(sequence, value, called) => {
                self.with(|tx| catalog()?.setval(tx, sequence, value, called))?;
                if called {
                    self.session.sequence_given(sequence, value);
                }
                Ok(value)
            }
            call => self.informed().sequence(call),
        }
    }

    fn catalog(&self, query: CatalogQuery<'_>) -> SqlResult<Datum> {
        if let CatalogQuery::Function(name, args) = query
            && let Some(answer) = self.with(|tx| Ok(self.session.function(tx, name, args)))?
        {
            return answer;
        }
        let path = self.search_path(true);
        let catalog = CATALOG.enter().map_err(port_error)?;
        self.with(|tx| catalog.describe(tx, &path, query))
    }

    fn sleep(&self, micros: i64) -> SqlResult<()> {
        self.session.sleep(micros)
    }

    fn patterns(&self) -> Option<&PatternCache> {
        self.session.patterns()
    }

    fn check_interrupts(&self) -> SqlResult<()> {
        task_port::with_ledger(|ledger| ledger.sign_of_life());
        self.with(|tx| tx.check_cancel().map_err(txn_error))
    }
}
