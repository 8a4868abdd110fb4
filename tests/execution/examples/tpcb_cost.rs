//! What the steps of a TPC-B transaction cost, in instructions:
//!
//! ```text
//! BEGIN
//! UPDATE accounts    one of 6,200 rows of 100 bytes, 62 a page
//! SELECT accounts
//! UPDATE tellers     one of ten rows on one page
//! UPDATE branches    the same row every time
//! INSERT history     no index
//! END
//! ```
//! `cargo run --release -p execution --example tpcb_cost [TIMES] [MODE]`
//!
//! The program runs itself under valgrind's callgrind and divides what each step
//! executed (with all it called) by the number of transactions; rounds before
//! the steady state are not counted. Without valgrind it prints nanoseconds.
//!
//! Modes: `steady`; `reader`, where a snapshot from the beginning stays open, so
//! that nothing can be pruned; `threads`, which measures time only: 1 to 8
//! threads that all update the one branch.

use execution::plans::*;
use execution::{Session, create, database};
use pg_builtins::EvalContext;
use pg_executor_port::{PreparedPlan, RowSink};
use pg_plan::Relation;
use pg_types::{Datum, SqlError};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const ACCOUNTS: i32 = 6200;
/// Transactions before the counting: 150 updates of each page of accounts.
const WARM_UP: u32 = 15_000;
const TELLERS: i32 = 10;
/// Set for the run under the profiler.
const INNER: &str = "TPCB_COST_INNER";
const STEPS: [&str; 7] = [
    "step_begin",
    "step_account",
    "step_select",
    "step_teller",
    "step_branch",
    "step_history",
    "step_commit",
];

struct Last(i64);

impl RowSink for Last {
    fn row(&mut self, row: &[Datum], _session: &dyn EvalContext) -> Result<(), SqlError> {
        self.0 = row[0].as_i64().unwrap_or(-1);
        Ok(())
    }
}

/// The prepared statements.
struct Plans {
    account: PreparedPlan,
    teller: PreparedPlan,
    branch: PreparedPlan,
    select: PreparedPlan,
    history: PreparedPlan,
}

fn prepare(plan: pg_plan::Plan) -> PreparedPlan {
    pg_executor_port::prepare(Arc::new(plan)).expect("a plan")
}

fn fill(t: &Arc<Relation>, rows: i32, text: &str) {
    create(t);
    let rows: Vec<(i32, i32, &str)> = (0..rows).map(|i| (i, 0, text)).collect();
    let mut session = Session::begin();
    session.run(&insert(t, &rows)).expect("rows");
    session.commit();
}

impl Plans {
    fn new() -> Self {
        let (accounts, tellers, branches) = (table(100), table(110), table(120));
        fill(&accounts, ACCOUNTS, &"x".repeat(84));
        fill(&tellers, TELLERS, "");
        fill(&branches, 1, "");
        let mut history = Relation::clone(&table(130));
        history.indexes.clear();
        let history = Arc::new(history);
        create(&history);
        let add_to = |t: &Arc<Relation>| {
            prepare(update(t, param(1), col(0), add(col(1), param(2)), vec![1]))
        };
        Plans {
            account: add_to(&accounts),
            teller: add_to(&tellers),
            branch: add_to(&branches),
            select: prepare(b_by_key(&accounts)),
            history: prepare(insert(&history, &[(1, 1, "filler")])),
        }
    }
}

fn execute(session: &mut Session, plan: &PreparedPlan, params: &[Datum]) -> i64 {
    session.tx.start_command().expect("a command");
    let mut last = Last(0);
    let mut query = plan.start().expect("it starts");
    query
        .next_batch(&mut session.exec(params), 0, &mut last)
        .expect("it runs");
    drop(query);
    session.tx.end_command().expect("it ends");
    last.0
}

#[inline(never)]
fn step_begin() -> Session {
    let mut session = Session::begin();
    session.tx.set_deadlock_timeout(1_000_000_000);
    session
}

#[inline(never)]
fn step_account(session: &mut Session, plans: &Plans, params: &[Datum]) {
    execute(session, &plans.account, params);
}

#[inline(never)]
fn step_select(session: &mut Session, plans: &Plans, params: &[Datum]) -> i64 {
    execute(session, &plans.select, params) + 1
}

#[inline(never)]
fn step_teller(session: &mut Session, plans: &Plans, params: &[Datum]) -> i64 {
    execute(session, &plans.teller, params) + 2
}

#[inline(never)]
fn step_branch(session: &mut Session, plans: &Plans, params: &[Datum]) -> i64 {
    execute(session, &plans.branch, params) + 3
}

#[inline(never)]
fn step_history(session: &mut Session, plans: &Plans) -> i64 {
    execute(session, &plans.history, &[]) + 4
}

#[inline(never)]
fn step_commit(session: Session) {
    session.commit();
}

/// One transaction; `random` chooses account and teller.
fn transaction(plans: &Plans, random: u64) {
    let account = Datum::Int4((random % ACCOUNTS as u64) as i32);
    let teller = Datum::Int4((random >> 32) as i32 % TELLERS);
    let delta = Datum::Int4(1);
    let mut session = step_begin();
    step_account(&mut session, plans, &[account.clone(), delta.clone()]);
    step_select(&mut session, plans, &[account]);
    step_teller(&mut session, plans, &[teller, delta.clone()]);
    step_branch(&mut session, plans, &[Datum::Int4(0), delta]);
    step_history(&mut session, plans);
    step_commit(session);
}

/// What is counted.
#[inline(never)]
fn counted(plans: &Plans, times: u64, random: &mut rows::Random) {
    for _ in 0..times {
        transaction(plans, random.next_u64() >> 1);
    }
}

fn run(times: u64, reader: bool) {
    let _db = database();
    let plans = Plans::new();
    let mut random = rows::Random::new(7);
    let mut held = Session::begin();
    if reader {
        held.tx.start_command().expect("a command");
    }
    // Into the steady state: most pages have been updated a few times.
    for _ in 0..WARM_UP {
        transaction(&plans, random.next_u64() >> 1);
    }
    let start = Instant::now();
    counted(&plans, times, &mut random);
    let each = start.elapsed().as_nanos() / u128::from(times.max(1));
    println!("{each} ns a transaction");
}

/// All threads update one branch, READ COMMITTED.
fn threads() {
    let _db = database();
    let plans = Plans::new();
    for count in [1, 2, 4, 8] {
        let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let start = Instant::now();
        std::thread::scope(|scope| {
            for seed in 0..count {
                let (plans, done, stop) = (&plans, &done, &stop);
                scope.spawn(move || {
                    let mut random = rows::Random::new(seed);
                    while !stop.load(Ordering::Relaxed) {
                        transaction(plans, random.next_u64() >> 1);
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            std::thread::sleep(Duration::from_secs(2));
            stop.store(true, Ordering::Relaxed);
        });
        let rate = done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
        println!("{count} threads: {rate:.0} transactions a second");
    }
}

/// Runs this program under callgrind and prints what each step executed.
fn profile(times: u64, mode: &str) -> std::io::Result<()> {
    let out = std::env::temp_dir().join(format!("tpcb_cost.{}.callgrind", std::process::id()));
    let done = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg("--toggle-collect=*tpcb_cost::counted*")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args([&times.to_string(), mode])
        .env(INNER, "1")
        .stderr(std::process::Stdio::null())
        .status()?;
    if !done.success() {
        return Err(std::io::Error::other("the run under callgrind failed"));
    }
    let listing = Command::new("callgrind_annotate")
        .args(["--inclusive=yes", "--threshold=100", "--show-percs=no"])
        .arg(&out)
        .output()?;
    let listing = String::from_utf8_lossy(&listing.stdout);
    println!(
        "instructions a transaction ({mode}); profile in {}",
        out.display()
    );
    let mut sum = 0;
    for step in STEPS {
        let line = listing.lines().find(|l| l.contains(&format!("::{step}")));
        let count = line
            .and_then(|l| l.split_whitespace().next())
            .and_then(|n| n.replace(',', "").parse::<u64>().ok())
            .unwrap_or(0)
            / times.max(1);
        sum += count;
        println!("{step:16} {count:>8}");
    }
    println!("{:16} {sum:>8}", "all");
    Ok(())
}

fn main() {
    let mut args = std::env::args().skip(1);
    let times: u64 = args.next().and_then(|a| a.parse().ok()).unwrap_or(3000);
    let mode = args.next().unwrap_or_else(|| "steady".into());
    if mode == "threads" {
        threads();
    } else if std::env::var_os(INNER).is_some() || profile(times, &mode).is_err() {
        run(times, mode == "reader");
    }
}
