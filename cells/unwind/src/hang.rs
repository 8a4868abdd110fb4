//! The watchdog's verdicts, carried out: a call that does not come back ends like one
//! that faulted.

use crate::backtrace::{self, backtrace};
use crate::fault::{addresses, behind_a_gate, describe, innermost_cell, raise, redirect};
use crate::step::{Registers, read_word};
use crate::{Frame, event, leaf};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use mod_mgmt::namespace::{Loaded, NAMESPACE};
use task_port::{Fault, FaultKind};

/// Whose code it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A cell's behind a port.
    Cell {
        /// One of its doors has state, so that its calls are short.
        has_state: bool,
    },
    /// A port crate's, a library's, the boot image's.
    Elsewhere,
}

fn of(cell: &Loaded) -> Place {
    let doors = cell.cell().map_or(&[][..], |cell| cell.provides);
    match doors {
        [] => Place::Elsewhere,
        doors => Place::Cell {
            has_state: doors.iter().any(|door| door.has_state()),
        },
    }
}

/// Whose code is at `address`.
#[must_use]
pub fn place(address: usize) -> Place {
    NAMESPACE
        .by_address(address)
        .map_or(Place::Elsewhere, |cell| of(&cell))
}

/// Whose code a task waits in, given where its registers are saved.
#[must_use]
pub fn waits_in(stack_pointer: u64) -> Place {
    let waits = saved(stack_pointer).and_then(|registers| waiting(&backtrace::of(registers)));
    waits.map_or(Place::Elsewhere, |cell| of(&cell))
}

/// The cell whose code switches between tasks: where every task that waits is.
const SWITCHING: &str = "task";

/// The cell that waits: the innermost of the stack but for the boot image and for the
/// one that switches.
fn waiting(trace: &backtrace::Trace) -> Option<Arc<Loaded>> {
    let mut found = None;
    trace.each(|address| {
        let cell = NAMESPACE.by_address(address);
        found = cell.filter(|cell| cell.name != SWITCHING);
        found.is_none()
    });
    found
}

/// The registers of a task that was switched away from, as `task` saves them: control
/// words, r15 to r12, rbx, rbp, the return address.
fn saved(stack_pointer: u64) -> Option<Registers> {
    let word = |place: u64| read_word(stack_pointer + 8 * place);
    let mut registers = [0; 17];
    for (place, register) in [(1, 15), (2, 14), (3, 13), (4, 12), (5, 3), (6, 6), (7, 16)] {
        registers[register] = word(place)?;
    }
    registers[7] = stack_pointer + 64;
    Some(Registers(registers))
}

/// The interrupted task has run for long without a sign of life. Ends its call like a
/// fault. Says whether it did: in the boot image's code, which may hold locks, only if
/// told to `insist`; the next look may find it elsewhere.
pub fn hang(frame: &mut Frame, insist: bool) -> bool {
    if leaf::leave(frame) {
        return true;
    }
    if !behind_a_gate() {
        return false;
    }
    let cell = match NAMESPACE.by_address(frame.rip as usize) {
        Some(cell) => cell.name.clone(),
        // Who loops there does so because of what he found: a list, say, that somebody has
        // damaged.
        None if insist => innermost_cell(&backtrace::of(Registers::of(frame))),
        None => return false,
    };
    let (_, at) = describe(frame);
    let message = format!("no sign of life for too long ({at})");
    event(format_args!("fault in {cell}: {message}"));
    redirect(frame, FaultKind::Hang, cell, &message)
}

/// The running task waits for what never comes: its wait ends here. Returns if there is
/// no gate to go to.
pub fn hang_here() {
    if !behind_a_gate() {
        return;
    }
    let trace = backtrace(0);
    let cell = waiting(&trace).map_or_else(String::new, |cell| cell.name.clone());
    let message = String::from("it waited too long for what does not come");
    event(format_args!("fault in {cell}: {message}"));
    let mut fault = Fault::new(FaultKind::Hang, cell, message);
    fault.frames = addresses(&trace);
    raise(fault)
}
