//! How long a lookup takes that the cache of relations answers:
//! `cargo run --release -p catalog_tests --example lookups`

use catalog_tests::*;
use pg_catalog_port::CATALOG;
use pg_types::oid;

const ROUNDS: u32 = 1_000_000;

fn main() {
    let _db = Db::new();
    run(&create("t", vec![column("id", oid::INT4)], vec![])).expect("a table");
    let mut tx = begin();
    tx.start_command().expect("a command");
    let catalog = CATALOG.enter().expect("the catalog");
    let path = path();
    let start = std::time::Instant::now();
    for _ in 0..ROUNDS {
        let found = catalog.relation(&mut tx, &path, None, "t");
        assert!(found.expect("a lookup").is_some());
    }
    println!("{:?} a lookup", start.elapsed() / ROUNDS);
    let start = std::time::Instant::now();
    for _ in 0..ROUNDS {
        std::hint::black_box(catalog.version(&tx));
    }
    println!("{:?} a look at the version", start.elapsed() / ROUNDS);
}
