//! Seeds that are run with every `cargo test`: a row of them, and those that have
//! found something. More: `cargo run -p simulation --release -- --seeds 10000`.

use std::process::{Command, Output};

/// About two minutes of two CPUs.
const SEEDS: &str = "1200";

/// Seeds that found something, and what. What a seed stands for changes with the
/// simulation, so the tests of the parts, named here, pin the same down for good.
const FOUND: [(u64, &str); 17] = [
    (
        4,
        "who waited for a commit that failed with the log waited for ever",
    ),
    (
        7,
        "who waited for log space did, when checkpoints failed for good: failed_checkpoints_let_nobody_wait_for_ever",
    ),
    (
        10,
        "a flush that failed was tried again and took for durable what was lost: after_a_failed_flush_nothing_is_trusted",
    ),
    (
        10_941,
        "records before the image of a torn page of the space map were skipped: a_torn_space_map_does_not_hide_what_was_logged_before_its_image",
    ),
    (11_528, "the same, for the commit log"),
    (
        33_439,
        "records of an earlier start were the first of a new one: a_record_from_behind_the_end_is_not_the_first_of_a_new_start",
    ),
    (
        50_209,
        "a page that a failed commit had marked was written and torn: a_page_of_a_failed_commit_is_not_written",
    ),
    (
        52_103,
        "a checkpoint, a page split and the drop of a table waited for one another",
    ),
    (
        101_043,
        "a flush of an earlier start failed, and with it the log of the new one",
    ),
    (
        81,
        "a record whose bytes could not be read counted as the end of the log: a_record_that_reaches_into_what_cannot_be_read_is_not_the_end",
    ),
    (
        286,
        "a statement went on after storage had started anew, and changed pages by what it had learned before: a_failed_write_of_the_log_ends_in_another_start",
    ),
    (
        456,
        "a page was read from the disk while storage was being started anew, and counted as damaged",
    ),
    (
        1024,
        "the check took the block where a failed start would have gone on for the end of the log, which the other copy of the superblock leads to: either_copy_suffices_after_a_start_that_wrote_one",
    ),
    (
        572,
        "a panic while files were dropped left changed pages without a place, for which the checkpoint waited for ever: a_file_whose_drop_panics_is_there",
    ),
    (
        1162,
        "the model took a row that was missing again for one that was missing yet, and found a cycle: a_missing_row_that_fits_two_moments_says_nothing",
    ),
    (
        1041,
        "the model took a commit for pending that was refused and built around: who_builds_on_what_was_before_a_commit_says_that_it_is_refused",
    ),
    (
        355,
        "the check that deleting makes room waited for a lock that it held",
    ),
];

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
