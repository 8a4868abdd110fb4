//! Changes of the schema, as plain data: what the catalog carries out.
//!
//! Names are resolved where the planner can (types, columns of existing
//! tables); SQL texts are kept for what the catalog stores as text (defaults,
//! checks, views), and typed expressions beside them where existing rows must
//! be computed or checked.

use crate::{Expr, Relation, SequenceInfo};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_types::Oid;

/// A name with or without its schema, as written (folded to lower case unless
/// quoted).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QualifiedName {
    /// The schema, if named.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

impl core::fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A change of the schema.
#[derive(Clone, Debug)]
pub enum Ddl {
    /// CREATE TABLE.
    CreateTable(CreateTable),
    /// CREATE INDEX.
    CreateIndex(CreateIndex),
    /// CREATE VIEW.
    CreateView(CreateView),
    /// CREATE SEQUENCE.
    CreateSequence(CreateSequence),
    /// CREATE SCHEMA.
    CreateSchema {
        /// Its name.
        name: String,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// AUTHORIZATION.
        owner: Option<String>,
    },
    /// DROP of one kind of object.
    Drop(Drop),
    /// ALTER TABLE (also of views, indexes and sequences where that is allowed).
    AlterTable(AlterTable),
    /// ALTER SEQUENCE.
    AlterSequence(AlterSequence),
    /// ALTER SCHEMA ... RENAME TO.
    RenameSchema {
        /// The old name.
        name: String,
        /// The new name.
        to: String,
    },
    /// ALTER ... OWNER TO, of a schema.
    SchemaOwner {
        /// The schema.
        name: String,
        /// The new owner.
        owner: String,
    },
    /// REINDEX.
    Reindex {
        /// The tables, with one of their indexes or, without, all of them.
        targets: Vec<(Arc<Relation>, Option<Oid>)>,
    },
    /// TRUNCATE.
    Truncate {
        /// The tables.
        tables: Vec<Arc<Relation>>,
        /// RESTART IDENTITY.
        restart_identity: bool,
        /// CASCADE.
        cascade: bool,
    },
    /// COMMENT ON.
    Comment {
        /// What is described.
        target: CommentTarget,
        /// The text; `None` removes it.
        text: Option<String>,
    },
}

/// CREATE TABLE.
#[derive(Clone, Debug)]
pub struct CreateTable {
    /// Its name.
    pub name: QualifiedName,
    /// TEMPORARY.
    pub temporary: bool,
    /// UNLOGGED.
    pub unlogged: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// The columns, those of LIKE included.
    pub columns: Vec<NewColumn>,
    /// The constraints, those written at columns included.
    pub constraints: Vec<NewConstraint>,
    /// WITH (...).
    pub options: Vec<(String, String)>,
}

/// A column to be created.
#[derive(Clone, Debug)]
pub struct NewColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_oid: Oid,
    /// Its type modifier, -1 for none.
    pub typmod: i32,
    /// NOT NULL (also of primary keys, serial and identity columns).
    pub not_null: bool,
    /// The default, as SQL text.
    pub default: Option<String>,
    /// `serial`: the catalog makes an owned sequence and the default.
    pub serial: bool,
    /// `GENERATED ... AS IDENTITY`: `a`lways or by `d`efault, over an owned sequence.
    pub identity: Option<(char, SequenceInfo)>,
    /// For ADD COLUMN: the default as a typed expression without columns, cast
    /// to the column's type; what existing rows get.
    pub fill: Option<Expr>,
    /// `fill` is volatile: computed for each row.
    pub fill_volatile: bool,
}

/// A constraint to be created.
#[derive(Clone, Debug)]
pub struct NewConstraint {
    /// Its name; `None`: the catalog chooses as PostgreSQL does.
    pub name: Option<String>,
    /// What it demands.
    pub kind: ConstraintKind,
    /// DEFERRABLE (recorded; checked at the end of the statement or transaction).
    pub deferrable: bool,
    /// INITIALLY DEFERRED.
    pub deferred: bool,
    /// NOT VALID: existing rows are not checked.
    pub not_valid: bool,
    /// INCLUDE of a key's index, by name.
    pub include: Vec<String>,
}

/// What a constraint demands.
#[derive(Clone, Debug)]
pub enum ConstraintKind {
    /// PRIMARY KEY.
    PrimaryKey {
        /// The columns' names.
        columns: Vec<String>,
    },
    /// UNIQUE.
    Unique {
        /// The columns' names.
        columns: Vec<String>,
        /// NULLS NOT DISTINCT.
        nulls_not_distinct: bool,
    },
    /// CHECK.
    Check {
        /// The condition, as SQL text.
        expression: String,
        /// The same, typed, over the table's columns in descriptor order.
        condition: Expr,
        /// Names of the columns it uses.
        columns: Vec<String>,
    },
    /// PRIMARY KEY or UNIQUE USING INDEX.
    UsingIndex {
        /// PRIMARY KEY.
        primary: bool,
        /// The index.
        index: String,
    },
    /// FOREIGN KEY.
    ForeignKey {
        /// The columns' names.
        columns: Vec<String>,
        /// The other table.
        references: QualifiedName,
        /// Its columns; empty: its primary key.
        referenced: Vec<String>,
        /// `a` no action, `r` restrict, `c` cascade, `n` set null, `d` set default.
        on_delete: char,
        /// The same for updates.
        on_update: char,
        /// MATCH: `s`imple, `f`ull.
        match_kind: char,
        /// ON DELETE SET NULL or SET DEFAULT of these columns alone, by name.
        set_columns: Vec<String>,
    },
}

/// CREATE INDEX.
#[derive(Clone, Debug)]
pub struct CreateIndex {
    /// Its name; `None`: the catalog chooses as PostgreSQL does.
    pub name: Option<String>,
    /// The table.
    pub table: Arc<Relation>,
    /// UNIQUE.
    pub unique: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// The key columns.
    pub keys: Vec<NewIndexKey>,
    /// Attribute numbers of INCLUDE columns.
    pub include: Vec<i16>,
    /// CONCURRENTLY.
    pub concurrently: bool,
    /// A partial index's condition, as SQL text and over the table's columns.
    pub predicate: Option<(String, Expr)>,
    /// WITH (...).
    pub options: Vec<(String, String)>,
}

/// A key column of an index to be created.
#[derive(Clone, Debug)]
pub struct NewIndexKey {
    /// The table's attribute number from one; zero for an expression.
    pub attribute: i16,
    /// An expression, as SQL text and over the table's columns in descriptor
    /// order.
    pub expression: Option<(String, Expr)>,
    /// The key's type.
    pub type_oid: Oid,
    /// The operator class, if named.
    pub class: Option<String>,
    /// Descending.
    pub descending: bool,
    /// NULLs come first.
    pub nulls_first: bool,
}

/// CREATE VIEW.
#[derive(Clone, Debug)]
pub struct CreateView {
    /// Its name.
    pub name: QualifiedName,
    /// OR REPLACE.
    pub or_replace: bool,
    /// TEMPORARY.
    pub temporary: bool,
    /// The columns: name, type, modifier.
    pub columns: Vec<(String, Oid, i32)>,
    /// The query as SQL text, its wildcards written out.
    pub query: String,
    /// The relations it reads, for dependencies.
    pub uses: Vec<Oid>,
}

/// CREATE SEQUENCE.
#[derive(Clone, Debug)]
pub struct CreateSequence {
    /// Its name.
    pub name: QualifiedName,
    /// TEMPORARY.
    pub temporary: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Its parameters.
    pub info: SequenceInfo,
    /// OWNED BY: the table and the attribute number.
    pub owned_by: Option<(Oid, i16)>,
}

/// ALTER SEQUENCE. What is `None` stays.
#[derive(Clone, Debug)]
pub struct AlterSequence {
    /// The sequence.
    pub sequence: Arc<Relation>,
    /// Its parameters from now on.
    pub info: SequenceInfo,
    /// RESTART: the next value.
    pub restart: Option<i64>,
    /// OWNED BY: `Some(None)` is NONE.
    pub owned_by: Option<Option<(Oid, i16)>>,
}

/// DROP.
#[derive(Clone, Debug)]
pub struct Drop {
    /// What kind of object.
    pub kind: DropKind,
    /// Which ones.
    pub names: Vec<QualifiedName>,
    /// IF EXISTS.
    pub if_exists: bool,
    /// CASCADE.
    pub cascade: bool,
}

/// What is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DropKind {
    /// A table.
    Table,
    /// An index.
    Index,
    /// A view.
    View,
    /// A sequence.
    Sequence,
    /// A schema.
    Schema,
}

/// ALTER TABLE.
#[derive(Clone, Debug)]
pub struct AlterTable {
    /// What is altered: a table, view or sequence; for an index, its table.
    pub relation: Arc<Relation>,
    /// The index, when one is altered.
    pub index: Option<Oid>,
    /// The changes, in order.
    pub changes: Vec<TableChange>,
}

/// A change of a table.
#[derive(Clone, Debug)]
pub enum TableChange {
    /// ADD COLUMN.
    AddColumn {
        /// The column.
        column: NewColumn,
        /// Its constraints.
        constraints: Vec<NewConstraint>,
        /// IF NOT EXISTS.
        if_not_exists: bool,
    },
    /// DROP COLUMN.
    DropColumn {
        /// Its attribute number.
        attribute: i16,
        /// CASCADE.
        cascade: bool,
    },
    /// RENAME COLUMN.
    RenameColumn {
        /// Its attribute number.
        attribute: i16,
        /// The new name.
        to: String,
    },
    /// ALTER COLUMN TYPE.
    ColumnType {
        /// Its attribute number.
        attribute: i16,
        /// The new type.
        type_oid: Oid,
        /// Its modifier.
        typmod: i32,
        /// The new value over the old row (descriptor order).
        using: Expr,
        /// No stored value changes: the rows need not be rewritten.
        binary_compatible: bool,
    },
    /// SET or DROP DEFAULT.
    ColumnDefault {
        /// Its attribute number.
        attribute: i16,
        /// The default as SQL text; `None` drops it.
        default: Option<String>,
    },
    /// SET NOT NULL, DROP NOT NULL.
    ColumnNotNull {
        /// Its attribute number.
        attribute: i16,
        /// SET.
        not_null: bool,
    },
    /// ADD GENERATED ... AS IDENTITY.
    AddIdentity {
        /// Its attribute number.
        attribute: i16,
        /// `a`lways or by `d`efault.
        always: char,
        /// The sequence.
        info: SequenceInfo,
    },
    /// DROP IDENTITY.
    DropIdentity {
        /// Its attribute number.
        attribute: i16,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// ADD CONSTRAINT.
    AddConstraint(NewConstraint),
    /// DROP CONSTRAINT.
    DropConstraint {
        /// Its name.
        name: String,
        /// IF EXISTS.
        if_exists: bool,
        /// CASCADE.
        cascade: bool,
    },
    /// RENAME CONSTRAINT.
    RenameConstraint {
        /// The old name.
        name: String,
        /// The new name.
        to: String,
    },
    /// VALIDATE CONSTRAINT.
    ValidateConstraint {
        /// Its name.
        name: String,
        /// The condition, if it is a CHECK.
        check: Option<Expr>,
    },
    /// ALTER CONSTRAINT.
    AlterConstraint {
        /// Its name.
        name: String,
        /// When it is checked from now on.
        deferral: crate::Deferral,
    },
    /// RENAME TO.
    Rename {
        /// The new name.
        to: String,
    },
    /// SET SCHEMA.
    SetSchema {
        /// The new schema.
        schema: String,
    },
    /// OWNER TO.
    Owner {
        /// The role.
        owner: String,
    },
    /// SET (...) and RESET (...): storage parameters; `None` resets.
    Options(Vec<(String, Option<String>)>),
}

/// What a comment describes.
#[derive(Clone, Debug)]
pub enum CommentTarget {
    /// A table, view, index or sequence.
    Relation(Arc<Relation>),
    /// An index of a table.
    Index(Oid),
    /// A column.
    Column {
        /// Its relation.
        relation: Arc<Relation>,
        /// Its attribute number.
        attribute: i16,
    },
    /// A schema.
    Schema(String),
    /// A database.
    Database(String),
    /// A constraint of a table.
    Constraint {
        /// Its table.
        relation: Arc<Relation>,
        /// Its name.
        name: String,
    },
}
