//! The order of boot. To start another cell at boot, add it to [`PLAN`].

use crate::{counters, policy, services};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use captain_port::{Action, CAPTAIN, Captain, Duty, Past, Pulse};
use port::{Birth, BirthError, Component, CrashKind, Options};
use task_port::{Fault, FaultKind};

/// The captain's description. Its first birth is the boot plan and does not
/// return.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&captain_port::DOOR],
    birth,
};

/// A step of the boot.
enum Step {
    /// Start a cell with a port.
    Cell(&'static str),
    /// Start what goes on in the background, or open what a cell works on.
    Run(&'static str, fn(&Options) -> Result<(), String>),
}
use Step::{Cell, Run};

/// The boot, in order: each cell after those it calls. A step that fails is
/// reported, and the steps after it fail with sentences of their own where they
/// need it; the shell comes first, so that someone can look.
const PLAN: &[Step] = &[
    Cell("swap"),
    Cell("captain"),
    Cell("time"),
    Cell("sched"),
    Cell("counter"),
    Cell("shell"),
    Cell("console"),
    Cell("nvme"),
    Run("the disk's loops", services::disk_loops),
    Cell("virtio_net"),
    Cell("net"),
    Run("the network's loop", services::network_loop),
    Cell("pg_wal"),
    Cell("pg_buffer"),
    Run("the database", services::open_database),
    Cell("pg_temp"),
    Cell("pg_txn"),
    Cell("pg_heap"),
    Cell("pg_btree"),
    Cell("pg_parser"),
    Cell("pg_planner"),
    Cell("pg_executor"),
    Cell("pg_catalog"),
    Run("the catalogs", services::open_catalogs),
    Cell("pg_check"),
    Cell("pg_wire"),
    Run("PostgreSQL's port", services::serve),
];

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    if captain_port::boots() {
        return boot(birth);
    }
    birth.provide(&CAPTAIN, Box::new(Watch) as Box<dyn Captain>);
    Ok(())
}

/// What stands behind the port once the system runs.
struct Watch;

impl Component for Watch {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Captain for Watch {
    fn judge(&self, fault: &Fault, past: Past, now: u64) -> (Action, Past) {
        // Memory that ran out is no defect of the cell that asked for it.
        if fault.kind == FaultKind::OutOfMemory {
            return (Action::Leave, past);
        }
        policy::judge(&fault.cell, past, now)
    }

    fn shut_down(&self, duties: &[Duty]) {
        duties.iter().for_each(|duty| services::end(*duty));
    }

    fn check(&self) -> Result<String, String> {
        services::check()
    }

    fn counters(&self) -> Vec<(String, u64)> {
        counters::all()
    }

    fn pulse(&self) -> Pulse {
        services::pulse()
    }

    fn conditions(&self) -> Vec<(String, String)> {
        services::conditions()
    }
}

fn boot(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let boot = nano_core::boot_data();
    interrupts::init(boot.rsdp).map_err(|_| no_memory("the interrupt controllers"))?;
    time::init();
    let cpus = task::start_other_cpus().map_err(|_| no_memory("the other CPUs"))?;
    log::info!(
        "{cpus} CPUs, {} MiB of memory",
        memory::frames::usage().total >> 20
    );
    swap_port::objects::install_boot_archive(boot.archive);
    let (ecam, first, last) = interrupts::platform::get().ecam.unwrap_or((0, 0, 255));
    pci::init(ecam, first..=last);
    let options = birth.options().clone();
    match task::init(move || run(&options)) {
        Err(_) => Err(no_memory("the first task")),
    }
}

fn no_memory(whom: &str) -> BirthError {
    BirthError::Missing(format!(
        "no memory for {whom}; give the machine 256 MiB at least"
    ))
}

/// What the first task does: the plan. The watching is a task of the port's, so
/// that nothing holds this code.
fn run(options: &Options) {
    captain_port::install();
    let mut missing = None;
    for step in PLAN {
        let failed = match step {
            Cell(name) => swap_port::start(name, options)
                .err()
                .map(|failure| (*name, failure.to_string())),
            Run(name, run) => run(options).err().map(|failure| (*name, failure)),
        };
        if let Some((name, failure)) = failed {
            log::error!("{name} does not start: {failure}");
            // What fails after it fails because of it.
            missing.get_or_insert_with(|| format!("{name} does not start: {failure}"));
        }
    }
    if let Some(test) = options.get("test") {
        selftest::run(test);
    }
    if let Some(bench) = options.get("bench") {
        benchmark::run(bench);
    }
    services::echo(options);
    services::fault_injection(options);
    if console_port::start().is_err() {
        log::error!("no memory for the console's tasks");
    }
    match missing {
        None => nano_core::serial::print(format_args!(
            "mitos: ready after {} ms\n",
            task_port::now() / 1_000_000
        )),
        Some(what) => nano_core::serial::print(format_args!("mitos: not ready: {what}\n")),
    }
    if captain_port::start().is_err() {
        log::error!("no memory to watch the cells: faults will not be acted upon");
    }
}
