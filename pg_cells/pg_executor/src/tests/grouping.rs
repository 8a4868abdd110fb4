//! Aggregates: hashed, sorted, grouping sets, DISTINCT, ORDER BY, FILTER.

use super::*;
use alloc::vec;
use pg_plan::{Aggregate, AggregateCall, Expr};
use pg_types::oid;

fn count_star() -> AggregateCall {
    aggregate("count", &[], vec![], oid::INT8)
}

fn aggregate(name: &str, types: &[u32], args: Vec<Expr>, type_oid: u32) -> AggregateCall {
    AggregateCall {
        function: function(name, types),
        args,
        distinct: false,
        order: vec![],
        filter: None,
        type_oid,
    }
}

fn sum(expr: Expr) -> AggregateCall {
    aggregate("sum", &[oid::INT4], vec![expr], oid::INT8)
}

fn group(
    input: Plan,
    keys: Vec<Expr>,
    sets: Vec<Vec<usize>>,
    calls: Vec<AggregateCall>,
    sorted: bool,
) -> Plan {
    let width = keys.len() + calls.len() + usize::from(!sets.is_empty());
    plan_of(
        Node::Aggregate(Aggregate {
            input,
            keys,
            sets,
            calls,
            sorted,
        }),
        &vec![oid::INT4; width],
    )
}

fn rows() -> Plan {
    ints(&[
        &[Some(1), Some(10)],
        &[Some(1), Some(20)],
        &[None, Some(5)],
        &[Some(2), None],
        &[None, Some(6)],
    ])
}

#[test]
fn without_keys_there_is_one_group() {
    check(
        &group(numbers(0..0), vec![], vec![], vec![count_star()], false),
        &["0"],
    );
    check(
        &group(
            rows(),
            vec![],
            vec![],
            vec![count_star(), sum(col(1))],
            false,
        ),
        &["5,41"],
    );
    check(
        &group(
            numbers(0..0),
            vec![col(0)],
            vec![],
            vec![count_star()],
            true,
        ),
        &[],
    );
}

#[test]
fn hashed_and_sorted_groups_agree() {
    let calls = || vec![count_star(), sum(col(1))];
    let expected = ["1,2,30", "null,2,11", "2,1,null"];
    check(
        &group(rows(), vec![col(0)], vec![], calls(), false),
        &expected,
    );
    let sorted = plan_of(
        Node::Sort {
            input: rows(),
            keys: vec![asc(col(0))],
            bound: None,
        },
        &[oid::INT4; 2],
    );
    check(
        &group(sorted, vec![col(0)], vec![], calls(), true),
        &["1,2,30", "2,1,null", "null,2,11"],
    );
}

#[test]
fn grouping_sets_tell_their_nulls_apart() {
    let plan = group(
        rows(),
        vec![col(0)],
        vec![vec![0], vec![]],
        vec![count_star()],
        false,
    );
    check(&plan, &["1,2,0", "null,2,0", "2,1,0", "null,5,1"]);
    let nothing = plan_of(
        Node::Filter {
            input: rows(),
            condition: boolean(Some(false)),
        },
        &[oid::INT4; 2],
    );
    let plan = group(
        nothing,
        vec![col(0)],
        vec![vec![0], vec![]],
        vec![count_star()],
        false,
    );
    check(&plan, &["null,0,1"]);
}

#[test]
fn distinct_filter_and_order() {
    let repeated = || ints(&[&[Some(3)], &[Some(1)], &[Some(3)], &[Some(2)], &[None]]);
    let mut distinct = sum(col(0));
    distinct.distinct = true;
    let mut filtered = count_star();
    filtered.filter = Some(lt(col(0), int(3)));
    check(
        &group(repeated(), vec![], vec![], vec![distinct, filtered], false),
        &["6,2"],
    );
    let mut ordered = aggregate(
        "array_agg",
        &[oid::ANYNONARRAY],
        vec![col(0)],
        oid::INT4_ARRAY,
    );
    ordered.order = vec![desc(col(0))];
    let mut unique = ordered.clone();
    unique.distinct = true;
    check(
        &group(repeated(), vec![], vec![], vec![ordered, unique], false),
        &["{NULL,3,3,2,1},{NULL,3,2,1}"],
    );
}

#[test]
fn many_groups_agree_with_counting() {
    let rows: Vec<Vec<Datum>> = (0..5000)
        .map(|i| vec![Datum::Int4(i * 7 % 501), Datum::Int4(i)])
        .collect();
    let plan = group(
        values(rows),
        vec![col(0)],
        vec![],
        vec![count_star(), sum(col(1))],
        false,
    );
    let got = run(&plan).unwrap();
    assert_eq!(got.len(), 501);
    for row in got {
        let key = row[0].as_i64().unwrap();
        let members: Vec<i64> = (0..5000).filter(|i| i * 7 % 501 == key).collect();
        assert_eq!(row[1], Datum::Int8(members.len() as i64));
        assert_eq!(row[2], Datum::Int8(members.iter().sum()));
    }
}
