//! Progress of long steps: one line that updates itself on a terminal, plain
//! lines otherwise.

use std::io::{IsTerminal, Write, stderr};
use std::time::Instant;

/// A step under way. Finish it with [`Progress::done`]; dropped unfinished, it
/// leaves its last line standing.
pub struct Progress {
    title: &'static str,
    start: Instant,
    terminal: bool,
    /// Length of the line now shown, to wipe it.
    shown: usize,
}

impl Progress {
    /// Announces a step.
    pub fn new(title: &'static str) -> Self {
        let terminal = stderr().is_terminal();
        let mut progress = Self {
            title,
            start: Instant::now(),
            terminal,
            shown: 0,
        };
        if terminal {
            progress.show("");
        }
        progress
    }

    /// Shows where the step stands; silent when not on a terminal.
    pub fn update(&mut self, what: &str) {
        if self.terminal {
            self.show(what);
        }
    }

    /// Ends the step with a line that stays.
    pub fn done(mut self, what: &str) {
        let seconds = self.start.elapsed().as_secs_f32();
        self.wipe();
        eprintln!("{:>10} {what} ({seconds:.1} s)", self.title);
        self.shown = 0;
    }

    /// Clears the line so that something else may be printed.
    pub fn wipe(&mut self) {
        if self.terminal && self.shown > 0 {
            eprint!("\r{:1$}\r", "", self.shown);
            self.shown = 0;
        }
    }

    fn show(&mut self, what: &str) {
        let line: String = format!("{:>10} {what}", self.title)
            .chars()
            .take(78)
            .collect();
        self.wipe();
        eprint!("{line}");
        let _ = stderr().flush();
        self.shown = line.chars().count();
    }
}
