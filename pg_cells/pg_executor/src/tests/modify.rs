//! INSERT, UPDATE, DELETE: constraints, indexes, conflicts, concurrent changes.

use super::*;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use pg_plan::{Expr, IndexExprs, OnConflict, Relation, TargetColumn};
use pg_types::oid;

fn target(exprs: Vec<Expr>, not_null: usize) -> Vec<TargetColumn> {
    let column = |(i, value)| TargetColumn {
        value,
        not_null: i < not_null,
    };
    exprs.into_iter().enumerate().map(column).collect()
}

struct Insert {
    relation: Arc<Relation>,
    input: Plan,
    checks: Vec<(String, Expr)>,
    on_conflict: Option<OnConflict>,
    index_exprs: Vec<IndexExprs>,
}

impl Insert {
    fn of(relation: &Arc<Relation>, rows: &[&[Option<i32>]]) -> Self {
        Insert {
            relation: relation.clone(),
            input: ints(rows),
            checks: vec![],
            on_conflict: None,
            index_exprs: vec![],
        }
    }

    fn plan(self, not_null: usize) -> Plan {
        let width = self.relation.desc.len();
        let node = Node::Insert {
            values: target((0..width).map(col).collect(), not_null),
            relation: self.relation,
            input: self.input,
            checks: self.checks,
            on_conflict: self.on_conflict,
            index_exprs: self.index_exprs,
            reached: Vec::new(),
            returning: Some((0..width).map(col).collect()),
        };
        plan_of(node, &vec![oid::INT4; width])
    }
}

fn contents(store: &mut MemoryStore, relation: &Arc<Relation>) -> Vec<String> {
    let mut rows = lines(&run_in(store, &scan(relation, false, None), &[]).unwrap().0);
    rows.sort();
    rows
}

#[test]
fn rows_and_entries_are_added() {
    let relation = table(2, &[(0, true), (1, false)]);
    let mut store = MemoryStore::default();
    let plan = Insert::of(&relation, &[&[Some(1), Some(10)], &[Some(2), None]]).plan(1);
    let (rows, progress) = run_in(&mut store, &plan, &[]).unwrap();
    assert_eq!(lines(&rows), ["1,10", "2,null"]);
    assert_eq!(progress.affected, 2);
    assert_eq!(store.indexes[&200].len(), 2);
    assert_eq!(store.indexes[&201].len(), 2);
}

#[test]
fn violations_have_the_wording_clients_know() {
    let relation = table(2, &[(0, true)]);
    let mut store = MemoryStore::default();
    fill(&mut store, &relation, &[&[Some(1), Some(10)]]);
    let error = run_in(
        &mut store,
        &Insert::of(&relation, &[&[Some(1), None]]).plan(1),
        &[],
    )
    .unwrap_err();
    assert_eq!(error.code().code(), "23505");
    assert_eq!(
        error.message(),
        "duplicate key value violates unique constraint \"t_a_idx\""
    );
    assert_eq!(
        error.fields().detail.as_deref(),
        Some("Key (a)=(1) already exists.")
    );
    let error = run_in(
        &mut store,
        &Insert::of(&relation, &[&[None, Some(3)]]).plan(1),
        &[],
    )
    .unwrap_err();
    assert_eq!(error.code().code(), "23502");
    assert_eq!(
        error.message(),
        "null value in column \"a\" of relation \"t\" violates not-null constraint"
    );
    assert_eq!(
        error.fields().detail.as_deref(),
        Some("Failing row contains (null, 3).")
    );
    let mut checked = Insert::of(&relation, &[&[Some(5), Some(3)]]);
    checked.checks = vec![("t_b_check".into(), lt(col(1), int(3)))];
    let error = run_in(&mut store, &checked.plan(1), &[]).unwrap_err();
    assert_eq!(error.code().code(), "23514");
    assert_eq!(
        error.message(),
        "new row for relation \"t\" violates check constraint \"t_b_check\""
    );
    let mut null_passes = Insert::of(&relation, &[&[Some(6), None]]);
    null_passes.checks = vec![("t_b_check".into(), lt(col(1), int(3)))];
    assert!(run_in(&mut store, &null_passes.plan(1), &[]).is_ok());
}

#[test]
fn nulls_do_not_collide() {
    let relation = table(2, &[(0, true)]);
    let mut store = MemoryStore::default();
    let plan = Insert::of(&relation, &[&[None, Some(1)], &[None, Some(2)]]).plan(0);
    assert_eq!(run_in(&mut store, &plan, &[]).unwrap().1.affected, 2);
}

#[test]
fn on_conflict_do_nothing_and_do_update() {
    let relation = table(2, &[(0, true)]);
    let mut store = MemoryStore::default();
    fill(&mut store, &relation, &[&[Some(1), Some(10)]]);
    let with = |rows: &[&[Option<i32>]], update: Option<Vec<TargetColumn>>, condition| {
        let mut insert = Insert::of(&relation, rows);
        let arbiter = Some(relation.indexes[0].clone());
        insert.on_conflict = Some(OnConflict {
            arbiter,
            update,
            changed: vec![1],
            condition,
        });
        insert.plan(1)
    };
    let plan = with(&[&[Some(1), Some(99)], &[Some(2), Some(20)]], None, None);
    let (rows, progress) = run_in(&mut store, &plan, &[]).unwrap();
    assert_eq!((lines(&rows), progress.affected), (vec!["2,20".into()], 1));
    // SET b = t.b + excluded.b
    let sum = || Some(target(vec![col(0), add(col(1), col(3))], 1));
    let plan = with(&[&[Some(1), Some(5)], &[Some(3), Some(30)]], sum(), None);
    let (rows, progress) = run_in(&mut store, &plan, &[]).unwrap();
    assert_eq!(
        (lines(&rows), progress.affected),
        (vec!["1,15".into(), "3,30".into()], 2)
    );
    assert_eq!(store.hot_updates, 1, "no indexed column changed");
    // WHERE t.b < 0
    let plan = with(&[&[Some(1), Some(5)]], sum(), Some(lt(col(1), int(0))));
    assert_eq!(run_in(&mut store, &plan, &[]).unwrap().1.affected, 0);
    assert_eq!(contents(&mut store, &relation), ["1,15", "2,20", "3,30"]);
}

fn update(relation: &Arc<Relation>, filter: Expr, values: Vec<Expr>, changed: Vec<usize>) -> Plan {
    let node = Node::Update {
        relation: relation.clone(),
        input: scan(relation, true, Some(filter.clone())),
        row_id: 2,
        values: target(values, 1),
        changed,
        recheck: Some(filter),
        checks: vec![],
        index_exprs: vec![],
        reached: Vec::new(),
        returning: Some(vec![col(0), col(1), col(2), col(3)]),
    };
    plan_of(node, &[oid::INT4; 4])
}

#[test]
fn an_update_knows_whether_keys_change() {
    let relation = table(2, &[(0, true)]);
    let mut store = MemoryStore::default();
    fill(
        &mut store,
        &relation,
        &[&[Some(1), Some(10)], &[Some(2), Some(20)]],
    );
    let plan = update(
        &relation,
        eq(col(0), int(1)),
        vec![col(0), add(col(1), int(1))],
        vec![1],
    );
    let (rows, _) = run_in(&mut store, &plan, &[]).unwrap();
    assert_eq!(lines(&rows), ["1,11,1,10"], "the new row, then the old one");
    assert_eq!((store.hot_updates, store.indexes[&200].len()), (1, 2));
    // SET a = a: named, but not changed.
    let plan = update(&relation, eq(col(0), int(1)), vec![col(0), col(1)], vec![0]);
    run_in(&mut store, &plan, &[]).unwrap();
    assert_eq!(store.hot_updates, 2);
    let plan = update(&relation, eq(col(0), int(1)), vec![int(7), col(1)], vec![0]);
    run_in(&mut store, &plan, &[]).unwrap();
    assert_eq!((store.hot_updates, store.indexes[&200].len()), (2, 3));
    let plan = update(&relation, eq(col(0), int(7)), vec![int(2), col(1)], vec![0]);
    assert_eq!(
        run_in(&mut store, &plan, &[]).unwrap_err().code().code(),
        "23505"
    );
}

#[test]
fn a_concurrent_update_is_seen_before_ours() {
    for (concurrent, expected) in [(100, vec!["1,101"]), (-5, vec!["1,-5"])] {
        let relation = table(2, &[]);
        let mut store = MemoryStore::default();
        let tids = fill(&mut store, &relation, &[&[Some(1), Some(10)]]);
        let mut newer = Vec::new();
        pg_types::tuple::encode(
            &mut newer,
            &relation.desc,
            &[Datum::Int4(1), Datum::Int4(concurrent)],
        );
        store.interfere(relation.file, tids[0], newer);
        // UPDATE t SET b = b + 1 WHERE 0 < b
        let plan = update(
            &relation,
            lt(int(0), col(1)),
            vec![col(0), add(col(1), int(1))],
            vec![1],
        );
        let (_, progress) = run_in(&mut store, &plan, &[]).unwrap();
        assert_eq!(progress.affected, u64::from(concurrent > 0));
        assert_eq!(contents(&mut store, &relation), expected);
    }
}

#[test]
fn delete_removes_and_returns() {
    let relation = table(2, &[]);
    let mut store = MemoryStore::default();
    fill(
        &mut store,
        &relation,
        &[&[Some(1), Some(10)], &[Some(2), Some(20)]],
    );
    let node = Node::Delete {
        relation: relation.clone(),
        input: scan(&relation, true, Some(eq(col(0), int(2)))),
        row_id: 2,
        recheck: Some(eq(col(0), int(2))),
        reached: Vec::new(),
        returning: Some(vec![col(1)]),
    };
    let (rows, progress) = run_in(&mut store, &plan_of(node, &[oid::INT4]), &[]).unwrap();
    assert_eq!((lines(&rows), progress.affected), (vec!["20".into()], 1));
    assert_eq!(contents(&mut store, &relation), ["1,10"]);
}

#[test]
fn partial_and_expression_indexes_have_their_own_keys() {
    let mut relation = (*table(2, &[(0, true)])).clone();
    let mut index = (*relation.indexes[0]).clone();
    index.keys[0].attribute = 0;
    index.keys[0].expression = Some("(a + b)".into());
    index.predicate = Some("b > 0".into());
    relation.indexes = vec![Arc::new(index)];
    let relation = Arc::new(relation);
    let exprs = IndexExprs {
        index: relation.indexes[0].oid,
        keys: vec![Some(add(col(0), col(1)))],
        predicate: Some(lt(int(0), col(1))),
    };
    let mut store = MemoryStore::default();
    let mut insert = Insert::of(
        &relation,
        &[
            &[Some(5), Some(0)],
            &[Some(5), Some(0)],
            &[Some(2), Some(3)],
        ],
    );
    insert.index_exprs = vec![exprs.clone()];
    run_in(&mut store, &insert.plan(1), &[]).unwrap();
    assert_eq!(store.indexes[&200].len(), 1);
    let mut insert = Insert::of(&relation, &[&[Some(1), Some(4)]]);
    insert.index_exprs = vec![exprs];
    let error = run_in(&mut store, &insert.plan(1), &[]).unwrap_err();
    assert_eq!(
        error.fields().detail.as_deref(),
        Some("Key ((a + b))=(5) already exists.")
    );
    let missing = Insert::of(&relation, &[&[Some(1), Some(4)]]).plan(1);
    assert_eq!(
        run_in(&mut store, &missing, &[]).unwrap_err().code().code(),
        "XX000"
    );
}
