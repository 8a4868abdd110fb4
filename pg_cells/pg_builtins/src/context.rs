//! What functions may ask of the session that runs them.
//!
//! [`EvalContext`] is implemented by the executor over the session, the catalog
//! and the transaction; [`BasicContext`] is enough for constants and tests.

use crate::func::PatternCache;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::Cell;
use pg_types::{Datum, FormatSettings, Oid, SqlError, SqlResult, SqlState, Str};

/// One call of a function: the session, and the types that the plan settled on.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The session.
    pub ctx: &'a dyn EvalContext,
    /// Actual types of the arguments, for polymorphic functions; may be empty for others.
    pub args: &'a [Oid],
    /// Actual type of the result.
    pub ret: Oid,
    /// The last argument is an array that was given as `VARIADIC`.
    pub spread: bool,
}

impl<'a> Call<'a> {
    /// A call with these actual types.
    pub fn new(ctx: &'a dyn EvalContext, args: &'a [Oid], ret: Oid) -> Call<'a> {
        Call {
            ctx,
            args,
            ret,
            spread: false,
        }
    }

    /// A call whose types are as declared.
    pub fn plain(ctx: &'a dyn EvalContext) -> Call<'a> {
        Call::new(ctx, &[], pg_types::oid::INVALID)
    }

    /// Actual type of argument `i`, from the plan or, failing that, from the value.
    pub fn arg_type(&self, i: usize, value: &Datum) -> Oid {
        self.args
            .get(i)
            .copied()
            .unwrap_or_else(|| value.natural_type())
    }
}

/// What the catalog is asked by functions. Answers are datums of the type in the comment.
#[derive(Clone, Debug, PartialEq)]
pub enum CatalogQuery<'a> {
    /// The object behind a name, for `regclass` and its kin (first field: the alias type).
    /// Oid, or NULL when there is none.
    RegFromName(Oid, &'a str),
    /// The name of an object as its alias type prints it. Text, or NULL.
    NameOfReg(Oid, Oid),
    /// The name of a type that is not built in, with its modifier. Text, or NULL.
    FormatType(Oid, i32),
    /// Whether an object is found without its schema; the catalog (`pg_class`, `pg_type`,
    /// `pg_proc`, `pg_operator`, `pg_collation`, ...) and the object. Bool, or NULL.
    IsVisible(&'a str, Oid),
    /// Name of a role. Text, or NULL.
    UserById(Oid),
    /// A comment: object, catalog, column number (0 for the object itself). Text, or NULL.
    Description(Oid, &'a str, i32),
    /// Any other function over the catalog, by its name and arguments, such as
    /// `pg_get_indexdef`, `pg_get_constraintdef`, `pg_get_viewdef`, `pg_relation_size`.
    /// What the function returns; 0A000 when it is not known.
    Function(&'a str, &'a [Datum]),
}

/// What is asked of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SequenceCall {
    /// `nextval`.
    Next(Oid),
    /// `currval`.
    Current(Oid),
    /// `lastval`.
    Last,
    /// `setval`: the value and whether it counts as given out.
    Set(Oid, i64, bool),
}

/// The session as functions see it. Methods take `&self`; what they change lies behind cells.
pub trait EvalContext {
    /// Text forms: DateStyle, TimeZone and their kin.
    fn format(&self) -> &FormatSettings;

    /// Start of the transaction, UTC microseconds since 2000: `now()`.
    fn transaction_timestamp(&self) -> i64 {
        self.format().now
    }

    /// Start of the statement.
    fn statement_timestamp(&self) -> i64 {
        self.format().now
    }

    /// This instant.
    fn clock_timestamp(&self) -> i64 {
        self.format().now
    }

    /// `current_user`.
    fn current_user(&self) -> Str;

    /// `session_user`.
    fn session_user(&self) -> Str {
        self.current_user()
    }

    /// `current_database()`.
    fn current_database(&self) -> Str;

    /// Schemas that exist on the search path; `pg_catalog` in front if `implicit`.
    fn search_path(&self, implicit: bool) -> Vec<Str>;

    /// A setting by name, as `SHOW` prints it; none when there is no such setting.
    fn setting(&self, name: &str) -> Option<String>;

    /// Changes a setting; `local` ends with the transaction. Gives the new value.
    fn set_setting(&self, name: &str, value: &str, local: bool) -> SqlResult<String>;

    /// A random double in [0, 1).
    fn random(&self) -> f64;

    /// `setseed`, from -1 to 1.
    fn set_seed(&self, seed: f64);

    /// Random bytes for UUIDs and keys.
    fn random_bytes(&self, out: &mut [u8]);

    /// The backend's process id.
    fn backend_pid(&self) -> i32;

    /// The transaction's id; one is assigned unless `only_if_assigned`.
    fn transaction_id(&self, only_if_assigned: bool) -> SqlResult<Option<u64>>;

    /// Sequences.
    fn sequence(&self, call: SequenceCall) -> SqlResult<i64>;

    /// The catalog.
    fn catalog(&self, query: CatalogQuery<'_>) -> SqlResult<Datum>;

    /// Waits so many microseconds, or fails when the statement is cancelled.
    fn sleep(&self, micros: i64) -> SqlResult<()>;

    /// Compiled regular expressions of the session; without it each call compiles anew.
    fn patterns(&self) -> Option<&PatternCache> {
        None
    }

    /// Fails with 57014 when the statement was cancelled; long loops ask now and then.
    fn check_interrupts(&self) -> SqlResult<()> {
        Ok(())
    }
}

/// A context without catalog, clock or sequences: for folding constants and for tests.
pub struct BasicContext {
    /// Text forms.
    pub format: FormatSettings,
    seed: Cell<u64>,
    patterns: PatternCache,
}

impl Default for BasicContext {
    fn default() -> BasicContext {
        BasicContext::new(FormatSettings::default())
    }
}

impl BasicContext {
    /// A context with these text forms.
    pub fn new(format: FormatSettings) -> BasicContext {
        BasicContext {
            format,
            seed: Cell::new(0x9e37_79b9_7f4a_7c15),
            patterns: PatternCache::default(),
        }
    }

    fn next(&self) -> u64 {
        // xorshift64*, after Vigna.
        let mut x = self.seed.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.seed.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

impl EvalContext for BasicContext {
    fn format(&self) -> &FormatSettings {
        &self.format
    }

    fn current_user(&self) -> Str {
        Str::from("postgres")
    }

    fn current_database(&self) -> Str {
        Str::from("postgres")
    }

    fn search_path(&self, implicit: bool) -> Vec<Str> {
        let all = ["pg_catalog", "public"];
        all[usize::from(!implicit)..]
            .iter()
            .map(|s| Str::from(*s))
            .collect()
    }

    fn setting(&self, name: &str) -> Option<String> {
        match name {
            "TimeZone" | "timezone" => Some(self.format.time_zone.name().to_string()),
            "server_version" => Some(crate::SERVER_VERSION.to_string()),
            "server_version_num" => Some(crate::SERVER_VERSION_NUM.to_string()),
            _ => None,
        }
    }

    fn set_setting(&self, name: &str, _value: &str, _local: bool) -> SqlResult<String> {
        Err(SqlError::unsupported(alloc::format!(
            "changing \"{name}\" outside a session"
        )))
    }

    fn random(&self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn set_seed(&self, seed: f64) {
        self.seed.set(seed.to_bits() | 1);
    }

    fn random_bytes(&self, out: &mut [u8]) {
        out.iter_mut().for_each(|b| *b = (self.next() >> 32) as u8);
    }

    fn backend_pid(&self) -> i32 {
        1
    }

    fn patterns(&self) -> Option<&PatternCache> {
        Some(&self.patterns)
    }

    fn transaction_id(&self, _only_if_assigned: bool) -> SqlResult<Option<u64>> {
        Ok(None)
    }

    fn sequence(&self, _call: SequenceCall) -> SqlResult<i64> {
        Err(SqlError::unsupported("a sequence outside a session"))
    }

    fn catalog(&self, query: CatalogQuery<'_>) -> SqlResult<Datum> {
        match query {
            CatalogQuery::Function(name, _) => Err(SqlError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                alloc::format!("function {name} is not supported outside a session"),
            )),
            _ => Ok(Datum::Null),
        }
    }

    fn sleep(&self, _micros: i64) -> SqlResult<()> {
        Ok(())
    }
}
