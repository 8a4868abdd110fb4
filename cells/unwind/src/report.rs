//! Where reports go, and the end of a system that cannot go on.

use crate::backtrace::Trace;
use crate::events;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use sync::IrqLock;
use x86_64::instructions::port::Port;

type Console = fn(fmt::Arguments<'_>);

static CONSOLE: IrqLock<Option<Console>> = IrqLock::new(None);
static DYING: AtomicBool = AtomicBool::new(false);

/// Says where fatal reports are printed: a function that works without tasks,
/// heap or locks.
pub fn set_console(console: Console) {
    *CONSOLE.lock() = Some(console);
}

pub(crate) fn print(arguments: fmt::Arguments<'_>) {
    let console = CONSOLE.try_lock().and_then(|c| *c);
    if let Some(console) = console {
        console(arguments);
    }
}

/// Stacks printed in the current second, and which second that is.
static TRACES: AtomicU64 = AtomicU64::new(0);
const TRACES_PER_SECOND: u64 = 5;

/// Whether another stack may be printed now.
pub(crate) fn may_print_trace() -> bool {
    let second = task_port::now() / 1_000_000_000;
    let counted = TRACES.load(Ordering::Relaxed);
    let (last, count) = (counted >> 16, counted & 0xffff);
    let count = if last == second { count + 1 } else { 1 };
    TRACES.store(second << 16 | count.min(0xffff), Ordering::Relaxed);
    count <= TRACES_PER_SECOND
}

/// The exit code of QEMU's debug-exit device after a fatal fault.
const EXIT_FATAL: u32 = 0x20;

/// Prints the report and ends the machine.
pub fn fatal(what: fmt::Arguments<'_>, trace: Trace) -> ! {
    let _ = cpu::irq_disable();
    if DYING.swap(true, Ordering::SeqCst) {
        // A fault while reporting one.
        print(format_args!("mitos: fatal while dying: {what}\n"));
        exit(EXIT_FATAL);
    }
    print(format_args!(
        "mitos: fatal on cpu{}: {what}\n{trace}recent events:\n",
        cpu::id()
    ));
    events::print(print);
    exit(EXIT_FATAL)
}

/// Ends QEMU with `code` through its debug-exit device (the process exits with
/// `code * 2 + 1`); elsewhere stops this CPU.
pub fn exit(code: u32) -> ! {
    // SAFETY: port 0xf4 is QEMU's debug-exit device or nothing.
    unsafe { Port::<u32>::new(0xf4).write(code) };
    loop {
        let _ = cpu::irq_disable();
        x86_64::instructions::hlt();
    }
}
