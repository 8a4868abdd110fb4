//! Every catalog and column that the clients we know ask for is there.
//!
//! `clients.txt` was gathered from the statements that psql's backslash
//! commands, pg_dump, pg_restore, pgbench, Django, SQLAlchemy, psycopg and
//! asyncpg send: a catalog, and the columns of it that they name.

use catalog_tests::*;
use pg_catalog_port::CATALOG;
use pg_plan::RelationKind;
use pg_types::Str;

const CLIENTS: &str = include_str!("clients.txt");

#[test]
fn what_clients_name_exists() {
    let _alone = alone();
    let _db = Db::new();
    let mut tx = begin();
    let catalog = CATALOG.enter().unwrap();
    let mut missing = Vec::new();
    for line in CLIENTS.lines() {
        let (table, columns) = line.split_once(':').expect("table: columns");
        let found = catalog.relation(&mut tx, &path(), Some("pg_catalog"), table);
        let Some(relation) = found.expect("a lookup") else {
            missing.push(table.to_string());
            continue;
        };
        for column in columns.split_whitespace() {
            if relation.desc.find(column).is_none() {
                missing.push(format!("{table}.{column}"));
            }
        }
        // Virtual ones give rows of their descriptor's shape.
        if relation.kind == RelationKind::Virtual {
            for row in catalog.virtual_rows(&mut tx, &relation).expect("rows") {
                assert_eq!(row.len(), relation.desc.len(), "{table}");
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(CLIENTS.lines().count() > 40);
}

#[test]
fn fixed_catalogs_have_their_rows() {
    let _alone = alone();
    let _db = Db::new();
    let mut tx = begin();
    let catalog = CATALOG.enter().unwrap();
    let mut count = |table: &str| {
        let relation = catalog.relation(&mut tx, &[], None, table).unwrap();
        let relation = relation.expect(table);
        catalog.virtual_rows(&mut tx, &relation).unwrap().len()
    };
    assert_eq!(count("pg_proc"), pg_builtins::functions().len());
    assert_eq!(count("pg_operator"), pg_builtins::operators().len());
    assert_eq!(count("pg_cast"), pg_builtins::casts().len());
    assert_eq!(count("pg_am"), 2);
    assert_eq!(count("pg_trigger"), 0);
}

#[test]
fn names_are_found_along_the_path() {
    let _alone = alone();
    let _db = Db::new();
    run(&create_simple("pg_class_like")).unwrap();
    let mut tx = begin();
    let catalog = CATALOG.enter().unwrap();
    let mut find = |path: &[Str], schema: Option<&str>, name: &str| {
        catalog.relation(&mut tx, path, schema, name)
    };
    // `pg_catalog` is looked at first even on an empty path.
    assert!(find(&[], None, "pg_class").unwrap().is_some());
    assert!(find(&[], None, "pg_class_like").unwrap().is_none());
    assert!(find(&path(), None, "pg_class_like").unwrap().is_some());
    assert!(
        find(&[], Some("public"), "pg_class_like")
            .unwrap()
            .is_some()
    );
    assert!(
        find(&[Str::from("nowhere")], None, "pg_class")
            .unwrap()
            .is_some()
    );
    let error = find(&[], Some("nowhere"), "t").unwrap_err();
    assert_eq!(error.message(), "schema \"nowhere\" does not exist");
    assert!(find(&path(), None, "pg_class_oid_index").unwrap().is_none());
    let mut tx = begin();
    let index = catalog
        .index(&mut tx, &[], None, "pg_class_oid_index")
        .unwrap();
    assert_eq!(index.map(|(table, _)| table.oid), Some(1259));
}
