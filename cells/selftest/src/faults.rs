//! Faults: panics and CPU exceptions are caught at the gate, what was held comes
//! back, and the cell is replaced.

use crate::run::{Test, Verdict, check};
use alloc::format;
use alloc::sync::Arc;
use counter_port::COUNTER;
use port::{CrashKind, Door};
use sync::{Completion, IrqLock, SpinLock};
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
    Test {
        name: "torn_lock",
        run: torn_lock,
    },
    Test {
        name: "fault_while_unwinding",
        run: fault_while_unwinding,
    },
    Test {
        name: "stack_that_cannot_be_unwound",
        run: stack_that_cannot_be_unwound,
    },
    Test {
        name: "all_cpus_deaf",
        run: all_cpus_deaf,
    },
    Test {
        name: "legitimate_wait",
        run: legitimate_wait,
    },
];

/// A fault skips the frame that holds a spinning lock: nobody gets the lock, nobody
/// waits for it for ever, and preemption is on again.
fn torn_lock() -> Verdict {
    #[inline(never)]
    fn fault_inside(lock: &SpinLock<u32>) -> u32 {
        let held = lock.lock();
        let sum: usize;
        // SAFETY: faulting is the purpose.
        unsafe { core::arch::asm!("mov {0}, [{1}]", out(reg) sum, in(reg) 8usize) };
        *held + sum as u32
    }
    let (lock, other) = (SpinLock::new(7), SpinLock::new(8));
    let outer = other.lock();
    let fault = gate(|| fault_inside(&lock));
    let fault = fault.err().ok_or("a page fault went unnoticed")?;
    check!(fault.torn == 1, "{} locks are torn", fault.torn);
    drop(outer);
    check!(other.try_lock().is_some(), "the outer lock was torn, too");
    let taken = gate(|| *lock.lock());
    check!(taken.is_err(), "a torn lock was given to somebody");
    check!(lock.mend() && *lock.lock() == 7, "it was not mended");
    let before = task_port::now();
    task_port::sleep(1_000_000);
    check!(task_port::now() > before, "time stands still");
    Ok(())
}

/// Reads what is not mapped.
fn read_nothing() {
    let word: usize;
    // SAFETY: faulting is the purpose.
    unsafe { core::arch::asm!("mov {0}, [{1}]", out(reg) word, in(reg) 8usize) };
    core::hint::black_box(word);
}

/// A destructor faults while another fault unwinds, by a panic and by an exception: the
/// gate gets a fault, the ledger gives back what was held, and a gate inside of a
/// destructor works as anywhere else.
fn fault_while_unwinding() -> Verdict {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("on purpose, in a destructor");
        }
    }
    struct Reads;
    impl Drop for Reads {
        fn drop(&mut self) {
            read_nothing();
        }
    }
    struct Catches<'a>(&'a mut bool);
    impl Drop for Catches<'_> {
        fn drop(&mut self) {
            *self.0 = gate(|| panic!("on purpose, behind a gate of its own")).is_err();
        }
    }
    for round in 0..100 {
        let witness = Arc::new(());
        let held = Held::new(Arc::clone(&witness));
        let fault = gate(|| {
            // Given back by the ledger alone: destructors above do not run.
            let _held = Held::new(Arc::clone(&witness));
            let _panics = (round % 2 == 0).then(|| Panics);
            let _reads = (round % 2 == 1).then(|| Reads);
            panic!("on purpose");
        });
        let fault = fault.err().ok_or("a fault went unnoticed")?;
        let wanted = [FaultKind::Panic, FaultKind::PageFault][round % 2];
        check!(fault.kind == wanted, "{fault:?}");
        drop(held);
        let owners = Arc::strong_count(&witness);
        check!(owners == 1, "{owners} owners after round {round}");
    }
    let mut caught = false;
    let fault = gate(|| {
        let _catches = Catches(&mut caught);
        panic!("on purpose");
    });
    check!(
        fault.is_err_and(|f| f.message.starts_with("on purpose (")),
        "the first one"
    );
    check!(caught, "a gate in a destructor caught nothing");
    Ok(())
}

/// The return addresses are gone, so that no table covers the stack.
fn stack_that_cannot_be_unwound() -> Verdict {
    #[inline(never)]
    fn lose_the_stack() {
        // SAFETY: what these words hold nobody will read: the fault follows, and the
        // frames are given up.
        unsafe {
            core::arch::asm!(
                "mov rcx, 64",
                "2: mov qword ptr [rsp + rcx * 8 - 8], 0x5eed",
                "loop 2b",
                "mov rcx, [rcx]",
                out("rcx") _,
            );
        }
    }
    /// Room for what is overwritten, so that the gate's own frame is left alone.
    #[inline(never)]
    fn above(depth: usize) -> usize {
        let room = core::hint::black_box([depth; 256]);
        lose_the_stack();
        core::hint::black_box(room)[depth]
    }
    let mark = task_port::with_ledger(|l| l.mark());
    for _ in 0..100 {
        let fault = gate(|| above(3)).err().ok_or("a fault went unnoticed")?;
        check!(fault.kind == FaultKind::PageFault, "{fault:?}");
    }
    let left = task_port::with_ledger(|l| l.release_since(mark));
    check!(left == 0, "{left} entries were left");
    Ok(())
}

/// A CPU loops with interrupts off under a lock, and the other spins for that lock, with
/// interrupts off, too: no timer looks after anybody any more. The one that spins does,
/// and the lock of the frame that is skipped is free again.
fn all_cpus_deaf() -> Verdict {
    #[inline(never)]
    fn loop_inside(lock: &IrqLock<u16>, taken: &Completion) {
        let mut held = lock.lock();
        *held += 1;
        taken.complete(0);
        loop {
            core::hint::black_box(());
        }
    }
    let spawn = |cpu: usize, body: alloc::boxed::Box<dyn FnOnce() + Send>| {
        let options = task_port::SpawnOptions::new("deaf").pinned(cpu);
        task_port::spawn(options, body).map_err(|e| format!("{e:?}"))
    };
    let lock = Arc::new(IrqLock::new(0_u16));
    let wanted = Arc::clone(&lock);
    let (taken, ended, got) = (Completion::new(), Completion::new(), Completion::new());
    let (inside, result) = (taken.clone(), ended.clone());
    let loops = move || {
        let fault = gate(|| loop_inside(&lock, &inside)).err();
        let is_hang = fault.is_some_and(|fault| fault.kind == FaultKind::Hang);
        result.complete(u16::from(is_hang));
    };
    spawn(1, alloc::boxed::Box::new(loops))?;
    let value = got.clone();
    let spins = move || {
        taken.wait();
        value.complete(*wanted.lock());
    };
    spawn(0, alloc::boxed::Box::new(spins))?;
    let until = task_port::now() + 20_000_000_000;
    check!(ended.wait_deadline(until) == Some(1), "the loop goes on");
    check!(got.wait_deadline(until) == Some(1), "nobody got the lock");
    Ok(())
}

/// A wait outside of cells may last for as long as it wants to.
fn legitimate_wait() -> Verdict {
    let (done, token) = (Completion::new(), Completion::new());
    let (end, witness) = (done.clone(), token.clone());
    let waits = move || {
        // Held, as somebody holds a page or a port who waits for a row's lock.
        let _held = Held::new(Arc::new(()));
        end.wait();
        witness.complete(3);
    };
    task_port::spawn(task_port::SpawnOptions::new("waits"), waits).map_err(|e| format!("{e:?}"))?;
    task_port::sleep(6_000_000_000);
    check!(token.poll().is_none(), "the wait has ended by itself");
    done.complete(0);
    let ended = token.wait_deadline(task_port::now() + 5_000_000_000);
    check!(ended == Some(3), "the waiting task is gone: {ended:?}");
    Ok(())
}

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
            "the fault was blamed on {}: {fault:?}",
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
        (CrashKind::Relock, FaultKind::Panic),
        (CrashKind::Wait, FaultKind::Hang),
    ];
    for (kind, expected) in kinds {
        let count = COUNTER.enter().map_err(|e| format!("{e}"))?.increment();
        COUNTER.inject(kind);
        let fault = gate(|| COUNTER.enter().map(|c| c.increment()));
        let fault = fault.err().ok_or("the cell did not crash")?;
        check!(fault.kind == expected, "{fault:?}");
        check!(
            fault.cell == "counter",
            "the fault was blamed on {}: {fault:?}",
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
