//! What a run says: nothing, or with `-v` every event with its time and task; and
//! how it ends when something is wrong.

use std::fmt::Arguments;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the process ends with when the model and the system disagree.
pub const WRONG: i32 = 1;

/// What a panic says that was ordered at a door.
const ORDERED: &str = "crashed on command";

static VERBOSE: AtomicBool = AtomicBool::new(false);
static SEED: AtomicU64 = AtomicU64::new(0);

/// Says which seed runs, and whether its events are printed.
pub fn begin(seed: u64, verbose: bool) {
    SEED.store(seed, Ordering::SeqCst);
    VERBOSE.store(verbose, Ordering::SeqCst);
    std::panic::set_hook(Box::new(|info| {
        let said = info.to_string();
        if said.contains(ORDERED) {
            line_if_told(format_args!("a cell panics"));
            return;
        }
        let trace = std::backtrace::Backtrace::force_capture();
        fail(format_args!("{info}\n{trace}"));
    }));
}

/// Whether events are printed.
pub fn is_verbose() -> bool {
    VERBOSE.load(Ordering::Relaxed)
}

/// Prints an event. Use [`say!`].
pub fn line(what: Arguments<'_>) {
    let (now, task) = (task_port::now() / 1_000, task_port::current());
    println!("{now:>10} us {:<12} {what}", task.name());
}

fn line_if_told(what: Arguments<'_>) {
    if is_verbose() {
        line(what);
    }
}

/// The system did something that it must not do. Ends the process.
pub fn fail(what: Arguments<'_>) -> ! {
    let (now, task) = (task_port::now() / 1_000, task_port::current());
    let seed = SEED.load(Ordering::SeqCst);
    eprintln!("seed {seed}, {now} us, {}: {what}", task.name());
    std::process::exit(WRONG);
}

/// Prints an event when asked to.
#[macro_export]
macro_rules! say {
    ($($what:tt)*) => {
        if $crate::log::is_verbose() {
            $crate::log::line(format_args!($($what)*));
        }
    };
}

/// Something that must hold.
#[macro_export]
macro_rules! must {
    ($condition:expr, $($what:tt)*) => {
        if !$condition {
            $crate::log::fail(format_args!($($what)*));
        }
    };
}
