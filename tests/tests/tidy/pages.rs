//! Rules about the pages people read: what a page points to is there.

use crate::tree::{expect_none, files, root};
use std::path::Path;

#[test]
fn pages_point_to_what_is_there() {
    let mut faults = Vec::new();
    let mut links = 0;
    for file in files().iter().filter(|file| file.path.ends_with(".md")) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for (number, line) in (1..).zip(file.text.lines()) {
            let linked = targets(line).map(|target| folder.join(target));
            let named = quoted(line)
                .filter(|text| is_source(text))
                .map(|text| Path::new(text).to_path_buf());
            for path in linked.chain(named) {
                links += 1;
                if !root().join(&path).exists() {
                    faults.push(format!("{}:{number}: {}", file.path, path.display()));
                }
            }
        }
    }
    assert!(links > 50, "the search for links finds nothing");
    expect_none("a page points to a file that is there", &faults);
}

/// The files of `[text](file)` in a line, without addresses in the net.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(at, opening)| {
        let rest = &line[at + opening.len()..];
        let target = rest.split([')', '#', ' ']).next()?;
        (!target.is_empty() && !target.contains("://")).then_some(target)
    })
}

/// What stands between single backticks in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// True for a path from the root down to a source or a page.
fn is_source(text: &str) -> bool {
    let top = text.split('/').next().unwrap_or("");
    text.contains('/')
        && (text.ends_with(".rs") || text.ends_with(".md"))
        && !text.contains(['*', '{', ' '])
        && root().join(top).is_dir()
        && top != "src"
        && top != "tests"
        && !top.is_empty()
}
