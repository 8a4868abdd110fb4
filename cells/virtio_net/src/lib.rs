//! The driver of virtio network devices (virtio 1.1, section 5.1) on PCI.
//!
//! `open` finds the registers and starts the device, `nic` moves frames. The
//! rings and what the device is known by are `virtio_net_port::state`: a
//! replacement passes them on with the frames in them; after a crash the device
//! is reset and started anew, and the frames in flight are lost as frames may
//! be.
//!
//! The rings are our own and not those of the `virtio-drivers` crate, because
//! of what a frame costs: there each one rings the device (three register
//! accesses, each an exit of the guest), both queues' interrupts are switched
//! together, and the look whether a ring is wanted has no barrier before it.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod nic;
mod open;
#[cfg(test)]
mod tests;

pub use open::OpenError;

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use nic::VirtioNic;
use port::{Birth, BirthError};
use virtio_net_port::state::{self, NicState};
use virtio_net_port::{NIC, Nic};

/// The cell's descriptor.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&virtio_net_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let distrusted = state::take_distrust();
    let state = match birth.inherit(&NIC) {
        Some(inherited) if !distrusted => state::import(inherited)?,
        // The device is stopped before the former rings go.
        _ => fresh().map_err(|e| BirthError::Missing(e.to_string()))?,
    };
    state::remember(&state.hardware);
    let provider: Box<dyn Nic> = Box::new(VirtioNic { state });
    birth.provide(&NIC, provider);
    Ok(())
}

/// A device started from nothing: a new one, or the one a crash left.
fn fresh() -> Result<Arc<NicState>, OpenError> {
    let hardware = match state::survivor() {
        Some(hardware) => hardware,
        None => {
            let device = pci::claim_id(open::VENDOR, &open::DEVICES).ok_or(OpenError::NoDevice)?;
            Arc::new(open::registers(device)?)
        }
    };
    let message = virtio_net_port::line().map_err(|_| OpenError::NoInterrupt)?;
    let state = open::start(hardware, message.message())?;
    let [a, b, c, d, e, f] = state.mac;
    log::info!("virtio_net: {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
    Ok(Arc::new(state))
}
