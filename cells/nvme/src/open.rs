//! From a claimed PCI function to a working state. Blocks: it runs at the cell's
//! first birth, outside the port.

use crate::bring_up::{self, Progress, Scene};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64};
use interrupts::{IrqError, IrqLine};
use memory::OutOfMemory;
use nvme_port::{Control, Device, Facts, Guarded, NvmeState, Queue, Rings};
use pci::{ClaimedDevice, PciError};
use port::Options;

/// The register window (index 0) that NVMe uses.
const WINDOW: usize = 0;
/// More registers than any number of queues needs.
const REGISTER_BYTES: usize = 1 << 16;
/// How long to sleep between two looks at the controller.
const PAUSE_NS: u64 = 50_000;

/// What can be chosen at the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Queues at most; one per CPU by default.
    pub queues: u16,
    /// Entries per queue at most (option `nvme.depth`, 2 to 1024).
    pub depth: u16,
    /// How long a command may take (ns; option `nvme.timeout`, in ms).
    pub timeout_ns: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            queues: u16::try_from(cpu::count()).unwrap_or(1),
            depth: 256,
            timeout_ns: 10_000_000_000,
        }
    }
}

impl Settings {
    /// The settings by the boot options.
    #[must_use]
    pub fn from_options(options: &Options) -> Self {
        let default = Settings::default();
        let depth = options
            .number("nvme.depth")
            .map(|n| n.clamp(2, 1024) as u16);
        let timeout = options
            .number("nvme.timeout")
            .map(|ms| ms.max(1).saturating_mul(1_000_000));
        Settings {
            depth: depth.unwrap_or(default.depth),
            timeout_ns: timeout.unwrap_or(default.timeout_ns),
            ..default
        }
    }
}

/// Why there is no disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// Its PCI side lacks something.
    Pci(PciError),
    /// No memory for the queues.
    OutOfMemory,
    /// No interrupt for a queue.
    Interrupt(IrqError),
    /// The controller cannot be brought up; the log says why.
    Controller,
}

impl From<PciError> for OpenError {
    fn from(error: PciError) -> Self {
        OpenError::Pci(error)
    }
}

impl From<OutOfMemory> for OpenError {
    fn from(_: OutOfMemory) -> Self {
        OpenError::OutOfMemory
    }
}

impl From<IrqError> for OpenError {
    fn from(error: IrqError) -> Self {
        OpenError::Interrupt(error)
    }
}

impl core::fmt::Display for OpenError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            OpenError::Pci(error) => write!(f, "{error}"),
            OpenError::OutOfMemory => f.write_str("no memory for its queues"),
            OpenError::Interrupt(error) => write!(f, "no interrupt for a queue: {error:?}"),
            OpenError::Controller => f.write_str("the controller cannot be brought up"),
        }
    }
}

/// Brings up the controller behind `claim`.
///
/// # Errors
/// When it cannot be brought up, or something for it is missing.
pub fn open(claim: ClaimedDevice, settings: &Settings) -> Result<Arc<NvmeState>, OpenError> {
    claim.enable();
    // Before the device, so that it outlives it when this function fails.
    let mut control = Control::allocate(settings.queues, settings.depth)?;
    let device = Device {
        registers: claim.map(WINDOW, REGISTER_BYTES)?,
        messages: claim.msix()?,
        claim,
    };
    let scene = Scene {
        device: &device,
        queues: &[],
        state: None,
    };
    work(|now| bring_up::advance(&scene, &mut control, now))?;
    let queues = make_queues(&device, &control.found)?;
    let state = Arc::new(NvmeState {
        device,
        facts: control.found.clone(),
        control: Guarded::new(control),
        queues,
        resetting: AtomicBool::new(false),
        resets: AtomicU64::new(0),
        timeout_ns: settings.timeout_ns,
    });
    let scene = Scene {
        device: &state.device,
        queues: &state.queues,
        state: Some(&state),
    };
    work(|now| {
        state
            .control
            .with(|control| bring_up::advance(&scene, control, now))
    })?;
    log::info!(
        "nvme: {}, {} MiB, {} queues of {}",
        state.facts.name,
        state.facts.geometry.capacity >> 20,
        state.queues.len(),
        state.facts.depth,
    );
    Ok(state)
}

/// Goes on until there is something to tell.
fn work(mut advance: impl FnMut(u64) -> Progress) -> Result<Progress, OpenError> {
    loop {
        match advance(task_port::now()) {
            Progress::Working => task_port::sleep(PAUSE_NS),
            Progress::Failed => return Err(OpenError::Controller),
            progress => return Ok(progress),
        }
    }
}

/// Makes the queues that the controller grants, one per CPU, each with its own
/// interrupt. Entry 0 of the device's table belongs to the admin queue, which is
/// polled; a device with that one alone uses it for its only queue.
fn make_queues(device: &Device, facts: &Facts) -> Result<Box<[Queue]>, OpenError> {
    let mut queues = Vec::new();
    for index in 0..facts.queues {
        let cpu = usize::from(index);
        let vector = match device.messages.len() {
            1 => 0,
            _ => index + 1,
        };
        let line = IrqLine::allocate(cpu)?;
        device.messages.set(usize::from(vector), line.message());
        queues.push(Queue {
            id: index + 1,
            cpu,
            line,
            vector,
            rings: Guarded::new(Rings::allocate(facts.depth, facts.list_bytes)?),
            checked: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
        });
    }
    Ok(queues.into_boxed_slice())
}
