//! Typed scalar expressions. Every name is resolved: functions and operators
//! are both a function id of `pg_builtins`, every implicit cast is written out.

use crate::Plan;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use pg_types::{Datum, Oid};

/// An expression.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A constant of a type.
    Const {
        /// Its value.
        value: Datum,
        /// Its type.
        type_oid: Oid,
    },
    /// A column of the input row.
    Column {
        /// Its place in the row, from zero.
        index: usize,
        /// Its type.
        type_oid: Oid,
    },
    /// A statement's parameter `$n`.
    Param {
        /// `n`, from one.
        number: usize,
        /// Its type.
        type_oid: Oid,
    },
    /// A value handed into a correlated subplan or to the inner side of a
    /// lateral join: the executor keeps a frame of them per nesting level.
    Outer {
        /// Which of the values the enclosing [`SubLink`] or lateral join
        /// passes, from zero.
        index: usize,
        /// Its type.
        type_oid: Oid,
    },
    /// A call of a function, operator or cast function.
    Call {
        /// Its `pg_proc` id, known to `pg_builtins`.
        function: Oid,
        /// Its arguments, already of the function's types.
        args: Vec<Expr>,
        /// The result's type.
        type_oid: Oid,
    },
    /// A cast through the text forms of both types.
    CastViaText {
        /// What is cast.
        input: Box<Expr>,
        /// The type of `input`.
        from: Oid,
        /// The target.
        type_oid: Oid,
        /// Its type modifier, -1 for none.
        typmod: i32,
    },
    /// Applies a type modifier (length of varchar, scale of numeric).
    ApplyTypmod {
        /// What is adjusted.
        input: Box<Expr>,
        /// Its type.
        type_oid: Oid,
        /// The modifier.
        typmod: i32,
        /// Explicit casts truncate silently; assignments complain.
        explicit: bool,
    },
    /// The same bits under another type (text as varchar, oid as regclass).
    Relabel {
        /// What is relabelled.
        input: Box<Expr>,
        /// The new type.
        type_oid: Oid,
    },
    /// Three-valued AND over all.
    And(Vec<Expr>),
    /// Three-valued OR over all.
    Or(Vec<Expr>),
    /// Three-valued NOT.
    Not(Box<Expr>),
    /// `IS NULL`; with a row value, of all its fields.
    IsNull {
        /// What is tested.
        input: Box<Expr>,
        /// `IS NOT NULL`.
        negated: bool,
    },
    /// `IS TRUE`, `IS FALSE`, `IS UNKNOWN` (value `None`) and their negations.
    IsBool {
        /// What is tested.
        input: Box<Expr>,
        /// The value asked for.
        value: Option<bool>,
        /// `IS NOT ...`.
        negated: bool,
    },
    /// `IS DISTINCT FROM`, by an equality function.
    IsDistinct {
        /// One side.
        left: Box<Expr>,
        /// The other.
        right: Box<Expr>,
        /// The equality function.
        equal: Oid,
        /// `IS NOT DISTINCT FROM`.
        negated: bool,
    },
    /// `CASE`. A simple CASE is written out as searched, its operand in
    /// `operand` and referenced by [`Expr::CaseOperand`].
    Case {
        /// The operand of a simple CASE, evaluated once.
        operand: Option<Box<Expr>>,
        /// The arms in order.
        arms: Vec<CaseArm>,
        /// ELSE; NULL when absent.
        otherwise: Option<Box<Expr>>,
        /// The result's type.
        type_oid: Oid,
    },
    /// The operand of the innermost simple CASE.
    CaseOperand {
        /// Its type.
        type_oid: Oid,
    },
    /// The first argument that is not null.
    Coalesce {
        /// The arguments, of one type.
        args: Vec<Expr>,
        /// That type.
        type_oid: Oid,
    },
    /// `NULLIF(left, right)`.
    NullIf {
        /// The value.
        left: Box<Expr>,
        /// What makes it NULL.
        right: Box<Expr>,
        /// The equality function.
        equal: Oid,
        /// The result's type, that of `left`.
        type_oid: Oid,
    },
    /// `GREATEST` or `LEAST`.
    MinMax {
        /// The arguments, of one type.
        args: Vec<Expr>,
        /// GREATEST.
        greatest: bool,
        /// That type.
        type_oid: Oid,
    },
    /// `left op ANY|ALL (array)`, also `IN (list)` when all members are
    /// constants of one type.
    Quantified {
        /// The left side.
        left: Box<Expr>,
        /// An array.
        array: Box<Expr>,
        /// The comparison's function, returning boolean.
        function: Oid,
        /// ANY or ALL.
        quantifier: Quantifier,
    },
    /// `ARRAY[...]`.
    Array {
        /// The members; arrays themselves when it has more dimensions.
        elements: Vec<Expr>,
        /// The element type.
        element: Oid,
        /// The array type.
        type_oid: Oid,
    },
    /// `array[subscripts]`.
    Subscript {
        /// The array.
        array: Box<Expr>,
        /// One-based subscripts.
        subscripts: Vec<Expr>,
        /// The element type.
        type_oid: Oid,
    },
    /// `ROW(...)`.
    Row(Vec<Expr>),
    /// A field of a record.
    Field {
        /// The record.
        record: Box<Expr>,
        /// From zero.
        index: usize,
        /// Its type.
        type_oid: Oid,
    },
    /// A subquery in an expression.
    SubLink(Box<SubLink>),
    /// `nextval` of a sequence known by id (column defaults of serial columns
    /// are ordinary calls; this is what identity columns use).
    NextValue {
        /// The sequence.
        sequence: Oid,
        /// The result's type.
        type_oid: Oid,
    },
    /// A value of the session: `current_user` and its like, resolved at run
    /// time by name.
    Session {
        /// `current_user`, `current_date`, `localtimestamp` ...
        name: String,
        /// The result's type.
        type_oid: Oid,
    },
}

/// One WHEN.
#[derive(Clone, Debug)]
pub struct CaseArm {
    /// A boolean.
    pub when: Expr,
    /// The value.
    pub then: Expr,
}

/// ANY or ALL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quantifier {
    /// True when one comparison is.
    Any,
    /// True when all are.
    All,
}

/// A subquery in an expression.
#[derive(Clone, Debug)]
pub struct SubLink {
    /// What is asked of it.
    pub kind: SubLinkKind,
    /// The subquery.
    pub plan: Plan,
    /// Values of the enclosing row that it uses, as [`Expr::Outer`] of its
    /// frame. Empty: it is uncorrelated and run once per statement.
    pub outer: Vec<Expr>,
    /// The result's type.
    pub type_oid: Oid,
}

/// What is asked of a subquery.
#[derive(Clone, Debug)]
pub enum SubLinkKind {
    /// Its only row's only column; NULL without a row; 21000 with several.
    Scalar,
    /// Whether it has a row.
    Exists,
    /// `left op ANY|ALL (subquery)`; `IN` is `= ANY`, `NOT IN` is `<> ALL`. More than one column
    /// compares row-wise with all functions being equality.
    Quantified {
        /// The left side, one expression a column.
        left: Vec<Expr>,
        /// The comparisons' functions, one a column.
        functions: Vec<Oid>,
        /// ANY or ALL.
        quantifier: Quantifier,
    },
    /// `ARRAY(subquery)`.
    Array,
}
