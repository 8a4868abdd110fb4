//! The whole database as one process of the host: every cell linked in, the disk
//! in memory, the network that of the host. So psql, pgbench and drivers reach
//! it like any server, and its speed can be profiled with the host's tools.
#![forbid(unsafe_code)]

use port::{Cell, Options};
use std::sync::OnceLock;

/// The cells above the row store, each after those it calls.
const CELLS: [&Cell; 5] = [
    &pg_catalog::CELL,
    &pg_parser::CELL,
    &pg_planner::CELL,
    &pg_wire::CELL,
    &host_net::CELL,
];

/// Starts the server on a free port of the loopback, once per process; gives the
/// port.
///
/// # Panics
/// When a part does not start.
pub fn start() -> u16 {
    start_on(0)
}

/// The same on a port of choice.
///
/// # Panics
/// When a part does not start.
pub fn start_on(port: u16) -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        let db = execution::database();
        let options = Options::default();
        for cell in CELLS {
            if let Err(error) = port::start(cell, &options) {
                panic!("{} does not start: {error}", cell.name);
            }
        }
        pg_catalog_port::open().expect("the catalogs open");
        // The disk and the pool stay until the process ends.
        std::mem::forget(db);
        pg_wire_port::start(port).expect("the service starts")
    })
}
