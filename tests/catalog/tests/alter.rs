//! ALTER TABLE: what happens in the catalog, and what is left to the executor.

use catalog_tests::*;
use pg_buffer_port::{FileId, Fork};
use pg_catalog_port::{CATALOG, ColumnStatistics, DdlOutcome, RowWork, TableStatistics};
use pg_plan::{AlterTable, CreateTable, Ddl, Expr, NewColumn, TableChange};
use pg_types::{Datum, SqlError, SqlState, oid, tuple};

fn alter(table: &str, changes: Vec<TableChange>) -> Result<DdlOutcome, SqlError> {
    run(&Ddl::AlterTable(AlterTable {
        relation: look_up(table).expect("the table"),
        index: None,
        changes,
    }))
}

fn add(column: NewColumn) -> TableChange {
    TableChange::AddColumn {
        column,
        constraints: Vec::new(),
        if_not_exists: false,
    }
}

/// A row, so that there is something to check.
fn insert_row(table: &str) {
    let table = look_up(table).expect("the table");
    let mut bytes = Vec::new();
    let values = [Datum::Int4(1), Datum::text("x")];
    tuple::encode(&mut bytes, &table.desc, &values);
    let mut tx = begin();
    pg_heap_port::insert(&mut tx, FileId::new(table.file, Fork::Main), &bytes).expect("a row");
    tx.commit().expect("a commit");
}

fn plain_table() {
    let columns = vec![column("id", oid::INT4), column("v", oid::TEXT)];
    run(&create("t", columns, vec![])).unwrap();
}

#[test]
fn a_constant_default_costs_no_rewrite() {
    let _alone = alone();
    let db = Db::new();
    plain_table();
    insert_row("t");
    let file = look_up("t").unwrap().file;
    let mut new = column("n", oid::INT4);
    new.default = Some("7".into());
    new.not_null = true;
    new.fill = Some(Expr::Const {
        value: Datum::Int4(7),
        type_oid: oid::INT4,
    });
    let outcome = alter("t", vec![add(new)]).unwrap();
    assert!(outcome.work.is_empty());
    let db = db.power_cut(2);
    let table = look_up("t").unwrap();
    assert_eq!(table.file, file);
    assert_eq!(table.desc.attrs()[2].missing, Some(Datum::Int4(7)));
    assert_eq!(table.columns[2].default.as_deref(), Some("7"));
    let error = alter("t", vec![add(column("n", oid::INT4))]).unwrap_err();
    assert_eq!(error.code(), SqlState::DUPLICATE_COLUMN);
    assert_eq!(
        error.message(),
        "column \"n\" of relation \"t\" already exists"
    );
    let mut strict = column("m", oid::INT4);
    strict.not_null = true;
    let error = alter("t", vec![add(strict)]).unwrap_err();
    assert_eq!(error.code(), SqlState::NOT_NULL_VIOLATION);
    drop(db);
}

#[test]
fn rows_get_numbers_by_a_rewrite() {
    let _alone = alone();
    let _db = Db::new();
    plain_table();
    // Nothing to do for an empty table.
    assert!(alter("t", vec![add(serial("a"))]).unwrap().work.is_empty());
    insert_row("t");
    let before = look_up("t").unwrap();
    let outcome = alter("t", vec![add(serial("b"))]).unwrap();
    let [
        RowWork::ChangeRows {
            before: old,
            after,
            rewrite,
            ..
        },
    ] = &outcome.work[..]
    else {
        panic!("{:?}", outcome.work);
    };
    assert_eq!(old.file, before.file);
    assert_ne!(after.file, before.file);
    assert_eq!(after.desc.len(), 4);
    let rewrite = rewrite.as_ref().expect("a rewrite");
    assert!(matches!(&rewrite[..], [(3, Expr::NextValue { .. })]));
}

#[test]
fn filled_tables_leave_work() {
    let _alone = alone();
    let _db = Db::new();
    plain_table();
    insert_row("t");
    let outcome = alter("t", vec![TableChange::AddConstraint(primary_key(&["id"]))]).unwrap();
    let [
        RowWork::ChangeRows {
            not_null,
            rewrite: None,
            ..
        },
        RowWork::BuildIndex { table, index, .. },
    ] = &outcome.work[..]
    else {
        panic!("{:?}", outcome.work);
    };
    assert_eq!(not_null, &[0]);
    assert_eq!(table.indexes[0].oid, *index);
    assert!(look_up("t").unwrap().desc.attrs()[0].not_null);
    let set = |not_null| TableChange::ColumnNotNull {
        attribute: 2,
        not_null,
    };
    let outcome = alter("t", vec![set(true)]).unwrap();
    assert!(
        matches!(&outcome.work[..], [RowWork::ChangeRows { not_null, .. }] if not_null == &[1])
    );
    assert!(alter("t", vec![set(false)]).unwrap().work.is_empty());
    let error = alter(
        "t",
        vec![TableChange::ColumnNotNull {
            attribute: 1,
            not_null: false,
        }],
    )
    .unwrap_err();
    assert_eq!(error.message(), "column \"id\" is in a primary key");

    run(&create(
        "u",
        vec![column("t_id", oid::INT4), column("v", oid::TEXT)],
        vec![],
    ))
    .unwrap();
    insert_row("u");
    let key = TableChange::AddConstraint(references("t_id", "t"));
    let outcome = alter("u", vec![key]).unwrap();
    assert!(matches!(
        &outcome.work[..],
        [RowWork::CheckForeignKey { .. }]
    ));
    assert_eq!(
        look_up("t").unwrap().referenced_by,
        [look_up("u").unwrap().oid]
    );
}

#[test]
fn a_change_of_type_writes_rows_anew() {
    let _alone = alone();
    let _db = Db::new();
    run(&create_simple("t")).unwrap();
    insert_row("t");
    let before = look_up("t").unwrap();
    let change = |type_oid, binary_compatible| TableChange::ColumnType {
        attribute: 1,
        type_oid,
        typmod: -1,
        using: Expr::Column {
            index: 0,
            type_oid: oid::INT4,
        },
        binary_compatible,
    };
    let outcome = alter("t", vec![change(oid::INT8, false)]).unwrap();
    let [RowWork::ChangeRows { after, .. }] = &outcome.work[..] else {
        panic!("{:?}", outcome.work);
    };
    assert_ne!(after.file, before.file);
    assert_ne!(after.indexes[0].file, before.indexes[0].file);
    assert_eq!(after.indexes[0].keys[0].type_oid, oid::INT8);
    assert_eq!(after.desc.attrs()[0].type_oid, oid::INT8);
    assert!(look_up("t").is_some());
    assert_eq!(user_files().len(), 2);
}

#[test]
fn temporary_tables_end_with_the_system() {
    let _alone = alone();
    let db = Db::new();
    let Ddl::CreateTable(def) = create_simple("t") else {
        unreachable!()
    };
    let outcome = run(&Ddl::CreateTable(CreateTable {
        temporary: true,
        ..def
    }))
    .unwrap();
    let oid = outcome.object.expect("a table");
    assert!(look_up("t").is_none(), "not on the path of others");
    let catalog = CATALOG.enter().unwrap();
    let table = catalog.relation_by_oid(&mut begin(), oid).unwrap().unwrap();
    assert_eq!(table.schema, "pg_temp_1");
    let path = ["pg_temp_1", "public"].map(pg_types::Str::from);
    let found = catalog.relation(&mut begin(), &path, None, "t").unwrap();
    assert_eq!(found.map(|t| t.oid), Some(oid));
    let found = catalog
        .relation(&mut begin(), &path, Some("pg_temp"), "t")
        .unwrap();
    assert_eq!(found.map(|t| t.oid), Some(oid));
    drop(catalog);
    let db = db.power_cut(5);
    let catalog = CATALOG.enter().unwrap();
    assert!(
        catalog
            .relation_by_oid(&mut begin(), oid)
            .unwrap()
            .is_none()
    );
    assert_eq!(catalog.schema(&mut begin(), "pg_temp_1").unwrap(), None);
    assert!(user_files().is_empty());
    drop(db);
}

#[test]
fn statistics_are_kept() {
    let _alone = alone();
    let db = Db::new();
    plain_table();
    let table = look_up("t").unwrap();
    let known = TableStatistics {
        rows: 1000.0,
        pages: 10,
        all_visible: 3,
        columns: vec![
            ColumnStatistics {
                distinct: -1.0,
                width: 4,
                histogram: (0..101).map(Datum::Int4).collect(),
                ..ColumnStatistics::default()
            },
            ColumnStatistics {
                null_fraction: 0.5,
                distinct: 2.0,
                width: 3,
                common: vec![(Datum::text("a"), 0.25), (Datum::text("b"), 0.125)],
                histogram: Vec::new(),
            },
        ],
    };
    for _ in 0..2 {
        let mut tx = begin();
        let catalog = CATALOG.enter().unwrap();
        catalog
            .update_statistics(&mut tx, table.oid, &known)
            .unwrap();
        tx.commit().unwrap();
    }
    let db = db.power_cut(6);
    let catalog = CATALOG.enter().unwrap();
    let found = catalog
        .statistics(&mut begin(), table.oid)
        .unwrap()
        .expect("some");
    assert_eq!(
        (found.rows, found.pages, found.all_visible),
        (1000.0, 10, 3)
    );
    assert_eq!(found.columns[0].histogram, known.columns[0].histogram);
    assert_eq!(found.columns[1].common, known.columns[1].common);
    assert_eq!(found.columns[1].null_fraction, 0.5);
    let table = look_up("t").unwrap();
    assert_eq!((table.reltuples, table.relpages), (1000.0, 10));
    drop(db);
}
