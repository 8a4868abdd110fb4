//! Tasks: switching, waking, sleeping, preemption, FPU state.

use crate::run::{Test, Verdict, check};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use sync::{Completion, Mutex, channel};
use task_port::{SpawnOptions, spawn};

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "ping_pong",
        run: ping_pong,
    },
    Test {
        name: "sleep",
        run: sleep,
    },
    Test {
        name: "mutex",
        run: mutex,
    },
    Test {
        name: "preemption",
        run: preemption,
    },
    Test {
        name: "all_cpus",
        run: all_cpus,
    },
    Test {
        name: "many_tasks",
        run: many_tasks,
    },
];

/// Starts `count` tasks and waits until all have ended.
pub(crate) fn together(count: usize, body: impl Fn(usize) + Send + Sync + 'static) -> Verdict {
    let body = Arc::new(body);
    let done = Completion::new();
    let left = Arc::new(AtomicUsize::new(count));
    for number in 0..count {
        let (body, done, left) = (Arc::clone(&body), done.clone(), Arc::clone(&left));
        spawn(SpawnOptions::new("test"), move || {
            let _ = task_port::gate(|| body(number));
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                done.complete(0);
            }
        })
        .map_err(|e| format!("{e:?}"))?;
    }
    let deadline = task_port::now() + 60_000_000_000;
    check!(
        done.wait_deadline(deadline).is_some(),
        "{} of {count} tasks hang",
        left.load(Ordering::SeqCst)
    );
    Ok(())
}

fn ping_pong() -> Verdict {
    let (to, from_us) = channel::bounded::<u64>(1);
    let (back, answers) = channel::bounded::<u64>(1);
    spawn(SpawnOptions::new("pong"), move || {
        while let Some(n) = from_us.recv() {
            if back.send(n + 1).is_err() {
                break;
            }
        }
    })
    .map_err(|e| format!("{e:?}"))?;
    for n in 0..2000 {
        to.send(n).map_err(|_| "the other side is gone")?;
        check!(answers.recv() == Some(n + 1), "wrong answer to {n}");
    }
    Ok(())
}

fn sleep() -> Verdict {
    for ms in [1u64, 5, 20] {
        let started = task_port::now();
        task_port::sleep(ms * 1_000_000);
        let slept = task_port::now() - started;
        check!(
            slept >= ms * 1_000_000,
            "slept {slept} ns instead of {ms} ms"
        );
    }
    Ok(())
}

fn mutex() -> Verdict {
    let sum = Arc::new(Mutex::new(0u64));
    let shared = Arc::clone(&sum);
    together(8, move |_| {
        for _ in 0..500 {
            let mut sum = shared.lock();
            let seen = *sum;
            if seen.is_multiple_of(97) {
                task_port::yield_now();
            }
            *sum = seen + 1;
        }
    })?;
    let sum = *sum.lock();
    check!(sum == 4000, "{sum} instead of 4000: increments were lost");
    Ok(())
}

/// Tasks that never give the CPU up compute in floating point; a wrong register
/// after a preemption shows as a wrong sum.
fn preemption() -> Verdict {
    let wrong = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&wrong);
    let progress: Arc<Vec<AtomicU64>> = Arc::new((0..6).map(|_| AtomicU64::new(0)).collect());
    let others = Arc::clone(&progress);
    together(6, move |number| {
        let step = (number + 1) as f64 * 0.5;
        let until = task_port::now() + 100_000_000;
        while task_port::now() < until {
            let mut sum = 0.0f64;
            for _ in 0..10_000 {
                sum = core::hint::black_box(sum + step);
            }
            if sum != step * 10_000.0 {
                seen.fetch_add(1, Ordering::Relaxed);
            }
            others[number].fetch_add(1, Ordering::Relaxed);
        }
    })?;
    let wrong = wrong.load(Ordering::Relaxed);
    check!(wrong == 0, "{wrong} sums were wrong");
    for (number, rounds) in progress.iter().enumerate() {
        check!(
            rounds.load(Ordering::Relaxed) > 0,
            "task {number} never ran"
        );
    }
    Ok(())
}

fn all_cpus() -> Verdict {
    for id in 0..cpu::count() {
        let ran = Arc::new(AtomicBool::new(false));
        let (flag, done) = (Arc::clone(&ran), Completion::new());
        let end = done.clone();
        spawn(SpawnOptions::new("pinned").pinned(id), move || {
            flag.store(cpu::id() == id, Ordering::SeqCst);
            end.complete(0);
        })
        .map_err(|e| format!("{e:?}"))?;
        let ended = done.wait_deadline(task_port::now() + 5_000_000_000);
        check!(ended.is_some(), "nothing runs on cpu{id}");
        check!(
            ran.load(Ordering::SeqCst),
            "a task bound to cpu{id} ran elsewhere"
        );
    }
    Ok(())
}

fn many_tasks() -> Verdict {
    let before = task_port::list().len();
    let count = Arc::new(AtomicUsize::new(0));
    for _ in 0..10 {
        let count = Arc::clone(&count);
        together(50, move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })?;
    }
    check!(
        count.load(Ordering::Relaxed) == 500,
        "some tasks did not run"
    );
    task_port::sleep(20_000_000);
    let after = task_port::list().len();
    check!(
        after <= before,
        "{after} tasks instead of {before}: dead ones are kept"
    );
    Ok(())
}
