//! Every script of `regress` prints on Mitos what it prints on PostgreSQL.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Scripts share a schema's name: one at a time.
static ONE: Mutex<()> = Mutex::new(());

fn check(name: &str) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regress");
    let read = |kind: &str| fs::read_to_string(folder.join(name).with_extension(kind));
    let script = read("sql").expect("a script");
    let expected = read("out").expect("what it prints");
    let printed = sql::regress::run(&script, host_server::start());
    if let Some(folder) = std::env::var_os("MITOS_PRINTED") {
        fs::write(Path::new(&folder).join(name), &printed).expect("written");
    }
    for (at, (have, want)) in printed.lines().zip(expected.lines()).enumerate() {
        let from = printed.lines().take(at).collect::<Vec<_>>();
        let began = from.iter().rposition(|l| l.starts_with("> ")).unwrap_or(0);
        let statement = from[began..].join("\n");
        assert_eq!(have, want, "{name}.out:{}, after\n{statement}", at + 1);
    }
    assert_eq!(printed.lines().count(), expected.lines().count(), "{name}");
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn no_script_is_forgotten() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regress");
            for entry in fs::read_dir(folder).expect("the scripts") {
                let path = entry.expect("an entry").path();
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                assert!([$(stringify!($name)),*].contains(&name.as_str()), "{name} is not run");
            }
        }
    };
}

scripts! { deferrable foreign_keys indexes statistics }
