//! Panics and CPU exceptions become faults, and faults become unwinds.

use crate::backtrace;
use crate::report::fatal;
use crate::step::{Registers, caller, read_word};
use crate::{Frame, event, way_back};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::any::Any;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};
use mod_mgmt::namespace::NAMESPACE;
use sync::IrqLock;
use task_port::{Fault, FaultKind};

/// Whether a fault of the running task would be caught.
pub(crate) fn behind_a_gate() -> bool {
    task_port::in_task() && task_port::header().gates.load(Ordering::Relaxed) > 0
}

/// Panics that each CPU sees to.
static PANICS: [AtomicU32; cpu::MAX_CPUS] = [const { AtomicU32::new(0) }; cpu::MAX_CPUS];

/// The panic handler.
pub fn panic(info: &PanicInfo<'_>) -> ! {
    panic_of_kind(info, FaultKind::Panic)
}

/// The same for an allocation that there is no memory for.
pub fn out_of_memory(info: &PanicInfo<'_>) -> ! {
    panic_of_kind(info, FaultKind::OutOfMemory)
}

fn panic_of_kind(info: &PanicInfo<'_>, kind: FaultKind) -> ! {
    let trace = backtrace(3);
    let stay = cpu::PreemptGuard::new();
    let panics = &PANICS[cpu::id() % cpu::MAX_CPUS];
    if panics.fetch_add(1, Ordering::Relaxed) > 0 {
        // A panic while this CPU sees to another one.
        fatal(format_args!("{info}"), trace);
    }
    if crate::leaf::is_below(&trace) {
        event(format_args!("{info}"));
        // The exception's handler lets the call that got here return.
        panics.fetch_sub(1, Ordering::Relaxed);
        drop(stay);
        x86_64::instructions::interrupts::int3();
        unreachable!("a call behind a leaf has not returned");
    }
    if !behind_a_gate() {
        fatal(format_args!("{info}"), trace);
    }
    let cell = innermost_cell(&backtrace(0));
    let message = match info.location() {
        Some(at) => format!("{} ({}:{})", info.message(), at.file(), at.line()),
        None => info.message().to_string(),
    };
    event(format_args!("panic in {cell}: {message}"));
    let mut fault = Fault::new(kind, cell, message);
    fault.frames = addresses(&trace);
    panics.fetch_sub(1, Ordering::Relaxed);
    drop(stay);
    if !info.can_unwind() || way_back::has_begun() {
        // In a destructor that runs because of another fault, or where none may be.
        let fault = way_back::leave(fault);
        fatal(format_args!("no way back: {}", fault.message), trace);
    }
    raise(fault)
}

/// The frames of a stack, to be named and printed later: whoever repairs comes
/// first.
pub(crate) fn addresses(trace: &backtrace::Trace) -> Vec<usize> {
    let mut frames = Vec::new();
    trace.each(|address| {
        frames.push(address);
        true
    });
    frames
}

/// The cell whose code is innermost on this stack, leaving out the panic
/// machinery of the boot image.
pub(crate) fn innermost_cell(trace: &backtrace::Trace) -> String {
    let mut cell = String::from("nano_core");
    trace.each(|address| match NAMESPACE.by_address(address) {
        Some(found) => {
            cell.clone_from(&found.name);
            false
        }
        None => true,
    });
    cell
}

/// Starts unwinding with `fault` as payload.
pub(crate) fn raise(fault: Fault) -> ! {
    let again = fault.clone();
    way_back::begin();
    let code = unwinding::panic::begin_panic(Box::new(fault));
    event(format_args!("an unwind found no gate (code {})", code.0));
    let fault = way_back::leave(again);
    fatal(format_args!("no way back: {}", fault.message), backtrace(0));
}

/// Where a faulted task continues: called, as it were, by the caller of the
/// function that faulted.
extern "C-unwind" fn raise_fault(fault: *mut Fault) -> ! {
    // SAFETY: `exception` leaked this box for us alone.
    raise(*unsafe { Box::from_raw(fault) })
}

/// Runs `body`. A panic or fault in it comes back as a value.
///
/// # Errors
/// The fault.
pub fn catch(body: &mut dyn FnMut()) -> Result<(), Fault> {
    let gates = &task_port::header().gates;
    gates.fetch_add(1, Ordering::Relaxed);
    let preempt = preempt_count();
    let mut result = Ok(());
    let came_back = way_back::behind(&mut || {
        result = unwinding::panic::catch_unwind(&mut *body);
    });
    if let Some(fault) = came_back {
        result = Err(Box::new(fault) as Box<dyn Any + Send>);
    }
    gates.fetch_sub(1, Ordering::Relaxed);
    result.map_err(|payload: Box<dyn Any + Send>| {
        // The skipped frame may have had preemption or interrupts off. It may have been
        // seeing to a panic of this CPU: then preemption was.
        if cpu::this().preempt_count.load(Ordering::Relaxed) > preempt {
            PANICS[cpu::id() % cpu::MAX_CPUS].store(0, Ordering::Relaxed);
        }
        crate::step::stop_reading();
        free_irq_locks();
        let torn = tear_locks(preempt);
        cpu::this().preempt_count.store(preempt, Ordering::Relaxed);
        cpu::irq_enable();
        let mut fault = match payload.downcast::<Fault>() {
            Ok(fault) => {
                if fault.kind == FaultKind::StackOverflow {
                    close_reserve();
                }
                *fault
            }
            Err(_) => Fault::new(
                FaultKind::Panic,
                String::new(),
                String::from("a foreign panic"),
            ),
        };
        fault.torn = torn;
        fault
    })
}

/// Marks the spinning locks that frames behind the gate hold and did not give back;
/// gives how many. Preemption is off since they were taken, so they are this CPU's;
/// it was `before` at the gate.
fn tear_locks(before: u32) -> usize {
    let area = cpu::this();
    let now = area.preempt_count.load(Ordering::Relaxed);
    let remembered = |depth: u32| {
        let place = depth as usize % cpu::kernel::HELD;
        area.held[place].load(Ordering::Relaxed)
    };
    let is_below = |address: &usize| (1..=before).any(|depth| remembered(depth) == *address);
    let behind = (before + 1..=now).take(cpu::kernel::HELD).map(remembered);
    let words = behind.filter(|address| !is_below(address));
    words.filter_map(word_at).filter(|w| sync::tear(w)).count()
}

/// How often preemption is off, where nobody has damaged the count: no task has it off
/// more often than it can hold locks.
fn preempt_count() -> u32 {
    const MOST: u32 = cpu::kernel::HELD as u32;
    match cpu::this().preempt_count.load(Ordering::Relaxed) {
        count @ ..=MOST => count,
        _ => 0,
    }
}

/// Frees the locks with interrupts off that frames behind the gate hold: there is none at
/// the gate itself. This CPU has taken them, and interrupts are off since.
fn free_irq_locks() {
    let area = cpu::this();
    let count = area.irq_locks.swap(0, Ordering::Relaxed) as usize;
    let held = area.irq_held.each_ref().map(|w| w.load(Ordering::Relaxed));
    let mut freed = 0;
    for address in held.into_iter().take(count) {
        let word = core::ptr::with_exposed_provenance::<AtomicU32>(address);
        // SAFETY: null, or noted by the lock itself when it was taken, which whoever
        // borrowed it keeps alive.
        freed += usize::from(unsafe { word.as_ref() }.is_some_and(sync::set_free));
    }
    if freed > 0 {
        event(format_args!(
            "{freed} locks with interrupts off are free again"
        ));
    }
}

/// The word of a lock that was remembered at `address`.
fn word_at(address: usize) -> Option<&'static AtomicU32> {
    let mapped = address.is_multiple_of(4)
        && address != 0
        && memory::paging::translate(address as u64).is_some();
    // SAFETY: mapped, aligned, and the word of a lock that was not given back, which
    // whoever borrowed it keeps alive.
    mapped.then(|| unsafe { &*(address as *const AtomicU32) })
}

/// The stack is short again: the reserve is out of bounds for the next overflow.
fn close_reserve() {
    let start = task_port::header().sched.stack_range.0 as u64;
    // SAFETY: the running task's own stack, which does not reach down there now.
    unsafe { memory::paging::set_writable(start, task_port::STACK_RESERVE, false) };
}

fn kind_of(frame: &Frame) -> FaultKind {
    match frame.vector {
        0 => FaultKind::Divide,
        6 => FaultKind::InvalidOpcode,
        13 => FaultKind::Protection,
        14 => FaultKind::PageFault,
        other => FaultKind::Other(other as u8),
    }
}

/// An address that was named: with the number of the loaded cell, its name, and where in it.
struct Named {
    address: u64,
    number: Option<usize>,
    cell: String,
    at: String,
}

/// The last one.
static NAMED: IrqLock<Option<Named>> = IrqLock::new(None);

/// The cell and the name of an address. Names are packed, and finding one takes long for
/// an exception's handler; a fault that happens again and again does so in one place.
fn named(address: u64) -> (String, String) {
    let number = NAMESPACE.by_address(address as usize).map(|c| c.number);
    if let Some(named) = NAMED.lock_unless_mine()
        && let Some(last) = &*named
        && (last.address, last.number) == (address, number)
    {
        return (last.cell.clone(), last.at.clone());
    }
    let Some(place) = NAMESPACE.describe(address as usize) else {
        return (String::from("?"), format!("{address:#x}"));
    };
    let (cell, at) = (place.cell.clone(), place.to_string());
    let new = Named {
        address,
        number,
        cell: place.cell,
        at: at.clone(),
    };
    let named = NAMED.lock_unless_mine();
    let former = named.and_then(|mut named| named.replace(new));
    drop(former);
    (cell, at)
}

pub(crate) fn describe(frame: &Frame) -> (String, String) {
    let (cell, at) = named(frame.rip);
    let message = match frame.vector {
        0 => format!("divide error at {at}"),
        6 => format!("invalid opcode at {at}"),
        13 => format!("general protection fault (code {:#x}) at {at}", frame.error),
        14 => {
            let address = x86_64::registers::control::Cr2::read_raw();
            let what = match (frame.error & 16 != 0, frame.error & 2 != 0) {
                (true, _) => "execution of",
                (_, true) => "write to",
                _ => "read of",
            };
            format!("page fault: {what} {address:#x} at {at}")
        }
        other => format!("exception {other} (code {:#x}) at {at}", frame.error),
    };
    (cell, message)
}

/// The handler of CPU exceptions: turns the fault into an unwind of the running
/// task, or ends the system.
pub fn exception(frame: &mut Frame) {
    if frame.vector != 8 && crate::step::give_up_reading(frame) {
        return;
    }
    let registers = Registers::of(frame);
    if frame.vector != 8 && crate::leaf::leave(frame) {
        return;
    }
    let in_interrupt = cpu::this().irq_depth.load(Ordering::Relaxed) > 0;
    let (mut cell, mut message) = describe(frame);
    if !behind_a_gate() || in_interrupt || frame.vector == 8 {
        fatal(format_args!("{message}"), backtrace::of(registers));
    }
    if cell == "nano_core" {
        // A helper of the language (memory functions) that a cell called.
        cell = innermost_cell(&backtrace::of(registers));
    }
    if cell == "?"
        && let Some(above) = after_wild_call(&registers)
    {
        // A jump into nowhere is the fault of who jumped.
        cell = innermost_cell(&backtrace::of(above));
    }
    let mut kind = kind_of(frame);
    if frame.vector == 14 && open_reserve() {
        kind = FaultKind::StackOverflow;
        message = format!("stack overflow in {cell}");
    }
    event(format_args!("fault in {cell}: {message}"));
    if !redirect(frame, kind, cell, &message) {
        fatal(
            format_args!("{message}; the stack cannot be unwound"),
            backtrace::of(registers),
        );
    }
}

/// If the fault is a write to the reserve at the end of the running task's stack,
/// lets unwinding use it.
fn open_reserve() -> bool {
    let address = x86_64::registers::control::Cr2::read_raw() as usize;
    let start = task_port::header().sched.stack_range.0;
    let reserve = start..start + task_port::STACK_RESERVE;
    if !reserve.contains(&address) {
        return false;
    }
    // SAFETY: the running task's own stack.
    unsafe { memory::paging::set_writable(start as u64, task_port::STACK_RESERVE, true) };
    true
}

/// Lets the interrupted task continue in `raise_fault`, as if the caller of the
/// interrupted function had called that.
pub(crate) fn redirect(frame: &mut Frame, kind: FaultKind, cell: String, message: &str) -> bool {
    let registers = Registers::of(frame);
    let mut fault = Box::new(Fault::new(kind, cell, String::from(message)));
    fault.frames = addresses(&backtrace::of(registers));
    let above = caller(&registers, false).or_else(|| after_wild_call(&registers));
    let Some(above) = above.filter(|_| !way_back::has_begun()) else {
        return way_back::redirect(frame, *fault);
    };
    let r = above.0;
    (frame.rbx, frame.rbp) = (r[3], r[6]);
    (frame.r12, frame.r13, frame.r14, frame.r15) = (r[12], r[13], r[14], r[15]);
    frame.rdi = Box::into_raw(fault) as u64;
    // The return address is in place just below the caller's frame.
    frame.rsp = above.sp() - 8;
    frame.rip = raise_fault as *const () as u64;
    true
}

/// A jump through a bad pointer: no table covers the address, but the call has
/// pushed where it came from.
pub(crate) fn after_wild_call(registers: &Registers) -> Option<Registers> {
    let mut above = *registers;
    above.0[16] = read_word(registers.sp())?;
    above.0[7] = registers.sp() + 8;
    crate::finder::tables(above.ip() as usize)
        .is_some()
        .then_some(above)
}

/// A vector that nobody handles.
pub fn unexpected(frame: &mut Frame) {
    if frame.vector < 32 {
        exception(frame);
    } else {
        log::warn!("interrupt {} has no handler", frame.vector);
    }
}
