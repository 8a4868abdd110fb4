//! The watchdog: calls that do not come back end with a fault.
//!
//! | what is seen | by whom | what is done |
//! |---|---|---|
//! | a running task inside a port, without a sign of life | each CPU's timer | its call ends |
//! | a CPU whose timer does not tick: interrupts are off for good | another CPU's timer, or another CPU that spins with interrupts off for what this one holds | a non-maskable interrupt, whose handler ends the call |
//! | a task that waits for ever, without a deadline, in a cell's own code | a task, `waits` | its wait ends in a panic |
//!
//! *A sign of life* is an entry in the task's ledger: every port entry, page latch and
//! the like makes one, and loops over rows do so now and then. How long a call may be
//! silent depends on the cell: one with state promises to let go of its port within
//! microseconds, the others may compute.
//!
//! *A cell's own code* is the innermost on the waiting stack, but for the boot image
//! (locks, queues): cells do not wait by themselves. Whoever waits for another
//! transaction, a disk or a client does so in a port crate, and may take for ever.

use crate::alarm::NEVER;
use crate::queue::{PARKED, this};
use crate::spawn;
use core::sync::atomic::{AtomicU64, Ordering};
use cpu::MAX_CPUS;
use interrupts::apic;
use nano_core::exceptions::Frame;
use task_port::{Priority, SpawnOptions, TaskHeader, TaskRef};
use unwind::Place;

/// How often each CPU looks at the task it runs.
const INTERVAL_NS: u64 = 500_000_000;
/// So many looks in a row without a sign of life are too many, in a cell with state
/// and in any other.
const PATIENCE: [u32; 2] = [2, 8];
/// Where preemption is off, somebody may have been interrupted for long.
const PATIENCE_WITH_LOCKS: u32 = 10;
/// How many times as patient somebody must be with waits while no CPU has ever run out
/// of work: whoever is waited for may wait for a CPU himself.
const PATIENCE_WHEN_BUSY: u32 = 10;
/// Whoever is in the boot image's code may be about to leave it; after so many times the
/// patience it is taken to loop there.
const INSIST: u32 = 4;
/// A CPU that did not look for so long is sent a non-maskable interrupt.
const DEAF_NS: u64 = 4 * INTERVAL_NS;

/// How often a CPU had nothing to do.
static RESTS: AtomicU64 = AtomicU64::new(0);

/// Nobody is ready to run on this CPU.
pub(crate) fn rests() {
    RESTS.fetch_add(1, Ordering::Relaxed);
}

static NEXT_LOOK: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(INTERVAL_NS) }; MAX_CPUS];
/// When a CPU looked last (ns), or began; 0 before.
static LOOKED: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

/// This CPU takes part from now on, and is looked after by its neighbour.
pub(crate) fn begin() {
    LOOKED[cpu::id()].store(time::now().max(1), Ordering::Relaxed);
}

/// When the running CPU looks next (ns).
pub(crate) fn next_look() -> u64 {
    NEXT_LOOK[cpu::id()].load(Ordering::Relaxed)
}

/// Looks at the interrupted task if it is time.
pub(crate) fn look(frame: &mut Frame, now: u64) {
    if next_look() > now {
        return;
    }
    NEXT_LOOK[cpu::id()].store(now + INTERVAL_NS, Ordering::Relaxed);
    LOOKED[cpu::id()].store(now, Ordering::Relaxed);
    look_at_neighbour(now);
    let current = cpu::current_raw().cast::<TaskHeader>();
    // SAFETY: the running task's header lives while it runs.
    let Some(task) = (unsafe { current.as_ref() }) else {
        return;
    };
    if core::ptr::eq(task, this().idle_task.load(Ordering::Relaxed)) {
        return;
    }
    let activity = task.ledger.activity();
    let same = task.sched.watched.swap(activity, Ordering::Relaxed) == activity;
    if !same || task.ledger.is_empty() {
        task.sched.silent.store(0, Ordering::Relaxed);
        return;
    }
    let silent = task.sched.silent.fetch_add(1, Ordering::Relaxed) + 1;
    let has_locks = cpu::this().preempt_count.load(Ordering::Relaxed) != 0;
    let patience = match (has_locks, unwind::place(frame.rip as usize)) {
        (true, _) => PATIENCE_WITH_LOCKS,
        (false, Place::Cell { has_state: true }) => PATIENCE[0],
        (false, _) => PATIENCE[1],
    };
    if silent >= patience && unwind::hang(frame, silent >= INSIST * patience) {
        task.sched.silent.store(0, Ordering::Relaxed);
    }
}

/// Looks whether the next CPU still looks.
fn look_at_neighbour(now: u64) {
    let cpus = cpu::count();
    let next = (cpu::id() + 1) % cpus;
    let looked = LOOKED[next].load(Ordering::Relaxed);
    if cpus > 1 && looked != 0 && now.saturating_sub(looked) >= DEAF_NS {
        let ids = &interrupts::platform::get().cpus;
        if let Some(id) = ids.get(next) {
            let ms = now.saturating_sub(looked) / 1_000_000;
            unwind::event(format_args!("cpu{next} has not looked for {ms} ms"));
            apic::send_nmi(*id);
        }
    }
}

/// This CPU spins for long; gives the time (ns). With interrupts off its timer does not
/// look after its neighbour, which may be whom it waits for: a policy that loops does so
/// under the lock of a run queue.
pub(crate) fn spins_long() -> u64 {
    let now = time::now();
    if !cpu::irqs_on() {
        // It lives, and nobody need look after it.
        LOOKED[cpu::id()].store(now, Ordering::Relaxed);
        look_at_neighbour(now);
    }
    now
}

/// The handler of the non-maskable interrupt: a CPU that has interrupts off for good.
pub(crate) fn deaf(frame: &mut Frame) {
    let now = time::now();
    let looked = LOOKED[cpu::id()].load(Ordering::Relaxed);
    // With interrupts on, the timer comes as soon as this handler ends; then the host
    // had stopped this CPU.
    if frame.rflags & 0x200 != 0 || now.saturating_sub(looked) < DEAF_NS {
        return;
    }
    // Whoever spins for a lock has his own way out.
    if unwind::hang(frame, false) {
        LOOKED[cpu::id()].store(now, Ordering::Relaxed);
    } else {
        unwind::event(format_args!("deaf at {:#x}, and stays so", frame.rip));
    }
}

/// Starts the task that looks after waits.
pub(crate) fn start() {
    let options = SpawnOptions::new("watchdog")
        .stack(64 * 1024)
        .priority(Priority::High);
    if task_port::spawn(options, waits).is_err() {
        log::warn!("no memory for the watchdog: waits without end are not ended");
    }
}

/// Ends waits without end.
fn waits() {
    let mut rests = 0;
    loop {
        task_port::sleep(INTERVAL_NS);
        let before = core::mem::replace(&mut rests, RESTS.load(Ordering::Relaxed));
        let factor = match rests == before {
            true => PATIENCE_WHEN_BUSY,
            false => 1,
        };
        for task in spawn::all() {
            if is_stuck(&task, factor) {
                // It goes on in `park`, which sees the mark.
                task.0.sched.doomed.store(true, Ordering::SeqCst);
                task.unpark();
            }
        }
    }
}

/// Whether it has waited for too long in a cell's own code; for `factor` times as many
/// looks as usual.
fn is_stuck(task: &TaskRef, factor: u32) -> bool {
    let sched = &task.0.sched;
    let waits = || {
        sched.state.load(Ordering::SeqCst) == PARKED
            && sched.wake_at.load(Ordering::SeqCst) == NEVER
            && !sched.on_cpu.load(Ordering::SeqCst)
            && !task.0.ledger.is_empty()
    };
    let switches = sched.switches.load(Ordering::SeqCst);
    let same = sched.waited.swap(switches, Ordering::Relaxed) == switches;
    if !same || !waits() {
        sched.waits.store(0, Ordering::Relaxed);
        return false;
    }
    let looks = sched.waits.fetch_add(1, Ordering::Relaxed) + 1;
    if looks < PATIENCE[0] {
        return false;
    }
    let patience = match unwind::waits_in(sched.stack_pointer.load(Ordering::SeqCst)) {
        Place::Cell { has_state: true } => PATIENCE[0],
        Place::Cell { has_state: false } => PATIENCE[1],
        Place::Elsewhere => return false,
    };
    // What was read is true only if it has not run meanwhile.
    looks >= patience * factor && waits() && sched.switches.load(Ordering::SeqCst) == switches
}
