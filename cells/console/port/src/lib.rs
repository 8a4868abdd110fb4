//! The console as others see it: two serial ports, each with a task that waits
//! for bytes outside the cell and enters it when there are some.
//!
//! A command that is typed runs inside the port, so it may take its time: the
//! console has no state and changes by generations. What a serial port's user has
//! typed so far is in its [`Serial`], which the task holds.
#![cfg_attr(mitos, no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod editor;

use alloc::sync::Arc;
use control::{Reader, Request};
use editor::Editor;
use interrupts::IrqLine;
use port::{Component, Door, Port};
use task_port::{SpawnError, SpawnOptions};

/// The door of the console.
pub static CONSOLE: Port<dyn Console> = Port::new("console");
/// The same, without its type.
pub static DOOR: &dyn Door = &CONSOLE;

/// How long to wait for a console that is not there.
const ABSENT_NS: u64 = 5_000_000;

/// Which serial port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// COM1: the log and the prompt.
    Terminal,
    /// COM2: the control line.
    Control,
}

/// Who uses a serial port, and what has come so far.
pub enum User {
    /// A person.
    Person(Editor),
    /// A script.
    Script(Reader<Request>),
}

/// A serial port that is set up.
pub struct Serial {
    /// Its first register.
    pub base: u16,
    /// Its interrupt.
    pub line: Arc<IrqLine>,
    /// Who uses it.
    pub user: User,
    /// Half of something that has not grown until then is forgotten (ns).
    pub stale: u64,
}

/// What a round leaves to wait for.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// The count of interrupts before the round looked.
    pub seen: u64,
    /// When to look even without one (ns).
    pub until: u64,
}

/// The console.
pub trait Console: Component {
    /// Sets a serial port up; `None` when the machine has none there.
    fn open(&self, which: Which) -> Option<Serial>;
    /// Takes the bytes that have come, acts on what is complete and answers.
    fn round(&self, serial: &mut Serial) -> Wait;
}

/// Sets both serial ports up and starts the tasks behind them. What is sent to
/// them from the moment this returns is read: setting up empties the FIFO.
///
/// # Errors
/// When there is no memory for the tasks.
pub fn start() -> Result<(), SpawnError> {
    let tasks = [
        (Which::Terminal, "terminal", 64),
        (Which::Control, "control", 128),
    ];
    for (which, name, stack) in tasks {
        let opened = task_port::gate(|| CONSOLE.enter().map(|console| console.open(which)));
        let Ok(Ok(Some(serial))) = opened else {
            continue;
        };
        let options = SpawnOptions::new(name).stack(stack * 1024);
        task_port::spawn(options, move || run(which, serial))?;
    }
    Ok(())
}

/// Looks after a serial port.
fn run(which: Which, mut serial: Serial) {
    loop {
        let round = task_port::gate(|| CONSOLE.enter().map(|console| console.round(&mut serial)));
        match round {
            Ok(Ok(wait)) => {
                serial.line.wait_deadline(wait.seen, wait.until);
            }
            Ok(Err(_)) => task_port::sleep(ABSENT_NS),
            Err(fault) => {
                log::error!("console: {}", fault.message);
                // What was typed may be half taken.
                serial.user = match which {
                    Which::Terminal => User::Person(Editor::new()),
                    Which::Control => User::Script(Reader::new()),
                };
                task_port::sleep(ABSENT_NS);
            }
        }
    }
}
