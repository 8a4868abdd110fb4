//! DROP and what is in its way, in PostgreSQL's words.

use catalog_tests::*;
use pg_catalog_port::DdlOutcome;
use pg_plan::{AlterTable, CreateView, Ddl, Drop, DropKind, TableChange};
use pg_types::{SqlError, SqlState, oid};

fn view_over(view: &str, table: &str) -> Ddl {
    let uses = vec![look_up(table).expect("the table").oid];
    Ddl::CreateView(CreateView {
        name: name(view),
        or_replace: false,
        temporary: false,
        columns: vec![("id".into(), oid::INT4, -1)],
        query: format!("SELECT {table}.id FROM {table}"),
        uses,
    })
}

fn alter(table: &str, change: TableChange) -> Result<DdlOutcome, SqlError> {
    run(&Ddl::AlterTable(AlterTable {
        relation: look_up(table).expect("the table"),
        index: None,
        changes: vec![change],
    }))
}

#[test]
fn a_view_is_in_the_way_of_its_table() {
    let _alone = alone();
    let _db = Db::new();
    run(&create_simple("a")).unwrap();
    run(&view_over("v", "a")).unwrap();
    run(&view_over("w", "v")).unwrap();
    let error = run(&drop_one(DropKind::Table, "a", false)).unwrap_err();
    assert_eq!(error.code(), SqlState::DEPENDENT_OBJECTS_STILL_EXIST);
    assert_eq!(
        error.message(),
        "cannot drop table a because other objects depend on it"
    );
    let fields = error.fields();
    assert_eq!(
        fields.detail.as_deref(),
        Some("view v depends on table a\nview w depends on view v")
    );
    assert_eq!(
        fields.hint.as_deref(),
        Some("Use DROP ... CASCADE to drop the dependent objects too.")
    );
    let outcome = run(&drop_one(DropKind::Table, "a", true)).unwrap();
    assert_eq!(
        outcome.notices[0].message,
        "drop cascades to 2 other objects"
    );
    assert_eq!(
        outcome.notices[0].detail.as_deref(),
        Some("drop cascades to view v\ndrop cascades to view w")
    );
    for gone in ["a", "v", "w"] {
        assert!(look_up(gone).is_none());
    }
    assert!(user_files().is_empty());
}

#[test]
fn a_foreign_key_is_in_the_way_of_the_other_table() {
    let _alone = alone();
    let _db = Db::new();
    run(&create_simple("a")).unwrap();
    let columns = vec![column("id", oid::INT4), column("a_id", oid::INT4)];
    run(&create("b", columns, vec![references("a_id", "a")])).unwrap();
    let b = look_up("b").unwrap();
    assert_eq!(b.foreign_keys.len(), 1);
    assert_eq!(b.foreign_keys[0].name, "b_a_id_fkey");
    assert_eq!(
        (
            &b.foreign_keys[0].columns[..],
            &b.foreign_keys[0].referenced[..]
        ),
        (&[2][..], &[1][..])
    );
    let error = run(&drop_one(DropKind::Table, "a", false)).unwrap_err();
    assert_eq!(
        error.fields().detail.as_deref(),
        Some("constraint b_a_id_fkey on table b depends on table a")
    );
    let outcome = run(&drop_one(DropKind::Table, "a", true)).unwrap();
    assert_eq!(
        outcome.notices[0].message,
        "drop cascades to constraint b_a_id_fkey on table b"
    );
    assert!(look_up("b").unwrap().foreign_keys.is_empty());
}

#[test]
fn parts_are_not_dropped_alone() {
    let _alone = alone();
    let _db = Db::new();
    run(&create_simple("a")).unwrap();
    let error = run(&drop_one(DropKind::Index, "a_pkey", false)).unwrap_err();
    assert_eq!(
        error.message(),
        "cannot drop index a_pkey because constraint a_pkey on table a requires it"
    );
    assert_eq!(
        error.fields().hint.as_deref(),
        Some("You can drop constraint a_pkey on table a instead.")
    );
    let columns = vec![serial("id")];
    run(&create("s", columns, vec![])).unwrap();
    let error = run(&drop_one(DropKind::Sequence, "s_id_seq", false)).unwrap_err();
    assert_eq!(
        error.fields().detail.as_deref(),
        Some("default value for column id of table s depends on sequence s_id_seq")
    );
    run(&drop_one(DropKind::Sequence, "s_id_seq", true)).unwrap();
    assert_eq!(look_up("s").unwrap().columns[0].default, None);
}

#[test]
fn a_serial_sequence_goes_with_its_table_and_column() {
    let _alone = alone();
    let _db = Db::new();
    run(&create(
        "s",
        vec![serial("id"), column("v", oid::TEXT)],
        vec![],
    ))
    .unwrap();
    alter(
        "s",
        TableChange::DropColumn {
            attribute: 1,
            cascade: false,
        },
    )
    .unwrap();
    let table = look_up("s").unwrap();
    assert!(table.desc.attrs()[0].dropped);
    assert_eq!(table.desc.find("v"), Some(1));
    assert!(look_up("s_id_seq").is_none());
    run(&create("t", vec![serial("id")], vec![])).unwrap();
    run(&drop_one(DropKind::Table, "t", false)).unwrap();
    assert!(look_up("t_id_seq").is_none());
    assert_eq!(user_files(), [table.file]);
}

#[test]
fn a_dropped_column_takes_its_indexes() {
    let _alone = alone();
    let _db = Db::new();
    run(&create_simple("a")).unwrap();
    alter(
        "a",
        TableChange::DropColumn {
            attribute: 1,
            cascade: false,
        },
    )
    .unwrap();
    let table = look_up("a").unwrap();
    assert!(table.indexes.is_empty());
    assert_eq!(user_files(), [table.file]);
}

#[test]
fn a_schema_is_dropped_with_what_is_in_it() {
    let _alone = alone();
    let _db = Db::new();
    run(&Ddl::CreateSchema {
        name: "s".into(),
        if_not_exists: false,
        owner: None,
    })
    .unwrap();
    let Ddl::CreateTable(mut def) = create_simple("t") else {
        unreachable!()
    };
    def.name.schema = Some("s".into());
    run(&Ddl::CreateTable(def)).unwrap();
    let error = run(&drop_one(DropKind::Schema, "s", false)).unwrap_err();
    assert_eq!(
        error.message(),
        "cannot drop schema s because other objects depend on it"
    );
    assert_eq!(
        error.fields().detail.as_deref(),
        Some("table s.t depends on schema s")
    );
    let outcome = run(&drop_one(DropKind::Schema, "s", true)).unwrap();
    assert_eq!(outcome.notices[0].message, "drop cascades to table s.t");
    assert!(look_up("t").is_none());
    assert!(user_files().is_empty());
}

#[test]
fn wrong_names_and_kinds_are_refused() {
    let _alone = alone();
    let _db = Db::new();
    run(&create_simple("a")).unwrap();
    let error = run(&drop_one(DropKind::View, "a", false)).unwrap_err();
    assert_eq!(error.code(), SqlState::WRONG_OBJECT_TYPE);
    assert_eq!(error.message(), "\"a\" is not a view");
    assert_eq!(
        error.fields().hint.as_deref(),
        Some("Use DROP TABLE to remove a table.")
    );
    let error = run(&drop_one(DropKind::Table, "x", false)).unwrap_err();
    assert_eq!(error.code(), SqlState::UNDEFINED_TABLE);
    assert_eq!(error.message(), "table \"x\" does not exist");
    let outcome = run(&Ddl::Drop(Drop {
        kind: DropKind::Table,
        names: vec![name("x"), name("a")],
        if_exists: true,
        cascade: false,
    }))
    .unwrap();
    assert_eq!(
        outcome.notices[0].message,
        "table \"x\" does not exist, skipping"
    );
    assert!(look_up("a").is_none());
    let error = run(&drop_one(DropKind::Table, "pg_class", false)).unwrap_err();
    assert_eq!(error.code(), SqlState::DEPENDENT_OBJECTS_STILL_EXIST);
}
