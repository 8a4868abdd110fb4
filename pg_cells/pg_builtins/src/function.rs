//! What a built-in function is: its signature and its body.
//!
//! Functions are rows of tables (`TABLE` in each file under `func`), written
//! with the builders below and gathered by [`crate::table`].

use crate::aggregate::AggregateKind;
use crate::context::Call;
use alloc::boxed::Box;
use pg_types::{Datum, Oid, SqlResult};

/// The body of a scalar function. For a strict function no argument is NULL.
pub type ScalarFn = fn(&[Datum], &Call<'_>) -> SqlResult<Datum>;

/// The rows of a set-returning function. One with several columns gives records.
pub type SetIter = Box<dyn Iterator<Item = SqlResult<Datum>> + Send>;

/// The body of a set-returning function.
pub type SetFn = fn(&[Datum], &Call<'_>) -> SqlResult<SetIter>;

/// When a function may be computed ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatility {
    /// Depends on its arguments alone: folded at plan time.
    Immutable,
    /// Constant within a statement.
    Stable,
    /// Computed at each call.
    Volatile,
}

/// The window functions proper. Aggregates serve as window functions too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Named as in SQL.
pub enum WindowKind {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile,
    Lag,
    Lead,
    FirstValue,
    LastValue,
    NthValue,
}

/// What runs when the function is called.
#[derive(Clone, Copy)]
pub enum Body {
    /// One value a call.
    Scalar(ScalarFn),
    /// Rows.
    Set(SetFn),
    /// An aggregate; see [`crate::aggregate::AggState`].
    Aggregate(AggregateKind),
    /// A window function; the executor knows the frames.
    Window(WindowKind),
}

/// A built-in function: a row of `pg_proc` with its body.
#[derive(Clone, Copy)]
pub struct Function {
    /// `pg_proc.oid`; PostgreSQL's where the function is PostgreSQL's.
    pub oid: Oid,
    /// `proname`.
    pub name: &'static str,
    /// Declared argument types. The last one of a variadic function is the
    /// element type here, and stands for any number of arguments from one up.
    pub args: &'static [Oid],
    /// Takes a variable number of arguments of the last type (`"any"`: of any types).
    pub variadic: bool,
    /// Result type; the row type of a set.
    pub ret: Oid,
    /// Not called, and NULL, when an argument is NULL.
    pub strict: bool,
    /// When it may be computed ahead.
    pub volatility: Volatility,
    /// OUT columns of a function that gives records.
    pub columns: &'static [(&'static str, Oid)],
    /// What runs.
    pub body: Body,
}

impl Function {
    /// The body of a scalar function.
    pub fn scalar(&self) -> Option<ScalarFn> {
        match self.body {
            Body::Scalar(f) => Some(f),
            _ => None,
        }
    }

    /// True when it gives rows.
    pub fn returns_set(&self) -> bool {
        matches!(self.body, Body::Set(_))
    }

    /// True for aggregates.
    pub fn is_aggregate(&self) -> bool {
        matches!(self.body, Body::Aggregate(_))
    }

    /// True for pure window functions.
    pub fn is_window(&self) -> bool {
        matches!(self.body, Body::Window(_))
    }

    /// `prokind`: `f`, `a` or `w`.
    pub fn kind(&self) -> u8 {
        match self.body {
            Body::Scalar(_) | Body::Set(_) => b'f',
            Body::Aggregate(_) => b'a',
            Body::Window(_) => b'w',
        }
    }

    /// The same, stable.
    #[must_use]
    pub const fn stable(mut self) -> Function {
        self.volatility = Volatility::Stable;
        self
    }

    /// The same, volatile.
    #[must_use]
    pub const fn volatile(mut self) -> Function {
        self.volatility = Volatility::Volatile;
        self
    }

    /// The same, called on NULLs too.
    #[must_use]
    pub const fn lenient(mut self) -> Function {
        self.strict = false;
        self
    }

    /// The same, its last argument repeated.
    #[must_use]
    pub const fn variadic(mut self) -> Function {
        self.variadic = true;
        self
    }

    /// The same with OUT columns.
    #[must_use]
    pub const fn columns(mut self, columns: &'static [(&'static str, Oid)]) -> Function {
        self.columns = columns;
        self
    }
}

impl core::fmt::Debug for Function {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{}({:?}) -> {} [{}]",
            self.name, self.args, self.ret, self.oid
        )
    }
}

const fn row(oid: Oid, name: &'static str, args: &'static [Oid], ret: Oid, body: Body) -> Function {
    Function {
        oid,
        name,
        args,
        variadic: false,
        ret,
        strict: true,
        volatility: Volatility::Immutable,
        columns: &[],
        body,
    }
}

/// A strict, immutable scalar function.
pub(crate) const fn f(
    oid: Oid,
    name: &'static str,
    args: &'static [Oid],
    ret: Oid,
    body: ScalarFn,
) -> Function {
    row(oid, name, args, ret, Body::Scalar(body))
}

/// A strict, immutable set-returning function.
pub(crate) const fn set(
    oid: Oid,
    name: &'static str,
    args: &'static [Oid],
    ret: Oid,
    body: SetFn,
) -> Function {
    row(oid, name, args, ret, Body::Set(body))
}

/// An aggregate.
pub(crate) const fn agg(
    oid: Oid,
    name: &'static str,
    args: &'static [Oid],
    ret: Oid,
    kind: AggregateKind,
) -> Function {
    row(oid, name, args, ret, Body::Aggregate(kind)).lenient()
}

/// A window function.
pub(crate) const fn win(
    oid: Oid,
    name: &'static str,
    args: &'static [Oid],
    ret: Oid,
    kind: WindowKind,
) -> Function {
    row(oid, name, args, ret, Body::Window(kind)).lenient()
}
