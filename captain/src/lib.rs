//! The captain: brings the system up in order, watches the cells, replaces the
//! failed ones.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

/// The captain's description. Its birth is the boot plan.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[],
    birth,
};

fn birth(_: &mut port::Birth<'_>) -> Result<(), port::BirthError> {
    log::info!("hello");
    Ok(())
}
