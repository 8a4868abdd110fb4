//! Tasks: switches, messages, spawns, sleeps. Partners share one CPU, so that a
//! figure is the switch and not the wake-up of another CPU.

use crate::run::{Bench, Measured, median, per_round};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use sync::{Completion, channel};
use task_port::{SpawnOptions, TaskRef, spawn};

const LIMIT_NS: u64 = 20_000_000_000;

pub(crate) const BENCHES: &[Bench] = &[
    Bench {
        name: "yield_alone",
        run: yield_alone,
    },
    Bench {
        name: "task_switch",
        run: task_switch,
    },
    Bench {
        name: "channel_round_trip",
        run: channel_round_trip,
    },
    Bench {
        name: "spawn_and_end",
        run: spawn_and_end,
    },
    Bench {
        name: "sleep_1ms_late",
        run: sleep_late,
    },
];

/// Runs `body` in a task on CPU 0, and gives its result.
fn on_one_cpu(body: impl FnOnce() -> Measured + Send + 'static) -> Measured {
    let done = Completion::new();
    let (end, value) = (done.clone(), Arc::new(sync::SpinLock::new(None)));
    let result = Arc::clone(&value);
    start("bench", move || {
        *result.lock() = Some(body());
        end.complete(0);
    })?;
    let ended = done.wait_deadline(task_port::now() + LIMIT_NS);
    ended.ok_or("it hangs")?;
    let result = value.lock().take();
    result.unwrap_or_else(|| Err(String::from("it faulted")))
}

fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<TaskRef, String> {
    spawn(SpawnOptions::new(name).pinned(0), body).map_err(|e| format!("{e:?}"))
}

fn yield_alone() -> Measured {
    on_one_cpu(|| Ok(per_round(1000, |_| task_port::yield_now())))
}

/// Two tasks that only yield to each other: a round is two switches.
fn task_switch() -> Measured {
    on_one_cpu(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let turns = Arc::new(AtomicU64::new(0));
        let (halt, count) = (Arc::clone(&stop), Arc::clone(&turns));
        start("partner", move || {
            while !halt.load(Ordering::Relaxed) {
                count.fetch_add(1, Ordering::Relaxed);
                task_port::yield_now();
            }
        })?;
        let before = turns.load(Ordering::Relaxed);
        let ps = per_round(1000, |_| task_port::yield_now());
        stop.store(true, Ordering::Relaxed);
        if turns.load(Ordering::Relaxed) < before + 4000 {
            return Err(String::from("the partner did not get its turns"));
        }
        Ok(ps / 2)
    })
}

/// A message to a waiting task and its answer: two wake-ups, two switches.
fn channel_round_trip() -> Measured {
    on_one_cpu(|| {
        let (to, from_us) = channel::bounded::<u64>(1);
        let (back, answers) = channel::bounded::<u64>(1);
        start("pong", move || {
            while let Some(n) = from_us.recv() {
                if back.send(n + 1).is_err() {
                    break;
                }
            }
        })?;
        let mut wrong = 0;
        let ps = per_round(300, |i| {
            let sent = to.send(i).is_ok();
            wrong += u64::from(!sent || answers.recv() != Some(i + 1));
        });
        match wrong {
            0 => Ok(ps),
            _ => Err(format!("{wrong} wrong answers")),
        }
    })
}

/// From the spawn to the task's end, seen by the one who waits for it.
fn spawn_and_end() -> Measured {
    on_one_cpu(|| {
        let mut failed = 0;
        let ps = per_round(50, |_| {
            let done = Completion::new();
            let end = done.clone();
            match start("short", move || end.complete(0)) {
                Ok(_) => drop(done.wait()),
                Err(_) => failed += 1,
            }
        });
        match failed {
            0 => Ok(ps),
            _ => Err(format!("{failed} tasks were not started")),
        }
    })
}

/// How much later than asked a sleeper of 1 ms runs again; the median.
fn sleep_late() -> Measured {
    let late: Vec<u64> = (0..31)
        .map(|_| {
            let started = task_port::now();
            task_port::sleep(1_000_000);
            (task_port::now() - started).saturating_sub(1_000_000)
        })
        .collect();
    Ok(median(late))
}
