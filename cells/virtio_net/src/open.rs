//! Finding a device's registers and starting it (virtio 1.1, sections 3.1.1
//! and 4.1.4).

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use memory::{DeviceMemory, OutOfMemory};
use pci::{ClaimedDevice, PciError};
use sync::SpinLock;
use virtio_net_port::ring::{BUFFER, Place, Ring};
use virtio_net_port::state::{Hardware, NicState, Sender};

/// Who numbers virtio devices.
pub(crate) const VENDOR: u16 = 0x1af4;
/// Network devices: modern, and transitional (which have the modern registers
/// too).
pub(crate) const DEVICES: [u16; 2] = [0x1041, 0x1000];

/// The header before each frame.
pub(crate) const HEADER: usize = 12;
/// The longest frame: 1,500 bytes and the Ethernet header.
const FRAME: usize = 1514;
const _: () = assert!(HEADER + FRAME <= BUFFER);
/// The most descriptors of a queue.
const DEPTH: u16 = 256;

/// Queue numbers.
const RECEIVE: u16 = 0;
const SEND: u16 = 1;
/// No interrupt.
const NO_VECTOR: u16 = 0xffff;
/// The interrupt of received frames.
const VECTOR: u16 = 0;

/// Bytes of the common registers.
const COMMON_LEN: usize = 56;

/// Offsets in the common registers.
mod common {
    pub(super) const DEVICE_FEATURE_SELECT: usize = 0;
    pub(super) const DEVICE_FEATURE: usize = 4;
    pub(super) const DRIVER_FEATURE_SELECT: usize = 8;
    pub(super) const DRIVER_FEATURE: usize = 12;
    pub(super) const CONFIG_VECTOR: usize = 16;
    pub(super) const STATUS: usize = 20;
    pub(super) const QUEUE_SELECT: usize = 22;
    pub(super) const QUEUE_SIZE: usize = 24;
    pub(super) const QUEUE_VECTOR: usize = 26;
    pub(super) const QUEUE_ENABLE: usize = 28;
    pub(super) const QUEUE_NOTIFY: usize = 30;
    pub(super) const QUEUE_DESCRIPTORS: usize = 32;
    pub(super) const QUEUE_AVAILABLE: usize = 40;
    pub(super) const QUEUE_USED: usize = 48;
}

/// Bits of the status byte.
const ACKNOWLEDGE: u8 = 1;
const DRIVER: u8 = 2;
const DRIVER_OK: u8 = 4;
const FEATURES_OK: u8 = 8;
const FAILED: u8 = 128;

/// Features.
const HAS_MAC: u64 = 1 << 5;
const HAS_STATUS: u64 = 1 << 16;
const VERSION_1: u64 = 1 << 32;

/// PCI's number of vendor-defined capabilities.
const VENDOR_CAPABILITY: u8 = 9;

/// Why there is no interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// No virtio network device on the PCI buses.
    NoDevice,
    /// Its registers are not where modern devices have them.
    NotModern,
    /// PCI does not give what is needed.
    Pci(PciError),
    /// No interrupt is left.
    NoInterrupt,
    /// No memory for its rings.
    OutOfMemory,
    /// It does not do what it should during its start.
    Refused,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::NoDevice => f.write_str("no virtio network device"),
            OpenError::NotModern => f.write_str("the network device is not a virtio 1 device"),
            OpenError::Pci(error) => write!(f, "the network device: {error}"),
            OpenError::NoInterrupt => f.write_str("no interrupt for the network device"),
            OpenError::OutOfMemory => f.write_str("no memory for the network device"),
            OpenError::Refused => f.write_str("the network device refused to start"),
        }
    }
}

impl From<OutOfMemory> for OpenError {
    fn from(_: OutOfMemory) -> Self {
        OpenError::OutOfMemory
    }
}

impl From<PciError> for OpenError {
    fn from(error: PciError) -> Self {
        OpenError::Pci(error)
    }
}

/// Where a piece of the registers is: window, offset, length, and a word more.
struct Piece {
    bar: usize,
    offset: u64,
    len: usize,
    extra: u32,
}

/// The piece of kind `kind` (1 common, 2 notify, 4 device).
fn piece(device: &ClaimedDevice, kind: u8) -> Result<Piece, OpenError> {
    device
        .capabilities()
        .filter(|(id, _)| *id == VENDOR_CAPABILITY)
        .map(|(_, at)| at)
        .find(|at| (device.config_read32(*at) >> 24) as u8 == kind)
        .map(|at| Piece {
            bar: (device.config_read32(at + 4) & 0xff) as usize,
            offset: u64::from(device.config_read32(at + 8)),
            len: device.config_read32(at + 12) as usize,
            extra: device.config_read32(at + 16),
        })
        .ok_or(OpenError::NotModern)
}

fn map(device: &ClaimedDevice, piece: &Piece, least: usize) -> Result<DeviceMemory, OpenError> {
    let window = device.window(piece.bar)?;
    let start = window.start + piece.offset;
    let fits = piece.len >= least && start + piece.len as u64 <= window.end;
    if !fits || !start.is_multiple_of(4) {
        return Err(OpenError::NotModern);
    }
    Ok(DeviceMemory::map(start, piece.len)?)
}

/// Maps the registers of a claimed device.
///
/// # Errors
/// When they are not there.
pub(crate) fn registers(device: ClaimedDevice) -> Result<Hardware, OpenError> {
    device.enable();
    let common = map(&device, &piece(&device, 1)?, COMMON_LEN)?;
    let notify = piece(&device, 2)?;
    let notify_step = notify.extra as usize;
    let notify = map(&device, &notify, 2)?;
    let config = map(&device, &piece(&device, 4)?, 8)?;
    Ok(Hardware {
        common,
        notify,
        notify_step,
        config,
        msix: device.msix()?,
        epoch: AtomicU64::new(0),
        device,
    })
}

/// Resets the device and starts it with new rings. `message` is what it writes
/// where to interrupt.
///
/// # Errors
/// When it refuses or there is no memory. It is then left alone.
pub(crate) fn start(hardware: Arc<Hardware>, message: (u64, u32)) -> Result<NicState, OpenError> {
    let epoch = hardware.epoch.fetch_add(1, Ordering::AcqRel) + 1;
    if !hardware.reset() {
        return Err(OpenError::Refused);
    }
    hardware.device.enable();
    let features = negotiate(&hardware)?;
    hardware.msix.set(usize::from(VECTOR), message);
    hardware.common.write16(common::CONFIG_VECTOR, NO_VECTOR);
    let (mut receive, receive_slots) = Ring::new(depth(&hardware, RECEIVE)?, true)?;
    let (send, free) = Ring::new(depth(&hardware, SEND)?, false)?;
    for slot in receive_slots {
        receive.offer(slot, BUFFER);
    }
    // Sent frames are taken back when the next ones are queued.
    send.set_interrupts(false);
    let receive_kick = queue(&hardware, RECEIVE, &receive, VECTOR)?;
    let send_kick = queue(&hardware, SEND, &send, NO_VECTOR)?;
    let mac = mac(&hardware, features);
    set_status(&hardware, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    hardware.notify.write16(receive_kick, RECEIVE);
    Ok(NicState {
        epoch,
        mac,
        frame: FRAME,
        has_link: features & HAS_STATUS != 0,
        receive_buffers: receive.buffers(),
        receive: SpinLock::new(receive),
        send_buffers: send.buffers(),
        send: SpinLock::new(Sender { ring: send, free }),
        receive_kick,
        send_kick,
        unkicked: AtomicBool::new(false),
        hardware,
    })
}

fn set_status(hardware: &Hardware, status: u8) {
    hardware.common.write8(common::STATUS, status);
}

/// Agrees on features.
fn negotiate(hardware: &Hardware) -> Result<u64, OpenError> {
    let registers = &hardware.common;
    set_status(hardware, ACKNOWLEDGE);
    set_status(hardware, ACKNOWLEDGE | DRIVER);
    let half = |select: u32| {
        registers.write32(common::DEVICE_FEATURE_SELECT, select);
        u64::from(registers.read32(common::DEVICE_FEATURE))
    };
    let features = (half(0) | half(1) << 32) & (HAS_MAC | HAS_STATUS | VERSION_1);
    for select in [0, 1] {
        registers.write32(common::DRIVER_FEATURE_SELECT, select);
        registers.write32(common::DRIVER_FEATURE, (features >> (32 * select)) as u32);
    }
    set_status(hardware, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    let agreed = registers.read8(common::STATUS) & FEATURES_OK != 0;
    if features & VERSION_1 == 0 || !agreed {
        set_status(hardware, FAILED);
        return Err(OpenError::Refused);
    }
    Ok(features)
}

/// How many descriptors queue `number` gets.
fn depth(hardware: &Hardware, number: u16) -> Result<u16, OpenError> {
    hardware.common.write16(common::QUEUE_SELECT, number);
    match hardware.common.read16(common::QUEUE_SIZE).min(DEPTH) {
        0 => Err(OpenError::Refused),
        // Split rings have a power of two.
        most => Ok(1 << most.ilog2()),
    }
}

/// Tells the device where a queue's ring is; gives the place to kick it.
fn queue(hardware: &Hardware, number: u16, ring: &Ring, vector: u16) -> Result<usize, OpenError> {
    let registers = &hardware.common;
    let Place {
        descriptors,
        available,
        used,
    } = ring.place();
    registers.write16(common::QUEUE_SELECT, number);
    registers.write16(common::QUEUE_SIZE, ring.depth());
    registers.write16(common::QUEUE_VECTOR, vector);
    if registers.read16(common::QUEUE_VECTOR) != vector {
        return Err(OpenError::NoInterrupt);
    }
    for (at, address) in [
        (common::QUEUE_DESCRIPTORS, descriptors),
        (common::QUEUE_AVAILABLE, available),
        (common::QUEUE_USED, used),
    ] {
        registers.write32(at, address as u32);
        registers.write32(at + 4, (address >> 32) as u32);
    }
    let kick = usize::from(registers.read16(common::QUEUE_NOTIFY)) * hardware.notify_step;
    if kick + 2 > hardware.notify.len() || !kick.is_multiple_of(2) {
        return Err(OpenError::NotModern);
    }
    registers.write16(common::QUEUE_ENABLE, 1);
    Ok(kick)
}

/// The hardware address: the device's, or one of our own.
fn mac(hardware: &Hardware, features: u64) -> [u8; 6] {
    if features & HAS_MAC == 0 {
        return [0x02, 0x4d, 0x69, 0x74, 0x6f, 0x73];
    }
    core::array::from_fn(|i| hardware.config.read8(i))
}
