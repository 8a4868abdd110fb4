//! Pages that leave the tree and come into it again: against a model, beside
//! readers, and across power cuts.

use pg_btree_port::{Cursor, DeadTids, EntryBatch, Tid};
use pg_buffer_port::FileId;
use rows::*;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

fn pages(index: FileId) -> u32 {
    pg_buffer_port::blocks(index).unwrap()
}

fn number(n: u32) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

/// A key that takes a tenth of a page, so that trees are high.
fn wide(n: u32) -> Vec<u8> {
    let mut key = number(n);
    key.resize(800, 7);
    key
}

fn all(index: FileId, backward: bool) -> Vec<(Vec<u8>, Tid)> {
    entries(index, Bound::Unbounded, Bound::Unbounded, backward)
}

fn remove(index: FileId, tids: impl Iterator<Item = Tid>) {
    let dead = DeadTids::new(tids.collect());
    pg_btree_port::remove(&begin(), index, &dead).unwrap();
}

#[test]
fn an_index_that_moves_on_does_not_grow() {
    let _alone = alone();
    let _db = Db::new();
    for (relation, key) in [(200, number as fn(u32) -> Vec<u8>), (201, wide)] {
        let (mut tx, index) = (begin(), create_index(relation));
        let mut most = 0;
        for n in 0..30_000u32 {
            add_entry(&mut tx, index, &key(n), Tid::new(n, 1));
            if n % 1_000 == 999 {
                let gone = n.saturating_sub(1_500)..n - 500;
                remove(index, gone.map(|n| Tid::new(n, 1)));
                assert_eq!(check_index(index), 501);
            }
            if n < 5_000 {
                most = pages(index);
            }
        }
        assert!(
            pages(index) <= most + 4,
            "{} pages, {most} before",
            pages(index)
        );
        let expected = (29_499..30_000).map(|n| (key(n), Tid::new(n, 1)));
        assert!(all(index, false).into_iter().eq(expected));
    }
}

#[test]
fn an_emptied_tree_is_its_root_again() {
    let _alone = alone();
    let db = Db::new();
    let (mut tx, index) = (begin(), create_index(200));
    for round in 0..3 {
        for n in 0..2_000u32 {
            add_entry(&mut tx, index, &wide(n * 7 % 2_000), Tid::new(n, 1));
        }
        let before = pages(index);
        assert_eq!(check_index(index), 2_000);
        remove(index, (0..2_000).map(|n| Tid::new(n, 1)));
        assert_eq!(check_index(index), 0);
        assert!(all(index, true).is_empty());
        // All its pages are free but the root: they are enough for the next round.
        assert_eq!(pages(index), before, "round {round}");
    }
    let before = pages(index);
    let end = pg_wal_port::insert_position();
    pg_wal_port::flush(end).unwrap();
    drop(tx);
    let _db = db.power_cut(7).unwrap();
    assert_eq!(check_index(index), 0);
    let mut tx = begin();
    for n in 0..2_000u32 {
        add_entry(&mut tx, index, &wide(n * 7 % 2_000), Tid::new(n, 1));
    }
    assert_eq!((check_index(index), pages(index)), (2_000, before));
}

/// A cursor that was left before pages went goes on at its position.
#[test]
fn a_cursor_finds_its_way_when_its_page_is_another_one() {
    let _alone = alone();
    let _db = Db::new();
    for backward in [false, true] {
        let (mut tx, index) = (begin(), create_index(200 + u32::from(backward)));
        for n in 0..3_000u32 {
            add_entry(&mut tx, index, &wide(n), Tid::new(n, 1));
        }
        let mut cursor = Cursor::new(Bound::Unbounded, Bound::Unbounded, backward);
        let mut batch = EntryBatch::new();
        assert!(pg_btree_port::next_batch(index, &mut cursor, &mut batch).unwrap());
        let last = batch.tids.last().unwrap().block;
        // What comes next goes, and its pages are used for what is elsewhere.
        let near = |n: &u32| n.abs_diff(last) < 1_000 && *n != last;
        remove(index, (0..3_000).filter(near).map(|n| Tid::new(n, 1)));
        let before = pages(index);
        let far = (0..3_000).find(|n| !near(n) && *n != last).unwrap();
        // Split in the middle, their pages are half full: eighty.
        for n in 0..400u32 {
            let key = [&wide(far)[..], &number(n)].concat();
            add_entry(&mut tx, index, &key, Tid::new(10_000 + n, 1));
        }
        assert_eq!(pages(index), before, "freed pages are used again");
        let mut rest = Vec::new();
        while pg_btree_port::next_batch(index, &mut cursor, &mut batch).unwrap() {
            rest.extend(batch.tids.iter().map(|t| t.block).filter(|b| *b < 10_000));
        }
        let mut expected: Vec<u32> = (0..3_000)
            .filter(|n| !near(n) && if backward { *n < last } else { *n > last })
            .collect();
        if backward {
            expected.reverse();
        }
        assert_eq!(rest, expected, "backward {backward}");
        check_index(index);
    }
}

/// Writers fill and empty ranges of their own, so pages go round between them;
/// readers in both directions always see what stays.
#[test]
fn readers_miss_nothing_while_pages_go_round() {
    let _alone = alone();
    let _db = Db::new();
    let index = create_index(200);
    let mut tx = begin();
    let steady: Vec<Vec<u8>> = (0..60).map(|n| wide(n * 100_000)).collect();
    for key in &steady {
        add_entry(&mut tx, index, key, Tid::new(0, 1));
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=3u32)
            .map(|who| {
                scope.spawn(move || {
                    let mut tx = begin();
                    let mut random = Random::new(u64::from(who));
                    for round in 0..25 {
                        let start = random.below(5_900_000) as u32;
                        for n in 0..200u32 {
                            let key = wide(start + n * 50 + who);
                            add_entry(&mut tx, index, &key, Tid::new(who, (n + 1) as u16));
                        }
                        if round % 5 != 4 {
                            remove(index, (1..=200).map(|slot| Tid::new(who, slot)));
                        } else {
                            remove(index, (1..=150).map(|slot| Tid::new(who, slot)));
                            remove(index, (151..=200).map(|slot| Tid::new(who, slot)));
                        }
                    }
                })
            })
            .collect();
        for backward in [false, true] {
            let (stop, steady) = (&stop, &steady);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut seen = all(index, backward);
                    if backward {
                        seen.reverse();
                    }
                    assert!(seen.is_sorted(), "backward {backward}");
                    let seen = seen.iter().filter(|e| e.1.block == 0).map(|e| &e.0);
                    assert!(seen.eq(steady), "backward {backward}");
                }
            });
        }
        writers.into_iter().for_each(|w| w.join().unwrap());
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(check_index(index), steady.len() as u64);
    // Three times 200 entries of ten a page, twice over for half full ones.
    assert!(pages(index) < 200, "{} pages", pages(index));
}

/// The power fails again and again between inserts and removals: the tree is
/// whole, what was durable is there, and no page is lost for good.
#[test]
fn no_power_cut_leaves_half_of_it() {
    let _alone = alone();
    let seeds = std::env::var("SEEDS").map_or(12, |s| s.parse().expect("a number"));
    for seed in 0..seeds {
        let mut random = Random::new(seed);
        let mut db = Db::new();
        let index = create_index(200);
        let mut model: BTreeSet<(Vec<u8>, Tid)> = BTreeSet::new();
        for cut in 0..4u32 {
            let mut tx = begin();
            for step in 0..6u32 {
                let start = random.below(1_500) as u32;
                for n in 0..150 {
                    let entry = (wide(start + n), Tid::new(cut * 10 + step, (n + 1) as u16));
                    add_entry(&mut tx, index, &entry.0, entry.1);
                    model.insert(entry);
                }
                let from = random.below(1_500) as u32;
                let range = wide(from)..wide(from + 400);
                let dead = model.iter().filter(|e| range.contains(&e.0)).map(|e| e.1);
                let dead: Vec<Tid> = dead.collect();
                remove(index, dead.iter().copied());
                let dead: BTreeSet<Tid> = dead.into_iter().collect();
                model.retain(|e| !dead.contains(&e.1));
            }
            assert_eq!(check_index(index), model.len() as u64, "seed {seed}");
            if random.below(2) == 0 {
                pg_buffer_port::checkpoint().unwrap();
            }
            pg_wal_port::flush(pg_wal_port::insert_position()).unwrap();
            // This may be lost, in part.
            let lost = wide(random.below(1_500) as u32);
            for n in 0..random.below(300) as u32 {
                add_entry(&mut tx, index, &lost, Tid::new(9_000 + n, 1));
            }
            let some = model.iter().map(|e| e.1).take(random.below(500) as usize);
            remove(index, some.collect::<Vec<_>>().into_iter());
            drop(tx);
            db = db.power_cut(seed * 10 + u64::from(cut)).unwrap();
            check_index(index);
            let found: BTreeSet<_> = all(index, false).into_iter().collect();
            assert!(all(index, true).into_iter().rev().eq(found.iter().cloned()));
            let late = found.difference(&model).all(|e| e.1.block >= 9_000);
            assert!(late, "seed {seed}, cut {cut}");
            model = found;
        }
    }
}
