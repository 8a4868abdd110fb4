//! The local APIC of each CPU and the I/O APIC (Intel SDM volume 3, chapter 11;
//! 82093AA data sheet), memory-mapped mode.

use crate::platform;
use memory::{DeviceMemory, OutOfMemory};
use spin::Once;
use sync::IrqLock;
use x86_64::instructions::port::Port;

const ID: usize = 0x20;
const EOI: usize = 0xb0;
const SPURIOUS_VECTOR: usize = 0xf0;
const COMMAND_LOW: usize = 0x300;
const COMMAND_HIGH: usize = 0x310;
const TIMER_ENTRY: usize = 0x320;
const TIMER_INITIAL: usize = 0x380;
const TIMER_CURRENT: usize = 0x390;
const TIMER_DIVIDE: usize = 0x3e0;

static LOCAL: Once<DeviceMemory> = Once::new();
static IO: IrqLock<Option<DeviceMemory>> = IrqLock::new(None);

/// Maps both and masks the two 8259.
pub(crate) fn init() -> Result<(), OutOfMemory> {
    let platform = platform::get();
    let local = DeviceMemory::map(platform.local_apic, 4096)?;
    LOCAL.call_once(|| local);
    if let Some((address, _)) = platform.io_apics.first() {
        *IO.lock() = Some(DeviceMemory::map(*address, 4096)?);
    }
    // SAFETY: masking all lines of the old controllers.
    unsafe {
        Port::<u8>::new(0x21).write(0xff);
        Port::<u8>::new(0xa1).write(0xff);
    }
    Ok(())
}

fn local() -> Option<&'static DeviceMemory> {
    LOCAL.get()
}

fn read(register: usize) -> u32 {
    local().map_or(0, |apic| apic.read32(register))
}

fn write(register: usize, value: u32) {
    if let Some(apic) = local() {
        apic.write32(register, value);
    }
}

/// Turns the running CPU's APIC on.
pub(crate) fn enable(spurious: u8) {
    write(SPURIOUS_VECTOR, 0x100 | u32::from(spurious));
    cpu::this()
        .apic_id
        .store(read(ID) >> 24, core::sync::atomic::Ordering::Relaxed);
}

/// Tells the APIC that the interrupt has been handled.
#[inline]
pub fn end_of_interrupt() {
    write(EOI, 0);
}

/// Sends an interrupt to another CPU.
pub fn send(apic_id: u32, vector: u8) {
    command(apic_id, u32::from(vector));
}

/// Sends a non-maskable interrupt to another CPU.
pub fn send_nmi(apic_id: u32) {
    command(apic_id, 0x4400);
}

/// Sends INIT to another CPU.
pub fn send_init(apic_id: u32) {
    command(apic_id, 0x4500);
}

/// Sends a start-up interrupt: the CPU starts at page `page`.
pub fn send_startup(apic_id: u32, page: u8) {
    command(apic_id, 0x4600 | u32::from(page));
}

fn command(apic_id: u32, low: u32) {
    let _irq = cpu::IrqGuard::new();
    while read(COMMAND_LOW) & 0x1000 != 0 {
        cpu::relax();
    }
    write(COMMAND_HIGH, apic_id << 24);
    write(COMMAND_LOW, low);
}

/// Prepares the running CPU's timer: one shot, undivided, on `vector`.
pub fn timer_init(vector: u8) {
    write(TIMER_DIVIDE, 0b1011);
    write(TIMER_ENTRY, u32::from(vector));
}

/// Lets the running CPU's timer fire after `ticks`; zero stops it.
#[inline]
pub fn timer_set(ticks: u32) {
    write(TIMER_INITIAL, ticks);
}

/// Ticks left.
#[must_use]
pub fn timer_left() -> u32 {
    read(TIMER_CURRENT)
}

/// Routes ISA interrupt `irq` to `vector` on the CPU with `apic_id`.
pub fn route_isa(irq: u8, vector: u8, apic_id: u32) {
    let (input, flags) = platform::get().isa(irq);
    let io = IO.lock();
    let Some(io) = io.as_ref() else { return };
    let Some(pin) = input.checked_sub(platform::get().io_apics.first().map_or(0, |a| a.1)) else {
        return;
    };
    // MPS INTI flags: 3 in bits 0-1 is active low, 3 in bits 2-3 is level.
    let polarity = u32::from(flags & 3 == 3) << 13;
    let trigger = u32::from((flags >> 2) & 3 == 3) << 15;
    io_write(io, 0x11 + 2 * pin, apic_id << 24);
    io_write(io, 0x10 + 2 * pin, u32::from(vector) | polarity | trigger);
}

fn io_write(io: &DeviceMemory, register: u32, value: u32) {
    io.write32(0, register);
    io.write32(0x10, value);
}
