//! The steps of the boot plan that are no cell: background loops, which belong to
//! ports so that they outlive their cells, and opening the database.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use captain_port::{Duty, Pulse};
use pg_types::SqlState;
use port::Options;

pub(crate) fn disk_loops(_: &Options) -> Result<(), String> {
    captain_port::at_stop(Duty::Disk);
    nvme_port::start_loops().map(|_| ()).map_err(|_| no_task())
}

pub(crate) fn network_loop(_: &Options) -> Result<(), String> {
    net_port::start().map_err(|_| no_task())
}

fn no_task() -> String {
    String::from("no memory for a task; give the machine more")
}

/// Opens the database on the disk: recovers it, or formats a blank disk.
pub(crate) fn open_database(_: &Options) -> Result<(), String> {
    let report = pg_buffer_port::open().map_err(|error| error.to_string())?;
    log::info!("{report}");
    pg_buffer_port::run_background().map_err(|_| no_task())?;
    captain_port::at_stop(Duty::Database);
    Ok(())
}

/// Ends what must not just be cut off.
pub(crate) fn end(duty: Duty) {
    match duty {
        Duty::Disk => {
            let patience = task_port::now() + 2_000_000_000;
            if !nvme_port::shut_down(patience) {
                log::warn!("the disk did not confirm that it is ready for power-off");
            }
        }
        Duty::Database => {
            if let Err(error) = pg_buffer_port::shut_down() {
                log::warn!("no last checkpoint ({error:?}): the next start will replay the log");
            }
        }
    }
}

/// Opens the system catalogs, making them in a new database.
pub(crate) fn open_catalogs(_: &Options) -> Result<(), String> {
    let opened = pg_catalog_port::open().map_err(|error| match error.code() {
        SqlState::DISK_FULL => String::from("the disk is too small; give it 64 MiB at least"),
        _ => String::from(error.message()),
    })?;
    if opened.created {
        log::info!("a new database: the system catalogs are made");
    }
    if opened.orphans > 0 {
        log::info!("{} files without an owner removed", opened.orphans);
    }
    Ok(())
}

/// What `cells` tells of cells besides their figures.
pub(crate) fn conditions() -> Vec<(String, String)> {
    if !pg_wal_port::has_failed() {
        return Vec::new();
    }
    let words = format!(
        "a write of the log or a flush has failed at {}: storage is being started anew",
        pg_wal_port::flushed()
    );
    alloc::vec![(String::from("pg_wal"), words)]
}

/// What clients were served.
pub(crate) fn pulse() -> Pulse {
    let pulse = pg_wire_port::pulse();
    Pulse {
        commits: pulse.commits,
        rollbacks: pulse.rollbacks,
        exchanges: pulse.exchanges,
        time: pulse.time,
        longest: pulse.longest,
    }
}

/// Looks for damage: every page, row and index entry.
pub(crate) fn check() -> Result<String, String> {
    match pg_check_port::run(pg_check_port::Around::Work) {
        Ok(report) if report.is_sound() => Ok(report.to_string()),
        Ok(report) => Err(report.to_string()),
        Err(error) => Err(format!("pg_check: {error:?}\n")),
    }
}

/// The port clients connect to.
const POSTGRES_PORT: u16 = 5432;

/// Listens for clients, unless the echo service is to have the port.
pub(crate) fn serve(options: &Options) -> Result<(), String> {
    if echo_port_of(options) == Some(POSTGRES_PORT) {
        return Ok(());
    }
    for name in pg_wire_port::SYSTEM_SETTINGS {
        if let Some(value) = options.get(name) {
            pg_wire_port::set_system(name, value);
        }
    }
    pg_wire_port::start(POSTGRES_PORT)
        .map(|_| ())
        .map_err(|error| format!("{error:?}"))
}

fn echo_port_of(options: &Options) -> Option<u16> {
    options
        .number("echo")
        .and_then(|port| u16::try_from(port).ok())
}

/// For campaigns of injected faults: `faults=inject` lets the shell do damage.
pub(crate) fn fault_injection(options: &Options) {
    if options.get("faults") != Some("inject") {
        return;
    }
    if let Err(failure) = swap_port::start("fault_injection", options) {
        log::warn!("no injection of faults: {failure}");
    }
}

/// For tests of the network: `echo=PORT` starts an echo service there.
pub(crate) fn echo(options: &Options) {
    let Some(port) = echo_port_of(options) else {
        return;
    };
    if let Err(failure) = swap_port::start("echo", options) {
        log::warn!("no echo service: {failure}");
    }
    if let Err(error) = echo_port::start(port) {
        log::warn!("no echo service: {error:?}");
    }
}
