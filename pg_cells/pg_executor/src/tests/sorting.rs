//! Sort, limit, distinct, set operations, common table expressions.

use super::*;
use alloc::vec;
use pg_plan::{Expr, SetOpKind, SortKey};
use pg_types::oid;

fn sort(input: Plan, keys: Vec<SortKey>, bound: Option<Expr>) -> Plan {
    let types: Vec<u32> = input.columns.iter().map(|c| c.type_oid).collect();
    plan_of(Node::Sort { input, keys, bound }, &types)
}

fn limit(
    input: Plan,
    limit: Option<Expr>,
    offset: Option<Expr>,
    ties: Option<Vec<SortKey>>,
) -> Plan {
    let types: Vec<u32> = input.columns.iter().map(|c| c.type_oid).collect();
    plan_of(
        Node::Limit {
            input,
            limit,
            offset,
            ties,
        },
        &types,
    )
}

#[test]
fn nulls_go_where_they_are_told() {
    let rows = || ints(&[&[Some(2)], &[None], &[Some(1)]]);
    check(&sort(rows(), vec![asc(col(0))], None), &["1", "2", "null"]);
    check(&sort(rows(), vec![desc(col(0))], None), &["null", "2", "1"]);
    let first = SortKey {
        expr: col(0),
        descending: false,
        nulls_first: true,
    };
    check(&sort(rows(), vec![first], None), &["null", "1", "2"]);
}

#[test]
fn a_bounded_sort_gives_the_first_of_a_full_one() {
    let mut seed = 7u32;
    let mut rows = Vec::new();
    for i in 0..2000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        rows.push(vec![Datum::Int4((seed >> 20) as i32 % 100), Datum::Int4(i)]);
    }
    let full = run(&sort(values(rows.clone()), vec![asc(col(0))], None)).unwrap();
    assert!(full.windows(2).all(|w| {
        let key = |r: &Vec<Datum>| (r[0].as_i64(), r[1].as_i64());
        key(&w[0]) < key(&w[1])
    }));
    for bound in [0, 1, 10, 300, 5000] {
        let some = run(&sort(
            values(rows.clone()),
            vec![asc(col(0))],
            Some(int(bound)),
        ))
        .unwrap();
        assert_eq!(
            some,
            full[..full.len().min(bound as usize)],
            "bound {bound}"
        );
    }
}

#[test]
fn limit_offset_and_ties() {
    check(
        &limit(numbers(1..6), Some(int(2)), Some(int(1)), None),
        &["2", "3"],
    );
    check(
        &limit(numbers(1..4), Some(null()), Some(int(2)), None),
        &["3"],
    );
    check(&limit(numbers(1..4), Some(int(0)), None, None), &[]);
    let error = run(&limit(numbers(1..2), Some(int(-1)), None, None)).unwrap_err();
    assert_eq!(
        (error.code().code(), error.message()),
        ("2201W", "LIMIT must not be negative")
    );
    let error = run(&limit(numbers(1..2), None, Some(int(-1)), None)).unwrap_err();
    assert_eq!(error.code().code(), "2201X");
    let rows = ints(&[&[Some(1)], &[Some(1)], &[Some(2)], &[Some(2)], &[Some(3)]]);
    check(
        &limit(rows.clone(), Some(int(3)), None, Some(vec![asc(col(0))])),
        &["1", "1", "2", "2"],
    );
    check(
        &limit(rows, Some(int(9)), None, Some(vec![asc(col(0))])),
        &["1", "1", "2", "2", "3"],
    );
}

#[test]
fn distinct_rows_and_distinct_on() {
    let rows = || {
        ints(&[
            &[Some(1), Some(1)],
            &[Some(1), Some(2)],
            &[None, None],
            &[Some(1), Some(1)],
            &[None, None],
        ])
    };
    let all = plan_of(
        Node::Distinct {
            input: rows(),
            keys: vec![],
        },
        &[oid::INT4; 2],
    );
    check(&all, &["1,1", "1,2", "null,null"]);
    let sorted = sort(rows(), vec![asc(col(0))], None);
    let on = plan_of(
        Node::Distinct {
            input: sorted,
            keys: vec![col(0)],
        },
        &[oid::INT4; 2],
    );
    check(&on, &["1,1", "null,null"]);
}

#[test]
fn set_operations() {
    let op = |kind, all| {
        let left = ints(&[&[Some(1)], &[Some(1)], &[Some(2)], &[None], &[None]]);
        let right = ints(&[&[Some(1)], &[None], &[Some(3)]]);
        plan_of(
            Node::SetOp {
                kind,
                all,
                left,
                right,
            },
            &[oid::INT4],
        )
    };
    check(&op(SetOpKind::Union, false), &["1", "2", "null", "3"]);
    check(
        &op(SetOpKind::Union, true),
        &["1", "1", "2", "null", "null", "1", "null", "3"],
    );
    check(&op(SetOpKind::Intersect, false), &["1", "null"]);
    check(&op(SetOpKind::Intersect, true), &["1", "null"]);
    check(&op(SetOpKind::Except, false), &["2"]);
    check(&op(SetOpKind::Except, true), &["1", "2", "null"]);
    let both = plan_of(
        Node::Append(vec![numbers(1..3), numbers(1..2)]),
        &[oid::INT4],
    );
    check(&both, &["1", "2", "1"]);
}

#[test]
fn a_recursion_under_a_limit_ends() {
    let scan = |id| plan_of(Node::CteScan { id }, &[oid::INT4]);
    let step = project(scan(1), vec![add(col(0), int(1))]);
    let recursive = |step| {
        plan_of(
            Node::RecursiveUnion {
                id: 1,
                initial: numbers(1..2),
                step,
                all: true,
            },
            &[oid::INT4],
        )
    };
    let endless = |body| {
        plan_of(
            Node::With {
                ctes: vec![(1, recursive(step.clone()))],
                body,
            },
            &[oid::INT4],
        )
    };
    check(
        &endless(limit(scan(1), Some(int(4)), None, None)),
        &["1", "2", "3", "4"],
    );
    let bounded = plan_of(
        Node::Filter {
            input: step.clone(),
            condition: lt(col(0), int(4)),
        },
        &[oid::INT4],
    );
    let plan = plan_of(
        Node::With {
            ctes: vec![(1, recursive(bounded))],
            body: scan(1),
        },
        &[oid::INT4],
    );
    check(&plan, &["1", "2", "3"]);
}

#[test]
fn a_union_recursion_ends_by_itself() {
    // 1 -> 2 -> 3 -> 1
    let edges = ints(&[
        &[Some(1), Some(2)],
        &[Some(2), Some(3)],
        &[Some(3), Some(1)],
    ]);
    let step = plan_of(
        Node::Join(pg_plan::Join {
            kind: pg_plan::JoinKind::Inner,
            left: plan_of(Node::CteScan { id: 7 }, &[oid::INT4]),
            right: edges,
            hash_keys: vec![(col(0), col(0))],
            condition: None,
            outer: vec![],
        }),
        &[oid::INT4; 3],
    );
    let step = project(step, vec![col(2)]);
    let union = plan_of(
        Node::RecursiveUnion {
            id: 7,
            initial: numbers(1..2),
            step,
            all: false,
        },
        &[oid::INT4],
    );
    check(&union, &["1", "2", "3"]);
}

#[test]
fn a_cte_is_run_once_and_read_twice() {
    let scan = || plan_of(Node::CteScan { id: 3 }, &[oid::INT4]);
    let body = plan_of(Node::Append(vec![scan(), scan()]), &[oid::INT4]);
    let with = plan_of(
        Node::With {
            ctes: vec![(3, numbers(1..3))],
            body,
        },
        &[oid::INT4],
    );
    check(&with, &["1", "2", "1", "2"]);
}
