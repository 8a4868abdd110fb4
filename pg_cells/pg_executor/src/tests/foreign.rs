//! Foreign keys: what must exist, and what happens to those who reference.

use super::*;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use pg_plan::{Expr, ForeignKey, Relation, TargetColumn};

/// A parent (a unique) and a child whose b references it; the child's own
/// primary key is a. With `indexed` the child has an index on b.
fn tables(
    on_delete: char,
    on_update: char,
    indexed: bool,
) -> (MemoryStore, Arc<Relation>, Arc<Relation>) {
    let mut parent = (*table(2, &[(0, true)])).clone();
    parent.name = "parent".into();
    parent.referenced_by = vec![2];
    let indexes: &[(usize, bool)] = if indexed {
        &[(0, true), (1, false)]
    } else {
        &[(0, true)]
    };
    let mut child = (*table(2, indexes)).clone();
    (child.oid, child.file, child.name) = (2, 20, "child".into());
    child.indexes = child
        .indexes
        .iter()
        .map(|i| {
            Arc::new(pg_plan::Index {
                file: i.file + 50,
                table: 2,
                ..(**i).clone()
            })
        })
        .collect();
    child.foreign_keys = vec![ForeignKey {
        oid: 3,
        name: "child_b_fkey".into(),
        columns: vec![2],
        references: 1,
        referenced: vec![1],
        on_delete,
        on_update,
        set_columns: vec![],
        match_full: false,
        deferral: Default::default(),
    }];
    let (parent, child) = (Arc::new(parent), Arc::new(child));
    let mut store = MemoryStore::default();
    store.relations = vec![parent.clone(), child.clone()];
    fill(
        &mut store,
        &parent,
        &[
            &[Some(1), Some(10)],
            &[Some(2), Some(20)],
            &[Some(3), Some(30)],
        ],
    );
    fill(
        &mut store,
        &child,
        &[
            &[Some(100), Some(1)],
            &[Some(101), Some(1)],
            &[Some(102), Some(2)],
            &[Some(103), None],
        ],
    );
    (store, parent, child)
}

fn target(exprs: Vec<Expr>) -> Vec<TargetColumn> {
    exprs
        .into_iter()
        .map(|value| TargetColumn {
            value,
            not_null: false,
        })
        .collect()
}

fn insert(relation: &Arc<Relation>, rows: &[&[Option<i32>]]) -> Plan {
    let node = Node::Insert {
        relation: relation.clone(),
        input: ints(rows),
        values: target(vec![col(0), col(1)]),
        checks: vec![],
        index_exprs: vec![],
        on_conflict: None,
        reached: Vec::new(),
        returning: None,
    };
    plan_of(node, &[])
}

fn update(relation: &Arc<Relation>, filter: Expr, values: Vec<Expr>, changed: usize) -> Plan {
    let node = Node::Update {
        relation: relation.clone(),
        input: scan(relation, true, Some(filter)),
        row_id: 2,
        values: target(values),
        changed: vec![changed],
        recheck: None,
        checks: vec![],
        index_exprs: vec![],
        reached: Vec::new(),
        returning: None,
    };
    plan_of(node, &[])
}

fn delete(relation: &Arc<Relation>, filter: Expr) -> Plan {
    let input = scan(relation, true, Some(filter));
    let node = Node::Delete {
        relation: relation.clone(),
        input,
        row_id: 2,
        recheck: None,
        reached: Vec::new(),
        returning: None,
    };
    plan_of(node, &[])
}

fn contents(store: &mut MemoryStore, relation: &Arc<Relation>) -> Vec<String> {
    let mut rows = lines(&run_in(store, &scan(relation, false, None), &[]).unwrap().0);
    rows.sort();
    rows
}

#[test]
fn a_referenced_key_must_exist() {
    let (mut store, _, child) = tables('a', 'a', false);
    run_in(
        &mut store,
        &insert(&child, &[&[Some(1), Some(3)], &[Some(2), None]]),
        &[],
    )
    .unwrap();
    assert_eq!(store.locked.len(), 1, "the referenced row is locked");
    let error = run_in(&mut store, &insert(&child, &[&[Some(3), Some(9)]]), &[]).unwrap_err();
    assert_eq!(error.code().code(), "23503");
    assert_eq!(
        error.message(),
        "insert or update on table \"child\" violates foreign key constraint \"child_b_fkey\""
    );
    assert_eq!(
        error.fields().detail.as_deref(),
        Some("Key (b)=(9) is not present in table \"parent\".")
    );
    let locked = store.locked.len();
    run_in(
        &mut store,
        &update(&child, eq(col(0), int(100)), vec![int(7), col(1)], 0),
        &[],
    )
    .unwrap();
    assert_eq!(
        store.locked.len(),
        locked,
        "an unchanged key is not looked up"
    );
    let wrong = update(&child, eq(col(0), int(101)), vec![col(0), int(8)], 1);
    assert_eq!(
        run_in(&mut store, &wrong, &[]).unwrap_err().code().code(),
        "23503"
    );
}

#[test]
fn a_referenced_row_cannot_go() {
    for indexed in [false, true] {
        let (mut store, parent, _) = tables('a', 'r', indexed);
        run_in(&mut store, &delete(&parent, eq(col(0), int(3))), &[]).unwrap();
        let error = run_in(&mut store, &delete(&parent, eq(col(0), int(1))), &[]).unwrap_err();
        assert_eq!(error.code().code(), "23503");
        assert_eq!(
            error.message(),
            "update or delete on table \"parent\" violates foreign key constraint \"child_b_fkey\" on table \"child\""
        );
        assert_eq!(
            error.fields().detail.as_deref(),
            Some("Key (a)=(1) is still referenced from table \"child\".")
        );
        let renamed = update(&parent, eq(col(0), int(2)), vec![int(5), col(1)], 0);
        assert_eq!(
            run_in(&mut store, &renamed, &[]).unwrap_err().code().code(),
            "23503"
        );
        let (mut store, parent, _) = tables('a', 'r', indexed);
        let other = update(&parent, eq(col(0), int(2)), vec![col(0), int(5)], 1);
        assert_eq!(run_in(&mut store, &other, &[]).unwrap().1.affected, 1);
    }
}

#[test]
fn cascades_reach_the_children() {
    for indexed in [false, true] {
        let (mut store, parent, child) = tables('c', 'c', indexed);
        run_in(&mut store, &delete(&parent, eq(col(0), int(1))), &[]).unwrap();
        assert_eq!(contents(&mut store, &child), ["102,2", "103,null"]);
        run_in(
            &mut store,
            &update(&parent, eq(col(0), int(2)), vec![int(22), col(1)], 0),
            &[],
        )
        .unwrap();
        assert_eq!(contents(&mut store, &child), ["102,22", "103,null"]);
        let (mut store, parent, child) = tables('n', 'n', indexed);
        run_in(&mut store, &delete(&parent, eq(col(0), int(1))), &[]).unwrap();
        assert_eq!(
            contents(&mut store, &child),
            ["100,null", "101,null", "102,2", "103,null"]
        );
    }
}
