//! Runs the tests that were asked for.

use alloc::string::String;

/// What a test says when it fails.
pub(crate) type Verdict = Result<(), String>;

/// A test.
pub(crate) struct Test {
    /// Its name; `test=NAME` runs it alone.
    pub(crate) name: &'static str,
    /// The test.
    pub(crate) run: fn() -> Verdict,
}

/// Fails a test with a message unless the condition holds.
macro_rules! check {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(alloc::format!($($message)+));
        }
    };
}
pub(crate) use check;

const PASSED: u32 = 0x10;
const FAILED: u32 = 0x11;

/// Runs the tests called `name`, or `all`, and ends the machine.
pub fn run(name: &str) {
    let all = [
        crate::tasks::TESTS,
        crate::heap::TESTS,
        crate::faults::TESTS,
        crate::leaves::TESTS,
        crate::swaps::TESTS,
        crate::refusals::TESTS,
    ];
    let (mut passed, mut failed) = (0, 0);
    for test in all
        .into_iter()
        .flatten()
        .filter(|t| name == "all" || t.name == name)
    {
        let started = task_port::now();
        let verdict = match task_port::gate(test.run) {
            Ok(verdict) => verdict,
            Err(fault) => Err(alloc::format!("faulted: {}", fault.message)),
        };
        let ms = (task_port::now() - started) / 1_000_000;
        match verdict {
            Ok(()) => {
                passed += 1;
                log::info!("test {} ... ok ({ms} ms)", test.name);
            }
            Err(why) => {
                failed += 1;
                log::error!("test {} ... FAILED: {why}", test.name);
            }
        }
    }
    log::info!("{passed} passed, {failed} failed");
    unwind::exit(if failed == 0 && passed > 0 {
        PASSED
    } else {
        FAILED
    });
}
