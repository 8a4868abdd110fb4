//! Command tags: what CommandComplete says of a statement.

use crate::ddl::{Ddl, DropKind};
use crate::utility::{Discard, Planned, TransactionCommand, Utility};
use crate::{CopySource, Node, Plan};
use alloc::string::{String, ToString};

/// Which of the four verbs a plan is; the tag adds the number of rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// SELECT, VALUES, TABLE.
    Select,
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
}

impl Plan {
    /// The statement's verb, from its topmost operator.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match &*self.node {
            Node::Insert { .. } => Verb::Insert,
            Node::Update { .. } => Verb::Update,
            Node::Delete { .. } => Verb::Delete,
            Node::With { body, .. } => body.verb(),
            _ => Verb::Select,
        }
    }
}

impl Planned {
    /// The command tag; `rows` is what was returned, inserted, updated, deleted
    /// or copied.
    #[must_use]
    pub fn tag(&self, rows: u64) -> String {
        match self {
            Planned::Query(plan) => match plan.verb() {
                Verb::Select => alloc::format!("SELECT {rows}"),
                Verb::Insert => alloc::format!("INSERT 0 {rows}"),
                Verb::Update => alloc::format!("UPDATE {rows}"),
                Verb::Delete => alloc::format!("DELETE {rows}"),
            },
            Planned::Utility(utility) => utility.tag(rows),
        }
    }
}

impl Utility {
    /// The command tag; `rows` counts where the tag does.
    #[must_use]
    pub fn tag(&self, rows: u64) -> String {
        let fixed = match self {
            Utility::Ddl(ddl) => ddl.tag(),
            Utility::CreateTableAs {
                with_data: false, ..
            } => "CREATE TABLE AS",
            Utility::CreateTableAs { .. } => return alloc::format!("SELECT {rows}"),
            Utility::Copy(_) => return alloc::format!("COPY {rows}"),
            Utility::Fetch {
                move_only: false, ..
            } => return alloc::format!("FETCH {rows}"),
            Utility::Fetch { .. } => return alloc::format!("MOVE {rows}"),
            Utility::Transaction(command) => match command {
                TransactionCommand::Begin { start: true, .. } => "START TRANSACTION",
                TransactionCommand::Begin { .. } => "BEGIN",
                TransactionCommand::Commit { .. } => "COMMIT",
                TransactionCommand::Rollback { .. } | TransactionCommand::RollbackTo(_) => {
                    "ROLLBACK"
                }
                TransactionCommand::Savepoint(_) => "SAVEPOINT",
                TransactionCommand::Release(_) => "RELEASE",
            },
            Utility::SetTransaction { .. } | Utility::Set { .. } => "SET",
            Utility::Show { .. } => "SHOW",
            Utility::Reset { .. } => "RESET",
            Utility::Explain { .. } => "EXPLAIN",
            Utility::Prepare { .. } => "PREPARE",
            Utility::Execute { .. } => "EXECUTE",
            Utility::Deallocate { name: Some(_) } => "DEALLOCATE",
            Utility::Deallocate { name: None } => "DEALLOCATE ALL",
            Utility::Declare { .. } => "DECLARE CURSOR",
            Utility::Close { name: Some(_) } => "CLOSE CURSOR",
            Utility::Close { name: None } => "CLOSE CURSOR ALL",
            Utility::Vacuum { .. } => "VACUUM",
            Utility::Analyze { .. } => "ANALYZE",
            Utility::Checkpoint => "CHECKPOINT",
            Utility::Lock { .. } => "LOCK TABLE",
            Utility::Discard(Discard::All) => "DISCARD ALL",
            Utility::Discard(Discard::Plans) => "DISCARD PLANS",
            Utility::Discard(Discard::Sequences) => "DISCARD SEQUENCES",
            Utility::Discard(Discard::Temp) => "DISCARD TEMP",
            Utility::SetConstraints { .. } => "SET CONSTRAINTS",
        };
        fixed.to_string()
    }

    /// Whether COPY expects data from the client.
    #[must_use]
    pub fn wants_copy_data(&self) -> bool {
        matches!(self, Utility::Copy(copy) if matches!(copy.source, CopySource::From { .. }))
    }
}

impl Ddl {
    /// The command tag.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        match self {
            Ddl::CreateTable(_) => "CREATE TABLE",
            Ddl::CreateIndex(_) => "CREATE INDEX",
            Ddl::CreateView(_) => "CREATE VIEW",
            Ddl::CreateSequence(_) => "CREATE SEQUENCE",
            Ddl::CreateSchema { .. } => "CREATE SCHEMA",
            Ddl::Drop(drop) => match drop.kind {
                DropKind::Table => "DROP TABLE",
                DropKind::Index => "DROP INDEX",
                DropKind::View => "DROP VIEW",
                DropKind::Sequence => "DROP SEQUENCE",
                DropKind::Schema => "DROP SCHEMA",
            },
            Ddl::AlterTable(alter) if alter.index.is_some() => "ALTER INDEX",
            Ddl::AlterTable(alter) => match alter.relation.kind {
                crate::RelationKind::View => "ALTER VIEW",
                crate::RelationKind::Sequence => "ALTER SEQUENCE",
                _ => "ALTER TABLE",
            },
            Ddl::AlterSequence(_) => "ALTER SEQUENCE",
            Ddl::RenameSchema { .. } | Ddl::SchemaOwner { .. } => "ALTER SCHEMA",
            Ddl::Reindex { .. } => "REINDEX",
            Ddl::Truncate { .. } => "TRUNCATE TABLE",
            Ddl::Comment { .. } => "COMMENT",
        }
    }
}
