//! Faults of the scheduler's policy and of the clock, which run with interrupts off:
//! the system goes on without them, and with fresh instances after that.

use crate::run::{Test, Verdict, check};
use alloc::format;
use alloc::string::String;
use port::{CrashKind, Door};

pub(crate) const TESTS: &[Test] = &[Test {
    name: "leaf_faults",
    run: leaf_faults,
}];

/// Each kind of fault in each of the two, one after the other.
fn leaf_faults() -> Verdict {
    let kinds = [
        CrashKind::Panic,
        CrashKind::Null,
        CrashKind::Divide,
        CrashKind::Opcode,
        CrashKind::Execute,
        CrashKind::Relock,
        CrashKind::Stack,
        CrashKind::Loop,
    ];
    for name in ["sched", "time"] {
        for kind in kinds {
            let told = |e| format!("{name}, {kind:?}: {e}");
            let door = left(name, kind).map_err(told)?;
            check!(door.has_failed(), "nobody is told of {name}'s fault");
            let before = task_port::now();
            task_port::sleep(2_000_000);
            let slept = task_port::now() - before;
            check!(
                (2_000_000..5_000_000_000).contains(&slept),
                "without {name}, 2 ms take {slept} ns"
            );
            replaced(name, door).map_err(told)?;
        }
    }
    Ok(())
}

/// Makes the cell fault and waits until its callers do without it; gives its door.
fn left(name: &str, kind: CrashKind) -> Result<&'static dyn Door, String> {
    let cell = mod_mgmt::namespace::NAMESPACE.find(name);
    let cell = cell.ok_or("no such cell")?;
    let doors = cell.cell().map_or(&[][..], |cell| cell.provides);
    let door: &'static dyn Door = **doors.first().ok_or("it has no door")?;
    check!(door.inject(kind), "it cannot be made to fault");
    let until = task_port::now() + 10_000_000_000;
    while door.status().cell.is_some() && task_port::now() < until {
        task_port::sleep(1_000_000);
    }
    check!(door.status().cell.is_none(), "it did not fault");
    Ok(door)
}

fn replaced(name: &str, door: &dyn Door) -> Verdict {
    swap_port::fault_in(name, false).map_err(|e| format!("{e}"))?;
    check!(door.status().cell.is_some(), "it was not replaced");
    Ok(())
}
