//! What a replacement of the driver passes on: the claimed device with its
//! registers, and the rings with the frames in them.

use crate::ring::{Buffers, Ring, Slot};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use memory::DeviceMemory;
use pci::{ClaimedDevice, MsixTable};
use port::{HandoverError, State};
use sync::SpinLock;

/// The version of [`NicState`]'s schema.
pub const SCHEMA: u32 = 1;

/// Offset of the status byte in the common registers.
const STATUS: usize = 20;
/// How often to look for the end of a reset.
const RESET_LOOKS: usize = 1_000_000;

/// The device and the ways to it.
#[derive(Debug)]
pub struct Hardware {
    /// The common registers (virtio 1.1, section 4.1.4.3).
    pub common: DeviceMemory,
    /// The registers that a kick writes to.
    pub notify: DeviceMemory,
    /// Bytes between two queues' kick registers.
    pub notify_step: usize,
    /// The network device's registers: address, status.
    pub config: DeviceMemory,
    /// Its interrupts.
    pub msix: MsixTable,
    /// Which state's rings it works on.
    pub epoch: AtomicU64,
    /// The claim; the last to go.
    pub device: ClaimedDevice,
}

impl Hardware {
    /// Stops the device: it lets go of all memory. False when it does not.
    pub fn reset(&self) -> bool {
        self.common.write8(STATUS, 0);
        (0..RESET_LOOKS).any(|_| {
            cpu_relax();
            self.common.read8(STATUS) == 0
        })
    }
}

#[inline]
fn cpu_relax() {
    core::hint::spin_loop();
}

impl Drop for Hardware {
    fn drop(&mut self) {
        self.reset();
    }
}

/// The transmit side: the ring and the buffers that are free.
#[derive(Debug)]
pub struct Sender {
    /// The ring.
    pub ring: Ring,
    /// Buffers nobody uses.
    pub free: Vec<Slot>,
}

/// Everything the driver knows.
#[derive(Debug)]
pub struct NicState {
    /// The device.
    pub hardware: Arc<Hardware>,
    /// The device works on these rings while its epoch is this one.
    pub epoch: u64,
    /// The hardware address.
    pub mac: [u8; 6],
    /// The longest frame.
    pub frame: usize,
    /// The device tells of its link.
    pub has_link: bool,
    /// Frames received.
    pub receive: SpinLock<Ring>,
    /// Their buffers.
    pub receive_buffers: Buffers,
    /// Frames to send.
    pub send: SpinLock<Sender>,
    /// Their buffers.
    pub send_buffers: Buffers,
    /// Offset of the kick register of the receive queue.
    pub receive_kick: usize,
    /// Offset of the kick register of the transmit queue.
    pub send_kick: usize,
    /// Frames were queued since the last kick.
    pub unkicked: AtomicBool,
}

impl Drop for NicState {
    fn drop(&mut self) {
        // The rings go now: the device must not work on them any more.
        if self.hardware.epoch.load(Ordering::Acquire) == self.epoch {
            self.hardware.reset();
        }
    }
}

static SURVIVOR: sync::Mutex<Option<Arc<Hardware>>> = sync::Mutex::new(None);

/// The device of a driver that died without handing it over.
#[must_use]
pub fn survivor() -> Option<Arc<Hardware>> {
    SURVIVOR.lock().clone()
}

/// Makes `hardware` the device that a crash leaves behind.
pub fn remember(hardware: &Arc<Hardware>) {
    let before = SURVIVOR.lock().replace(Arc::clone(hardware));
    drop(before);
}

static DISTRUSTED: AtomicBool = AtomicBool::new(false);

/// The rings may be damaged: the next driver starts the device anew instead of taking
/// them over. What is in them is lost, as frames may be.
pub fn distrust() {
    DISTRUSTED.store(true, Ordering::SeqCst);
}

/// They are not: the driver that has them works.
pub fn trust() {
    DISTRUSTED.store(false, Ordering::SeqCst);
}

/// Whether somebody has said that they may be since this was asked last.
#[must_use]
pub fn take_distrust() -> bool {
    DISTRUSTED.swap(false, Ordering::SeqCst)
}

/// Wraps the state for its way to the next driver.
#[must_use]
pub fn export(state: Arc<NicState>) -> State {
    State::new(SCHEMA, Box::new(state))
}

/// Unwraps a state.
///
/// # Errors
/// When it is of another schema.
pub fn import(state: State) -> Result<Arc<NicState>, HandoverError> {
    let offered = state.schema();
    if offered != SCHEMA {
        return Err(HandoverError::Schema { offered });
    }
    match state.take::<Arc<NicState>>() {
        Ok(state) => Ok(*state),
        Err(_) => Err(HandoverError::Schema { offered }),
    }
}
