//! Running a script: one thread a session, steps in the order's turn.
//!
//! After each step everybody is waited for until he has either answered or waits
//! for another session. Which of the two is asked of the server, never of the
//! clock; the clock only ends a run that hangs.

use crate::client::{Answer, Client};
use crate::server::Server;
use crate::session::{HANGS, Session};
use crate::spec::Spec;
use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

/// A session and where it is.
struct Turn {
    session: Session,
    /// The step it is at.
    step: Option<usize>,
    /// It was noted that the step waits.
    noted: bool,
}

/// Runs all orders at all levels; gives what they print.
#[must_use]
pub fn run(spec: &Spec, server: &dyn Server) -> String {
    let mut out = String::new();
    for level in &spec.levels {
        for order in &spec.orders {
            let mut printed = String::new();
            Run::new(spec, server, level, &mut printed).order(order);
            match spec.brief {
                true => out.push_str(&in_brief(&printed)),
                false => out.push_str(&printed),
            }
        }
    }
    out
}

/// A line for what an order printed: its title, which step waited or failed, and
/// what was there at its end.
fn in_brief(printed: &str) -> String {
    let mut step = "";
    let mut notes = Vec::new();
    for line in printed.lines() {
        match line.strip_prefix("  ") {
            None => {
                step = line.split([':', ' ']).next().unwrap_or_default();
            }
            Some("waits") => notes.push(format!("{step} waits")),
            Some(line) => {
                if let Some(error) = line.strip_prefix("error ") {
                    let code = error.split(':').next().unwrap_or_default();
                    notes.push(format!("{step} {code}"));
                }
            }
        }
    }
    let title = printed.lines().next().unwrap_or_default();
    let title = title.trim_start_matches("== ");
    let last: Vec<&str> = printed.lines().rev().skip(1).collect();
    let end = last
        .iter()
        .take_while(|l| l.starts_with("  ") && !l.starts_with("  error"));
    let mut end: Vec<&str> = end.map(|l| l.trim()).collect();
    end.reverse();
    format!("{title}: {}; {}\n", notes.join(", "), end.join(" "))
}

struct Run<'a> {
    spec: &'a Spec,
    server: &'a dyn Server,
    level: &'a str,
    sessions: Vec<Turn>,
    out: &'a mut String,
}

impl<'a> Run<'a> {
    fn new(spec: &'a Spec, server: &'a dyn Server, level: &'a str, out: &'a mut String) -> Self {
        Run {
            spec,
            server,
            level,
            sessions: Vec::new(),
            out,
        }
    }

    fn fill(&self, sql: &str) -> String {
        sql.replace("{level}", self.level)
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}");
    }

    fn order(&mut self, order: &[usize]) {
        let names: Vec<&str> = order.iter().map(|s| &*self.spec.steps[*s].name).collect();
        let title = match self.level {
            "" => names.join(" "),
            level => format!("{level}: {}", names.join(" ")),
        };
        self.line(&format!("== {title}"));
        self.alone(&self.spec.setup);
        let port = self.server.port();
        let turn = |_| Turn {
            session: Session::open(port),
            step: None,
            noted: false,
        };
        self.sessions = self.spec.sessions.iter().map(turn).collect();
        for step in order {
            let session = self.spec.steps[*step].session;
            // Somebody else must let it go on first, or the server ends its wait.
            self.await_answer(session);
            let sql = self.fill(&self.spec.steps[*step].sql);
            self.line(&format!("{}: {sql}", self.spec.steps[*step].name));
            let turn = &mut self.sessions[session];
            turn.step = Some(*step);
            turn.noted = false;
            turn.session.send(&sql);
            if self.spec.steps[*step].patient {
                let answer = self.sessions[session].session.answer();
                self.answered(session, *step, &answer, *step);
            }
            self.settle(*step);
        }
        for session in 0..self.sessions.len() {
            self.await_answer(session);
        }
        self.sessions.clear();
        self.alone(&self.spec.end);
        self.line("");
    }

    /// Runs statements before or behind the sessions; they must succeed.
    fn alone(&mut self, statements: &[String]) {
        let mut client = Client::connect(self.server.port()).expect("a connection");
        for sql in statements {
            let answer = client.query(&self.fill(sql)).expect("an answer");
            if let Some(error) = &answer.error {
                panic!("{sql}: {error:?}");
            }
            let shown = answer.lines();
            for line in shown {
                self.line(&format!("  {line}"));
            }
        }
    }

    /// Waits until every session has answered or waits. `now` is the step that
    /// was begun last.
    fn settle(&mut self, now: usize) {
        let start = Instant::now();
        loop {
            let mut quiet = true;
            for at in 0..self.sessions.len() {
                quiet &= self.look(at, now);
            }
            // A second look after all were quiet: an answer may have let another
            // go on that was seen waiting before.
            if quiet && (0..self.sessions.len()).all(|at| self.look(at, now)) {
                break;
            }
            assert!(start.elapsed() < HANGS, "hangs:\n{}", self.out);
            thread::sleep(Duration::from_micros(200));
        }
        let waiting = self.sessions.iter_mut().find(|s| s.step == Some(now));
        if let Some(session) = waiting.filter(|s| !s.noted) {
            session.noted = true;
            self.line("  waits");
        }
    }

    /// Takes the session's answer if there is one. True when it has nothing to do
    /// or waits for another.
    fn look(&mut self, at: usize, now: usize) -> bool {
        let session = &mut self.sessions[at];
        let Some(step) = session.step else {
            return true;
        };
        match session.session.try_answer() {
            Some(answer) => {
                self.answered(at, step, &answer, now);
                false
            }
            None => self.server.waits(session.session.pid),
        }
    }

    fn await_answer(&mut self, at: usize) {
        while let Some(step) = self.sessions[at].step {
            let answer = self.sessions[at].session.answer();
            self.answered(at, step, &answer, usize::MAX);
            if !self.sessions.iter().all(|s| s.step.is_none()) {
                self.settle(usize::MAX);
            }
        }
    }

    fn answered(&mut self, at: usize, step: usize, answer: &Answer, now: usize) {
        self.sessions[at].step = None;
        if step != now {
            let name = self.spec.steps[step].name.clone();
            self.line(&format!("{name} goes on"));
        }
        for line in answer.lines() {
            self.line(&format!("  {line}"));
        }
        if let Some(error) = &answer.error {
            self.line(&format!("  error {}: {}", error.code, error.message));
            for (name, text) in [("detail", &error.detail), ("hint", &error.hint)] {
                if error.code == "40001" && !text.is_empty() {
                    self.line(&format!("    {name}: {}", without_numbers(text)));
                }
            }
        }
    }
}

/// Numbers of transactions differ from run to run.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut digits = false;
    for c in text.chars() {
        match (c.is_ascii_digit(), digits) {
            (true, false) => out.push('N'),
            (true, true) => {}
            (false, _) => out.push(c),
        }
        digits = c.is_ascii_digit();
    }
    out
}
