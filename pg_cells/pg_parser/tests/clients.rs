//! What real clients send must parse; what is wrong must fail in PostgreSQL's
//! words.

use pg_parser_port::{PARSER, Statement};
use port::Options;

fn start() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| port::start(&pg_parser::CELL, &Options::default()).unwrap());
}

#[test]
fn corpus() {
    start();
    let Ok(dir) = std::env::var("MITOS_CLIENT_SQL") else {
        return;
    };
    let mut bad = 0;
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut stmts = vec![String::new()];
        for line in text.lines() {
            if line.starts_with("-- statement")
                || line.starts_with("-- execute")
                || line.starts_with("-- parameters")
            {
                stmts.push(String::new());
            } else {
                let last = stmts.last_mut().unwrap();
                last.push_str(line.strip_prefix('\t').unwrap_or(line));
                last.push('\n');
            }
        }
        for s in stmts {
            match PARSER.enter().unwrap().parse(&s) {
                Err(e) => {
                    bad += 1;
                    println!(
                        "{}: {e}\n    {}",
                        path.display(),
                        s.trim().chars().take(1500).collect::<String>()
                    );
                }
                Ok(list) => {
                    for p in list {
                        if let Statement::Unsupported(u) = p.statement {
                            println!("unsupported {u}");
                        }
                    }
                }
            }
        }
    }
    assert_eq!(bad, 0);
}
