//! Scans of tables and indexes, functions in FROM and in select lists.

use super::*;
use alloc::sync::Arc;
use alloc::vec;
use pg_plan::{BoundKind, Expr, IndexBound, IndexScan, LockStrength, Relation, ScanDirection};
use pg_types::oid;

fn sample() -> (MemoryStore, Arc<Relation>) {
    let relation = table(2, &[(0, false)]);
    let mut store = MemoryStore::default();
    let rows: Vec<Vec<Option<i32>>> = (0..10).map(|i| vec![Some(i), Some(i * i)]).collect();
    let rows: Vec<&[Option<i32>]> = rows.iter().map(Vec::as_slice).collect();
    fill(&mut store, &relation, &rows);
    fill(&mut store, &relation, &[&[None, Some(-1)]]);
    (store, relation)
}

fn index_scan(relation: &Arc<Relation>) -> IndexScan {
    IndexScan {
        relation: relation.clone(),
        index: relation.indexes[0].clone(),
        equal: vec![],
        any: None,
        lower: None,
        upper: None,
        direction: ScanDirection::Forward,
        columns: vec![0, 1],
        row_id: false,
        filter: None,
        index_only: false,
    }
}

fn get(store: &mut MemoryStore, scan: IndexScan) -> Vec<alloc::string::String> {
    let plan = plan_of(Node::IndexScan(scan), &[oid::INT4; 2]);
    lines(&run_in(store, &plan, &[]).unwrap().0)
}

#[test]
fn a_sequential_scan_gives_chosen_columns() {
    let (mut store, relation) = sample();
    let node = Node::SeqScan {
        relation,
        columns: vec![1],
        row_id: true,
        filter: Some(lt(int(60), col(0))),
    };
    let plan = plan_of(node, &[oid::INT4, oid::TID]);
    assert_eq!(
        lines(&run_in(&mut store, &plan, &[]).unwrap().0),
        ["64,(2,1)", "81,(2,2)"]
    );
}

#[test]
fn index_bounds() {
    let (mut store, relation) = sample();
    let all = get(&mut store, index_scan(&relation));
    assert_eq!(all.len(), 11);
    assert_eq!(all.last().unwrap(), "null,-1");
    let one = IndexScan {
        equal: vec![int(7)],
        ..index_scan(&relation)
    };
    assert_eq!(get(&mut store, one), ["7,49"]);
    let none = IndexScan {
        equal: vec![null()],
        ..index_scan(&relation)
    };
    assert!(get(&mut store, none).is_empty());
    let bound = |value, kind| {
        Some(IndexBound {
            value: int(value),
            kind,
        })
    };
    let open = IndexScan {
        lower: bound(2, BoundKind::Exclusive),
        upper: bound(5, BoundKind::Exclusive),
        ..index_scan(&relation)
    };
    assert_eq!(get(&mut store, open), ["3,9", "4,16"]);
    let closed = IndexScan {
        lower: bound(2, BoundKind::Inclusive),
        upper: bound(4, BoundKind::Inclusive),
        direction: ScanDirection::Backward,
        ..index_scan(&relation)
    };
    assert_eq!(get(&mut store, closed), ["4,16", "3,9", "2,4"]);
    let above = IndexScan {
        lower: bound(8, BoundKind::Inclusive),
        ..index_scan(&relation)
    };
    assert_eq!(
        get(&mut store, above),
        ["8,64", "9,81"],
        "NULLs are in no range"
    );
}

#[test]
fn several_values_are_probed_once_each_in_order() {
    let (mut store, relation) = sample();
    let items = [5, 1, 5].map(Datum::Int4).to_vec();
    let array = Expr::Const {
        value: Datum::array(oid::INT4, items),
        type_oid: oid::INT4_ARRAY,
    };
    let scan = IndexScan {
        any: Some(array),
        ..index_scan(&relation)
    };
    assert_eq!(get(&mut store, scan), ["1,1", "5,25"]);
}

#[test]
fn a_whole_unique_key_gives_one_row_a_value() {
    let relation = table(2, &[(0, true)]);
    let mut store = MemoryStore::default();
    fill(
        &mut store,
        &relation,
        &[
            &[Some(1), Some(10)],
            &[Some(2), Some(20)],
            &[Some(3), Some(30)],
        ],
    );
    let one = IndexScan {
        equal: vec![int(2)],
        ..index_scan(&relation)
    };
    assert_eq!(get(&mut store, one), ["2,20"]);
    let items = [3, 9, 1].map(Datum::Int4).to_vec();
    let array = Expr::Const {
        value: Datum::array(oid::INT4, items),
        type_oid: oid::INT4_ARRAY,
    };
    let scan = IndexScan {
        any: Some(array),
        direction: ScanDirection::Backward,
        ..index_scan(&relation)
    };
    assert_eq!(get(&mut store, scan), ["3,30", "1,10"]);
}

#[test]
fn a_descending_index_has_its_bounds_turned_around() {
    let mut relation = (*table(2, &[(0, false)])).clone();
    let mut index = (*relation.indexes[0]).clone();
    index.keys[0].descending = true;
    index.keys[0].nulls_first = true;
    relation.indexes = vec![Arc::new(index)];
    let relation = Arc::new(relation);
    let mut store = MemoryStore::default();
    fill(
        &mut store,
        &relation,
        &[
            &[Some(1), None],
            &[Some(2), None],
            &[Some(3), None],
            &[None, None],
        ],
    );
    let bound = |value, kind| {
        Some(IndexBound {
            value: int(value),
            kind,
        })
    };
    let below = IndexScan {
        upper: bound(3, BoundKind::Exclusive),
        ..index_scan(&relation)
    };
    assert_eq!(get(&mut store, below), ["2,null", "1,null"]);
    let above = IndexScan {
        lower: bound(2, BoundKind::Inclusive),
        ..index_scan(&relation)
    };
    assert_eq!(get(&mut store, above), ["3,null", "2,null"]);
}

#[test]
fn an_index_scan_depends_on_the_outer_row_of_a_join() {
    let (mut store, relation) = sample();
    let inner = IndexScan {
        equal: vec![outer(0)],
        ..index_scan(&relation)
    };
    let plan = plan_of(
        Node::Join(pg_plan::Join {
            kind: pg_plan::JoinKind::Inner,
            left: numbers(8..12),
            right: plan_of(Node::IndexScan(inner), &[oid::INT4; 2]),
            hash_keys: vec![],
            condition: None,
            outer: vec![col(0)],
        }),
        &[oid::INT4; 3],
    );
    assert_eq!(
        lines(&run_in(&mut store, &plan, &[]).unwrap().0),
        ["8,8,64", "9,9,81"]
    );
}

#[test]
fn changed_rows_are_read_anew_before_they_are_locked() {
    let (mut store, relation) = sample();
    let mut newer = Vec::new();
    pg_types::tuple::encode(
        &mut newer,
        &relation.desc,
        &[Datum::Int4(100), Datum::Int4(0)],
    );
    // Row 1 is changed by another transaction while it is being locked.
    store.interfere(relation.file, crate::store::Tid::new(0, 2), newer);
    let plan = plan_of(
        Node::LockRows {
            input: scan(&relation, true, Some(lt(col(0), int(3)))),
            targets: vec![(relation.clone(), 2)],
            strength: LockStrength::Update,
            nowait: false,
            skip_locked: false,
        },
        &[oid::INT4, oid::INT4, oid::TID],
    );
    // The first run meets the change; what it gives is compared by the second.
    let mut running = Running::compile(&plan, false).unwrap();
    let mut rows: Vec<Vec<Datum>> = Vec::new();
    let (session, cancel) = (BasicContext::default(), CancelToken::new());
    running
        .advance(
            surroundings(&mut store, &[], &session, &cancel),
            0,
            &mut rows,
        )
        .unwrap();
    assert_eq!(lines(&rows), ["0,0,(0,1)", "2,4,(0,3)"]);
    assert_eq!((store.refreshed, store.locked.len()), (1, 2));
}
