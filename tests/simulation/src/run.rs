//! One seed from its first start to its last check.

use crate::plan::{End, Plan};
use crate::world::{World, lock};
use crate::{check, log, must, say, work};
use sim_disk::Random;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use task_port::simulate::{self, Outcome};

/// What a run has shown.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Of the world.
    pub outcome: Outcome,
    /// Commits acknowledged.
    pub commits: u64,
    /// Starts of the system.
    pub starts: u64,
}

/// Runs a seed; ends the process when something is wrong.
#[must_use]
pub fn seed(seed: u64, verbose: bool) -> Summary {
    log::begin(seed, verbose);
    let plan = Plan::of(seed);
    say!("{plan:#?}");
    let ((commits, starts), outcome) = simulate::run(simulate::Plan::of(seed), || lives(plan));
    Summary {
        outcome,
        commits,
        starts,
    }
}

fn lives(plan: Plan) -> (u64, u64) {
    let mut random = Random::new(plan.seed ^ 0x11FE);
    let ends = plan.lives.clone();
    let mut starts = 0;
    let mut world = World::new(plan);
    let mut background = false;
    for end in ends {
        say!("life: {end:?}");
        world = start(world, &mut random, &mut starts);
        if !background {
            if pg_buffer_port::run_background().is_err() {
                log::fail(format_args!("no background tasks"));
            }
            background = true;
        }
        world.set_faults(true);
        if let End::Fuse(requests) = end {
            world.disk.fail_after(requests);
        }
        let shared = Arc::new(world);
        live(&shared, end, random.next_u64());
        world = take(shared);
        check::at_rest(&world);
        world.set_faults(false);
        if end_orderly(&world, end) {
            background = false;
        }
        world.disk.kill();
    }
    world = start(world, &mut random, &mut starts);
    let commits = lock(&world.model).commits;
    (commits, starts)
}

/// The tasks have ended: nobody else has the world.
fn take(mut shared: Arc<World>) -> World {
    loop {
        match Arc::try_unwrap(shared) {
            Ok(world) => return world,
            Err(still) => shared = still,
        }
        task_port::sleep(10_000);
    }
}

/// Starts the system on what the last life has left, through as many power cuts
/// as it takes, and checks everything.
fn start(mut world: World, random: &mut Random, starts: &mut u64) -> World {
    let mut redo = pg_wal_port::superblock().map_or(0, |s| s.redo);
    loop {
        if *starts > 0 {
            let image = world.disk.power_cut(random.next_u64());
            world = world.with_disk(image, random.next_u64());
        }
        *starts += 1;
        if world.plan.recovery_cuts && random.below(3) == 0 {
            world.disk.fail_after(1 + random.below(60));
        }
        simulate::progress();
        if let Some(report) = world.boot() {
            must!(
                report.from.0 >= redo,
                "replay from {}, the last checkpoint was at {redo}",
                report.from
            );
            match check::everything(&world) {
                Ok(()) => return world,
                Err(stop) if world.disk.is_dead() => say!("cut in the check: {stop:?}"),
                Err(stop) => log::fail(format_args!("check after the start: {stop:?}")),
            }
        }
        redo = pg_wal_port::superblock().map_or(redo, |s| s.redo.max(redo));
        world.disk.kill();
        say!("the power fails during the start");
    }
}

fn live(world: &Arc<World>, end: End, seed: u64) {
    let begun = task_port::now();
    let tasks = work::start(world, seed);
    while !world.is_over() {
        task_port::sleep(500_000);
        let done = match end {
            End::Moment(ns) => {
                if task_port::now() >= begun + ns {
                    world.disk.kill();
                }
                false
            }
            End::Orderly(commits) => world.commits.load(Ordering::SeqCst) >= commits,
            End::Fuse(_) => false,
        };
        // A life that gets nowhere, because all that is left is full or idle.
        let long = task_port::now() > begun + 60_000_000_000;
        if done || long {
            world.stop.store(true, Ordering::SeqCst);
        }
    }
    world.over_at.store(task_port::now(), Ordering::SeqCst);
    say!("the end of this life is near");
    for task in &tasks {
        simulate::join(task);
    }
}

/// Shuts down in order, if the plan says so and the system still can. True when
/// that ended the background tasks.
fn end_orderly(world: &World, end: End) -> bool {
    if !matches!(end, End::Orderly(_)) || world.disk.is_dead() || !pg_wal_port::is_open() {
        return false;
    }
    // What is left of a power cut that was meant for the start may come now.
    if let Err(stop) = check::everything(world) {
        must!(world.disk.is_dead(), "check before the end: {stop:?}");
    }
    if let Err(error) = pg_buffer_port::shut_down() {
        must!(world.disk.is_dead(), "shut down: {error}");
    }
    let loops = ["checkpointer", "page writer", "page reader", "log writer"];
    let ended = || !simulate::tasks().iter().any(|t| loops.contains(&&t[..]));
    must!(world.await_rest(ended), "background tasks do not end");
    true
}
