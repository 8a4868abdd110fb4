//! Every script prints on Mitos what it prints on PostgreSQL.

mod common;

use common::Mitos;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Scripts use the same names for their tables: one at a time.
static ONE: Mutex<()> = Mutex::new(());

fn check(name: &str) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("specs")
        .join(name);
    let text = fs::read_to_string(path.with_extension("spec")).expect("a script");
    let expected = fs::read_to_string(path.with_extension("out")).expect("what it prints");
    let spec = isolation::spec::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
    let printed = isolation::run::run(&spec, &Mitos::start());
    if printed != expected {
        let at = printed
            .lines()
            .zip(expected.lines())
            .position(|(a, b)| a != b);
        let at = at.unwrap_or_else(|| printed.lines().count().min(expected.lines().count()));
        let part = |text: &str| {
            let lines: Vec<&str> = text.lines().collect();
            let from = lines[..at]
                .iter()
                .rposition(|l| l.starts_with("=="))
                .unwrap_or(0);
            lines[from..lines.len().min(at + 6)].join("\n")
        };
        panic!(
            "{name}, line {}: printed\n{}\n\nexpected\n{}",
            at + 1,
            part(&printed),
            part(&expected)
        );
    }
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn no_script_is_forgotten() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs");
            for entry in fs::read_dir(folder).expect("the scripts") {
                let path = entry.expect("an entry").path();
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                assert!([$(stringify!($name)),*].contains(&name.as_str()), "{name} is not run");
            }
        }
    };
}

scripts! {
    g0 g1a g1b g1c otv pmp p4 g_single g2_item g2 read_only_anomaly
    row_locks table_locks lock_views deadlocks advisory_locks savepoint_locks timeouts read_only
    on_conflict ssi_gaps ssi_index_only ssi_split ssi_safe ssi_tables stale_plans
}
