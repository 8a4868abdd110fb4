//! Every CPU's start and idle loop, and what this cell installs for all.

use crate::queue::{CPUS, RUNNING, this};
use crate::schedule::schedule;
use crate::{park, preempt, spawn};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use interrupts::{NMI, RESCHEDULE, TIMER, apic, platform};
use nano_core::smp;
use task_port::{Fault, Priority, SpawnError, SpawnOptions, TaskRef, Tasks};

struct Scheduler;
static SCHEDULER: Scheduler = Scheduler;

impl Tasks for Scheduler {
    fn spawn(
        &self,
        options: SpawnOptions,
        body: Box<dyn FnOnce() + Send>,
    ) -> Result<TaskRef, SpawnError> {
        spawn::spawn(options, body)
    }
    fn park(&self, deadline: Option<u64>) {
        park::park(deadline);
    }
    fn unpark(&self, task: &TaskRef) {
        park::unpark(task);
    }
    fn yield_now(&self) {
        park::yield_now();
    }
    fn now(&self) -> u64 {
        time::now()
    }
    fn wall_clock_us(&self) -> i64 {
        time::wall_clock_us()
    }
    fn list(&self) -> alloc::vec::Vec<task_port::TaskInfo> {
        spawn::list()
    }
    fn catch(&self, body: &mut dyn FnMut()) -> Result<(), Fault> {
        unwind::catch(body)
    }
}

/// Makes the boot's own context a task: it runs `body` in a first task and
/// becomes the boot CPU's idle loop. Never returns.
///
/// # Errors
/// When there is no memory for the first task.
pub fn init(body: impl FnOnce() + Send + 'static) -> Result<core::convert::Infallible, SpawnError> {
    task_port::install(&SCHEDULER);
    interrupts::set_handler(TIMER, preempt::timer_interrupt);
    interrupts::set_handler(RESCHEDULE, preempt::reschedule_interrupt);
    interrupts::set_exit_hook(preempt::interrupt_exit);
    interrupts::set_handler(NMI, crate::watchdog::deaf);
    cpu::set_spins_long(crate::watchdog::spins_long);
    become_idle();
    task_port::spawn(SpawnOptions::new("captain"), body)?;
    crate::watchdog::start();
    idle()
}

/// The running context becomes this CPU's idle task.
fn become_idle() {
    let mut options = SpawnOptions::new("idle")
        .priority(Priority::Background)
        .pinned(cpu::id());
    options.name = alloc::format!("idle{}", cpu::id());
    let header = Arc::new(spawn::header(options, None));
    header.sched.state.store(RUNNING, Ordering::Relaxed);
    header.sched.on_cpu.store(true, Ordering::Relaxed);
    header.sched.since.store(time::now(), Ordering::Relaxed);
    // Idle tasks live for ever.
    let raw = Arc::into_raw(header).cast_mut();
    this().idle_task.store(raw, Ordering::Relaxed);
    let area = cpu::this();
    area.resched
        .store(preempt::resched_hook as *mut (), Ordering::Release);
    area.current.store(raw.cast(), Ordering::Release);
    crate::watchdog::begin();
}

/// Runs tasks, and halts while there are none.
fn idle() -> ! {
    let (me, area) = (this(), cpu::this());
    loop {
        let _ = cpu::irq_disable();
        schedule();
        me.idle.store(true, Ordering::SeqCst);
        area.idle.store(1, Ordering::Relaxed);
        // See `enqueue`: one of the two sees the other.
        let nothing = me.queue.lock().is_empty();
        if nothing {
            cpu::halt();
        } else {
            cpu::irq_enable();
        }
        area.idle.store(0, Ordering::Relaxed);
        me.idle.store(false, Ordering::SeqCst);
    }
}

/// Starts all other CPUs, one after the other, and gives how many run.
///
/// # Errors
/// When there is no memory for a CPU's stack.
pub fn start_other_cpus() -> Result<usize, memory::OutOfMemory> {
    let own = cpu::this().apic_id.load(Ordering::Relaxed);
    let others = platform::get()
        .cpus
        .iter()
        .copied()
        .filter(|apic| *apic != own);
    let mut running = 1;
    for apic_id in others.take(CPUS.len() - 1) {
        let starting = smp::prepare(running, apic_id, cpu_main)?;
        apic::send_init(apic_id);
        wait(200_000);
        for _ in 0..2 {
            apic::send_startup(apic_id, smp::START_PAGE);
            let deadline = time::now() + 100_000_000;
            while !starting.is_up() && time::now() < deadline {
                wait(10_000);
            }
            if starting.is_up() {
                break;
            }
        }
        if starting.is_up() {
            running += 1;
            cpu::kernel::set_count(running);
        } else {
            log::warn!("the CPU with APIC id {apic_id} does not start");
        }
    }
    smp::finish();
    Ok(running)
}

/// Waits without the scheduler: this is before all CPUs take part.
fn wait(ns: u64) {
    let until = time::now() + ns;
    while time::now() < until {
        cpu::relax();
    }
}

/// A further CPU's first code after its tables.
fn cpu_main() {
    interrupts::enable_cpu();
    apic::timer_init(TIMER);
    become_idle();
    idle()
}
