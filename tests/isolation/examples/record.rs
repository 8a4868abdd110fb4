//! Records what the scripts print on a PostgreSQL, as what Mitos must print:
//! `cargo run -p isolation --example record PORT [SCRIPT]...`

use isolation::server::Postgres;
use std::path::Path;
use std::{env, fs};

fn main() {
    let mut args = env::args().skip(1);
    let port = args.next().and_then(|p| p.parse().ok());
    let postgres = Postgres::on(port.expect("the port of a PostgreSQL"));
    let only: Vec<String> = args.collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs");
    for entry in fs::read_dir(&folder).expect("the scripts") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let wanted = only.is_empty() || only.iter().any(|o| *o == name);
        if path.extension().is_some_and(|e| e == "spec") && wanted {
            let text = fs::read_to_string(&path).expect("a script");
            let spec = isolation::spec::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            let printed = isolation::run::run(&spec, &postgres);
            fs::write(path.with_extension("out"), printed).expect("written");
            println!("{name}");
        }
    }
}
