//! The shortest way through everything.

use catalog_tests::*;
use pg_types::oid;

#[test]
fn a_new_database_has_catalogs_and_tables_can_be_made() {
    let _alone = alone();
    let start = std::time::Instant::now();
    let db = Db::new();
    println!("first start: {:?}", start.elapsed());
    assert!(db.opened.created);
    let class = look_up("pg_class").expect("pg_class");
    assert_eq!(class.oid, 1259);

    let columns = vec![serial("id"), column("v", oid::TEXT)];
    let start = std::time::Instant::now();
    run(&create("t", columns, vec![primary_key(&["id"])])).expect("a table");
    println!("create table: {:?}", start.elapsed());
    let table = look_up("t").expect("the table");
    assert_eq!(
        (table.name.as_str(), table.schema.as_str()),
        ("t", "public")
    );
    assert_eq!(table.desc.len(), 2);
    assert!(table.desc.attrs()[0].not_null);
    assert_eq!(table.indexes.len(), 1);
    assert_eq!(table.indexes[0].name, "t_pkey");
    assert!(table.indexes[0].primary && table.indexes[0].unique);
    let sequence = look_up("t_id_seq").expect("the sequence");
    assert_eq!(table.columns[0].sequence, Some(sequence.oid));
    assert_eq!(
        table.columns[0].default.as_deref(),
        Some(format!("nextval('{}'::regclass)", sequence.oid).as_str())
    );

    let db = db.power_cut(1);
    assert!(!db.opened.created);
    assert_eq!(db.opened.orphans, 0);
    assert_eq!(look_up("t").expect("the table").oid, table.oid);
}
