//! Seeds that are run with every `cargo test`: a row of them, and those that have
//! found something. More: `cargo run -p simulation --release -- --seeds 10000`.

use std::process::{Command, Output};

/// About two minutes of two CPUs.
const SEEDS: &str = "600";

/// Seeds that found something, and what. What a seed stands for changes with the
/// simulation, so the tests of the parts pin the same things down for good.
const FOUND: [(u64, &str); 0] = [];

fn simulation(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_simulation"))
        .args(args)
        .output()
        .expect("the simulation runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}\n{wrong}");
    output
}

#[test]
fn seeds_are_clean() {
    for (seed, what) in FOUND {
        println!("seed {seed}: {what}");
        simulation(&["--seed", &seed.to_string()]);
    }
    simulation(&["--seeds", SEEDS, "--jobs", "2"]);
}

#[test]
fn a_seed_gives_the_same_world_again() {
    let mut hashes = Vec::new();
    for seed in ["3", "11", "12", "17"] {
        let first = simulation(&["--seed", seed]);
        let again = simulation(&["--seed", seed, "-v"]);
        let last = |output: &Output| {
            let said = String::from_utf8_lossy(&output.stdout);
            said.lines().last().map(str::to_owned)
        };
        assert_eq!(last(&first), last(&again));
        hashes.push(last(&first));
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 4, "seeds differ");
}
