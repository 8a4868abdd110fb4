//! Scripts in the format of sqllogictest: statements that must work or fail,
//! queries with their values, one a line.

use crate::{Answer, Sql};
use pg_types::Datum;

/// Runs a script; gives the complaints.
pub fn run(sql: &mut Sql, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut threshold = 0;
    for record in text.split("\n\n") {
        let lines: Vec<&str> = record.lines().filter(|l| !l.starts_with('#')).collect();
        let Some(first) = lines.iter().position(|l| !l.trim().is_empty()) else {
            continue;
        };
        let lines = &lines[first..];
        let words: Vec<&str> = lines[0].split_whitespace().collect();
        match words.as_slice() {
            ["hash-threshold", n] => threshold = n.parse().expect("a number"),
            ["statement", how, ..] => {
                let result = sql.run(&lines[1..].join("\n"));
                if let (Err(error), "ok" | "count") = (&result, *how) {
                    complaints.push(format!("{error}\n    {}", lines[1..].join(" ")));
                }
                if let (Ok(_), "error") = (&result, *how) {
                    complaints.push(format!("should fail\n    {}", lines[1..].join(" ")));
                }
            }
            ["query", _, rest @ ..] => {
                let cut = lines
                    .iter()
                    .position(|l| *l == "----")
                    .unwrap_or(lines.len());
                let query = lines[1..cut].join("\n");
                let want = lines.get(cut + 1..).unwrap_or(&[]);
                match sql.run(&query) {
                    Err(error) => complaints.push(format!("{error}\n    {query}")),
                    Ok(answer) => {
                        let have = values(answer, rest.first().copied().unwrap_or("nosort"));
                        let have = hashed(have, want, threshold);
                        if have != want {
                            complaints
                                .push(format!("{query}\n    want {want:?}\n    have {have:?}"));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    complaints
}

fn values(answer: Answer, sort: &str) -> Vec<String> {
    let shown = |value: Option<String>| match value {
        None => "NULL".to_string(),
        Some(text) if text.is_empty() => "(empty)".to_string(),
        Some(text) => text,
    };
    let mut rows: Vec<Vec<String>> = answer
        .1
        .into_iter()
        .map(|row| row.into_iter().map(shown).collect())
        .collect();
    if sort == "rowsort" {
        rows.sort();
    }
    let mut values: Vec<String> = rows.into_iter().flatten().collect();
    if sort == "valuesort" {
        values.sort();
    }
    values
}

/// Many values are compared by their digest.
fn hashed(values: Vec<String>, want: &[&str], threshold: usize) -> Vec<String> {
    let digest = matches!(want, [one] if one.contains(" values hashing to "));
    if !digest || values.len() <= threshold {
        return values;
    }
    let text: String = values.iter().map(|v| format!("{v}\n")).collect();
    let function = pg_builtins::functions_named("md5").next().expect("md5");
    let context = pg_builtins::BasicContext::default();
    let call = pg_builtins::Call::plain(&context);
    let sum =
        pg_builtins::call_by_oid(function.oid, &[Datum::text(text)], &call).expect("a digest");
    vec![format!(
        "{} values hashing to {}",
        values.len(),
        sum.as_str().unwrap_or("")
    )]
}
