//! Ids beyond 32 bits: the 2^32nd transaction is one like any other.

use pg_heap_port::UpdateOutcome;
use pg_txn_port::Xid;
use rows::*;

const EDGE: u64 = 1 << 32;

#[test]
fn ids_pass_two_to_the_32() {
    let _alone = alone();
    let db = Db::with(256 << 20, "buffers=16M log_size=32M first_xid=4294967291");
    let (table, index) = (create_table(100), create_index(101));
    // A reader from before the edge sees the same all the time.
    let mut old = begin_repeatable();
    assert_eq!(old.ensure_xid(), Ok(Xid(EDGE - 5)));
    let seen = look(&mut old);
    let mut row = None;
    let mut ids = Vec::new();
    for n in 0u32..12 {
        let mut tx = begin();
        look(&mut tx);
        let xid = tx.ensure_xid().unwrap().0;
        ids.push(xid);
        // Some are rolled back, so that who committed matters.
        let value = n.to_be_bytes();
        let tid = match row {
            None => {
                let tid = pg_heap_port::insert(&mut tx, table, &value).unwrap();
                add_entry(&mut tx, index, b"k", tid);
                tid
            }
            Some(tid) => match pg_heap_port::update(&mut tx, table, tid, &value, true) {
                Ok(UpdateOutcome::Updated { tid, hot: true }) => tid,
                other => panic!("{other:?}"),
            },
        };
        if n % 3 == 2 {
            tx.rollback();
        } else {
            tx.commit().unwrap();
            row = Some(tid);
        }
        let now = contents(&look(&mut begin()), table);
        let expected = if n % 3 == 2 { n - 1 } else { n };
        assert_eq!(now, [expected.to_be_bytes()]);
    }
    assert_eq!(ids, (EDGE - 4..EDGE + 8).collect::<Vec<_>>());
    assert!(contents(&seen, table).is_empty());
    // A savepoint on the other side, and a deadlock's order of ids.
    let mut tx = begin();
    look(&mut tx);
    tx.savepoint("s");
    pg_heap_port::delete(&mut tx, table, row.unwrap()).unwrap();
    assert!(contents(&look(&mut tx), table).is_empty());
    tx.rollback_to("s").unwrap();
    assert_eq!(contents(&look(&mut tx), table), [10u32.to_be_bytes()]);
    tx.commit().unwrap();
    drop(seen);
    old.rollback();
    // Pruned and found again after a crash, which skips the rest of a batch.
    pg_heap_port::prune(table, 0).unwrap();
    assert_eq!(contents(&look(&mut begin()), table), [10u32.to_be_bytes()]);
    swap(&pg_txn::CELL);
    let _db = db.power_cut(3).unwrap();
    let mut after = begin();
    assert_eq!(contents(&look(&mut after), table), [10u32.to_be_bytes()]);
    let next = after.ensure_xid().unwrap().0;
    assert!(next > EDGE + 8 && next < EDGE + 3 * 8192, "{next}");
    check_heap(table);
    check_index(index);
}
