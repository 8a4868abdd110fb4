//! Progress of long steps: one line that updates itself on a terminal, plain
//! lines otherwise.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// The line changes no more often.
const REDRAW: Duration = Duration::from_millis(40);

/// A step under way. Finish it with [`Progress::done`]; dropped unfinished, it
/// leaves its last line standing.
pub struct Progress {
    title: &'static str,
    start: Instant,
    terminal: bool,
    is_shown: bool,
    shown_at: Option<Instant>,
}

impl Progress {
    /// Announces a step.
    pub fn new(title: &'static str) -> Self {
        let terminal = stderr().is_terminal();
        let mut progress = Self {
            title,
            start: Instant::now(),
            terminal,
            is_shown: false,
            shown_at: None,
        };
        if terminal {
            progress.show("");
        }
        progress
    }

    /// Shows where the step stands; silent when not on a terminal.
    pub fn update(&mut self, what: &str) {
        if self.terminal && self.shown_at.is_none_or(|at| at.elapsed() > REDRAW) {
            self.show(what);
            self.shown_at = Some(Instant::now());
        }
    }

    /// Ends the step with a line that stays.
    pub fn done(mut self, what: &str) {
        let seconds = self.start.elapsed().as_secs_f32();
        self.wipe();
        eprintln!("{:>10} {what} ({seconds:.1} s)", self.title);
    }

    /// Clears the line so that something else may be printed.
    pub fn wipe(&mut self) {
        if self.terminal && self.is_shown {
            eprint!("\r\x1b[K");
            self.is_shown = false;
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
        self.is_shown = true;
    }
}
