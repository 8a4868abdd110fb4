//! The CPU itself: the per-CPU area behind the GS base, and the interrupt flag.

use core::arch::asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// The area the GS base points to. One per CPU, made by `nano_core`, never
/// freed. Code reads its own CPU's area only, with single instructions, so that
/// preemption between two reads is harmless.
#[repr(C)]
#[derive(Debug)]
pub struct PerCpu {
    /// Its own address, so that `gs:[0]` gives a pointer to the area.
    pub this: AtomicPtr<PerCpu>,
    /// The CPU's number, below [`crate::MAX_CPUS`].
    pub id: AtomicU32,
    /// Preemption is allowed while this is zero.
    pub preempt_count: AtomicU32,
    /// Set by an interrupt that wants another task to run.
    pub need_resched: AtomicU32,
    /// The local APIC id.
    pub apic_id: AtomicU32,
    /// The running task's header; null until the first task runs.
    pub current: AtomicPtr<()>,
    /// What `preempt_enable` calls when a reschedule is due; null until the
    /// `task` cell has set it.
    pub resched: AtomicPtr<()>,
    /// Interrupts taken while in an interrupt handler nest here; above zero no
    /// task switch happens.
    pub irq_depth: AtomicU32,
    /// Nonzero while nothing runs and the CPU halts or is about to.
    pub idle: AtomicU32,
    /// The words of the spinning locks taken here, by the preemption count that
    /// each made, zero where none is: what a fault that skips their holder's frame
    /// leaves taken.
    pub held: [AtomicUsize; HELD],
    /// How many locks with interrupts off are held here.
    pub irq_locks: AtomicU32,
    /// The words of these, the outermost first.
    pub irq_held: [AtomicUsize; IRQ_HELD],
}

/// How many spinning locks, one within the other, a CPU remembers.
pub const HELD: usize = 16;
/// The same for locks with interrupts off.
pub const IRQ_HELD: usize = 4;

impl PerCpu {
    /// An area for CPU `id` with nothing running.
    #[must_use]
    pub const fn new() -> Self {
        PerCpu {
            this: AtomicPtr::new(core::ptr::null_mut()),
            id: AtomicU32::new(0),
            preempt_count: AtomicU32::new(0),
            need_resched: AtomicU32::new(0),
            apic_id: AtomicU32::new(0),
            current: AtomicPtr::new(core::ptr::null_mut()),
            resched: AtomicPtr::new(core::ptr::null_mut()),
            irq_depth: AtomicU32::new(0),
            idle: AtomicU32::new(0),
            held: [const { AtomicUsize::new(0) }; HELD],
            irq_locks: AtomicU32::new(0),
            irq_held: [const { AtomicUsize::new(0) }; IRQ_HELD],
        }
    }
}

impl Default for PerCpu {
    fn default() -> Self {
        Self::new()
    }
}

static COUNT: AtomicUsize = AtomicUsize::new(1);

/// The number of the CPU this code runs on, below [`crate::MAX_CPUS`]. Stale as
/// soon as it is read unless preemption is off.
#[inline]
#[must_use]
pub fn id() -> usize {
    let id: u32;
    // SAFETY: GS points to this CPU's PerCpu for as long as the CPU runs; the
    // load is one instruction and touches only that area.
    unsafe {
        asm!("mov {:e}, gs:[{off}]", out(reg) id, off = const offset_of!(PerCpu, id),
             options(nostack, preserves_flags, readonly));
    }
    id as usize
}

/// How many CPUs run.
#[must_use]
pub fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// Says that `n` CPUs run. Called by `nano_core` as they come up.
pub fn set_count(n: usize) {
    COUNT.store(n, Ordering::Relaxed);
}

/// This CPU's area. The reference stays valid for ever, but is another CPU's
/// once the task has moved, unless preemption is off.
#[inline]
#[must_use]
pub fn this() -> &'static PerCpu {
    let p: *const PerCpu;
    // SAFETY: gs:[0] holds the address of this CPU's area, which is never freed
    // and consists of atomics only.
    unsafe {
        asm!("mov {}, gs:[0]", out(reg) p, options(nostack, preserves_flags, readonly));
        &*p
    }
}

/// The running task's header, null before the first task.
#[inline]
#[must_use]
pub fn current_raw() -> *mut () {
    let p: *mut ();
    // SAFETY: one load from this CPU's area; the value belongs to the running
    // task, so a switch in between cannot make it stale.
    unsafe {
        asm!("mov {}, gs:[{off}]", out(reg) p, off = const offset_of!(PerCpu, current),
             options(nostack, preserves_flags, readonly));
    }
    p
}

/// Whether this CPU is in an interrupt handler.
#[inline]
#[must_use]
pub fn in_interrupt() -> bool {
    let depth: u32;
    // SAFETY: one load from this CPU's area; in a handler no other CPU continues
    // this code, and outside of one the answer is the same on all.
    unsafe {
        asm!("mov {:e}, gs:[{off}]", out(reg) depth, off = const offset_of!(PerCpu, irq_depth),
             options(nostack, preserves_flags, readonly));
    }
    depth != 0
}

/// Whether this CPU has nothing to run: for interrupt handlers.
#[inline]
#[must_use]
pub fn is_idle() -> bool {
    this().idle.load(Ordering::Relaxed) != 0
}

/// Disables preemption on this CPU; counts.
#[inline]
pub fn preempt_disable() {
    // SAFETY: one read-modify-write instruction on this CPU's own area.
    unsafe {
        asm!("inc dword ptr gs:[{off}]", off = const offset_of!(PerCpu, preempt_count), options(nostack));
    }
}

/// Takes one count off again, and switches tasks if that is due.
#[inline]
pub fn preempt_enable() {
    // SAFETY: one read-modify-write instruction on this CPU's own area, and a load
    // of it; an interrupt between the two makes the switch itself.
    unsafe {
        asm!("dec dword ptr gs:[{count}]",
             "jnz 2f",
             "cmp dword ptr gs:[{due}], 0",
             "jne {switch}",
             "2:",
             count = const offset_of!(PerCpu, preempt_count),
             due = const offset_of!(PerCpu, need_resched),
             switch = label { resched() },
             options(nostack));
    }
}

#[cold]
#[inline(never)]
fn resched() {
    let area = this();
    let hook = area.resched.load(Ordering::Acquire);
    if hook.is_null() || area.irq_depth.load(Ordering::Relaxed) != 0 || !irqs_on() {
        return;
    }
    // SAFETY: the hook is null or was stored by the `task` cell as a `fn()`,
    // and that code is never unloaded.
    let hook: fn() = unsafe { core::mem::transmute(hook) };
    hook();
}

/// Remembers that the lock with the word at `address` was taken here just now, or
/// with 0 that it is about to be given back. Preemption is off, by the lock's own
/// guard.
#[inline]
pub fn note_held(address: usize) {
    // SAFETY: the index stays below the array's length, and GS points to this CPU's
    // area, which it cannot leave with preemption off.
    unsafe {
        asm!("mov {at:e}, gs:[{count}]",
             "and {at:e}, {last}",
             "mov gs:[{held} + 8*{at:r}], {address}",
             at = out(reg) _,
             address = in(reg) address,
             count = const offset_of!(PerCpu, preempt_count),
             last = const HELD - 1,
             held = const offset_of!(PerCpu, held),
             options(nostack));
    }
}

/// Remembers that the lock with the word at `address` was taken here just now, with
/// interrupts off.
#[inline]
pub fn note_irq_held(address: usize) {
    // SAFETY: the index stays below the array's length, and GS points to this CPU's
    // area, which it cannot leave with interrupts off.
    unsafe {
        asm!("mov {at:e}, gs:[{count}]",
             "and {at:e}, {last}",
             "mov gs:[{held} + 8*{at:r}], {address}",
             "inc dword ptr gs:[{count}]",
             at = out(reg) _,
             address = in(reg) address,
             count = const offset_of!(PerCpu, irq_locks),
             last = const IRQ_HELD - 1,
             held = const offset_of!(PerCpu, irq_held),
             options(nostack));
    }
}

/// The one that was noted last is about to be given back.
#[inline]
pub fn forget_irq_held() {
    // SAFETY: one read-modify-write instruction on this CPU's own area.
    unsafe {
        asm!("dec dword ptr gs:[{count}]", count = const offset_of!(PerCpu, irq_locks), options(nostack));
    }
}

/// Whether interrupts are on.
#[inline]
#[must_use]
pub fn irqs_on() -> bool {
    let flags: u64;
    // SAFETY: reads the flags register through the stack.
    unsafe { asm!("pushfq", "pop {}", out(reg) flags, options(preserves_flags)) };
    flags & 0x200 != 0
}

/// Turns interrupts off and tells whether they were on.
#[inline]
pub fn irq_disable() -> bool {
    let on = irqs_on();
    // SAFETY: masking interrupts breaks no invariant; the caller turns them on again.
    unsafe { asm!("cli", options(nostack)) };
    on
}

/// Turns interrupts on.
#[inline]
pub fn irq_enable() {
    // SAFETY: every gate is installed before the first call (nano_core).
    unsafe { asm!("sti", options(nostack)) };
}

/// One round of a spinning wait. No PAUSE: it is very slow under emulation.
#[inline]
pub fn relax() {
    core::hint::black_box(());
}

/// What a CPU does that spins for long; null until the `task` cell has set it.
static SPINS_LONG: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Lets `hook` be called by each CPU that spins for long, now and then. Interrupts may
/// be off, and the CPU may hold any spinning lock. It gives the time (ns).
pub fn set_spins_long(hook: fn() -> u64) {
    SPINS_LONG.store(hook as *mut (), Ordering::Release);
}

/// This CPU has looked a million times or so at what another one does not let go of.
/// Gives the time (ns), if there is a clock.
#[cold]
pub fn spins_long() -> Option<u64> {
    let hook = SPINS_LONG.load(Ordering::Acquire);
    if hook.is_null() {
        return None;
    }
    // SAFETY: the hook was stored by `set_spins_long` as a `fn() -> u64`, and that code,
    // the `task` cell's, is never unloaded.
    let hook: fn() -> u64 = unsafe { core::mem::transmute(hook) };
    Some(hook())
}

/// Sleeps until the next interrupt. Interrupts are on afterwards.
#[inline]
pub fn halt() {
    // SAFETY: sti;hlt waits for an interrupt without a window between the two.
    unsafe { asm!("sti", "hlt", options(nostack)) };
}
