//! `counters`: what is held and was done, for scripts: a name and a number a line.
//! What belongs to a cell that does not run is left out.

use crate::commands::Outcome;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

type Counters = Vec<(String, u64)>;

pub(crate) fn counters(_: &[&str]) -> Outcome {
    let mut all = machine();
    all.extend(disk());
    all.extend(network());
    if let Ok(captain) = captain_port::CAPTAIN.enter() {
        all.extend(captain.counters());
    }
    let lines = all
        .iter()
        .map(|(name, number)| format!("{name} {number}\n"));
    Ok(lines.collect())
}

/// Owned names, as those of other cells are.
fn named<const N: usize>(counters: [(&str, u64); N]) -> Counters {
    let own = |(name, number): (&str, u64)| (name.to_string(), number);
    counters.into_iter().map(own).collect()
}

fn machine() -> Counters {
    let memory = memory::frames::usage();
    let tasks = task_port::list();
    // Who asks is one of them.
    let holds: usize = tasks.iter().map(|task| task.holds).sum();
    named([
        ("cpus", cpu::count() as u64),
        ("tasks", tasks.len() as u64),
        ("tasks.holds", holds as u64),
        ("locks.spins", sync::spins()),
        ("memory.in_use", memory.total - memory.free - memory.pool),
        ("memory.heap", memory.heap),
        ("memory.heap_frames", memory.heap_frames),
        ("memory.mapped", memory.mapped),
        ("memory.device", memory.device),
        ("memory.pool", memory.pool),
        ("memory.damage", memory.damage),
    ])
}

fn disk() -> Counters {
    let Ok(load) = nvme_port::DISK.enter().map(|disk| disk.load()) else {
        return Vec::new();
    };
    let [background, normal, log] = load.commands;
    named([
        ("disk.in_flight", load.in_flight),
        ("disk.waiting", load.waiting),
        ("disk.commands", background + normal + log),
        ("disk.commands_background", background),
        ("disk.commands_normal", normal),
        ("disk.commands_log", log),
        ("disk.merged", load.merged),
        ("disk.durable", load.durable),
    ])
}

fn network() -> Counters {
    let Ok(status) = net_port::NET.enter().map(|net| net.status()) else {
        return Vec::new();
    };
    named([
        ("net.streams", status.streams as u64),
        ("net.lingering", status.lingering as u64),
    ])
}
