//! What the system tests share: [`Guest`], a system of a test's own.
//!
//! A guest has its own disk, a free port, and dies with its test, which then
//! shows the console if it failed. At most [`MAX_GUESTS`] run at once on the
//! machine, over all test programs. Tests wait for lines on the console or for
//! answers, each with a limit; never for a time that is hoped to suffice.
#![forbid(unsafe_code)]

mod guest;
pub mod power;
mod slot;

pub use guest::{Guest, LIMIT};
pub use slot::{MAX_GUESTS, Slot};

use std::sync::OnceLock;

use mitos::paths::Paths;

/// Runs one of the tests that the system has within itself (`test=NAME`).
///
/// # Panics
/// When the system leaves with anything but success.
pub fn run_in_guest(name: &str) {
    let mut guest = Guest::start(|config| config.append.push(format!("test={name}")));
    let end = guest.wait_for_end();
    assert_eq!(
        end,
        mitos::vm::End::Success,
        "test {name} within the system"
    );
}

/// Builds the image, once per test program.
///
/// # Panics
/// When the system does not build: no test can say anything then.
pub fn image() -> &'static Paths {
    static IMAGE: OnceLock<Result<Paths, String>> = OnceLock::new();
    let built = IMAGE.get_or_init(|| {
        let paths = Paths::new();
        let steps = mitos::qemu::ensure().and_then(|()| mitos::pipeline::build(&paths));
        steps.map(|_| paths).map_err(|error| format!("{error:#}"))
    });
    match built {
        Ok(paths) => paths,
        Err(error) => panic!("the system does not build: {error}"),
    }
}
