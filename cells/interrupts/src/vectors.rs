//! The interrupt vectors: which are fixed, which are given to lines, and what
//! happens at the end of every interrupt.

use crate::line::{IrqError, IrqLine};
use crate::{apic, platform};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicPtr, Ordering};
use memory::OutOfMemory;
use nano_core::exceptions::{self, Frame};
use sync::IrqLock;

/// The non-maskable interrupt, which one CPU sends to another ([`apic::send_nmi`]). Its
/// handler must not end it at the APIC, nor switch tasks.
pub const NMI: u8 = 2;
/// The local timer.
pub const TIMER: u8 = 0xf0;
/// Another CPU has put a task into this CPU's queue.
pub const RESCHEDULE: u8 = 0xf1;
/// The APIC changed its mind.
pub const SPURIOUS: u8 = 0xff;

const FIRST: u8 = 0x30;
const LINES: usize = (TIMER - FIRST) as usize;

static LINE_TABLE: IrqLock<[Option<Weak<IrqLine>>; LINES]> = IrqLock::new([const { None }; LINES]);
static EXIT_HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Reads ACPI's tables, sets the boot CPU's local APIC up and masks the old
/// interrupt controllers.
///
/// # Errors
/// When there is no memory to map the APICs.
pub fn init(rsdp: u64) -> Result<(), OutOfMemory> {
    platform::init(rsdp);
    apic::init()?;
    exceptions::set_handler(SPURIOUS, |_| {});
    for vector in FIRST..TIMER {
        exceptions::set_handler(vector, line_interrupt);
    }
    enable_cpu();
    Ok(())
}

/// Turns the running CPU's local APIC on.
pub fn enable_cpu() {
    apic::enable(SPURIOUS);
}

/// Installs the handler of a fixed vector. It runs with interrupts off, then the
/// APIC is told and the exit hook runs.
pub fn set_handler(vector: u8, handler: fn(&mut Frame)) {
    exceptions::set_handler(vector, handler);
}

/// What runs at the end of each interrupt, after the APIC was told: the
/// scheduler's chance to preempt. The code must never be unloaded.
pub fn set_exit_hook(hook: fn(&mut Frame)) {
    EXIT_HOOK.store(hook as *mut (), Ordering::Release);
}

/// Ends an interrupt: tells the APIC and runs the exit hook. The last thing a
/// handler of a fixed vector does.
pub fn finish(frame: &mut Frame) {
    apic::end_of_interrupt();
    let hook = EXIT_HOOK.load(Ordering::Acquire);
    if !hook.is_null() {
        // SAFETY: only `set_exit_hook` stores here, and it takes this type.
        let hook: fn(&mut Frame) = unsafe { core::mem::transmute(hook) };
        hook(frame);
    }
}

fn line_interrupt(frame: &mut Frame) {
    let place = (frame.vector as usize).wrapping_sub(usize::from(FIRST));
    let line = LINE_TABLE
        .lock()
        .get(place)
        .and_then(|l| l.as_ref().and_then(Weak::upgrade));
    if let Some(line) = line {
        line.raise();
    }
    finish(frame);
}

pub(crate) fn allocate(make: impl FnOnce(u8) -> Arc<IrqLine>) -> Result<Arc<IrqLine>, IrqError> {
    let mut lines = LINE_TABLE.lock();
    let place = lines
        .iter()
        .position(Option::is_none)
        .ok_or(IrqError::NoVector)?;
    let line = make(FIRST + place as u8);
    lines[place] = Some(Arc::downgrade(&line));
    Ok(line)
}

pub(crate) fn free(vector: u8) {
    if let Some(line) = LINE_TABLE.lock().get_mut(usize::from(vector - FIRST)) {
        *line = None;
    }
}

pub(crate) fn apic_id(cpu: usize) -> u8 {
    platform::get().cpus.get(cpu).map_or(0, |id| *id as u8)
}
