//! Set-returning functions compared with what PostgreSQL 15 answered; see `golden/record_sets.py`.

mod eval;

use pg_types::{Datum, FormatSettings, oid, to_text};

#[test]
fn sets() {
    let mut lines = include_str!("golden/sets.txt")
        .lines()
        .filter(|l| !l.starts_with('#'));
    let (mut count, mut wrong) = (0, Vec::new());
    while let (Some(case), Some(expected)) = (lines.next(), lines.next()) {
        count += 1;
        let got = match eval::evaluate_set(case) {
            Ok(rows) if rows.is_empty() => "= text[] | NULL".to_string(),
            Ok(rows) => {
                let items = rows
                    .into_iter()
                    .map(|r| r.map_or(Datum::Null, Datum::text))
                    .collect();
                let text = to_text(
                    &Datum::array(oid::TEXT, items),
                    oid::TEXT_ARRAY,
                    &FormatSettings::default(),
                );
                format!(
                    "= text[] | {}",
                    text.unwrap_or_default().replace('\\', "\\\\")
                )
            }
            Err(e) => format!("! {} {}", e.code(), e.message()),
        };
        if got != expected {
            wrong.push(format!("{case}\n  expected {expected}\n  got      {got}"));
        }
    }
    assert!(count > 25);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
