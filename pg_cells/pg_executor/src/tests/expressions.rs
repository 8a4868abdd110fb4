//! Expressions: three-valued logic, special forms, subqueries.

use super::*;
use alloc::boxed::Box;
use alloc::vec;
use pg_plan::{CaseArm, Expr, JoinKind, Quantifier, SubLink, SubLinkKind};
use pg_types::oid;

fn one(expr: Expr, expected: &str) {
    check(&evaluate(expr), &[expected]);
}

const TRUTHS: [Option<bool>; 3] = [Some(true), Some(false), None];

#[test]
fn and_or_not_have_three_values() {
    for a in TRUTHS {
        for b in TRUTHS {
            let and = match (a, b) {
                (Some(false), _) | (_, Some(false)) => "f",
                (Some(true), Some(true)) => "t",
                _ => "null",
            };
            let or = match (a, b) {
                (Some(true), _) | (_, Some(true)) => "t",
                (Some(false), Some(false)) => "f",
                _ => "null",
            };
            one(Expr::And(vec![boolean(a), boolean(b)]), and);
            one(Expr::Or(vec![boolean(a), boolean(b)]), or);
        }
        let not = match a {
            Some(true) => "f",
            Some(false) => "t",
            None => "null",
        };
        one(Expr::Not(Box::new(boolean(a))), not);
    }
}

#[test]
fn integers_compare_and_calculate() {
    one(lt(int(1), int(2)), "t");
    one(eq(int(1), null()), "null");
    one(add(int(2), int(40)), "42");
    let error = run(&evaluate(add(int(i32::MAX), int(1)))).unwrap_err();
    assert_eq!(
        (error.code().code(), error.message()),
        ("22003", "integer out of range")
    );
}

#[test]
fn null_tests() {
    one(
        Expr::IsNull {
            input: Box::new(null()),
            negated: false,
        },
        "t",
    );
    one(
        Expr::IsNull {
            input: Box::new(int(1)),
            negated: false,
        },
        "f",
    );
    let mixed = Expr::Row(vec![int(1), null()]);
    one(
        Expr::IsNull {
            input: Box::new(mixed.clone()),
            negated: false,
        },
        "f",
    );
    one(
        Expr::IsNull {
            input: Box::new(mixed),
            negated: true,
        },
        "f",
    );
    let unknown = Expr::IsBool {
        input: Box::new(boolean(None)),
        value: None,
        negated: false,
    };
    one(unknown, "t");
    let not_true = Expr::IsBool {
        input: Box::new(boolean(None)),
        value: Some(true),
        negated: true,
    };
    one(not_true, "t");
}

#[test]
fn distinct_nullif_coalesce_minmax() {
    let equal = function("int4eq", &[oid::INT4, oid::INT4]);
    let distinct = |a, b| Expr::IsDistinct {
        left: Box::new(a),
        right: Box::new(b),
        equal,
        negated: false,
    };
    one(distinct(null(), null()), "f");
    one(distinct(int(1), null()), "t");
    one(distinct(int(1), int(1)), "f");
    let nullif = |a, b| Expr::NullIf {
        left: Box::new(a),
        right: Box::new(b),
        equal,
        type_oid: oid::INT4,
    };
    one(nullif(int(1), int(1)), "null");
    one(nullif(int(1), int(2)), "1");
    one(nullif(int(1), null()), "1");
    one(nullif(null(), int(1)), "null");
    one(
        Expr::Coalesce {
            args: vec![null(), int(7), int(8)],
            type_oid: oid::INT4,
        },
        "7",
    );
    let most = |greatest| Expr::MinMax {
        args: vec![int(3), null(), int(5)],
        greatest,
        type_oid: oid::INT4,
    };
    one(most(true), "5");
    one(most(false), "3");
}

#[test]
fn a_simple_case_evaluates_its_operand_once() {
    let operand = Expr::CaseOperand {
        type_oid: oid::INT4,
    };
    let arm = |value: i32, result: &str| CaseArm {
        when: eq(operand.clone(), int(value)),
        then: string(result),
    };
    let case = |of| Expr::Case {
        operand: Some(Box::new(of)),
        arms: vec![arm(1, "one"), arm(2, "two")],
        otherwise: Some(Box::new(string("many"))),
        type_oid: oid::TEXT,
    };
    one(case(int(2)), "two");
    one(case(int(9)), "many");
    one(case(null()), "many");
}

#[test]
fn in_lists_know_null() {
    let list = |items: &[Option<i32>], quantifier, name| Expr::Quantified {
        left: Box::new(int(2)),
        array: Box::new(Expr::Const {
            value: Datum::array(oid::INT4, items.iter().map(|i| Datum::from(*i)).collect()),
            type_oid: oid::INT4_ARRAY,
        }),
        function: function(name, &[oid::INT4, oid::INT4]),
        quantifier,
    };
    one(list(&[Some(1), Some(2)], Quantifier::Any, "int4eq"), "t");
    one(list(&[Some(1), Some(3)], Quantifier::Any, "int4eq"), "f");
    one(list(&[Some(1), None], Quantifier::Any, "int4eq"), "null");
    one(list(&[Some(1), None], Quantifier::All, "int4ne"), "null");
    one(list(&[Some(2), None], Quantifier::All, "int4ne"), "f");
    one(list(&[], Quantifier::All, "int4ne"), "t");
}

#[test]
fn arrays_nest_and_are_subscripted() {
    let row = |a, b| Expr::Array {
        elements: vec![int(a), int(b)],
        element: oid::INT4,
        type_oid: oid::INT4_ARRAY,
    };
    let both = Expr::Array {
        elements: vec![row(1, 2), row(3, 4)],
        element: oid::INT4,
        type_oid: oid::INT4_ARRAY,
    };
    one(both.clone(), "{{1,2},{3,4}}");
    let at = |subscripts| Expr::Subscript {
        array: Box::new(both.clone()),
        subscripts,
        type_oid: oid::INT4,
    };
    one(at(vec![int(2), int(1)]), "3");
    one(at(vec![int(3), int(1)]), "null");
}

fn link(kind: SubLinkKind, plan: pg_plan::Plan, outer: Vec<Expr>) -> Expr {
    Expr::SubLink(Box::new(SubLink {
        kind,
        plan,
        outer,
        type_oid: oid::INT4,
    }))
}

#[test]
fn scalar_subqueries() {
    one(link(SubLinkKind::Scalar, numbers(5..6), vec![]), "5");
    one(link(SubLinkKind::Scalar, numbers(0..0), vec![]), "null");
    let error = run(&evaluate(link(SubLinkKind::Scalar, numbers(0..2), vec![]))).unwrap_err();
    assert_eq!(error.code().code(), "21000");
}

#[test]
fn correlated_subqueries_see_the_row() {
    // For each number the count of smaller ones, as EXISTS and as a sum.
    let smaller = plan_of(
        Node::Filter {
            input: numbers(1..4),
            condition: lt(col(0), outer(0)),
        },
        &[oid::INT4],
    );
    let exists = link(SubLinkKind::Exists, smaller.clone(), vec![col(0)]);
    let array = Expr::SubLink(Box::new(SubLink {
        kind: SubLinkKind::Array,
        plan: smaller,
        outer: vec![col(0)],
        type_oid: oid::INT4_ARRAY,
    }));
    let plan = project(numbers(1..4), vec![col(0), exists, array]);
    check(&plan, &["1,f,{}", "2,t,{1}", "3,t,{1,2}"]);
}

#[test]
fn in_subqueries_know_null() {
    let quantified = |left: Expr, rows: Plan, name: &str, quantifier| {
        let functions = vec![function(name, &[oid::INT4, oid::INT4])];
        link(
            SubLinkKind::Quantified {
                left: vec![left],
                functions,
                quantifier,
            },
            rows,
            vec![],
        )
    };
    let some = || ints(&[&[Some(1)], &[None]]);
    one(quantified(int(1), some(), "int4eq", Quantifier::Any), "t");
    one(
        quantified(int(2), some(), "int4eq", Quantifier::Any),
        "null",
    );
    one(
        quantified(int(2), some(), "int4ne", Quantifier::All),
        "null",
    );
    one(quantified(int(1), some(), "int4ne", Quantifier::All), "f");
    one(
        quantified(null(), numbers(0..0), "int4eq", Quantifier::Any),
        "f",
    );
    one(
        quantified(null(), numbers(0..0), "int4ne", Quantifier::All),
        "t",
    );
    one(
        quantified(null(), numbers(1..2), "int4eq", Quantifier::Any),
        "null",
    );
    one(
        quantified(int(0), some(), "int4lt", Quantifier::All),
        "null",
    );
    one(quantified(int(3), some(), "int4lt", Quantifier::All), "f");
}

#[test]
fn a_subquery_keeps_its_frame_inside_a_join() {
    // Lateral: for each left number n, the numbers below n, each with whether
    // it is n - 1.
    let below = plan_of(
        Node::Filter {
            input: numbers(1..4),
            condition: lt(col(0), outer(0)),
        },
        &[oid::INT4],
    );
    let join = plan_of(
        Node::Join(pg_plan::Join {
            kind: JoinKind::Inner,
            left: numbers(1..4),
            right: below,
            hash_keys: vec![],
            condition: None,
            outer: vec![col(0)],
        }),
        &[oid::INT4, oid::INT4],
    );
    let exists = link(
        SubLinkKind::Exists,
        plan_of(
            Node::Nothing {
                filter: Some(eq(add(outer(1), int(1)), outer(0))),
            },
            &[],
        ),
        vec![col(0), col(1)],
    );
    check(
        &project(join, vec![col(0), col(1), exists]),
        &["2,1,t", "3,1,f", "3,2,t"],
    );
}

#[test]
fn parameters_are_bound_and_missing_ones_reported() {
    let plan = evaluate(Expr::Param {
        number: 1,
        type_oid: oid::INT4,
    });
    let mut store = MemoryStore::default();
    let (rows, _) = run_in(&mut store, &plan, &[Datum::Int4(9)]).unwrap();
    assert_eq!(lines(&rows), ["9"]);
    assert_eq!(run(&plan).unwrap_err().code().code(), "08P01");
}
