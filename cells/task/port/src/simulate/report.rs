//! The end of a simulation in which nobody can go on: every task says where it
//! stands.

use super::{STUCK, State, me, with};
use std::string::ToString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::vec::Vec;

/// Whoever gets the baton now says where it stands.
static REPORTING: AtomicBool = AtomicBool::new(false);
/// Who began with that.
static REPORTER: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Whether that has begun.
pub(super) fn is_reporting() -> bool {
    REPORTING.load(Ordering::SeqCst)
}

/// Lets every task say where it stands, and ends the process with [`STUCK`].
pub fn give_up() -> ! {
    report(0)
}

/// Lets every task from number `from` on say where it stands; ends the process.
pub(super) fn report(from: usize) -> ! {
    let mut from = from;
    if !REPORTING.swap(true, Ordering::SeqCst) {
        let now = with(|w| w.now).unwrap_or(0);
        std::eprintln!("no task can go on (at {now} ns); what each waits for:");
        if let Some(me) = me() {
            REPORTER.store(me, Ordering::SeqCst);
            say_where(me);
        }
    }
    loop {
        let next = with(|world| {
            let task = world.tasks.get(from)?;
            let begun = REPORTER.load(Ordering::SeqCst) == from;
            let alive = task.state != State::Ended && Some(from) != me();
            Some((alive && !begun).then(|| Arc::clone(&task.baton)))
        });
        match next.flatten() {
            None => std::process::exit(STUCK),
            Some(None) => from += 1,
            Some(Some(baton)) => {
                baton.give();
                loop {
                    std::thread::park();
                }
            }
        }
    }
}

pub(super) fn say_where(me: usize) {
    let name = with(|w| w.tasks[me].name.clone()).unwrap_or_default();
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    std::eprintln!("-- task {me} ({name}):");
    let lines: Vec<&str> = trace.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        // Frames of this workspace: their file is named relative to it. Without
        // debug information there are whole paths instead.
        let place = lines.get(at + 1).filter(|l| l.starts_with("at "));
        let own = match place {
            Some(place) => place.starts_with("at ./") && !place.contains("task/port/src"),
            None => line.contains("::") && !line.contains("std::") && !line.contains("core::"),
        };
        if own && !line.starts_with("at ") {
            std::eprintln!("   {line} {}", place.copied().unwrap_or_default());
        }
    }
}
