//! Commands about the machine.

use crate::commands::Outcome;
use alloc::format;
use alloc::string::String;
use mod_mgmt::namespace::NAMESPACE;

pub(crate) fn tasks(_: &[&str]) -> Outcome {
    let mut text = String::from(
        "    id name             state    cpu prio        cpu ms   switches  stack  holds\n",
    );
    for t in task_port::list() {
        text += &format!(
            "{:>6} {:<16} {:<8} {:>3} {:<10} {:>8.1} {:>10} {:>5}K {:>6}\n",
            t.id,
            t.name,
            t.state,
            t.cpu,
            format!("{:?}", t.priority),
            t.cpu_time as f64 / 1e6,
            t.switches,
            t.stack / 1024,
            t.holds
        );
    }
    Ok(text)
}

pub(crate) fn uptime(_: &[&str]) -> Outcome {
    Ok(format!("{:.3} s\n", task_port::now() as f64 / 1e9))
}

pub(crate) fn place(arguments: &[&str]) -> Outcome {
    let address = arguments
        .first()
        .and_then(|a| usize::from_str_radix(a.trim_start_matches("0x"), 16).ok());
    let address = address.ok_or_else(|| String::from("usage: where ADDRESS (hexadecimal)\n"))?;
    match NAMESPACE.describe(address) {
        Some(place) => Ok(format!("{place}\n")),
        None => Err(String::from("nothing is there\n")),
    }
}

/// How many lines `log` shows.
const LINES: usize = 20;

pub(crate) fn log(arguments: &[&str]) -> Outcome {
    let count = match arguments.first() {
        None => LINES,
        Some(count) => count
            .parse()
            .map_err(|_| String::from("usage: log [LINES]\n"))?,
    };
    let recent = nano_core::serial::recent();
    let lines = recent.lines();
    let skip = lines.clone().count().saturating_sub(count);
    Ok(lines
        .skip(skip)
        .fold(String::new(), |text, line| text + line + "\n"))
}

pub(crate) fn check(_: &[&str]) -> Outcome {
    captain_port::CAPTAIN
        .enter()
        .map_err(|error| format!("{error}; `cells` tells what runs\n"))?
        .check()
}

pub(crate) fn stop(_: &[&str]) -> Outcome {
    let spawned = task_port::spawn(task_port::SpawnOptions::new("stop"), || {
        captain_port::shut_down();
        // Let the answer reach the asker.
        task_port::sleep(50_000_000);
        log::info!("stopped");
        // What the host takes for success; QEMU's own failures look like 0.
        unwind::exit(0x10);
    });
    spawned
        .map(|_| String::from("stopping\n"))
        .map_err(|_| String::from("no memory for a task; cut the power\n"))
}
