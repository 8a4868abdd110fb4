//! The shortest way through everything.

use pg_heap_port::{RowBuf, UpdateOutcome};
use rows::*;

#[test]
fn rows_are_seen_by_whom_they_are_meant_for() {
    let _alone = alone();
    let db = Db::new();
    let (table, index) = (create_table(100), create_index(101));
    let mut a = begin();
    look(&mut a);
    let tid = pg_heap_port::insert(&mut a, table, b"one").unwrap();
    add_entry(&mut a, index, b"k", tid);
    let mut b = begin();
    assert!(contents(&look(&mut b), table).is_empty());
    assert!(lookup(&look(&mut b), index, table, b"k").is_empty());
    // A command does not see its own work; the next one does.
    assert!(contents(&a.snapshot().unwrap(), table).is_empty());
    assert_eq!(contents(&look(&mut a), table), [b"one"]);
    a.commit().unwrap();
    assert_eq!(
        lookup(&look(&mut b), index, table, b"k"),
        [(tid, b"one".to_vec())]
    );

    let done = pg_heap_port::update(&mut b, table, tid, b"two", true).unwrap();
    let UpdateOutcome::Updated { tid: second, hot } = done else {
        panic!("{done:?}");
    };
    assert!(hot);
    assert_eq!(
        lookup(&look(&mut b), index, table, b"k"),
        [(second, b"two".to_vec())]
    );
    b.rollback();
    let mut c = begin();
    assert_eq!(
        lookup(&look(&mut c), index, table, b"k"),
        [(tid, b"one".to_vec())]
    );
    assert_eq!(
        pg_heap_port::delete(&mut c, table, tid).unwrap(),
        UpdateOutcome::Updated { tid, hot: false }
    );
    assert!(contents(&look(&mut c), table).is_empty());
    c.commit().unwrap();
    check_heap(table);
    check_index(index);

    let _db = db.power_cut(1).unwrap();
    let mut d = begin();
    assert!(contents(&look(&mut d), table).is_empty());
    let mut row = RowBuf::new();
    assert!(pg_heap_port::fetch_any(table, tid, &mut row).unwrap());
    assert_eq!(row.bytes, b"one");
    assert!(d.ensure_xid().unwrap().0 >= 8192);
}
