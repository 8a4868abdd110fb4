//! Where reports go, and the end of a system that cannot go on.

use crate::backtrace::Trace;
use crate::events;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
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
