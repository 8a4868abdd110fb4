//! Statements that are no query: session, transaction and maintenance commands.
//!
//! The wire cell carries out what concerns the session, the catalog what is in
//! [`Ddl`], the executor what reads or writes rows.

use crate::ddl::{CreateTable, Ddl, QualifiedName};
use crate::{Plan, Relation};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_types::Oid;

/// A planned statement.
#[derive(Clone, Debug)]
pub enum Planned {
    /// Something with a plan: SELECT, INSERT, UPDATE, DELETE, VALUES.
    Query(Plan),
    /// Everything else.
    Utility(Utility),
}

/// A statement that is no query.
#[derive(Clone, Debug)]
pub enum Utility {
    /// A change of the schema, with its command tag.
    Ddl(Ddl),
    /// CREATE TABLE AS, SELECT INTO.
    CreateTableAs {
        /// The table.
        table: CreateTable,
        /// Its rows.
        plan: Plan,
        /// WITH DATA.
        with_data: bool,
    },
    /// BEGIN, COMMIT and their like.
    Transaction(TransactionCommand),
    /// SET TRANSACTION, SET SESSION CHARACTERISTICS.
    SetTransaction {
        /// For the session's coming transactions rather than the current one.
        session: bool,
        /// The modes.
        modes: TransactionModes,
    },
    /// SET.
    Set {
        /// The parameter.
        name: String,
        /// The value; `None` is DEFAULT.
        value: Option<String>,
        /// LOCAL.
        local: bool,
    },
    /// SHOW; without a name ALL.
    Show {
        /// The parameter.
        name: Option<String>,
    },
    /// RESET; without a name ALL.
    Reset {
        /// The parameter.
        name: Option<String>,
    },
    /// COPY.
    Copy(Box<Copy>),
    /// EXPLAIN.
    Explain {
        /// What is explained.
        statement: Box<Planned>,
        /// How.
        options: ExplainOptions,
    },
    /// PREPARE.
    Prepare {
        /// Its name.
        name: String,
        /// The parameter types that were written.
        types: Vec<Oid>,
        /// The statement's text.
        sql: String,
    },
    /// EXECUTE.
    Execute {
        /// Its name.
        name: String,
        /// The arguments, as SQL texts.
        args: Vec<String>,
    },
    /// DEALLOCATE; without a name ALL.
    Deallocate {
        /// Its name.
        name: Option<String>,
    },
    /// DECLARE CURSOR.
    Declare {
        /// The cursor.
        name: String,
        /// Its rows.
        plan: Plan,
        /// WITH HOLD.
        hold: bool,
        /// SCROLL: `None` when not said.
        scroll: Option<bool>,
        /// BINARY.
        binary: bool,
    },
    /// FETCH and MOVE.
    Fetch {
        /// The cursor.
        name: String,
        /// Which rows.
        direction: FetchDirection,
        /// MOVE: no rows are sent.
        move_only: bool,
    },
    /// CLOSE; without a name ALL.
    Close {
        /// The cursor.
        name: Option<String>,
    },
    /// VACUUM.
    Vacuum {
        /// The tables with the columns named for ANALYZE; empty: all.
        tables: Vec<(Arc<Relation>, Vec<String>)>,
        /// ANALYZE as well.
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
        /// The tables with the columns named; empty: all.
        tables: Vec<(Arc<Relation>, Vec<String>)>,
        /// VERBOSE.
        verbose: bool,
    },
    /// CHECKPOINT.
    Checkpoint,
    /// LOCK TABLE.
    Lock {
        /// The tables.
        tables: Vec<Arc<Relation>>,
        /// How.
        mode: TableLock,
        /// NOWAIT.
        nowait: bool,
    },
    /// DISCARD.
    Discard(Discard),
    /// SET CONSTRAINTS.
    SetConstraints {
        /// Which; none: all.
        names: Option<Vec<QualifiedName>>,
        /// DEFERRED rather than IMMEDIATE.
        deferred: bool,
    },
}

/// BEGIN, COMMIT and their like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TransactionCommand {
    /// BEGIN, START TRANSACTION (`start`: the tag differs).
    Begin {
        /// START TRANSACTION.
        start: bool,
        /// The modes.
        modes: TransactionModes,
    },
    /// COMMIT, END.
    Commit {
        /// AND CHAIN.
        chain: bool,
    },
    /// ROLLBACK, ABORT.
    Rollback {
        /// AND CHAIN.
        chain: bool,
    },
    /// SAVEPOINT.
    Savepoint(String),
    /// RELEASE SAVEPOINT.
    Release(String),
    /// ROLLBACK TO SAVEPOINT.
    RollbackTo(String),
}

/// The modes of a transaction; `None` where nothing was said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TransactionModes {
    /// ISOLATION LEVEL.
    pub isolation: Option<IsolationLevel>,
    /// READ ONLY or READ WRITE.
    pub read_only: Option<bool>,
    /// DEFERRABLE.
    pub deferrable: Option<bool>,
}

/// An isolation level as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IsolationLevel {
    /// READ UNCOMMITTED.
    ReadUncommitted,
    /// READ COMMITTED.
    ReadCommitted,
    /// REPEATABLE READ.
    RepeatableRead,
    /// SERIALIZABLE.
    Serializable,
}

/// COPY.
#[derive(Clone, Debug)]
pub struct Copy {
    /// What is copied and in which direction.
    pub source: CopySource,
    /// The format.
    pub options: CopyOptions,
}

/// What COPY copies.
#[derive(Clone, Debug)]
pub enum CopySource {
    /// COPY table FROM STDIN: the plan is an INSERT whose input is
    /// `Node::Values` of no rows; rows from the client replace it. `columns`
    /// are the places of the columns the client sends.
    From {
        /// The table.
        relation: Arc<Relation>,
        /// Places of the columns sent, in order.
        columns: Vec<usize>,
        /// The insert: its input has one column per entry of `columns`.
        insert: Plan,
    },
    /// COPY table or (query) TO STDOUT.
    To(Plan),
}

/// COPY's options.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyOptions {
    /// FORMAT.
    pub format: CopyFormat,
    /// DELIMITER; `None`: the format's own.
    pub delimiter: Option<char>,
    /// NULL; `None`: the format's own.
    pub null: Option<String>,
    /// HEADER.
    pub header: CopyHeader,
    /// QUOTE.
    pub quote: Option<char>,
    /// ESCAPE.
    pub escape: Option<char>,
    /// FORCE_QUOTE columns; `*` alone is all.
    pub force_quote: Vec<String>,
    /// FORCE_NOT_NULL columns.
    pub force_not_null: Vec<String>,
    /// FORCE_NULL columns.
    pub force_null: Vec<String>,
    /// FREEZE.
    pub freeze: bool,
    /// ENCODING.
    pub encoding: Option<String>,
}

impl Default for CopyOptions {
    fn default() -> Self {
        CopyOptions {
            format: CopyFormat::Text,
            delimiter: None,
            null: None,
            header: CopyHeader::No,
            quote: None,
            escape: None,
            force_quote: Vec::new(),
            force_not_null: Vec::new(),
            force_null: Vec::new(),
            freeze: false,
            encoding: None,
        }
    }
}

/// COPY's formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyFormat {
    /// Tab-separated.
    Text,
    /// Comma-separated.
    Csv,
    /// Binary.
    Binary,
}

/// COPY's HEADER.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyHeader {
    /// None.
    No,
    /// Written, or skipped.
    Yes,
    /// Must match the column names.
    Match,
}

/// EXPLAIN's options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExplainOptions {
    /// ANALYZE.
    pub analyze: bool,
    /// VERBOSE.
    pub verbose: bool,
    /// COSTS.
    pub costs: bool,
    /// BUFFERS.
    pub buffers: bool,
    /// TIMING.
    pub timing: bool,
    /// SUMMARY; `None`: as ANALYZE.
    pub summary: Option<bool>,
    /// FORMAT.
    pub format: ExplainFormat,
}

impl Default for ExplainOptions {
    fn default() -> Self {
        ExplainOptions {
            analyze: false,
            verbose: false,
            costs: true,
            buffers: false,
            timing: true,
            summary: None,
            format: ExplainFormat::Text,
        }
    }
}

/// EXPLAIN's formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExplainFormat {
    /// Lines for people.
    Text,
    /// JSON.
    Json,
}

/// Which rows FETCH wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FetchDirection {
    /// The next `n` rows; `i64::MAX` is ALL; zero the current row again;
    /// negative: backward.
    Forward(i64),
    /// Backward by `n`; `i64::MAX` is ALL.
    Backward(i64),
    /// The row at a position; negative: from the end.
    Absolute(i64),
    /// The row at a distance.
    Relative(i64),
}

/// A table lock's mode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TableLock {
    /// ACCESS SHARE.
    AccessShare,
    /// ROW SHARE.
    RowShare,
    /// ROW EXCLUSIVE.
    RowExclusive,
    /// SHARE UPDATE EXCLUSIVE.
    ShareUpdateExclusive,
    /// SHARE.
    Share,
    /// SHARE ROW EXCLUSIVE.
    ShareRowExclusive,
    /// EXCLUSIVE.
    Exclusive,
    /// ACCESS EXCLUSIVE.
    AccessExclusive,
}

/// What DISCARD forgets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discard {
    /// Everything of the session.
    All,
    /// Cached plans.
    Plans,
    /// Sequences' cached values.
    Sequences,
    /// Temporary tables.
    Temp,
}

/// The tables a maintenance or lock statement names, before they are looked up.
pub type TableNames = Vec<(QualifiedName, Vec<String>)>;
