//! Everything of the NVMe driver that survives a swap: the claimed device, its
//! queues with the commands still in it, and how far a reset has come.
//!
//! The cell holds the algorithms; it gets this as one `Arc`. Commands stay in
//! the device during the swap, so the pause does not depend on how many there
//! are. Dropping the state stops the device before its memory is freed and ends
//! what was in flight as [`DEVICE_LOST`].

use crate::guarded::Guarded;
use crate::registers::{CC, CC_ENABLE, CSTS, CSTS_READY, GONE};
use crate::rings::{DmaWords, RingPair, Rings};
use crate::{DEVICE_LOST, Finished, Geometry};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use interrupts::IrqLine;
use memory::{DeviceMemory, OutOfMemory};
use pci::{ClaimedDevice, MsixTable};
use port::{HandoverError, State};

/// The version of [`NvmeState`].
pub const SCHEMA: u32 = 2;
/// Entries of the admin queue.
pub const ADMIN_DEPTH: u16 = 16;

/// How long a controller may take to stop before its bus access is cut.
const STOP_NS: u64 = 500_000_000;

/// The controller: its PCI function, registers and interrupt messages. Dropping
/// it stops the controller, so its queues' memory must be dropped after it.
#[derive(Debug)]
pub struct Device {
    /// The registers.
    pub registers: DeviceMemory,
    /// The interrupt messages.
    pub messages: MsixTable,
    /// The right to drive it.
    pub claim: ClaimedDevice,
}

impl Device {
    /// Stops the controller and its access to memory; what it had is forgotten.
    /// Takes half a second at most, microseconds usually.
    pub fn stop(&self) {
        let config = self.registers.read32(CC);
        if config != GONE {
            self.registers.write32(CC, config & !CC_ENABLE);
            let deadline = task_port::now() + STOP_NS;
            while self.registers.read32(CSTS) & CSTS_READY != 0 && task_port::now() < deadline {
                cpu::relax();
            }
        }
        // Whatever it thinks now, it reaches no memory any more.
        self.claim.stop_bus_master();
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the controller and its namespace are like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// What users need to know.
    pub geometry: Geometry,
    /// The namespace in use.
    pub namespace: u32,
    /// Block size as a power of two.
    pub block_shift: u32,
    /// Bytes between doorbells.
    pub doorbell_stride: usize,
    /// Queue pairs the controller grants.
    pub queues: u16,
    /// Entries per queue.
    pub depth: u16,
    /// Bytes of one command's list of pages, a power of two.
    pub list_bytes: usize,
    /// Model, serial number and firmware.
    pub name: String,
}

/// Where the start or the reset of the controller stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Keep the queues from handing over commands.
    Halt,
    /// Tell the controller to stop.
    Disable,
    /// Until it has stopped.
    AwaitDisabled,
    /// Take back what it has forgotten.
    Collect,
    /// Tell it to start.
    Enable,
    /// Until it has started.
    AwaitEnabled,
    /// Ask what it is.
    IdentifyController,
    /// Agree on the number of queues.
    SetQueueCount,
    /// Find a namespace.
    ListNamespaces,
    /// Ask what that is.
    IdentifyNamespace,
    /// The facts are known; the queues must exist from here on.
    Known,
    /// Make completion queue n.
    CreateCompletion(u16),
    /// Make submission queue n.
    CreateSubmission(u16),
    /// Let the queues work.
    Resume,
    /// All is well.
    Ready,
    /// It cannot be brought up.
    Failed,
}

/// The admin queue and the page that answers to Identify are written to.
#[derive(Debug)]
pub struct Admin {
    /// Its rings.
    pub ring: RingPair,
    /// The page for answers.
    pub page: DmaWords,
    /// The command in flight, if any.
    pub pending: Option<u16>,
    /// The number of the next command.
    pub next_id: u16,
}

/// The start or reset under way.
#[derive(Debug)]
pub struct Control {
    /// What comes next.
    pub step: Step,
    /// When the present step has taken too long (ns).
    pub deadline: u64,
    /// How often in a row bringing it up has failed.
    pub failures: u32,
    /// Queues asked for at most.
    pub wanted_queues: u16,
    /// Entries per queue asked for at most.
    pub wanted_depth: u16,
    /// The admin queue.
    pub admin: Admin,
    /// What was found out so far.
    pub found: Facts,
}

impl Control {
    /// The beginning of a start with at most so many queues of so many entries.
    ///
    /// # Errors
    /// When there is no memory for the admin queue.
    pub fn allocate(wanted_queues: u16, wanted_depth: u16) -> Result<Self, OutOfMemory> {
        Ok(Control {
            step: Step::Halt,
            deadline: 0,
            failures: 0,
            wanted_queues,
            wanted_depth,
            admin: Admin {
                ring: RingPair::allocate(ADMIN_DEPTH)?,
                page: DmaWords::allocate(memory::PAGE_SIZE)?,
                pending: None,
                next_id: 0,
            },
            found: Facts {
                geometry: Geometry {
                    block_size: 0,
                    capacity: 0,
                    max_transfer: 0,
                    volatile_cache: false,
                },
                namespace: 0,
                block_shift: 0,
                doorbell_stride: 4,
                queues: 0,
                depth: 2,
                list_bytes: 0,
                name: String::new(),
            },
        })
    }
}

/// One queue pair: its own interrupt, its own lock.
#[derive(Debug)]
pub struct Queue {
    /// Its number for the device, from 1.
    pub id: u16,
    /// The CPU that looks after it.
    pub cpu: usize,
    /// Its interrupt.
    pub line: Arc<IrqLine>,
    /// Which of the device's interrupts that is.
    pub vector: u16,
    /// All it holds.
    pub rings: Guarded<Rings>,
    /// When its health was looked at last (ns).
    pub checked: AtomicU64,
    /// How often that was. Commands are stamped with it instead of the time:
    /// reading the clock would cost more than handing over a command, and a
    /// loop that was kept from running for long finds no command late.
    pub rounds: AtomicU64,
}

/// What a swap hands over.
#[derive(Debug)]
pub struct NvmeState {
    /// Dropped first: it stops the device.
    pub device: Device,
    /// What the device is like; what [`Control::found`] held at the start.
    pub facts: Facts,
    /// A start or reset under way, when `resetting`.
    pub control: Guarded<Control>,
    /// The queues.
    pub queues: Box<[Queue]>,
    /// A reset is wanted or under way.
    pub resetting: AtomicBool,
    /// How often the controller was reset.
    pub resets: AtomicU64,
    /// How long a command may take (ns).
    pub timeout_ns: u64,
}

impl NvmeState {
    /// The queue of the CPU this runs on.
    #[inline]
    #[must_use]
    pub fn queue_here(&self) -> &Queue {
        // There is at least one queue: the driver refuses a device without.
        &self.queues[cpu::id() % self.queues.len()]
    }

    /// Whether a reset is wanted or under way.
    #[inline]
    #[must_use]
    pub fn is_resetting(&self) -> bool {
        self.resetting.load(Ordering::Acquire)
    }

    /// Wraps it for a swap.
    #[must_use]
    pub fn hand_over(self: &Arc<Self>) -> State {
        State::new(SCHEMA, Box::new(Arc::clone(self)))
    }

    /// Takes it from a swap.
    ///
    /// # Errors
    /// When the state is another one.
    pub fn take_over(state: State) -> Result<Arc<Self>, HandoverError> {
        let offered = state.schema();
        if offered != SCHEMA {
            return Err(HandoverError::Schema { offered });
        }
        match state.take::<Arc<NvmeState>>() {
            Ok(state) => Ok(*state),
            Err(_) => Err(HandoverError::Schema { offered }),
        }
    }
}

impl Drop for NvmeState {
    fn drop(&mut self) {
        self.device.stop();
        for queue in &mut self.queues {
            let rings = queue.rings.get_mut();
            rings.fail_all(DEVICE_LOST);
            while let (Some(finished), _) = rings.next_finished() {
                tell(&finished);
            }
        }
    }
}

/// Tells the ended jobs of `queue` to those who wait for them: first `next`, as
/// [`Rings::next_finished`] gave it, then the others. Called without the queue's
/// lock: waking takes a while.
#[inline]
pub fn deliver(queue: &Queue, next: (Option<Finished>, bool)) {
    let (mut finished, mut more) = next;
    loop {
        if let Some(finished) = finished {
            tell(&finished);
        }
        if !more {
            return;
        }
        (finished, more) = queue.rings.with(Rings::next_finished);
    }
}

#[inline]
fn tell(finished: &Finished) {
    if finished.status != 0 {
        log_failure(finished);
    }
    finished.request.done.complete(finished.outcome);
}

#[cold]
fn log_failure(finished: &Finished) {
    let Finished {
        request, status, ..
    } = finished;
    log::warn!(
        "nvme: {:?} of {} bytes at {:#x} failed: status type {} code {:#04x}",
        request.op,
        request.data.as_ref().map_or(0, |d| d.len()),
        request.offset,
        status >> 8 & 7,
        status & 0xff,
    );
}
