//! NVMe driver: one queue pair per CPU, batched submission, flush, resets.
//!
//! Source: NVM Express Base Specification 1.4 and NVM Command Set. The state,
//! with every command in flight, is `nvme_port`'s [`NvmeState`]; this cell is
//! the code that works on it, and can be replaced between any two calls.
//!
//! | module | what |
//! |---|---|
//! | `open` | from a claimed PCI function to a working state |
//! | `bring_up` | the steps of a start and of a reset |
//! | `admin` | admin commands and the pages they answer with |
//! | `ring` | one entry into, one reply out of a ring; doorbells |
//! | `command` | a job as the device wants to read it |
//! | `issue` | which job goes next, merging |
//! | `complete` | replies, retries, outcomes |
//! | `health` | timeouts, failed controllers, the way through a reset |
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod admin;
mod bring_up;
mod command;
mod complete;
mod health;
mod issue;
mod open;
mod ring;

pub use open::{OpenError, Settings, open};

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use nvme_port::registers::{CC, CC_SHUTDOWN, CSTS, CSTS_SHUTDOWN, CSTS_SHUTDOWN_DONE};
use nvme_port::{BlockDevice, DISK, Geometry, Load, Look, NvmeState, Request, Urgency, deliver};
use port::{Birth, BirthError, Component, CrashKind, HandoverError, State};

/// This cell.
pub static CELL: port::Cell = port::Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&nvme_port::DOOR],
    birth,
};

/// PCI class, subclass and interface of an NVMe controller.
const NVME_CLASS: (u8, u8, u8) = (1, 8, 2);

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let state = match birth.inherit(&DISK) {
        Some(state) => NvmeState::take_over(state)?,
        None => {
            let (class, subclass, interface) = NVME_CLASS;
            let claim = pci::claim_class(class, subclass, interface)
                .ok_or_else(|| BirthError::Missing(String::from("there is no NVMe controller")))?;
            let settings = Settings::from_options(birth.options());
            open(claim, &settings).map_err(|e| BirthError::Missing(format!("nvme: {e}")))?
        }
    };
    health::take_up(&state);
    birth.provide(&DISK, Box::new(Driver::new(state)));
    Ok(())
}

/// The provider of the disk's port.
#[derive(Debug)]
pub struct Driver {
    state: Arc<NvmeState>,
}

impl Driver {
    /// A driver that works on `state`.
    #[must_use]
    pub fn new(state: Arc<NvmeState>) -> Self {
        Driver { state }
    }
}

impl Component for Driver {
    fn has_state(&self) -> bool {
        true
    }

    fn shares_state(&self) -> bool {
        true
    }

    fn export(&self) -> Result<Option<State>, HandoverError> {
        // The port is closed and drained: nobody uses the other reference.
        Ok(Some(self.state.hand_over()))
    }

    fn reclaim(&self, state: State) -> Result<(), HandoverError> {
        match Arc::ptr_eq(&NvmeState::take_over(state)?, &self.state) {
            true => Ok(()),
            false => Err(HandoverError::Missing),
        }
    }

    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl BlockDevice for Driver {
    fn geometry(&self) -> Geometry {
        self.state.facts.geometry
    }

    fn submit(&self, urgency: Urgency, requests: Vec<Request>) {
        let queue = self.state.queue_here();
        let ended = queue.rings.with(|rings| {
            rings.accept(urgency, requests);
            issue::pump(&self.state, queue, rings);
            rings.next_finished()
        });
        deliver(queue, ended);
    }

    fn poll(&self) {
        for queue in &self.state.queues {
            let ended = queue.rings.try_with(|rings| {
                // A reply that makes no sense is the loop's to find again.
                let _ = complete::reap(&self.state, queue, rings);
                rings.next_finished()
            });
            if let Some(ended) = ended {
                deliver(queue, ended);
            }
        }
    }

    fn queues(&self) -> usize {
        self.state.queues.len()
    }

    fn poll_queue(&self, queue: usize) -> Option<Look> {
        let queue = self.state.queues.get(queue)?;
        let seen = queue.line.count();
        let again = health::round(&self.state, queue);
        Some(Look {
            line: Arc::clone(&queue.line),
            seen,
            again,
        })
    }

    fn shut_down(&self) -> bool {
        let registers = &self.state.device.registers;
        match registers.read32(CSTS) & CSTS_SHUTDOWN {
            0 => registers.write32(CC, registers.read32(CC) | CC_SHUTDOWN),
            state => return state == CSTS_SHUTDOWN_DONE,
        }
        false
    }

    fn load(&self) -> Load {
        let mut sum = Load::default();
        for queue in &self.state.queues {
            sum += queue.rings.with(|rings| rings.load());
        }
        sum
    }

    fn report(&self) -> Vec<String> {
        let state = &self.state;
        let facts = &state.facts;
        let mut lines = alloc::vec![
            facts.name.clone(),
            format!(
                "{} MiB in blocks of {} bytes, {} KiB a transfer, volatile cache {}, {} resets{}",
                facts.geometry.capacity >> 20,
                facts.geometry.block_size,
                facts.geometry.max_transfer >> 10,
                if facts.geometry.volatile_cache {
                    "on"
                } else {
                    "off"
                },
                state.resets.load(Ordering::Relaxed),
                if state.is_resetting() {
                    ", resetting"
                } else {
                    ""
                },
            ),
        ];
        for queue in &state.queues {
            let (mode, busy, room, waiting) = queue
                .rings
                .with(|r| (r.mode, r.in_flight(), r.capacity(), r.waiting()));
            lines.push(format!(
                "queue {} on cpu {}: {mode:?}, {busy} of {room} in flight, {waiting} waiting, {} interrupts",
                queue.id,
                queue.cpu,
                queue.line.count(),
            ));
        }
        lines
    }
}
