//! What parsing gives.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use pg_plan::{
    CopyOptions, Deferral, ExplainOptions, QualifiedName, TableLock, TableNames, Utility,
};
use sqlparser::ast;

/// A statement and where it stands in the text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statement.
    pub statement: Statement,
    /// Byte offset of its first token.
    pub start: usize,
    /// Byte offset behind its last token (the semicolon excluded).
    pub end: usize,
}

/// A statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// Queries, data changes, CREATE TABLE, CREATE VIEW, CREATE INDEX, ALTER
    /// TABLE: sqlparser's tree.
    Sql(Box<ast::Statement>),
    /// PostgreSQL's own commands.
    Command(Box<Command>),
    /// Known but not offered: planning it answers 0A000 with this name.
    Unsupported(String),
}

/// A command whose names are not looked up yet.
#[derive(Clone, Debug)]
pub enum Command {
    /// Nothing to look up.
    Ready(Utility),
    /// EXPLAIN.
    Explain {
        /// How.
        options: ExplainOptions,
        /// What.
        statement: Statement,
    },
    /// PREPARE.
    Prepare {
        /// Its name.
        name: String,
        /// The types written.
        types: Vec<ast::DataType>,
        /// The text of the statement.
        sql: String,
    },
    /// DECLARE CURSOR.
    Declare {
        /// The cursor.
        name: String,
        /// Its query.
        query: Statement,
        /// WITH HOLD.
        hold: bool,
        /// SCROLL, NO SCROLL.
        scroll: Option<bool>,
        /// BINARY.
        binary: bool,
    },
    /// COPY.
    Copy(Box<CopyCommand>),
    /// VACUUM.
    Vacuum {
        /// Tables and columns; empty: all.
        tables: TableNames,
        /// ANALYZE.
        analyze: bool,
        /// FULL.
        full: bool,
        /// FREEZE.
        freeze: bool,
        /// VERBOSE.
        verbose: bool,
    },
    /// ANALYZE.
    Analyze {
        /// Tables and columns; empty: all.
        tables: TableNames,
        /// VERBOSE.
        verbose: bool,
    },
    /// LOCK TABLE.
    Lock {
        /// The tables.
        tables: Vec<QualifiedName>,
        /// The mode.
        mode: TableLock,
        /// NOWAIT.
        nowait: bool,
    },
    /// TRUNCATE.
    Truncate {
        /// The tables.
        tables: Vec<QualifiedName>,
        /// RESTART IDENTITY.
        restart_identity: bool,
        /// CASCADE.
        cascade: bool,
    },
    /// REINDEX.
    Reindex {
        /// What is rebuilt.
        kind: ReindexKind,
        /// Its name.
        name: QualifiedName,
        /// CONCURRENTLY.
        concurrently: bool,
    },
    /// CREATE SEQUENCE.
    CreateSequence {
        /// Its name.
        name: QualifiedName,
        /// TEMPORARY.
        temporary: bool,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// Its options.
        spec: SequenceSpec,
    },
    /// ALTER SEQUENCE with options.
    AlterSequence {
        /// Its name.
        name: QualifiedName,
        /// IF EXISTS.
        if_exists: bool,
        /// The options.
        spec: SequenceSpec,
    },
    /// ALTER of an object: rename, owner, schema, parameters.
    Alter {
        /// Which object.
        object: AlterObject,
        /// IF EXISTS.
        if_exists: bool,
        /// What changes.
        action: AlterAction,
    },
    /// COMMENT ON.
    Comment {
        /// What is described.
        kind: CommentKind,
        /// Its name, outermost part first.
        name: Vec<String>,
        /// For a constraint, its table.
        on: Option<QualifiedName>,
        /// The text; `None` removes it.
        text: Option<String>,
    },
}

/// What REINDEX rebuilds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReindexKind {
    /// An index.
    Index,
    /// The indexes of a table.
    Table,
    /// Those of all tables of a schema.
    Schema,
    /// Those of all tables.
    Database,
}

/// COPY.
#[derive(Clone, Debug)]
pub struct CopyCommand {
    /// The table and the columns named.
    pub table: Option<(QualifiedName, Vec<String>)>,
    /// Or the query.
    pub query: Option<Statement>,
    /// FROM rather than TO.
    pub from: bool,
    /// WHERE of COPY FROM.
    pub condition: Option<ast::Expr>,
    /// The format.
    pub options: CopyOptions,
}

/// Options of CREATE and ALTER SEQUENCE; `None` where nothing was said.
#[derive(Clone, Debug, Default)]
pub struct SequenceSpec {
    /// AS.
    pub data_type: Option<ast::DataType>,
    /// INCREMENT.
    pub increment: Option<i64>,
    /// MINVALUE; `Some(None)` is NO MINVALUE.
    pub min: Option<Option<i64>>,
    /// MAXVALUE; `Some(None)` is NO MAXVALUE.
    pub max: Option<Option<i64>>,
    /// START.
    pub start: Option<i64>,
    /// RESTART; `Some(None)` is without a value.
    pub restart: Option<Option<i64>>,
    /// CACHE.
    pub cache: Option<i64>,
    /// CYCLE, NO CYCLE.
    pub cycle: Option<bool>,
    /// OWNED BY: the column's name, outermost part first; empty is NONE.
    pub owned_by: Option<Vec<String>>,
}

/// An object that ALTER names.
#[derive(Clone, Debug)]
pub struct AlterObject {
    /// What kind.
    pub kind: ObjectKind,
    /// Its name.
    pub name: QualifiedName,
}

/// Kinds of objects ALTER takes here (tables with their many changes are
/// sqlparser's).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjectKind {
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

/// A change of an object.
#[derive(Clone, Debug)]
pub enum AlterAction {
    /// RENAME TO.
    Rename(String),
    /// RENAME COLUMN.
    RenameColumn(String, String),
    /// OWNER TO.
    Owner(String),
    /// SET SCHEMA.
    Schema(String),
    /// SET (...), RESET (...).
    Options(Vec<(String, Option<String>)>),
    /// ALTER CONSTRAINT.
    Constraint(String, Deferral),
}

/// What a comment describes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommentKind {
    /// A table, view, index or sequence.
    Relation,
    /// A column.
    Column,
    /// A schema.
    Schema,
    /// A database.
    Database,
    /// A constraint.
    Constraint,
}
