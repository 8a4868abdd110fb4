//! Aggregates compared with what PostgreSQL 15 answered; see `golden/record_aggregates.py`.

use pg_builtins::{AggState, BasicContext, Call, EvalContext, output_text, resolve_function};
use pg_types::typeinfo::{array_of, type_by_name};
use pg_types::{Datum, SqlResult, input, type_name};

fn run(aggregate: &str, kind: &str, array: &str) -> SqlResult<String> {
    let ctx = BasicContext::default();
    let ty = type_by_name(kind).expect("a type").oid;
    let values = input(
        array_of(ty).expect("an array type"),
        -1,
        array,
        ctx.format(),
    )?;
    let resolved = resolve_function(aggregate, &[ty])?;
    let call = Call::new(&ctx, &resolved.arg_types, resolved.ret);
    let mut state = AggState::new(resolved.func.oid, &resolved.arg_types)?;
    for item in &values.as_array().expect("an array").items {
        state.step(std::slice::from_ref(item), &call)?;
        // As a window function it may be asked at any time, without harm.
        let _ = state.finish(&call);
    }
    let result: Datum = state.finish(&call)?;
    let text = output_text(&result, resolved.ret, &ctx)?.unwrap_or_else(|| "NULL".into());
    Ok(format!("= {} | {}", type_name(resolved.ret), text))
}

#[test]
fn aggregates() {
    let mut lines = include_str!("golden/aggregates.txt")
        .lines()
        .filter(|l| !l.starts_with('#'));
    let mut wrong = Vec::new();
    let mut count = 0;
    while let (Some(case), Some(expected)) = (lines.next(), lines.next()) {
        count += 1;
        let mut words = case.splitn(3, ' ');
        let (Some(aggregate), Some(kind), Some(array)) = (words.next(), words.next(), words.next())
        else {
            panic!("{case} is not a case");
        };
        let got = run(aggregate, kind, array)
            .unwrap_or_else(|e| format!("! {} {}", e.code(), e.message()));
        if got != expected {
            wrong.push(format!("{case}\n  expected {expected}\n  got      {got}"));
        }
    }
    assert!(count > 40);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
