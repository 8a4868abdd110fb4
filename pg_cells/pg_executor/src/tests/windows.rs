//! Window functions and frames.

use super::*;
use alloc::vec;
use pg_plan::{Expr, FrameBound, WindowCall, WindowFrame};
use pg_types::oid;

fn frame(rows: bool, groups: bool, start: FrameBound, end: FrameBound) -> WindowFrame {
    WindowFrame {
        rows,
        groups,
        start,
        end,
    }
}

fn default_frame() -> WindowFrame {
    frame(
        false,
        false,
        FrameBound::UnboundedPreceding,
        FrameBound::CurrentRow,
    )
}

fn window_call(name: &str, types: &[u32], args: Vec<Expr>, frame: WindowFrame) -> WindowCall {
    WindowCall {
        function: function(name, types),
        args,
        filter: None,
        frame,
        type_oid: oid::INT8,
    }
}

fn sum(frame: WindowFrame) -> WindowCall {
    window_call("sum", &[oid::INT4], vec![col(1)], frame)
}

/// Rows (partition, value), sorted.
fn window(calls: Vec<WindowCall>) -> Plan {
    let input = ints(&[
        &[Some(1), Some(10)],
        &[Some(1), Some(20)],
        &[Some(1), Some(20)],
        &[Some(1), Some(40)],
        &[Some(2), Some(5)],
    ]);
    let width = 2 + calls.len();
    let node = Node::Window {
        input,
        calls,
        partition: vec![col(0)],
        order: vec![asc(col(1))],
    };
    plan_of(node, &vec![oid::INT4; width])
}

#[test]
fn running_sums_by_frame() {
    use FrameBound::*;
    let calls = vec![
        sum(default_frame()),
        sum(frame(true, false, UnboundedPreceding, CurrentRow)),
        sum(frame(true, false, Preceding(int(1)), Following(int(1)))),
        sum(frame(false, true, CurrentRow, Following(int(1)))),
        sum(frame(false, false, Preceding(int(10)), CurrentRow)),
        sum(frame(true, false, Following(int(1)), UnboundedFollowing)),
    ];
    check(
        &window(calls),
        &[
            "1,10,10,10,30,50,10,80",
            "1,20,50,30,50,80,50,60",
            "1,20,50,50,80,80,50,40",
            "1,40,90,90,60,40,40,null",
            "2,5,5,5,5,5,5,null",
        ],
    );
}

#[test]
fn ranks() {
    let plain = |name: &str| window_call(name, &[], vec![], default_frame());
    let plan = window(vec![
        plain("row_number"),
        plain("rank"),
        plain("dense_rank"),
        plain("percent_rank"),
        plain("cume_dist"),
    ]);
    check(
        &plan,
        &[
            "1,10,1,1,1,0,0.25",
            "1,20,2,2,2,0.3333333333333333,0.75",
            "1,20,3,2,2,0.3333333333333333,0.75",
            "1,40,4,4,3,1,1",
            "2,5,1,1,1,0,1",
        ],
    );
}

#[test]
fn neighbours_and_buckets() {
    let any = oid::ANYELEMENT;
    let lag = window_call("lag", &[any], vec![col(1)], default_frame());
    let lead = window_call(
        "lead",
        &[any, oid::INT4],
        vec![col(1), int(2)],
        default_frame(),
    );
    let first = window_call("first_value", &[any], vec![col(1)], default_frame());
    let last = window_call("last_value", &[any], vec![col(1)], default_frame());
    let second = window_call(
        "nth_value",
        &[any, oid::INT4],
        vec![col(1), int(2)],
        default_frame(),
    );
    let tile = window_call("ntile", &[oid::INT4], vec![int(3)], default_frame());
    check(
        &window(vec![lag, lead, first, last, second, tile]),
        &[
            "1,10,null,20,10,10,null,1",
            "1,20,10,40,10,20,20,1",
            "1,20,20,null,10,20,20,2",
            "1,40,20,null,10,40,20,3",
            "2,5,null,null,5,5,null,1",
        ],
    );
}

#[test]
fn senseless_frames_are_refused() {
    let negative = sum(frame(
        true,
        false,
        FrameBound::Preceding(int(-1)),
        FrameBound::CurrentRow,
    ));
    assert_eq!(
        run(&window(vec![negative])).unwrap_err().code().code(),
        "22013"
    );
    let missing = sum(frame(
        true,
        false,
        FrameBound::Preceding(null()),
        FrameBound::CurrentRow,
    ));
    assert_eq!(
        run(&window(vec![missing])).unwrap_err().code().code(),
        "22004"
    );
}
