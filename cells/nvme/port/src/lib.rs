//! The block device as others see it.
//!
//! Offsets are in bytes and multiples of the block size. Requests are
//! asynchronous: [`BlockDevice::submit`] never sleeps; each request carries a
//! completion token whose outcome is [`OK`] or one of the error codes here.
//! Ordering: none between requests in flight. Durability: a completed write may
//! still be lost with the power, unless it was a [`Op::WriteDurable`] or a
//! [`Op::Flush`] submitted after its completion has completed.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

mod guarded;
pub mod registers;
mod rings;
mod run;
mod state;

pub use guarded::Guarded;
pub use rings::{Command, DmaWords, Mode, RingPair, Rings, STRIKES_OUT};
pub use run::{run, shut_down, start_loops};
pub use state::{
    ADMIN_DEPTH, Admin, Control, Device, Facts, NvmeState, Queue, SCHEMA, Step, deliver,
};

use alloc::string::String;
use alloc::sync::Arc;
mod transfer;

pub use transfer::{DiskError, Part, Transfer, geometry, transfer};

use alloc::vec::Vec;
use interrupts::IrqLine;
use memory::DmaSlice;
use port::{Component, Port};
use sync::{Completion, Outcome};

/// The door of the disk driver.
pub static DISK: Port<dyn BlockDevice> = Port::new("nvme");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &DISK;

/// Outcome: done.
pub const OK: Outcome = 0;
/// Outcome: the device reports a medium or device error for this request.
pub const IO_ERROR: Outcome = 1;
/// Outcome: the request itself is wrong (outside the device, misaligned).
pub const BAD_REQUEST: Outcome = 2;
/// Outcome: the device is gone.
pub const DEVICE_LOST: Outcome = 3;

/// What the device is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Bytes of a logical block; offsets and lengths are multiples of it.
    pub block_size: u32,
    /// Bytes of the whole device.
    pub capacity: u64,
    /// The most bytes of one request.
    pub max_transfer: u32,
    /// Whether completed writes can be lost before a flush.
    pub volatile_cache: bool,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// Device to memory.
    Read,
    /// Memory to device.
    Write,
    /// Memory to device, and durable when complete (force unit access).
    WriteDurable,
    /// Makes all completed writes durable. No data.
    Flush,
}

/// One request. The data slice keeps the memory alive until the device is done.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub op: Op,
    /// Where on the device, in bytes.
    pub offset: u64,
    /// The memory; `None` for a flush.
    pub data: Option<DmaSlice>,
    /// Ended when the device is done.
    pub done: Completion,
}

/// How urgent requests are. The log goes before everything else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Urgency {
    /// Checkpoint and read-ahead.
    Background,
    /// A query waits for it.
    Normal,
    /// The write-ahead log.
    Log,
}

impl Urgency {
    /// How many there are.
    pub const COUNT: usize = 3;
    /// All, the least urgent first; `as usize` is the place in here.
    pub const ALL: [Urgency; Self::COUNT] = [Urgency::Background, Urgency::Normal, Urgency::Log];
}

/// A request with what the driver knows of it.
#[derive(Debug)]
pub struct Job {
    /// The request.
    pub request: Request,
    /// How urgent it is.
    pub urgency: Urgency,
    /// What speaks against it: failures and resets, weighed by the driver.
    pub strikes: u8,
}

/// A request that has ended and is still to be told so.
#[derive(Debug)]
pub struct Finished {
    /// The request.
    pub request: Request,
    /// How it ended.
    pub outcome: Outcome,
    /// What the device said: status type (bits 8 to 10) and code; 0 when all
    /// was well or the device was not asked.
    pub status: u16,
}

/// Until when a queue's loop may wait.
#[derive(Debug)]
pub struct Look {
    /// The interrupt to wait for.
    pub line: Arc<IrqLine>,
    /// Its count before the queue was looked at.
    pub seen: u64,
    /// When to look again without an interrupt (ns).
    pub again: u64,
}

/// What a disk is busy with, all queues together, and has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Load {
    /// Commands that the device has.
    pub in_flight: u64,
    /// Jobs that wait for room.
    pub waiting: u64,
    /// Commands that the device was given since the start, by urgency.
    pub commands: [u64; Urgency::COUNT],
    /// Requests that went with a command of another one, beside which they lie.
    pub merged: u64,
    /// Flushes and forced writes among the commands: what must reach the medium.
    pub durable: u64,
}

impl core::ops::AddAssign for Load {
    fn add_assign(&mut self, other: Self) {
        self.in_flight += other.in_flight;
        self.waiting += other.waiting;
        self.merged += other.merged;
        self.durable += other.durable;
        for (sum, more) in self.commands.iter_mut().zip(other.commands) {
            *sum += more;
        }
    }
}

/// A disk.
pub trait BlockDevice: Component {
    /// What it is like.
    fn geometry(&self) -> Geometry;
    /// Takes the requests and rings the device once. Never sleeps: what does
    /// not fit the device's queue is queued in memory. Errors arrive as
    /// outcomes.
    fn submit(&self, urgency: Urgency, requests: Vec<Request>);
    /// Looks for completions now instead of waiting for an interrupt.
    fn poll(&self);
    /// How many queues want a loop ([`run`]) that looks after them.
    fn queues(&self) -> usize {
        0
    }
    /// One round of such a loop; `None` when there is no such queue. Never
    /// sleeps.
    fn poll_queue(&self, _queue: usize) -> Option<Look> {
        None
    }
    /// Tells the device that power will go; true once it is ready for that.
    /// Never sleeps: to be called again until then.
    fn shut_down(&self) -> bool {
        true
    }
    /// What it is busy with now.
    fn load(&self) -> Load {
        Load::default()
    }
    /// What it is and how it fares, line by line, for people.
    fn report(&self) -> Vec<String> {
        Vec::new()
    }
}
