//! Scripts: this folder's own, and a corpus given by `MITOS_SLT`.

use sql::{Sql, script};

fn run(path: &std::path::Path, fingerprints: bool) -> usize {
    let text = std::fs::read_to_string(path).unwrap();
    let _alone = execution::alone();
    let mut sql = Sql::new();
    sql.fingerprints = fingerprints;
    let complaints = script::run(&mut sql, &text);
    for complaint in complaints.iter().take(8) {
        println!("{}: {complaint}", path.display());
    }
    complaints.len()
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(run(&path, false), 0, "{}", path.display());
        assert_eq!(run(&path, true), 0, "{} by fingerprint", path.display());
    }
}

#[test]
fn corpus() {
    let Ok(list) = std::env::var("MITOS_SLT") else {
        return;
    };
    let mut bad = 0;
    for path in list.split_whitespace() {
        let here = run(
            std::path::Path::new(path),
            std::env::var_os("MITOS_FINGERPRINTS").is_some(),
        );
        println!("{path}: {here} complaints");
        bad += here;
    }
    assert_eq!(bad, 0);
}
