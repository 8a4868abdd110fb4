//! The way back to a gate when a stack cannot be unwound: its tables are damaged, a
//! destructor faulted while it was unwound, a return address is gone.
//!
//! A gate saves its registers before it runs its body. Going back to them skips all
//! frames in between without running a destructor. The system lives, and so does the
//! task; what the ledger knows of is given back, spinning locks of those frames are
//! torn. What only a destructor would have given back is lost: memory and counts of
//! references leak, and a sleeping mutex that one of the frames held stays locked, so
//! that whoever wants it is ended by the watchdog.

use alloc::boxed::Box;
use core::arch::global_asm;
use core::cell::Cell;
use core::sync::atomic::{AtomicUsize, Ordering};
use task_port::Fault;

global_asm!(
    r#"
    .section .text.way_back, "ax"
    # run_with_way_back(place: *mut usize, body, data) -> 0, or 1 after go_back.
    .balign 16
    .globl run_with_way_back
    .hidden run_with_way_back
run_with_way_back:
    .cfi_startproc
    push rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    push rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    push r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    push r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    push r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    push r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    sub rsp, 8
    .cfi_adjust_cfa_offset 8
    mov [rdi], rsp
    mov rdi, rdx
    call rsi
    xor eax, eax
1:
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret
    .globl go_back
    .hidden go_back
go_back:
    cld
    mov rsp, rdi
    mov eax, 1
    jmp 1b
    .cfi_endproc
"#
);

unsafe extern "C" {
    fn run_with_way_back(place: *mut usize, body: extern "C" fn(*mut ()), data: *mut ()) -> u32;
    fn go_back(stack_pointer: usize) -> !;
}

/// A gate, as seen from below. It lives in the gate's frame.
#[repr(C)]
struct WayBack {
    /// Where the gate's registers are. The first field: assembly writes it.
    stack_pointer: Cell<usize>,
    /// An unwind to this gate has begun.
    unwinds: Cell<bool>,
    /// The fault that comes back.
    fault: Cell<Option<Box<Fault>>>,
}

extern "C" fn run(body: *mut ()) {
    // SAFETY: `behind` passes a reference to its own closure, which outlives the call.
    unsafe { (*body.cast::<&mut dyn FnMut()>())() }
}

/// Runs `body`, which must not unwind. Gives a fault if one came back by [`leave`].
pub(crate) fn behind(mut body: &mut dyn FnMut()) -> Option<Fault> {
    let way = WayBack {
        stack_pointer: Cell::new(0),
        unwinds: Cell::new(false),
        fault: Cell::new(None),
    };
    let header = task_port::header();
    let outer = header.way_back.load(Ordering::Relaxed);
    header
        .way_back
        .store(&raw const way as usize, Ordering::Relaxed);
    // SAFETY: the place is a word of this frame, written before the body runs; the
    // body's frames lie below this one until the call returns, either way.
    let came_back =
        unsafe { run_with_way_back(way.stack_pointer.as_ptr(), run, (&raw mut body).cast()) } != 0;
    task_port::header().way_back.store(outer, Ordering::Relaxed);
    let fault = way.fault.take();
    fault.filter(|_| came_back).map(|fault| *fault)
}

/// The innermost gate that the running task is behind, if any.
fn way<R>(look: impl FnOnce(&WayBack) -> R) -> Option<R> {
    if !task_port::in_task() {
        return None;
    }
    let way = task_port::header().way_back.load(Ordering::Relaxed) as *const WayBack;
    // SAFETY: `behind` entered it, and takes it out before its frame ends; only the
    // running task itself looks.
    let way = unsafe { way.as_ref() }?;
    (way.stack_pointer.get() != 0).then(|| look(way))
}

/// Notes that an unwind to the innermost gate begins.
pub(crate) fn begin() {
    way(|way| way.unwinds.set(true));
}

/// Whether an unwind to the innermost gate has begun: whatever faults now, in a
/// destructor or in the unwinding itself, would do so again.
pub(crate) fn has_begun() -> bool {
    way(|way| way.unwinds.get()).unwrap_or(false)
}

/// Goes back to the innermost gate with `fault`. Returns it when there is none.
pub(crate) fn leave(fault: Fault) -> Fault {
    let mut fault = Some(Box::new(fault));
    let place = way(|way| {
        way.fault.set(fault.take());
        way.stack_pointer.get()
    });
    match (place, fault) {
        // SAFETY: the place was saved by a gate that has not returned, on this task's
        // stack; all frames below it are given up.
        (Some(place), _) => unsafe { go_back(place) },
        (None, Some(fault)) => *fault,
        (None, None) => unreachable!("nobody took it"),
    }
}

/// Runs `body`, which must not unwind, and keeps at `place` where to go back to meanwhile.
/// False if somebody went back: no destructor of the body's frames has run then.
pub(crate) fn or_back(place: &AtomicUsize, mut body: &mut dyn FnMut()) -> bool {
    // SAFETY: the place is written before the body runs; the body's frames lie below this
    // one until the call returns, either way.
    unsafe { run_with_way_back(place.as_ptr(), run, (&raw mut body).cast()) == 0 }
}

/// Lets interrupted code go back to `place`, of [`or_back`] or a gate, when it continues.
pub(crate) fn set(frame: &mut crate::Frame, place: usize) {
    frame.rdi = place as u64;
    frame.rip = go_back as *const () as u64;
    // The stack pointer may be anything; the place's own is good until it is set.
    frame.rsp = place as u64;
}

/// Lets an interrupted task go there when it continues. False when it cannot.
pub(crate) fn redirect(frame: &mut crate::Frame, fault: Fault) -> bool {
    let place = way(|way| {
        way.fault.set(Some(Box::new(fault)));
        way.stack_pointer.get()
    });
    let Some(place) = place else { return false };
    set(frame, place);
    true
}
