//! Faults: panics and CPU exceptions are caught at the gate, what was held comes
//! back, and the cell is replaced.

use crate::run::{Test, Verdict, check};
use alloc::format;
use alloc::sync::Arc;
use counter_port::COUNTER;
use port::{CrashKind, Door};
use task_port::{FaultKind, Held, gate};

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "panic_caught",
        run: panic_caught,
    },
    Test {
        name: "page_fault_caught",
        run: page_fault_caught,
    },
    Test {
        name: "wild_call_caught",
        run: wild_call_caught,
    },
    Test {
        name: "crash_in_cell",
        run: crash_in_cell,
    },
];

fn panic_caught() -> Verdict {
    let witness = Arc::new(());
    for _ in 0..100 {
        let held = Arc::clone(&witness);
        let fault = gate(move || {
            let _held = held;
            panic!("on purpose");
        });
        let fault = fault.err().ok_or("a panic went unnoticed")?;
        check!(fault.kind == FaultKind::Panic, "{fault:?}");
    }
    check!(
        Arc::strong_count(&witness) == 1,
        "unwinding did not drop what was held"
    );
    Ok(())
}

#[inline(never)]
fn read_null(held: Held<Arc<()>>) -> usize {
    let sum: usize;
    // SAFETY: faulting is the purpose.
    unsafe { core::arch::asm!("mov {0}, [{1}]", out(reg) sum, in(reg) 8usize) };
    sum + Arc::strong_count(&held)
}

fn page_fault_caught() -> Verdict {
    let witness = Arc::new(());
    for _ in 0..100 {
        let copy = Arc::clone(&witness);
        let fault = gate(move || read_null(Held::new(copy)));
        let fault = fault.err().ok_or("a page fault went unnoticed")?;
        check!(fault.kind == FaultKind::PageFault, "{fault:?}");
        check!(
            fault.cell == "selftest",
            "the fault was blamed on {}",
            fault.cell
        );
        check!(
            fault.released == 1,
            "the ledger gave {} things back instead of one",
            fault.released
        );
    }
    check!(
        Arc::strong_count(&witness) == 1,
        "the ledger did not drop what the faulting frame held"
    );
    Ok(())
}

fn wild_call_caught() -> Verdict {
    let fault = gate(|| {
        let nowhere: extern "C" fn() =
            // SAFETY: faulting is the purpose: nothing is mapped there.
            unsafe { core::mem::transmute::<usize, extern "C" fn()>(core::hint::black_box(0x10)) };
        nowhere();
    });
    let fault = fault.err().ok_or("a wild call went unnoticed")?;
    check!(fault.kind == FaultKind::PageFault, "{fault:?}");
    Ok(())
}

fn crash_in_cell() -> Verdict {
    let kinds = [
        (CrashKind::Panic, FaultKind::Panic),
        (CrashKind::Null, FaultKind::PageFault),
        (CrashKind::Wild, FaultKind::PageFault),
        (CrashKind::Divide, FaultKind::Divide),
        (CrashKind::Opcode, FaultKind::InvalidOpcode),
        (CrashKind::Stack, FaultKind::StackOverflow),
        // Again: the first overflow must leave the stack as it was.
        (CrashKind::Stack, FaultKind::StackOverflow),
        (CrashKind::Loop, FaultKind::Hang),
        (CrashKind::Execute, FaultKind::PageFault),
        (CrashKind::Memory, FaultKind::OutOfMemory),
    ];
    for (kind, expected) in kinds {
        let count = COUNTER.enter().map_err(|e| format!("{e}"))?.increment();
        COUNTER.inject(kind);
        let fault = gate(|| COUNTER.enter().map(|c| c.increment()));
        let fault = fault.err().ok_or("the cell did not crash")?;
        check!(fault.kind == expected, "{fault:?}");
        check!(
            fault.cell == "counter",
            "the fault was blamed on {}",
            fault.cell
        );
        check!(
            COUNTER.status().inflight == 0,
            "{kind:?} leaks a call in flight"
        );
        swap_port::fault_in(&fault.cell, false).map_err(|e| format!("{e}"))?;
        let next = COUNTER.enter().map_err(|e| format!("{e}"))?.increment();
        check!(
            next == count + 1,
            "the count went from {count} to {next} over a crash"
        );
    }
    Ok(())
}
