//! Expressions compared with what PostgreSQL 15 answered; see `golden/record.py`.
//!
//! Each file pairs expressions with a type and value, or an SQLSTATE and
//! message. `DIFFERS` lists what is known to differ, with the reason.

mod eval;

use eval::evaluate;

/// Expressions whose answers differ from PostgreSQL's, and why that stays.
const DIFFERS: &[(&str, &str)] = &[
    (
        "unnest(\'{1}\')",
        "the server has more functions of this name",
    ),
    ("||/ 27", "the server's libm is off by one unit; 3 is right"),
    ("cbrt(27)", "the same"),
];

fn check(name: &str, text: &str) {
    let mut lines = text
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'));
    let (mut count, mut wrong) = (0, Vec::new());
    while let (Some(expression), Some(expected)) = (lines.next(), lines.next()) {
        count += 1;
        let got = match evaluate(expression) {
            Ok((ty, value)) => format!(
                "= {ty} | {}",
                value.replace('\\', "\\\\").replace('\n', "\\n")
            ),
            Err(e) => format!("! {} {}", e.code(), e.message()),
        };
        if got != expected && !DIFFERS.iter().any(|(e, _)| *e == expression) {
            wrong.push(format!(
                "{expression}\n  expected {expected}\n  got      {got}"
            ));
        }
    }
    assert!(count > 50, "{name} has lost its cases");
    assert!(
        wrong.is_empty(),
        "{} of {count} in {name}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn numbers() {
    check("numbers", include_str!("golden/numbers.txt"));
}

#[test]
fn strings() {
    check("strings", include_str!("golden/strings.txt"));
}

#[test]
fn dates() {
    check("dates", include_str!("golden/dates.txt"));
}

#[test]
fn arrays() {
    check("arrays", include_str!("golden/arrays.txt"));
}

#[test]
fn formatting() {
    check("formatting", include_str!("golden/formatting.txt"));
}

#[test]
fn resolution() {
    check("resolution", include_str!("golden/resolution.txt"));
}

#[test]
fn more() {
    check("more", include_str!("golden/more.txt"));
}
