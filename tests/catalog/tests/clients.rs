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

#[test]
fn information_schema_tells_of_tables() {
    let _alone = alone();
    let _db = Db::new();
    let columns = vec![serial("id"), column("v", pg_types::oid::VARCHAR)];
    run(&create("t", columns, vec![primary_key(&["id"])])).unwrap();
    let columns = vec![column("t_id", pg_types::oid::INT4)];
    run(&create("u", columns, vec![references("t_id", "t")])).unwrap();
    let mut tx = begin();
    let catalog = CATALOG.enter().unwrap();
    let mut rows = |view: &str, wanted: &[&str]| {
        let found = catalog.relation(&mut tx, &[], Some("information_schema"), view);
        let relation = found.unwrap().expect(view);
        let at = |name: &&str| relation.desc.find(name).expect("a column");
        let places: Vec<usize> = wanted.iter().map(at).collect();
        let schema = ["table_schema", "constraint_schema", "sequence_schema"];
        let schema = schema.iter().find_map(|s| relation.desc.find(s));
        let mut rows: Vec<String> = Vec::new();
        for row in catalog.virtual_rows(&mut tx, &relation).unwrap() {
            if schema.is_some_and(|s| row[s].as_str() != Some("public")) {
                continue;
            }
            let shown = places.iter().map(|p| match &row[*p] {
                pg_types::Datum::Text(text) => text.to_string(),
                pg_types::Datum::Int4(n) => n.to_string(),
                _ => "-".into(),
            });
            rows.push(shown.collect::<Vec<_>>().join(" "));
        }
        rows.sort();
        rows
    };
    let tables = rows("tables", &["table_name", "table_type"]);
    assert_eq!(tables, ["t BASE TABLE", "u BASE TABLE"]);
    let columns = "table_name column_name ordinal_position is_nullable data_type \
                   numeric_precision column_default";
    let columns: Vec<&str> = columns.split_whitespace().collect();
    assert_eq!(
        rows("columns", &columns),
        [
            "t id 1 NO integer 32 nextval('public.t_id_seq'::regclass)",
            "t v 2 YES character varying - -",
            "u t_id 1 YES integer 32 -"
        ]
    );
    let constraints = rows("table_constraints", &["constraint_type", "table_name"]);
    assert_eq!(constraints, ["CHECK t", "FOREIGN KEY u", "PRIMARY KEY t"]);
    let keys = [
        "constraint_name",
        "column_name",
        "position_in_unique_constraint",
    ];
    assert_eq!(
        rows("key_column_usage", &keys),
        ["t_pkey id -", "u_t_id_fkey t_id 1"]
    );
    let used = rows(
        "constraint_column_usage",
        &["constraint_name", "table_name"],
    );
    assert_eq!(used, ["t_pkey t", "u_t_id_fkey t"]);
    let rules = rows(
        "referential_constraints",
        &["unique_constraint_name", "delete_rule"],
    );
    assert_eq!(rules, ["t_pkey NO ACTION"]);
    assert_eq!(rows("sequences", &["sequence_name"]), ["t_id_seq"]);
}
