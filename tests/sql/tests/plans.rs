//! Golden scripts: statements in, plans or errors out.
//!
//! In `plans/NAME.txt` a line that begins with `> ` is a statement (continued
//! by lines that begin with `| `); below it stands what is expected: EXPLAIN's
//! lines, the data of a utility statement, or an error. CREATE statements change
//! the catalog in memory. `MITOS_BLESS=1 cargo test -p sql` writes what
//! comes out.

use pg_parser_port::PARSER;
use pg_plan::{ExplainOptions, Planned, Utility};
use pg_planner_port::{PLANNER, PlanContext};
use port::Options;
use sql::memory::Memory;
use std::fmt::Write;

fn start() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        port::start(&pg_parser::CELL, &Options::default()).unwrap();
        port::start(&pg_planner::CELL, &Options::default()).unwrap();
    });
}

/// What planning a text gives.
fn outcome(catalog: &mut Memory, sql: &str) -> String {
    let (params, sql) = match sql.strip_prefix("params(") {
        Some(rest) => {
            let (types, sql) = rest.split_once(") ").unwrap();
            (
                types
                    .split(',')
                    .map(|t| t.trim().parse().unwrap())
                    .collect(),
                sql,
            )
        }
        None => (Vec::new(), sql),
    };
    let mut out = String::new();
    let parsed = match PARSER.enter().unwrap().parse(sql) {
        Ok(parsed) => parsed,
        Err(error) => return describe(&error),
    };
    for statement in parsed {
        let eval = pg_builtins::BasicContext::default();
        let planned = {
            let context = PlanContext {
                catalog: &*catalog,
                eval: &eval,
                param_types: &params,
            };
            PLANNER
                .enter()
                .unwrap()
                .plan(&statement.statement, &context)
        };
        match planned {
            Ok(Planned::Query(plan)) => {
                let columns: Vec<String> = plan
                    .columns
                    .iter()
                    .map(|c| format!("{} {}", c.name, pg_types::format_type(c.type_oid, c.typmod)))
                    .collect();
                if !columns.is_empty() {
                    writeln!(out, "=> {}", columns.join(", ")).unwrap();
                }
                if !plan.params.is_empty() {
                    let types: Vec<String> = plan
                        .params
                        .iter()
                        .map(|t| pg_types::format_type(*t, -1))
                        .collect();
                    writeln!(out, "params: {}", types.join(", ")).unwrap();
                }
                let options = ExplainOptions {
                    costs: false,
                    ..ExplainOptions::default()
                };
                for line in PLANNER.enter().unwrap().explain(&plan, &options) {
                    writeln!(out, "{line}").unwrap();
                }
            }
            Ok(Planned::Utility(Utility::Ddl(ddl))) => match catalog.apply(&ddl) {
                true => writeln!(out, "{}", ddl.tag()).unwrap(),
                false => writeln!(out, "{}", brief_ddl(&ddl)).unwrap(),
            },
            Ok(Planned::Utility(utility)) => writeln!(out, "{}", brief(&utility)).unwrap(),
            Err(error) => out.push_str(&describe(&error)),
        }
    }
    out
}

fn brief(utility: &Utility) -> String {
    match utility {
        Utility::CreateTableAs {
            table, with_data, ..
        } => {
            format!("CREATE TABLE {} AS, data: {with_data}", table.name)
        }
        Utility::Copy(copy) => match &copy.source {
            pg_plan::CopySource::From {
                relation, columns, ..
            } => {
                format!(
                    "COPY {} {columns:?} FROM, {:?}",
                    relation.name, copy.options
                )
            }
            pg_plan::CopySource::To(plan) => {
                format!("COPY {} columns TO, {:?}", plan.columns.len(), copy.options)
            }
        },
        Utility::Vacuum {
            tables, analyze, ..
        } => {
            let names: Vec<&str> = tables.iter().map(|(t, _)| t.name.as_str()).collect();
            format!("VACUUM {names:?} analyze: {analyze}")
        }
        Utility::Explain { options, .. } => format!("EXPLAIN {options:?}"),
        Utility::Declare { name, hold, .. } => format!("DECLARE {name} hold: {hold}"),
        Utility::Lock { tables, mode, .. } => format!("LOCK {} {mode:?}", tables.len()),
        other => format!("{other:?}"),
    }
}

fn brief_ddl(ddl: &pg_plan::Ddl) -> String {
    match ddl {
        pg_plan::Ddl::AlterTable(alter) => {
            format!(
                "{} {} index: {:?} {:?}",
                ddl.tag(),
                alter.relation.name,
                alter.index,
                alter.changes
            )
        }
        pg_plan::Ddl::Truncate { tables, .. } => format!("TRUNCATE {}", tables.len()),
        pg_plan::Ddl::Comment { text, .. } => format!("COMMENT {text:?}"),
        other => format!("{other:?}"),
    }
}

fn describe(error: &pg_types::SqlError) -> String {
    let mut out = format!("{}: {}\n", error.code(), error.message());
    for (name, field) in [
        ("DETAIL", &error.fields().detail),
        ("HINT", &error.fields().hint),
    ] {
        if let Some(text) = field {
            writeln!(out, "{name}: {text}").unwrap();
        }
    }
    out
}

fn run(name: &str) {
    start();
    let path = format!("{}/plans/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let script = std::fs::read_to_string(&path).unwrap();
    let mut catalog = Memory::new();
    let mut out = String::new();
    let mut lines = script.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(first) = line.strip_prefix("> ") {
            writeln!(out, "{line}").unwrap();
            let mut sql = first.to_string();
            while let Some(more) = lines.peek().and_then(|l| l.strip_prefix("| ")) {
                writeln!(out, "| {more}").unwrap();
                sql.push('\n');
                sql.push_str(more);
                lines.next();
            }
            out.push_str(&outcome(&mut catalog, &sql));
            while lines
                .peek()
                .is_some_and(|l| !l.is_empty() && !l.starts_with("> ") && !l.starts_with('#'))
            {
                lines.next();
            }
        } else {
            writeln!(out, "{line}").unwrap();
        }
    }
    if std::env::var_os("MITOS_BLESS").is_some() {
        std::fs::write(&path, out).unwrap();
        return;
    }
    for (number, (want, have)) in script.lines().zip(out.lines()).enumerate() {
        assert_eq!(have, want, "{path}:{}", number + 1);
    }
    assert_eq!(out.lines().count(), script.lines().count(), "{path}");
}

macro_rules! scripts {
    ($($name:ident)*) => { $(#[test] fn $name() { run(stringify!($name)); })* };
}

scripts! { tables select joins aggregate errors dml params subqueries utility }

/// A join of many tables is planned by a greedy search: its time must not
/// explode.
#[test]
fn sixty_tables() {
    start();
    let mut catalog = Memory::new();
    let mut from = Vec::new();
    let mut conditions = Vec::new();
    for n in 1..=60 {
        outcome(
            &mut catalog,
            &format!("create table t{n}(a{n} int primary key, b{n} int, x{n} varchar(40))"),
        );
        from.push(format!("t{n}"));
        if n > 1 {
            conditions.push(format!(
                "a{} = b{}",
                (n * 17) % 60 + 1,
                (n * 17 + 17) % 60 + 1
            ));
        }
    }
    let sql = format!(
        "select x1, x60 from {} where a5 = 3 and {}",
        from.join(", "),
        conditions.join(" and ")
    );
    let began = std::time::Instant::now();
    let plan = outcome(&mut catalog, &sql);
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    assert_eq!(plan.matches(" on t").count(), 60, "{plan}");
    // A connected join needs no cross product.
    assert_eq!(
        plan.matches("Nested Loop\n").count() + plan.matches("Hash Join\n").count(),
        59
    );
}

/// sqllogictest's and clients' statements over a file, for work at the planner:
/// counts what is refused.
#[test]
fn corpus() {
    start();
    let Ok(path) = std::env::var("MITOS_SQL") else {
        return;
    };
    let mut catalog = Memory::new();
    let text = std::fs::read_to_string(&path).unwrap();
    let mut kinds = std::collections::BTreeMap::<String, (usize, String)>::new();
    for statement in text.split("\n-- statement\n") {
        let out = outcome(&mut catalog, statement);
        let first = out.lines().next().unwrap_or("");
        if first.as_bytes().get(5) == Some(&b':') {
            let entry = kinds.entry(first.to_string()).or_default();
            entry.0 += 1;
            entry.1 = statement.to_string();
        }
    }
    for (error, (count, sample)) in kinds {
        println!(
            "{count:6} {error}\n         {}",
            sample.trim().chars().take(700).collect::<String>()
        );
    }
}

/// The deepest statement that is not refused must fit a worker's stack.
#[test]
fn deepest_nesting() {
    start();
    let plan = |depth: usize| {
        let sql = format!("select {}1{}", "(1 + ".repeat(depth), ")".repeat(depth));
        let mut catalog = Memory::new();
        outcome(&mut catalog, &sql)
    };
    let run = move || {
        (0..400)
            .step_by(10)
            .map(plan)
            .filter(|out| out.starts_with("=>"))
            .count()
    };
    let kib: usize = std::env::var("MITOS_STACK_KIB")
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(1024);
    let thread = std::thread::Builder::new()
        .stack_size(kib << 10)
        .spawn(run)
        .unwrap();
    let accepted = thread.join().unwrap();
    assert!((3..30).contains(&accepted), "{accepted}");
}
