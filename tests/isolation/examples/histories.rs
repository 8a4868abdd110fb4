//! Makes and judges histories on a PostgreSQL, to see that workload and judge are
//! right: `cargo run -p isolation --example histories PORT LEVEL SEEDS`

use isolation::history::{End, check};
use isolation::interleave;
use isolation::server::Postgres;
use isolation::workload::Plan;
use std::env;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [port, level, seeds] = &args[..] else {
        panic!("PORT LEVEL SEEDS");
    };
    let postgres = Postgres::on(port.parse().expect("a port"));
    let plan = Plan {
        level: level.clone().leak(),
        keys: 4,
        ops: 4,
    };
    for seed in 0..seeds.parse().expect("a number") {
        let history = interleave::history(&postgres, plan, seed, 5, 400);
        let committed = history.iter().filter(|t| t.end == End::Committed).count();
        println!(
            "seed {seed}: {committed} of {} committed, {:?}",
            history.len(),
            check(&history)
        );
    }
}
