//! The order of boot. To start another cell at boot, add it to [`CELLS`].

use crate::watch;
use alloc::format;
use port::{Birth, BirthError, Options};

/// The captain's description. Its birth is the boot plan and does not return.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[],
    birth,
};

/// Cells with a port, in the order they start: each after those it calls.
const CELLS: &[&str] = &["counter", "shell", "nvme", "virtio_net", "net", "echo"];

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let boot = nano_core::boot_data();
    interrupts::init(boot.rsdp).map_err(|_| no_memory("the interrupt controllers"))?;
    time::init();
    let cpus = task::start_other_cpus().map_err(|_| no_memory("the other CPUs"))?;
    log::info!(
        "{cpus} CPUs, {} MiB of memory",
        memory::frames::usage().total >> 20
    );
    swap::install_boot_archive(boot.archive);
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

/// What the first task does: start the cells, then watch them.
fn run(options: &Options) {
    watch::install();
    for cell in CELLS {
        if let Err(failure) = swap::start(cell, options) {
            log::error!("{cell} does not start: {failure}");
        }
    }
    start_loops(options);
    if let Some(test) = options.get("test") {
        selftest::run(test);
    }
    console::start();
    nano_core::serial::print(format_args!(
        "mitos: ready after {} ms\n",
        task_port::now() / 1_000_000
    ));
    watch::run();
}

/// The background loops: they belong to the ports, so that they outlive their
/// cells.
fn start_loops(options: &Options) {
    if let Err(error) = nvme_port::start_loops() {
        log::error!("no disk loops: {error:?}");
    }
    if let Err(error) = net_port::start() {
        log::error!("no network loop: {error:?}");
    }
    // For tests of the network: `echo=PORT` starts an echo service there.
    let echo = options
        .number("echo")
        .and_then(|port| u16::try_from(port).ok());
    if let Some(port) = echo
        && let Err(error) = echo_port::start(port)
    {
        log::warn!("no echo service: {error:?}");
    }
}
