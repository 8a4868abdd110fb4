//! The operators of a plan.

use crate::{Expr, Index, Plan, Relation};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_types::{Datum, Oid};

/// A number for a common table expression, unique in its statement.
pub type CteId = usize;

/// An operator. Its input rows come from the plans inside.
#[derive(Clone, Debug)]
pub enum Node {
    /// One row of no columns, or none when `filter` is not true.
    Nothing {
        /// A condition without columns.
        filter: Option<Expr>,
    },
    /// Literal rows.
    Values(Vec<Vec<Expr>>),
    /// All visible rows of a table. Gives the columns in `columns` (places in
    /// the table's descriptor), then the row's id (`tid`) if `row_id`. The
    /// filter sees the columns in that order.
    SeqScan {
        /// The table.
        relation: Arc<Relation>,
        /// Which columns, in output order.
        columns: Vec<usize>,
        /// Whether the row's id follows them.
        row_id: bool,
        /// Only rows for which it is true.
        filter: Option<Expr>,
    },
    /// Rows of a table found through an index.
    IndexScan(IndexScan),
    /// Rows of a built-in view.
    VirtualScan {
        /// The view; its name selects the built-in.
        relation: Arc<Relation>,
        /// Only rows for which it is true.
        filter: Option<Expr>,
    },
    /// A set-returning function in FROM; its columns, then the ordinality.
    FunctionScan {
        /// The function.
        function: Oid,
        /// Its arguments; may use [`Expr::Outer`] when lateral.
        args: Vec<Expr>,
        /// WITH ORDINALITY.
        ordinality: bool,
        /// The result's element type, one per column.
        types: Vec<Oid>,
    },
    /// Set-returning functions in a select list: each input row gives as many
    /// rows as the longest of them.
    ProjectSet {
        /// The rows.
        input: Plan,
        /// The output columns; those in `sets` are calls of set-returning
        /// functions.
        exprs: Vec<Expr>,
        /// Places of the set-returning ones.
        sets: Vec<usize>,
    },
    /// Rows for which the condition is true.
    Filter {
        /// The rows.
        input: Plan,
        /// The condition.
        condition: Expr,
    },
    /// Computes output columns.
    Project {
        /// The rows.
        input: Plan,
        /// The columns.
        exprs: Vec<Expr>,
    },
    /// A join.
    Join(Join),
    /// Sorts.
    Sort {
        /// The rows.
        input: Plan,
        /// The keys, most significant first.
        keys: Vec<SortKey>,
        /// Only so many are wanted (LIMIT plus OFFSET known at plan time or
        /// not): keep no more in memory.
        bound: Option<Expr>,
    },
    /// LIMIT and OFFSET.
    Limit {
        /// The rows.
        input: Plan,
        /// At most so many; NULL is all.
        limit: Option<Expr>,
        /// After so many.
        offset: Option<Expr>,
        /// WITH TIES: the sort keys to compare.
        ties: Option<Vec<SortKey>>,
    },
    /// Groups and aggregates.
    Aggregate(Aggregate),
    /// Window functions: the input row followed by each call's value. The input
    /// is sorted by partition and order keys.
    Window {
        /// The rows.
        input: Plan,
        /// Calls that share partition and order.
        calls: Vec<WindowCall>,
        /// PARTITION BY.
        partition: Vec<Expr>,
        /// ORDER BY.
        order: Vec<SortKey>,
    },
    /// Drops duplicates; `keys` empty means over all columns. With keys
    /// (DISTINCT ON) the input is sorted by them and the first row stays.
    Distinct {
        /// The rows.
        input: Plan,
        /// DISTINCT ON.
        keys: Vec<Expr>,
    },
    /// UNION ALL of all inputs.
    Append(Vec<Plan>),
    /// UNION, INTERSECT, EXCEPT.
    SetOp {
        /// Which.
        kind: SetOpKind,
        /// ALL.
        all: bool,
        /// Left.
        left: Plan,
        /// Right.
        right: Plan,
    },
    /// Makes common table expressions available to `body`, in order; each is
    /// run at most once per statement and its rows are kept.
    With {
        /// The expressions.
        ctes: Vec<(CteId, Plan)>,
        /// The rest.
        body: Plan,
    },
    /// WITH RECURSIVE: the working table of `id` starts with `initial`, and
    /// `step` (which scans `id`) is run until it gives no rows.
    RecursiveUnion {
        /// Its number.
        id: CteId,
        /// The non-recursive term.
        initial: Plan,
        /// The recursive term.
        step: Plan,
        /// UNION ALL rather than UNION.
        all: bool,
    },
    /// Rows of a common table expression.
    CteScan {
        /// Its number.
        id: CteId,
    },
    /// Locks the rows whose ids are in column `row_id`, following updates as
    /// READ COMMITTED asks.
    LockRows {
        /// The rows.
        input: Plan,
        /// The tables: descriptor, the column with the row id.
        targets: Vec<(Arc<Relation>, usize)>,
        /// How strongly.
        strength: LockStrength,
        /// NOWAIT.
        nowait: bool,
        /// SKIP LOCKED.
        skip_locked: bool,
    },
    /// INSERT. The input rows have one column per entry of `columns`.
    Insert {
        /// The table.
        relation: Arc<Relation>,
        /// The rows.
        input: Plan,
        /// For each column of the table, in descriptor order, the value to
        /// store, over the input row (defaults written out).
        values: Vec<TargetColumn>,
        /// CHECK conditions over the stored row, with their names.
        checks: Vec<(String, Expr)>,
        /// Computed keys and conditions of the table's indexes, for those that
        /// have any.
        index_exprs: Vec<IndexExprs>,
        /// ON CONFLICT.
        on_conflict: Option<OnConflict>,
        /// The tables that ON CONFLICT DO UPDATE reaches through foreign keys.
        reached: Vec<TableExprs>,
        /// RETURNING, over the stored row.
        returning: Option<Vec<Expr>>,
    },
    /// UPDATE. Each input row is the old row's columns, its id, then whatever
    /// FROM adds.
    Update {
        /// The table.
        relation: Arc<Relation>,
        /// The rows.
        input: Plan,
        /// The column of the input that holds the row id.
        row_id: usize,
        /// The new row, one per column of the table, over the input row.
        values: Vec<TargetColumn>,
        /// Places of the columns that SET names.
        changed: Vec<usize>,
        /// Computed keys and conditions of the table's indexes, for those that
        /// have any.
        index_exprs: Vec<IndexExprs>,
        /// The condition on the input row, for a recheck after a concurrent
        /// update (READ COMMITTED).
        recheck: Option<Expr>,
        /// CHECK conditions over the stored row, with their names.
        checks: Vec<(String, Expr)>,
        /// The tables that it reaches through foreign keys.
        reached: Vec<TableExprs>,
        /// RETURNING, over the stored row followed by the input row.
        returning: Option<Vec<Expr>>,
    },
    /// DELETE.
    Delete {
        /// The table.
        relation: Arc<Relation>,
        /// The rows, shaped as for an update.
        input: Plan,
        /// The column of the input that holds the row id.
        row_id: usize,
        /// As for an update.
        recheck: Option<Expr>,
        /// The tables that it reaches through foreign keys.
        reached: Vec<TableExprs>,
        /// RETURNING, over the deleted row followed by the input row.
        returning: Option<Vec<Expr>>,
    },
}

/// What the executor needs to maintain an index whose keys are expressions or
/// whose entries depend on a condition. An index over plain columns has none.
#[derive(Clone, Debug)]
pub struct IndexExprs {
    /// The index's id.
    pub index: Oid,
    /// One per key column, over the table's row in descriptor order; `None`
    /// where the key is the column itself.
    pub keys: Vec<Option<Expr>>,
    /// A partial index's condition, over the same row.
    pub predicate: Option<Expr>,
}

/// What writing into a table takes that is reached through a foreign key with ON
/// ... CASCADE, SET NULL or SET DEFAULT.
#[derive(Clone, Debug)]
pub struct TableExprs {
    /// The table.
    pub table: Oid,
    /// CHECK conditions over the stored row, with their names.
    pub checks: Vec<(String, Expr)>,
    /// Computed keys and conditions of its indexes, for those that have any.
    pub index_exprs: Vec<IndexExprs>,
    /// The defaults of columns that SET DEFAULT changes, by place.
    pub defaults: Vec<(usize, Expr)>,
}

/// A column of a row to be stored.
#[derive(Clone, Debug)]
pub struct TargetColumn {
    /// Its value.
    pub value: Expr,
    /// NULL is refused (23502).
    pub not_null: bool,
}

/// ON CONFLICT.
#[derive(Clone, Debug)]
pub struct OnConflict {
    /// The unique index that arbitrates; `None`: any.
    pub arbiter: Option<Arc<Index>>,
    /// DO UPDATE: the new row over (existing row, row proposed); `None`: DO
    /// NOTHING.
    pub update: Option<Vec<TargetColumn>>,
    /// Places of the columns that SET names.
    pub changed: Vec<usize>,
    /// WHERE of DO UPDATE, over the same.
    pub condition: Option<Expr>,
}

/// A scan through an index: equality on a prefix of the key, then at most one
/// range.
#[derive(Clone, Debug)]
pub struct IndexScan {
    /// The table.
    pub relation: Arc<Relation>,
    /// The index.
    pub index: Arc<Index>,
    /// Values the first key columns are equal to; already of the key's type, no
    /// columns inside (constants, parameters, outer values).
    pub equal: Vec<Expr>,
    /// Several values for the next key column (`IN`, `= ANY`): one probe each.
    /// An expression that gives an array.
    pub any: Option<Expr>,
    /// Lower bound of the next key column.
    pub lower: Option<IndexBound>,
    /// Upper bound of it.
    pub upper: Option<IndexBound>,
    /// Which way.
    pub direction: ScanDirection,
    /// As in a sequential scan.
    pub columns: Vec<usize>,
    /// As in a sequential scan.
    pub row_id: bool,
    /// Conditions the bounds do not cover.
    pub filter: Option<Expr>,
    /// The index's keys hold all columns that are wanted, exactly as the table has
    /// them: rows need not be read where everyone sees them. Never with a row id.
    pub index_only: bool,
}

/// A bound of a range.
#[derive(Clone, Debug)]
pub struct IndexBound {
    /// The value; NULL gives no rows.
    pub value: Expr,
    /// With or without the value itself.
    pub kind: BoundKind,
}

/// With or without the bound itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BoundKind {
    /// `<=`, `>=`.
    Inclusive,
    /// `<`, `>`.
    Exclusive,
}

/// Which way a scan goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScanDirection {
    /// In key order.
    Forward,
    /// Against it.
    Backward,
}

/// A join.
#[derive(Clone, Debug)]
pub struct Join {
    /// Which rows.
    pub kind: JoinKind,
    /// The outer side.
    pub left: Plan,
    /// The inner side.
    pub right: Plan,
    /// Equalities for a hash join: left key over the left row, right key over
    /// the right row. Empty: a nested loop.
    pub hash_keys: Vec<(Expr, Expr)>,
    /// The rest of the condition, over both rows.
    pub condition: Option<Expr>,
    /// For a nested loop whose inner side depends on the outer row (lateral, or
    /// an inner index scan): the values over the left row which the inner side
    /// sees as [`Expr::Outer`]. They are a frame of their own, which hides the
    /// enclosing one; a join without values makes no frame.
    pub outer: Vec<Expr>,
}

/// Which rows a join gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinKind {
    /// Pairs.
    Inner,
    /// Pairs, and left rows without one.
    Left,
    /// Pairs, and right rows without one.
    Right,
    /// Pairs, and rows of both sides without one.
    Full,
    /// Left rows with a partner; left columns only.
    Semi,
    /// Left rows without a partner; left columns only.
    Anti,
}

/// A sort key.
#[derive(Clone, Debug)]
pub struct SortKey {
    /// The value.
    pub expr: Expr,
    /// Descending.
    pub descending: bool,
    /// NULLs first.
    pub nulls_first: bool,
}

/// Groups and aggregates: gives the keys, then the aggregates' values, then the
/// mask of the row's grouping set (int4) if there are several: of `n` keys bit
/// `n - 1 - i` is set when key `i` is not in the set.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// The rows.
    pub input: Plan,
    /// The group keys over the input row. Without keys there is one group, even
    /// over no rows.
    pub keys: Vec<Expr>,
    /// Grouping sets, as places in `keys`; empty: one set of all keys.
    pub sets: Vec<Vec<usize>>,
    /// The calls.
    pub calls: Vec<AggregateCall>,
    /// The input comes sorted by the keys: no hash table is needed.
    pub sorted: bool,
}

/// A call of an aggregate.
#[derive(Clone, Debug)]
pub struct AggregateCall {
    /// Its `pg_proc` id.
    pub function: Oid,
    /// Its arguments over the input row; empty for `count(*)`.
    pub args: Vec<Expr>,
    /// DISTINCT.
    pub distinct: bool,
    /// ORDER BY inside the call.
    pub order: Vec<SortKey>,
    /// FILTER.
    pub filter: Option<Expr>,
    /// The result's type.
    pub type_oid: Oid,
}

/// A call of a window function.
#[derive(Clone, Debug)]
pub struct WindowCall {
    /// The function or aggregate.
    pub function: Oid,
    /// Its arguments over the input row.
    pub args: Vec<Expr>,
    /// FILTER.
    pub filter: Option<Expr>,
    /// The frame.
    pub frame: WindowFrame,
    /// The result's type.
    pub type_oid: Oid,
}

/// A window frame.
#[derive(Clone, Debug)]
pub struct WindowFrame {
    /// ROWS rather than RANGE or GROUPS.
    pub rows: bool,
    /// GROUPS.
    pub groups: bool,
    /// Where it starts.
    pub start: FrameBound,
    /// Where it ends.
    pub end: FrameBound,
}

/// An end of a window frame.
#[derive(Clone, Debug)]
pub enum FrameBound {
    /// UNBOUNDED PRECEDING.
    UnboundedPreceding,
    /// `n` PRECEDING.
    Preceding(Expr),
    /// CURRENT ROW.
    CurrentRow,
    /// `n` FOLLOWING.
    Following(Expr),
    /// UNBOUNDED FOLLOWING.
    UnboundedFollowing,
}

/// A set operation that compares rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetOpKind {
    /// UNION (ALL is [`Node::Append`]).
    Union,
    /// INTERSECT.
    Intersect,
    /// EXCEPT.
    Except,
}

/// How strongly rows are locked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LockStrength {
    /// FOR KEY SHARE.
    KeyShare,
    /// FOR SHARE.
    Share,
    /// FOR NO KEY UPDATE.
    NoKeyUpdate,
    /// FOR UPDATE.
    Update,
}

/// Literal rows of datums, for tests and small results.
pub type Rows = Vec<Vec<Datum>>;
