//! Records what the scripts of `regress` print on a PostgreSQL:
//! `cargo run -p sql --example record PORT [SCRIPT]...`

use std::path::Path;
use std::{env, fs};

fn main() {
    let mut args = env::args().skip(1);
    let port = args.next().and_then(|p| p.parse().ok());
    let port = port.expect("the port of a PostgreSQL");
    let only: Vec<String> = args.collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regress");
    for entry in fs::read_dir(&folder).expect("the scripts") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let wanted = only.is_empty() || only.iter().any(|o| *o == name);
        if path.extension().is_some_and(|e| e == "sql") && wanted {
            let text = fs::read_to_string(&path).expect("a script");
            let printed = sql::regress::run(&text, port);
            fs::write(path.with_extension("out"), printed).expect("written");
            println!("{name}");
        }
    }
}
