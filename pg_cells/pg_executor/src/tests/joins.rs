//! Joins of all kinds, both ways, against a naive join.

use super::*;
use alloc::string::String;
use alloc::vec;
use pg_plan::{Expr, Join, JoinKind};
use pg_types::oid;

const KINDS: [JoinKind; 6] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::Semi,
    JoinKind::Anti,
];

fn join(kind: JoinKind, left: Plan, right: Plan, hash: bool, condition: Option<Expr>) -> Plan {
    let width = left.columns.len() + right.columns.len();
    let keys = if hash { vec![(col(0), col(0))] } else { vec![] };
    let equal = (!hash).then(|| eq(col(0), col(left.columns.len())));
    let all: Vec<Expr> = equal.into_iter().chain(condition).collect();
    let condition = if all.is_empty() {
        None
    } else {
        Some(Expr::And(all))
    };
    let columns = if matches!(kind, JoinKind::Semi | JoinKind::Anti) {
        left.columns.len()
    } else {
        width
    };
    plan_of(
        Node::Join(Join {
            kind,
            left,
            right,
            hash_keys: keys,
            condition,
            outer: vec![],
        }),
        &vec![oid::INT4; columns],
    )
}

type Row = Vec<Option<i32>>;

/// What a join must give, sorted.
fn naive(
    kind: JoinKind,
    left: &[Row],
    right: &[Row],
    holds: &dyn Fn(&Row, &Row) -> bool,
) -> Vec<String> {
    let mut out: Vec<Row> = Vec::new();
    let pair = |l: &Row, r: &Row| l[0].is_some() && l[0] == r[0] && holds(l, r);
    for l in left {
        let partners: Vec<&Row> = right.iter().filter(|r| pair(l, r)).collect();
        match kind {
            JoinKind::Semi if !partners.is_empty() => out.push(l.clone()),
            JoinKind::Anti if partners.is_empty() => out.push(l.clone()),
            JoinKind::Semi | JoinKind::Anti => {}
            JoinKind::Left | JoinKind::Full if partners.is_empty() => {
                out.push(l.iter().copied().chain([None, None]).collect());
            }
            _ => out.extend(
                partners
                    .iter()
                    .map(|r| l.iter().chain(r.iter()).copied().collect::<Row>()),
            ),
        }
    }
    if matches!(kind, JoinKind::Right | JoinKind::Full) {
        for r in right.iter().filter(|r| !left.iter().any(|l| pair(l, r))) {
            out.push([None, None].into_iter().chain(r.iter().copied()).collect());
        }
    }
    let show = |v: &Option<i32>| v.map_or(String::from("null"), |v| alloc::format!("{v}"));
    let mut lines: Vec<String> = out
        .iter()
        .map(|r| r.iter().map(show).collect::<Vec<_>>().join(","))
        .collect();
    lines.sort();
    lines
}

fn random_rows(seed: &mut u64, most: usize) -> Vec<Row> {
    let mut next = |below: u64| {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % below
    };
    let count = next(most as u64 + 1);
    (0..count)
        .map(|_| {
            let key = next(6);
            vec![
                if key == 0 { None } else { Some(key as i32) },
                Some(next(10) as i32),
            ]
        })
        .collect()
}

fn plan_rows(rows: &[Row]) -> Plan {
    if rows.is_empty() {
        // No rows, but two columns.
        let some = ints(&[&[Some(1), Some(1)]]);
        return plan_of(
            Node::Filter {
                input: some,
                condition: boolean(Some(false)),
            },
            &[oid::INT4; 2],
        );
    }
    let rows: Vec<&[Option<i32>]> = rows.iter().map(Vec::as_slice).collect();
    ints(&rows)
}

#[test]
fn both_joins_agree_with_a_naive_one() {
    let mut seed = 42;
    for round in 0..60 {
        let (left, right) = (random_rows(&mut seed, 8), random_rows(&mut seed, 8));
        for kind in KINDS {
            for conditional in [false, true] {
                let condition = conditional.then(|| lt(col(1), col(3)));
                let holds = |l: &Row, r: &Row| !conditional || l[1] < r[1];
                let expected = naive(kind, &left, &right, &holds);
                for hash in [true, false] {
                    let plan = join(
                        kind,
                        plan_rows(&left),
                        plan_rows(&right),
                        hash,
                        condition.clone(),
                    );
                    let mut got = lines(&run(&plan).unwrap());
                    got.sort();
                    assert_eq!(got, expected, "{kind:?} hash={hash} round={round}");
                }
            }
        }
    }
}

#[test]
fn a_lateral_left_join_keeps_rows_without_partner() {
    let below = plan_of(
        Node::Filter {
            input: numbers(1..3),
            condition: lt(col(0), outer(0)),
        },
        &[oid::INT4],
    );
    let plan = plan_of(
        Node::Join(Join {
            kind: JoinKind::Left,
            left: numbers(1..4),
            right: below,
            hash_keys: vec![],
            condition: None,
            outer: vec![col(0)],
        }),
        &[oid::INT4; 2],
    );
    check(&plan, &["1,null", "2,1", "3,1", "3,2"]);
}
