//! Rules about files as text.

use crate::tree::{expect_none, files, rust};

/// No source is longer.
const MAX_LINES: usize = 1000;

#[test]
fn every_file_opens_with_its_purpose() {
    let faults: Vec<String> = rust()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| file.path.clone())
        .collect();
    expect_none("a source opens with `//!`", &faults);
}

#[test]
fn files_stay_short() {
    let mut lengths: Vec<(usize, &str)> = rust()
        .map(|file| (file.text.lines().count(), file.path.as_str()))
        .collect();
    lengths.sort_unstable();
    let at = |percent: usize| lengths[(lengths.len() - 1) * percent / 100].0;
    println!(
        "lines per file: median {}, 90th percentile {}",
        at(50),
        at(90)
    );
    let too_long: Vec<String> = lengths
        .iter()
        .filter(|(lines, _)| *lines > MAX_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    expect_none("a source has at most 1,000 lines, better 500", &too_long);
}

#[test]
fn no_file_speaks_of_a_machine() {
    // Put together here, so that this file is not its own first finding.
    let homes = ["root", "home", "work", "Users"].map(|folder| format!("/{folder}/"));
    let mut faults = Vec::new();
    for file in files() {
        for (number, line) in (1..).zip(file.text.lines()) {
            if homes.iter().any(|home| contains_path(line, home)) {
                faults.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    expect_none("a path of somebody's machine", &faults);
}

/// True when `home` begins an absolute path in the line.
fn contains_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-/*}".contains(c))
    })
}

#[test]
fn errors_are_not_bare_strings() {
    let bare = format!("&'static {}", "str>");
    let mut faults = Vec::new();
    for file in rust() {
        for (number, line) in (1..).zip(file.text.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            let is_error = code.match_indices(&bare).any(|(at, _)| {
                code[..at].contains("Result<") && code[..at].trim_end().ends_with(',')
            });
            if is_error {
                faults.push(format!("{}:{number}", file.path));
            }
        }
    }
    expect_none(
        "an error is an enum, sorted by what the caller must do",
        &faults,
    );
}
