//! Faults of code behind a leaf: the clock, the scheduler's policy.
//!
//! Such code is called with interrupts off, from the scheduler and from handlers that
//! hold locks, so nothing may be unwound beyond the call itself. The call is made to
//! return instead, with all ones for an answer (`port::NO_ANSWER`), and the door loses
//! its provider: its callers have an answer of their own.

use crate::backtrace::Trace;
use crate::fault::after_wild_call;
use crate::step::{Registers, caller};
use crate::{Frame, event};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use mod_mgmt::namespace::{Loaded, NAMESPACE};

/// So many frames may lie between the fault and its way out: a stack that has
/// overflowed has many.
const DEEPEST: usize = 4096;

/// Whether this is the code of a cell behind a leaf.
fn leaf_at(address: usize) -> Option<Arc<Loaded>> {
    let cell = NAMESPACE.by_address(address)?;
    let doors = cell.cell()?.provides;
    doors.iter().any(|door| door.is_leaf()).then_some(cell)
}

/// Whether code behind a leaf is what runs: the innermost of this stack, but for what
/// it has called in the boot image.
pub(crate) fn is_below(trace: &Trace) -> bool {
    let mut found = false;
    trace.each(|address| match NAMESPACE.by_address(address) {
        None => true,
        Some(_) => {
            found = leaf_at(address).is_some();
            false
        }
    });
    found
}

/// If the interrupted code is behind a leaf, lets its caller go on as if the call had
/// returned without an answer. Says whether it did.
pub(crate) fn leave(frame: &mut Frame) -> bool {
    let registers = Registers::of(frame);
    let wild = NAMESPACE.by_address(frame.rip as usize).is_none()
        && crate::finder::tables(frame.rip as usize).is_none();
    let start = match wild {
        true => after_wild_call(&registers),
        false => Some(registers),
    };
    let Some((cell, above)) = start.and_then(|start| way_out(start, wild)) else {
        return false;
    };
    event(format_args!(
        "vector {} in {} at {:#x}: the call returns without an answer",
        frame.vector, cell.name, frame.rip
    ));
    let doors = cell.cell().map_or(&[][..], |cell| cell.provides);
    doors.iter().filter(|door| door.is_leaf()).for_each(|door| {
        door.fail();
    });
    give_back(registers.sp() as usize..above.sp() as usize);
    let r = above.0;
    (frame.rbx, frame.rbp) = (r[3], r[6]);
    (frame.r12, frame.r13, frame.r14, frame.r15) = (r[12], r[13], r[14], r[15]);
    (frame.rax, frame.rdx) = (port::NO_ANSWER, port::NO_ANSWER);
    (frame.rsp, frame.rip) = (above.sp(), above.ip());
    true
}

/// The cell behind a leaf that `start` is in or was called by, and the registers of
/// who called that.
fn way_out(start: Registers, at_call: bool) -> Option<(Arc<Loaded>, Registers)> {
    let (mut registers, mut at_call) = (start, at_call);
    let mut inside: Option<Arc<Loaded>> = None;
    for _ in 0..DEEPEST {
        let address = (registers.ip() - u64::from(at_call)) as usize;
        match (leaf_at(address), &inside) {
            (Some(cell), None) => inside = Some(cell),
            (Some(cell), Some(found)) if cell.number == found.number => {}
            (_, Some(_)) => return Some((inside?, registers)),
            // Another cell: not a leaf's affair. The boot image: perhaps it was
            // called from one.
            (_, None) if NAMESPACE.by_address(address).is_some() => return None,
            (_, None) => {}
        }
        registers = caller(&registers, at_call)?;
        at_call = true;
    }
    None
}

/// Takes back what frames between two stack pointers had off: the preemption count of
/// spinning locks that lie there themselves.
fn give_back(skipped: core::ops::Range<usize>) {
    let area = cpu::this();
    let count = area.preempt_count.load(Ordering::Relaxed) as usize;
    let is_skipped = |depth: &usize| {
        let lock = area.held[depth % cpu::kernel::HELD].load(Ordering::Relaxed);
        skipped.contains(&lock)
    };
    if let Some(first) = (1..=count).find(is_skipped) {
        area.preempt_count
            .store(first as u32 - 1, Ordering::Relaxed);
    }
}
