//! What the tests of this folder share: a database with its catalogs, and
//! changes of the schema as a planner would make them.
#![forbid(unsafe_code)]

use pg_builtins::{BasicContext, CatalogQuery};
use pg_catalog_port::{CATALOG, DdlOutcome, DdlSession, Opened};
use pg_plan::{
    ConstraintKind, CreateTable, Ddl, Drop, DropKind, NewColumn, NewConstraint, QualifiedName,
    Relation, SequenceInfo,
};
use pg_txn_port::Transaction;
use pg_types::{Datum, Oid, SqlResult, Str, oid};
use port::Options;
use std::sync::Arc;

pub use rows::{alone, begin, begin_repeatable};

/// A running database with catalogs.
pub struct Db {
    pub rows: rows::Db,
    pub opened: Opened,
}

fn start(rows: rows::Db) -> Db {
    port::start(&pg_catalog::CELL, &Options::parse("")).expect("pg_catalog starts");
    let opened = pg_catalog_port::open().expect("the catalogs open");
    Db { rows, opened }
}

impl Db {
    /// On a new disk.
    #[allow(clippy::new_without_default)] // It does a lot.
    pub fn new() -> Self {
        start(rows::Db::new())
    }

    /// The power fails and comes back.
    pub fn power_cut(self, seed: u64) -> Self {
        start(self.rows.power_cut(seed).expect("the disk lives"))
    }
}

/// The default search path.
pub fn path() -> Vec<Str> {
    vec![Str::from("public")]
}

/// Carries out a change of the schema as the role `postgres`.
pub fn apply(tx: &mut Transaction, ddl: &Ddl) -> SqlResult<DdlOutcome> {
    let eval = BasicContext::default();
    let path = path();
    let session = DdlSession {
        path: &path,
        user: "postgres",
        eval: &eval,
    };
    tx.start_command().expect("a command");
    CATALOG
        .enter()
        .expect("the catalog")
        .apply(tx, &session, ddl)
}

/// The same in a transaction of its own.
pub fn run(ddl: &Ddl) -> SqlResult<DdlOutcome> {
    let mut tx = begin();
    let outcome = apply(&mut tx, ddl)?;
    tx.commit().expect("a commit");
    Ok(outcome)
}

/// A relation by name.
pub fn find(tx: &mut Transaction, name: &str) -> Option<Arc<Relation>> {
    let catalog = CATALOG.enter().expect("the catalog");
    catalog.relation(tx, &path(), None, name).expect("a lookup")
}

/// The same in a transaction of its own.
pub fn look_up(name: &str) -> Option<Arc<Relation>> {
    find(&mut begin(), name)
}

/// An answer of the catalog, with the default path.
pub fn ask(query: CatalogQuery<'_>) -> SqlResult<Datum> {
    let mut tx = begin();
    let catalog = CATALOG.enter().expect("the catalog");
    catalog.describe(&mut tx, &path(), query)
}

/// A function over the catalog.
pub fn call(name: &str, args: &[Datum]) -> Datum {
    ask(CatalogQuery::Function(name, args)).expect("an answer")
}

/// An unqualified name.
pub fn name(name: &str) -> QualifiedName {
    QualifiedName {
        schema: None,
        name: name.into(),
    }
}

/// A column that may be NULL.
pub fn column(name: &str, type_oid: Oid) -> NewColumn {
    NewColumn {
        name: name.into(),
        type_oid,
        typmod: -1,
        not_null: false,
        default: None,
        serial: false,
        identity: None,
        fill: None,
        fill_volatile: false,
    }
}

/// A `serial` column.
pub fn serial(name: &str) -> NewColumn {
    NewColumn {
        serial: true,
        not_null: true,
        ..column(name, oid::INT4)
    }
}

/// An unnamed constraint.
pub fn constraint(kind: ConstraintKind) -> NewConstraint {
    NewConstraint {
        name: None,
        kind,
        deferrable: false,
        deferred: false,
        not_valid: false,
        include: Vec::new(),
    }
}

/// PRIMARY KEY over columns.
pub fn primary_key(columns: &[&str]) -> NewConstraint {
    constraint(ConstraintKind::PrimaryKey {
        columns: columns.iter().map(|c| c.to_string()).collect(),
    })
}

/// REFERENCES the primary key of another table.
pub fn references(column: &str, table: &str) -> NewConstraint {
    constraint(ConstraintKind::ForeignKey {
        columns: vec![column.into()],
        references: name(table),
        referenced: Vec::new(),
        on_delete: 'a',
        on_update: 'a',
        match_kind: 's',
        set_columns: Vec::new(),
    })
}

/// CREATE TABLE.
pub fn create(table: &str, columns: Vec<NewColumn>, constraints: Vec<NewConstraint>) -> Ddl {
    Ddl::CreateTable(CreateTable {
        name: name(table),
        temporary: false,
        unlogged: false,
        if_not_exists: false,
        columns,
        constraints,
        options: Vec::new(),
    })
}

/// CREATE TABLE t (id int PRIMARY KEY, v text).
pub fn create_simple(table: &str) -> Ddl {
    let columns = vec![column("id", oid::INT4), column("v", oid::TEXT)];
    create(table, columns, vec![primary_key(&["id"])])
}

/// DROP of one object.
pub fn drop_one(kind: DropKind, object: &str, cascade: bool) -> Ddl {
    Ddl::Drop(Drop {
        kind,
        names: vec![name(object)],
        if_exists: false,
        cascade,
    })
}

/// A bigint sequence from 1.
pub fn sequence_info() -> SequenceInfo {
    SequenceInfo {
        type_oid: oid::INT8,
        start: 1,
        increment: 1,
        min: 1,
        max: i64::MAX,
        cache: 1,
        cycle: false,
    }
}

/// The numbers of all files that belong to users.
pub fn user_files() -> Vec<u32> {
    let files = pg_buffer_port::files().expect("files");
    let numbers = files.iter().map(|(file, _)| file.relation());
    let mut numbers: Vec<u32> = numbers.filter(|f| *f >= oid::FIRST_NORMAL).collect();
    numbers.dedup();
    numbers
}
