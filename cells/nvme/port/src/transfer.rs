//! Transfers that are waited for, outside the driver.

use crate::{BAD_REQUEST, BlockDevice, DEVICE_LOST, DISK, Geometry, OK, Op, Request, Urgency};
use alloc::vec::Vec;
use memory::DmaSlice;
use port::Entered;
use sync::{Completion, Outcome};

/// Why a transfer did not happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskError {
    /// No driver stands behind the port.
    NotRunning,
    /// The device failed to do it; another place or a later try may work.
    Io,
    /// It was asked for something that does not exist.
    BadRequest,
    /// The device is gone.
    Lost,
}

impl DiskError {
    fn of(outcome: Outcome) -> Result<(), DiskError> {
        match outcome {
            OK => Ok(()),
            BAD_REQUEST => Err(DiskError::BadRequest),
            DEVICE_LOST => Err(DiskError::Lost),
            _ => Err(DiskError::Io),
        }
    }
}

/// A part of a transfer: what to do, where (in bytes), and the memory.
pub type Part = (Op, u64, Option<DmaSlice>);

/// Requests on their way. Dropping it waits for the device, so that memory the
/// device uses is not used for something else: keep it in a `task_port::Held`
/// together with whatever owns that memory.
#[derive(Debug, Default)]
pub struct Transfer {
    done: Vec<Completion>,
}

impl Transfer {
    /// Hands the parts to the device, in pieces that it can take.
    ///
    /// # Errors
    /// When there is no driver.
    pub fn start(urgency: Urgency, parts: Vec<Part>) -> Result<Self, DiskError> {
        let disk = entered()?;
        let step = usize::try_from(disk.geometry().max_transfer)
            .unwrap_or(usize::MAX)
            .max(4096);
        let mut requests = Vec::with_capacity(parts.len());
        for (op, offset, data) in parts {
            match data {
                Some(data) if data.len() > step => {
                    for at in (0..data.len()).step_by(step) {
                        let piece = data.part(at, step.min(data.len() - at));
                        requests.push(request(op, offset + at as u64, piece));
                    }
                }
                data => requests.push(request(op, offset, data)),
            }
        }
        let done = requests.iter().map(|r| r.done.clone()).collect();
        disk.submit(urgency, requests);
        Ok(Transfer { done })
    }

    /// Blocks until the device is done with all of it.
    ///
    /// # Errors
    /// The first failure.
    pub fn wait(&self) -> Result<(), DiskError> {
        let mut result = Ok(());
        for done in &self.done {
            result = result.and(DiskError::of(done.wait()));
        }
        result
    }

    /// Whether the device is done with all of it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done.iter().all(|d| d.poll().is_some())
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        for done in &self.done {
            done.wait();
        }
    }
}

/// How many faults of the driver one transfer survives.
const FAULTS: usize = 3;
/// How long it sleeps after one (ns).
const PAUSE_NS: u64 = 1_000_000;

/// Enters the driver, past a fault in that: nothing of the transfer is the device's
/// before.
fn entered() -> Result<Entered<'static, dyn BlockDevice>, DiskError> {
    if let Some(disk) = DISK.enter_open() {
        return Ok(disk);
    }
    for _ in 0..FAULTS {
        if let Ok(entered) = task_port::gate(|| DISK.enter()) {
            return entered.map_err(|_| DiskError::NotRunning);
        }
        task_port::sleep(PAUSE_NS);
    }
    DISK.enter().map_err(|_| DiskError::NotRunning)
}

fn request(op: Op, offset: u64, data: Option<DmaSlice>) -> Request {
    let done = Completion::new();
    Request {
        op,
        offset,
        data,
        done,
    }
}

/// One transfer, waited for.
///
/// # Errors
/// When it failed.
pub fn transfer(
    urgency: Urgency,
    op: Op,
    offset: u64,
    data: Option<DmaSlice>,
) -> Result<(), DiskError> {
    let transfer = Transfer::start(urgency, alloc::vec![(op, offset, data)])?;
    task_port::Held::new(transfer).wait()
}

/// What the disk is like.
///
/// # Errors
/// When there is no driver.
pub fn geometry() -> Result<Geometry, DiskError> {
    Ok(entered()?.geometry())
}

impl core::fmt::Display for DiskError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            DiskError::NotRunning => "the disk driver is not running",
            DiskError::Io => "the disk reports an error",
            DiskError::BadRequest => "the disk refuses the request",
            DiskError::Lost => "the disk is gone",
        })
    }
}
