//! A connection with a thread of its own, so that one driver can leave a
//! statement waiting and go on with another session.

use crate::client::{Answer, Client};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

/// Nothing takes longer than this.
pub const HANGS: Duration = Duration::from_secs(120);

/// See the module.
#[derive(Debug)]
pub struct Session {
    /// Its number in the server.
    pub pid: u32,
    jobs: Sender<String>,
    answers: Receiver<Answer>,
    busy: bool,
}

impl Session {
    /// Connects.
    ///
    /// # Panics
    /// When the server is not there; the others when it does not answer.
    #[must_use]
    pub fn open(port: u16) -> Self {
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
            busy: false,
        }
    }

    /// Sends a statement.
    pub fn send(&mut self, sql: &str) {
        assert!(!self.busy, "it waits for an answer");
        self.busy = true;
        let sent = self.jobs.send(sql.to_string());
        sent.expect("the session's thread lives");
    }

    /// Whether an answer is still to come.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// The answer, if it is there.
    pub fn try_answer(&mut self) -> Option<Answer> {
        match self.answers.try_recv() {
            Ok(answer) => {
                self.busy = false;
                Some(answer)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => panic!("a session's thread is gone"),
        }
    }

    /// The answer, when it comes.
    pub fn answer(&mut self) -> Answer {
        let answer = self.answers.recv_timeout(HANGS).expect("it hangs");
        self.busy = false;
        answer
    }
}
