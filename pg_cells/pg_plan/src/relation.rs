//! Descriptors of relations, as the catalog's cache hands them out.

use crate::Counters;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_types::Oid;
use pg_types::tuple::TupleDesc;

/// What kind of relation it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelationKind {
    /// An ordinary table (`r`).
    Table,
    /// A view (`v`).
    View,
    /// A sequence (`S`).
    Sequence,
    /// A view whose rows a built-in produces (`pg_settings`, `pg_stat_activity` ...).
    Virtual,
}

/// A table, view or sequence.
#[derive(Clone, Debug)]
pub struct Relation {
    /// Its `pg_class` id.
    pub oid: Oid,
    /// The file that holds its rows (`pg_buffer_port::FileId` without the fork);
    /// another one after TRUNCATE. Zero when it has none.
    pub file: u32,
    /// Its name.
    pub name: String,
    /// Its schema's name.
    pub schema: String,
    /// Its schema's id.
    pub schema_oid: Oid,
    /// Its owner's id.
    pub owner: Oid,
    /// What it is.
    pub kind: RelationKind,
    /// The columns as stored, dropped ones included; attribute numbers are the
    /// places plus one.
    pub desc: Arc<TupleDesc>,
    /// More about the columns, in the same places as in `desc`.
    pub columns: Vec<Column>,
    /// Its indexes.
    pub indexes: Vec<Arc<Index>>,
    /// CHECK constraints.
    pub checks: Vec<CheckConstraint>,
    /// Foreign keys that this table has.
    pub foreign_keys: Vec<ForeignKey>,
    /// Tables with a foreign key that references this one, by id, each once; may
    /// hold this table itself.
    pub referenced_by: Vec<Oid>,
    /// A view's query, as SQL text.
    pub view: Option<String>,
    /// A sequence's parameters.
    pub sequence: Option<SequenceInfo>,
    /// Rows at the last ANALYZE or VACUUM, negative when unknown.
    pub reltuples: f64,
    /// Pages at that time.
    pub relpages: u32,
    /// How many of these everyone saw all rows of.
    pub relallvisible: u32,
    /// What was done with it.
    pub counters: Arc<Counters>,
}

/// What the catalog knows of a column beside its type.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// The default, as SQL text.
    pub default: Option<String>,
    /// The value that rows have which are older than the column.
    pub missing: Option<pg_types::Datum>,
    /// `GENERATED ... AS IDENTITY`: `a`lways or by `d`efault.
    pub identity: Option<char>,
    /// The sequence it owns (serial, identity).
    pub sequence: Option<Oid>,
}

/// An index.
#[derive(Clone, Debug)]
pub struct Index {
    /// Its `pg_class` id.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: u32,
    /// Its table.
    pub table: Oid,
    /// Duplicates are refused.
    pub unique: bool,
    /// NULLs count as equal.
    pub nulls_not_distinct: bool,
    /// It is the primary key.
    pub primary: bool,
    /// The constraint it stands for, by name.
    pub constraint: Option<String>,
    /// Its key columns, in order.
    pub keys: Vec<IndexColumn>,
    /// Attribute numbers of INCLUDE columns.
    pub included: Vec<i16>,
    /// A partial index's condition, as SQL text.
    pub predicate: Option<String>,
    /// It may be used by queries (false while being built).
    pub valid: bool,
    /// The `pg_constraint` id of that constraint, or 0.
    pub constraint_oid: Oid,
    /// Whether the constraint may be checked later than at once.
    pub deferral: Deferral,
    /// What was done with it.
    pub counters: Arc<Counters>,
}

/// When a constraint is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Deferral {
    /// DEFERRABLE: not before the end of the statement.
    pub deferrable: bool,
    /// INITIALLY DEFERRED: at the end of the transaction.
    pub deferred: bool,
}

/// One key column of an index.
#[derive(Clone, Debug)]
pub struct IndexColumn {
    /// The table's attribute number from one; zero for an expression.
    pub attribute: i16,
    /// An expression's SQL text.
    pub expression: Option<String>,
    /// The key's type.
    pub type_oid: Oid,
    /// Descending.
    pub descending: bool,
    /// NULLs come first.
    pub nulls_first: bool,
}

/// A CHECK constraint.
#[derive(Clone, Debug)]
pub struct CheckConstraint {
    /// Its `pg_constraint` id.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// The condition, as SQL text.
    pub expression: String,
}

/// A foreign key.
#[derive(Clone, Debug)]
pub struct ForeignKey {
    /// Its `pg_constraint` id.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// Attribute numbers of this table.
    pub columns: Vec<i16>,
    /// The referenced table.
    pub references: Oid,
    /// Attribute numbers there.
    pub referenced: Vec<i16>,
    /// `a` no action, `r` restrict, `c` cascade, `n` set null, `d` set default.
    pub on_delete: char,
    /// The same for updates.
    pub on_update: char,
    /// The columns of this table that ON DELETE SET NULL and SET DEFAULT change;
    /// empty: all of the key.
    pub set_columns: Vec<i16>,
    /// MATCH FULL: all columns are NULL, or none.
    pub match_full: bool,
    /// When it is checked.
    pub deferral: Deferral,
}

/// A sequence's parameters.
#[derive(Clone, Debug)]
pub struct SequenceInfo {
    /// int2, int4 or int8.
    pub type_oid: Oid,
    /// START.
    pub start: i64,
    /// INCREMENT, not zero.
    pub increment: i64,
    /// MINVALUE.
    pub min: i64,
    /// MAXVALUE.
    pub max: i64,
    /// CACHE.
    pub cache: i64,
    /// CYCLE.
    pub cycle: bool,
}
