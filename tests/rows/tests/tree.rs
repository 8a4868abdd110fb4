//! The tree against a model: single, many and hostile keys, both directions,
//! removal, bulk builds, and all of it from several threads at once.

use pg_btree_port::{Cursor, DeadTids, EntryBatch, IndexError, Inserted, MAX_KEY, Tid};
use pg_buffer_port::FileId;
use rows::*;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

type Model = BTreeSet<(Vec<u8>, Tid)>;

/// Keys of different shapes by `style`: short, long, with long common prefixes,
/// with few different values, empty ones and runs of 0xFF.
fn key(random: &mut Random, style: u64) -> Vec<u8> {
    let number = random.next_u64();
    match style {
        0 => (number as u32).to_be_bytes().to_vec(),
        1 => {
            let len = random.below(MAX_KEY as u64 + 1) as usize;
            let mut key = vec![(number % 3) as u8; len];
            key.extend_from_slice(&number.to_be_bytes());
            key.truncate(MAX_KEY);
            key
        }
        2 => [&[b'p'; 900][..], &(number % 5000).to_be_bytes()].concat(),
        3 => vec![(number % 7) as u8; (number % 3) as usize],
        _ => vec![0xFF; (number % 2501) as usize],
    }
}

fn range(model: &Model, lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>) -> Vec<(Vec<u8>, Tid)> {
    let inside = |k: &Vec<u8>| {
        let low = match lower {
            Bound::Included(l) => k >= l,
            Bound::Excluded(l) => k > l,
            Bound::Unbounded => true,
        };
        let high = match upper {
            Bound::Included(u) => k <= u,
            Bound::Excluded(u) => k < u,
            Bound::Unbounded => true,
        };
        low && high
    };
    model.iter().filter(|(k, _)| inside(k)).cloned().collect()
}

fn bound(random: &mut Random, style: u64) -> Bound<Vec<u8>> {
    match random.below(3) {
        0 => Bound::Included(key(random, style)),
        1 => Bound::Excluded(key(random, style)),
        _ => Bound::Unbounded,
    }
}

fn compare(random: &mut Random, style: u64, index: FileId, model: &Model) {
    for _ in 0..20 {
        let (lower, upper) = (bound(random, style), bound(random, style));
        let mut expected = range(model, &lower, &upper);
        let found = entries(index, lower.clone(), upper.clone(), false);
        assert!(found == expected, "style {style}, {lower:?}..{upper:?}");
        expected.reverse();
        let found = entries(index, lower.clone(), upper.clone(), true);
        assert!(
            found == expected,
            "style {style}, back, {lower:?}..{upper:?}"
        );
    }
    assert_eq!(check_index(index), model.len() as u64, "style {style}");
}

#[test]
fn the_tree_is_a_sorted_set() {
    let _alone = alone();
    let _db = Db::new();
    let mut tx = begin();
    for (style, count) in [(0, 30_000), (1, 1_200), (2, 4_000), (3, 5_000), (4, 700)] {
        let mut random = Random::new(style + 100);
        let index = create_index(200 + style as u32);
        let mut model = Model::new();
        for round in 0..3u32 {
            for n in 0..count {
                let key = key(&mut random, style);
                let tid = Tid::new(n + round * count, (random.below(300) + 1) as u16);
                add_entry(&mut tx, index, &key, tid);
                model.insert((key, tid));
            }
            compare(&mut random, style, index, &model);
            let dead: Vec<Tid> = model
                .iter()
                .map(|e| e.1)
                .filter(|_| random.below(3) > 0)
                .collect();
            let dead = DeadTids::new(dead);
            let removed = pg_btree_port::remove(&tx, index, &dead).unwrap();
            let before = model.len();
            model.retain(|e| !dead.contains(e.1));
            assert_eq!(removed, (before - model.len()) as u64);
            compare(&mut random, style, index, &model);
        }
        let all = DeadTids::new(model.iter().map(|e| e.1).collect());
        pg_btree_port::remove(&tx, index, &all).unwrap();
        assert!(entries(index, Bound::Unbounded, Bound::Unbounded, true).is_empty());
        compare(&mut random, style, index, &Model::new());
    }
}

#[test]
fn ascending_inserts_fill_their_pages() {
    let _alone = alone();
    let _db = Db::new();
    let (mut tx, index) = (begin(), create_index(200));
    for n in 0..50_000u32 {
        add_entry(&mut tx, index, &n.to_be_bytes(), Tid::new(n, 1));
    }
    assert_eq!(check_index(index), 50_000);
    // 14 bytes an entry with its pointer; half-full pages would be 170.
    let pages = pg_buffer_port::blocks(index).unwrap();
    assert!(pages < 105, "{pages} pages");
}

#[test]
fn a_bulk_build_gives_a_tree_like_any_other() {
    let _alone = alone();
    let _db = Db::new();
    let mut tx = begin();
    for (style, count) in [
        (0, 0),
        (0, 1),
        (0, 100_000),
        (1, 1_500),
        (2, 20_000),
        (3, 9_000),
    ] {
        let mut random = Random::new(style);
        let index = create_index(300 + count + style as u32);
        let mut model = Model::new();
        for n in 0..count {
            model.insert((key(&mut random, style), Tid::new(n, 7)));
        }
        let mut sorted = model.iter();
        let mut next = |out: &mut Vec<u8>| {
            let (key, tid) = sorted.next()?;
            out.extend_from_slice(key);
            Some(*tid)
        };
        let built = pg_btree_port::bulk_build(index, &mut next).unwrap();
        assert_eq!(built, model.len() as u64);
        compare(&mut random, style, index, &model);
        for n in 0..2_000 {
            let entry = (key(&mut random, style), Tid::new(1_000_000 + n, 1));
            add_entry(&mut tx, index, &entry.0, entry.1);
            model.insert(entry);
        }
        compare(&mut random, style, index, &model);
    }
    let index = create_index(999);
    let mut down = (0..2u8).rev();
    let mut next = |out: &mut Vec<u8>| {
        out.push(down.next()?);
        Some(Tid::new(1, 1))
    };
    assert_eq!(
        pg_btree_port::bulk_build(index, &mut next),
        Err(IndexError::OutOfOrder)
    );
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let _alone = alone();
    let _db = Db::new();
    let (mut tx, index) = (begin(), create_index(200));
    let long = vec![1; MAX_KEY + 1];
    assert_eq!(
        pg_btree_port::insert(&mut tx, index, index, &long, Tid::new(1, 1), false),
        Err(IndexError::KeyTooLong { len: MAX_KEY + 1 })
    );
    assert_eq!(
        pg_btree_port::insert(&mut tx, index, index, &long[1..], Tid::new(1, 1), false),
        Ok(Inserted::Done)
    );
}

/// Writers insert and remove entries of their own, readers look for entries that
/// are there all the time, in both directions.
#[test]
fn scans_miss_nothing_while_others_split_and_remove() {
    let _alone = alone();
    let _db = Db::new();
    let index = create_index(200);
    let mut tx = begin();
    let steady: Vec<Vec<u8>> = (0..2_000u32)
        .map(|n| (n * 1_000).to_be_bytes().to_vec())
        .collect();
    for key in &steady {
        add_entry(&mut tx, index, key, Tid::new(0, 1));
    }
    let stop = AtomicBool::new(false);
    let own: Vec<Model> = std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=3u32)
            .map(|who| {
                scope.spawn(move || {
                    let mut tx = begin();
                    let mut random = Random::new(u64::from(who));
                    let mut mine = Model::new();
                    for n in 0..12_000u32 {
                        let key = (random.below(2_000_000) as u32).to_be_bytes();
                        let mut key = key.to_vec();
                        if n % 50 == 0 {
                            key.resize(800, who as u8);
                        }
                        let tid = Tid::new(who, (n % 60_000 + 1) as u16);
                        add_entry(&mut tx, index, &key, tid);
                        mine.insert((key, tid));
                        if n % 3_000 == 2_999 {
                            let dead = mine.iter().map(|e| e.1).filter(|t| t.slot % 2 == 0);
                            let dead = DeadTids::new(dead.collect());
                            pg_btree_port::remove(&tx, index, &dead).unwrap();
                            mine.retain(|e| !dead.contains(e.1));
                        }
                    }
                    mine
                })
            })
            .collect();
        for backward in [false, true] {
            let (stop, steady) = (&stop, &steady);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let all = entries(index, Bound::Unbounded, Bound::Unbounded, backward);
                    let mut seen: Vec<_> = all.into_iter().filter(|e| e.1.block == 0).collect();
                    if backward {
                        seen.reverse();
                    }
                    assert!(seen.iter().map(|e| &e.0).eq(steady), "backward {backward}");
                }
            });
        }
        let own = writers.into_iter().map(|w| w.join().unwrap()).collect();
        stop.store(true, Ordering::Relaxed);
        own
    });
    let mut expected: Model = own.into_iter().flatten().collect();
    expected.extend(steady.into_iter().map(|k| (k, Tid::new(0, 1))));
    let found = entries(index, Bound::Unbounded, Bound::Unbounded, false);
    assert!(found.iter().eq(&expected));
    assert_eq!(check_index(index), expected.len() as u64);
}

#[test]
fn a_cursor_can_be_left_and_taken_up_again() {
    let _alone = alone();
    let _db = Db::new();
    let (mut tx, index) = (begin(), create_index(200));
    for n in 0..3_000u32 {
        add_entry(&mut tx, index, &n.to_be_bytes(), Tid::new(n, 1));
    }
    let mut cursor = Cursor::new(Bound::Unbounded, Bound::Unbounded, true);
    let mut batch = EntryBatch::new();
    assert!(pg_btree_port::next_batch(index, &mut cursor, &mut batch).unwrap());
    let last = batch.tids.last().unwrap().block;
    for n in 3_000..9_000u32 {
        add_entry(&mut tx, index, &(n % 3_000).to_be_bytes(), Tid::new(n, 1));
    }
    assert!(pg_btree_port::next_batch(index, &mut cursor, &mut batch).unwrap());
    assert_eq!(batch.tids[0].block % 3_000, last - 1);
    cursor.rewind();
    assert!(pg_btree_port::next_batch(index, &mut cursor, &mut batch).unwrap());
    assert_eq!(batch.tids[0], Tid::new(8_999, 1));
    assert!(batch.key(0).is_none());
}

#[test]
fn a_row_updated_often_does_not_fill_its_unique_index() {
    let _alone = alone();
    let _db = Db::new();
    let (table, index) = (create_table(100), create_index(101));
    let mut tid = None;
    let mut old = begin_repeatable();
    look(&mut old);
    let mut held = Some(old);
    for n in 0..3_000u32 {
        let mut tx = begin();
        look(&mut tx);
        let new = match tid {
            None => pg_heap_port::insert(&mut tx, table, &n.to_be_bytes()).unwrap(),
            Some(tid) => {
                let row = n.to_be_bytes();
                match pg_heap_port::update(&mut tx, table, tid, &row, false).unwrap() {
                    pg_heap_port::UpdateOutcome::Updated { tid, hot: false } => tid,
                    other => panic!("{other:?}"),
                }
            }
        };
        let done = pg_btree_port::insert(&mut tx, index, table, b"key", new, true).unwrap();
        assert_eq!(done, Inserted::Done);
        tx.commit().unwrap();
        tid = Some(new);
        // An old snapshot sees none of what came after it.
        if n == 400 {
            assert!(check_index(index) < 40);
            held = None;
        }
    }
    assert!(held.is_none());
    assert!(check_index(index) < 40);
    assert!(pg_buffer_port::blocks(index).unwrap() < 5);
    let found = lookup(&look(&mut begin()), index, table, b"key");
    assert_eq!(found, [(tid.unwrap(), 2_999u32.to_be_bytes().to_vec())]);
}
