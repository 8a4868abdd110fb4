//! One seed from its first start to its last check.

use crate::model::Start;
use crate::plan::{End, Plan};
use crate::world::{LOG_BLOCK, World, lock};
use crate::{check, log, must, rot, say, work};
use pg_buffer_port::OpenReport;
use sim_disk::{Image, Random};
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
    for end in ends {
        say!("life: {end:?}");
        world = start(world, &mut random, &mut starts).0;
        if pg_buffer_port::run_background().is_err() {
            log::fail(format_args!("no background tasks"));
        }
        if let End::Fuse(requests) = end {
            world.disk.fail_after(requests);
        }
        for _ in 0..STORAGE_STARTS {
            world.set_faults(true);
            let shared = Arc::new(world);
            live(&shared, end, random.next_u64());
            world = take(shared);
            check::serializable(&world);
            if !comes_back(&world) {
                break;
            }
            starts += 1;
        }
        check::at_rest(&world);
        world.set_faults(false);
        end_orderly(&world, end, &mut random);
        world.disk.kill();
        end_background(&world);
    }
    let last = start(world, &mut random, &mut starts);
    let commits = lock(&last.0.model).commits;
    if last.0.plan.rot {
        rot::trials(last, &mut random);
    }
    (commits, starts)
}

/// How often storage may start anew in one life.
const STORAGE_STARTS: u32 = 4;
/// How long it may take to, on a disk that fails now and then, and on a good one (ns).
const FLAKY: u64 = 3_000_000_000;
const GOOD: u64 = 30_000_000_000;

/// When the log has failed and the power has not, storage starts anew by itself. False
/// when there was nothing to come back from, or the power fails meanwhile.
fn comes_back(world: &World) -> bool {
    let failed = || pg_wal_port::has_failed() || world.is_lost();
    if !failed() || world.disk.is_dead() {
        return false;
    }
    say!("the log has failed");
    let back = || pg_wal_port::is_open() && pg_buffer_port::files().is_ok();
    for patience in [FLAKY, GOOD] {
        let until = task_port::now() + patience;
        while !back() && !world.disk.is_dead() && task_port::now() < until {
            task_port::sleep(1_000_000);
            simulate::progress();
        }
        world.set_faults(false);
    }
    // The last requests of the time with faults may have failed it once more.
    let until = task_port::now() + GOOD;
    while !back() && !world.disk.is_dead() && task_port::now() < until {
        task_port::sleep(1_000_000);
        simulate::progress();
    }
    if world.disk.is_dead() {
        return false;
    }
    must!(back(), "storage does not come back");
    // There may have been several: the first has decided. One that was cut short after
    // that has left a number out.
    let epoch = world.start.load(Ordering::SeqCst);
    let starts = pg_buffer_port::starts();
    let mut since = starts
        .iter()
        .rev()
        .take_while(|report| report.epoch > epoch);
    let Some(report) = since.by_ref().last() else {
        log::fail(format_args!("no start behind {epoch} among {starts:?}"));
    };
    say!("storage is back: {report}");
    let cut_short = if report.epoch > epoch + 1 {
        LOG_BLOCK
    } else {
        0
    };
    world.restarted(Start {
        log_end: report.to.0,
        at_least: report.to.0 - cut_short,
        died_at: world
            .over_at
            .load(Ordering::SeqCst)
            .saturating_sub(1_000_000),
    });
    world.over_at.store(u64::MAX, Ordering::SeqCst);
    if let Err(stop) = check::everything(world) {
        must!(
            world.disk.is_dead(),
            "check after storage is back: {stop:?}"
        );
        return false;
    }
    true
}

/// The loops of this start end, so that none meets the next one's disk.
fn end_background(world: &World) {
    pg_buffer_port::stop_background();
    let loops = [
        "checkpointer",
        "page writer",
        "page reader",
        "log writer",
        "storage keeper",
    ];
    let ended = || !simulate::tasks().iter().any(|t| loops.contains(&&t[..]));
    must!(world.await_rest(ended), "background tasks do not end");
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
/// as it takes, and checks everything. What it started from, and what it found.
fn start(mut world: World, random: &mut Random, starts: &mut u64) -> (World, Image, OpenReport) {
    let mut redo = pg_wal_port::superblock().map_or(0, |s| s.redo);
    loop {
        let mut image = world.disk.image();
        if *starts > 0 {
            image = world.disk.power_cut(random.next_u64());
            world = world.with_disk(image.clone(), random.next_u64());
        }
        *starts += 1;
        if world.plan.recovery_cuts && random.below(3) == 0 {
            world.disk.fail_after(1 + random.below(60));
        }
        simulate::progress();
        if let Some(report) = world.boot() {
            // A start that could write one copy of the superblock alone and then
            // logged nothing may have left no trace.
            let none_since = report.to.0.next_multiple_of(LOG_BLOCK) == redo;
            must!(
                report.from.0 >= redo || none_since,
                "replay from {}, the last checkpoint was at {redo}",
                report.from
            );
            match check::everything(&world) {
                Ok(()) => return (world, image, report),
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

/// Shuts down in order, if the plan says so and the system still can.
fn end_orderly(world: &World, end: End, random: &mut Random) {
    if !matches!(end, End::Orderly(_)) || world.disk.is_dead() || !pg_wal_port::is_open() {
        return;
    }
    // What is left of a power cut that was meant for the start may come now.
    if let Err(stop) = check::everything(world) {
        must!(world.disk.is_dead(), "check before the end: {stop:?}");
    }
    if world.was_full.load(Ordering::SeqCst)
        && let Err(stop) = work::make_room(world, random)
    {
        must!(world.disk.is_dead(), "after the disk was full: {stop:?}");
    }
    if let Err(error) = pg_buffer_port::shut_down() {
        must!(world.disk.is_dead(), "shut down: {error}");
    }
}
