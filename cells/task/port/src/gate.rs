//! The gate: where a fault stops. Code run behind it may panic or fault; the
//! caller gets the fault as a value and everything the code held is given back.

use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicPtr, Ordering};

/// Who is told of every fault that a gate catches.
static HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Says who is told of every fault that a gate catches: the captain. The code
/// must never be unloaded, and must not sleep.
pub fn set_fault_hook(hook: fn(&Fault)) {
    HOOK.store(hook as *mut (), Ordering::Release);
}

/// Tells of a fault: one that a gate has caught, or one that shows only in what a cell
/// does not do.
pub fn report(fault: &Fault) {
    let hook = HOOK.load(Ordering::Acquire);
    if !hook.is_null() {
        // SAFETY: only `set_fault_hook` stores here, and it takes this type.
        let hook: fn(&Fault) = unsafe { core::mem::transmute(hook) };
        hook(fault);
    }
}

/// What kind of fault it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// A Rust panic.
    Panic,
    /// A page fault: null or wild pointer, execution of data.
    PageFault,
    /// A general protection fault: a non-canonical address, a bad selector.
    Protection,
    /// A divide error.
    Divide,
    /// An invalid opcode.
    InvalidOpcode,
    /// The stack ran into its guard page.
    StackOverflow,
    /// There was no memory for an allocation: a panic that is nobody's mistake.
    OutOfMemory,
    /// The watchdog ended a call that did not return.
    Hang,
    /// Any other CPU exception, by vector.
    Other(u8),
}

/// A fault caught by a gate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What happened.
    pub kind: FaultKind,
    /// The cell it happened in, when known.
    pub cell: String,
    /// One line for people: the panic's message, or address and function.
    pub message: String,
    /// How many ledger entries had to be given back.
    pub released: usize,
    /// How many spinning locks were left torn by frames that were skipped.
    pub torn: usize,
    /// When it happened (ns).
    pub at: u64,
    /// The addresses of the frames it happened in, innermost first.
    pub frames: Vec<usize>,
}

impl Fault {
    /// A fault that happened now, of which nothing is given back yet.
    #[must_use]
    pub fn new(kind: FaultKind, cell: String, message: String) -> Self {
        Fault {
            kind,
            cell,
            message,
            released: 0,
            torn: 0,
            at: crate::now(),
            frames: Vec::new(),
        }
    }
}

/// Runs `body` behind a gate. A panic or a CPU fault in it unwinds to here; what
/// the task entered into its ledger since is given back.
///
/// # Errors
/// The fault, when there was one.
pub fn gate<R>(body: impl FnOnce() -> R) -> Result<R, Fault> {
    gate_unreported(body).inspect_err(report)
}

/// The same, but the fault hook is not told: the caller alone deals with the
/// fault. For a cell that faults while it is born, which nobody relies on yet
/// and which replacing would only bear again.
///
/// # Errors
/// The fault, when there was one.
pub fn gate_unreported<R>(body: impl FnOnce() -> R) -> Result<R, Fault> {
    let mark = crate::with_ledger(|l| l.mark());
    match crate::catch(body) {
        Ok(value) => Ok(value),
        Err(mut fault) => {
            fault.released = crate::with_ledger(|l| l.release_since(mark));
            Err(fault)
        }
    }
}
