//! Running a script: one thread a session, steps in the order's turn.
//!
//! After each step everybody is waited for until he has either answered or waits
//! for another session. Which of the two is asked of the server, never of the
//! clock; the clock only ends a run that hangs.

use crate::client::{Answer, Client};
use crate::server::Server;
use crate::spec::Spec;
use std::fmt::Write;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing takes longer than this.
const HANGS: Duration = Duration::from_secs(120);

/// A session with a thread of its own.
struct Session {
    pid: u32,
    jobs: Sender<String>,
    answers: Receiver<Answer>,
    /// The step it is at.
    step: Option<usize>,
    /// It was noted that the step waits.
    noted: bool,
}

impl Session {
    fn open(port: u16) -> Self {
        let mut client = Client::connect(port).expect("a connection");
        let pid = client.pid;
        let (jobs, orders) = channel::<String>();
        let (answer, answers) = channel();
        thread::spawn(move || {
            for sql in orders {
                let done = client.query(&sql).expect("an answer");
                if answer.send(done).is_err() {
                    return;
                }
            }
        });
        Session {
            pid,
            jobs,
            answers,
            step: None,
            noted: false,
        }
    }
}

/// Runs all orders at all levels; gives what they print.
#[must_use]
pub fn run(spec: &Spec, server: &dyn Server) -> String {
    let mut out = String::new();
    for level in &spec.levels {
        for order in &spec.orders {
            Run::new(spec, server, level, &mut out).order(order);
        }
    }
    out
}

struct Run<'a> {
    spec: &'a Spec,
    server: &'a dyn Server,
    level: &'a str,
    sessions: Vec<Session>,
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
        self.sessions = self
            .spec
            .sessions
            .iter()
            .map(|_| Session::open(port))
            .collect();
        for step in order {
            let session = self.spec.steps[*step].session;
            // Somebody else must let it go on first, or the server ends its wait.
            self.await_answer(session);
            let sql = self.fill(&self.spec.steps[*step].sql);
            self.line(&format!("{}: {sql}", self.spec.steps[*step].name));
            let turn = &mut self.sessions[session];
            turn.step = Some(*step);
            turn.noted = false;
            turn.jobs.send(sql).expect("the session's thread lives");
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
        match session.answers.try_recv() {
            Ok(answer) => {
                self.answered(at, step, &answer, now);
                false
            }
            Err(TryRecvError::Empty) => self.server.waits(session.pid),
            Err(TryRecvError::Disconnected) => panic!("a session's thread is gone:\n{}", self.out),
        }
    }

    fn await_answer(&mut self, at: usize) {
        while let Some(step) = self.sessions[at].step {
            match self.sessions[at].answers.recv_timeout(HANGS) {
                Ok(answer) => self.answered(at, step, &answer, usize::MAX),
                Err(_) => panic!("hangs:\n{}", self.out),
            }
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
