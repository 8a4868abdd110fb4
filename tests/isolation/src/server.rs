//! What scripts run on: a server that tells who waits. Mitos, in the tests' own
//! process, is in `tests/common`; here is the PostgreSQL from which answers are
//! recorded.

use crate::client::Client;
use std::sync::Mutex;

/// Where sessions come from, and who of them waits.
pub trait Server: Sync {
    /// The port to connect to.
    fn port(&self) -> u16;
    /// Whether the session waits for another one, so that it will not go on by
    /// itself.
    fn waits(&self, pid: u32) -> bool;
}

/// A PostgreSQL on a port of the loopback, without a password.
pub struct Postgres {
    port: u16,
    control: Mutex<Client>,
}

impl Postgres {
    /// Connects to it.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn on(port: u16) -> Self {
        let control = Client::connect(port).expect("PostgreSQL is there");
        Postgres {
            port,
            control: Mutex::new(control),
        }
    }
}

impl Server for Postgres {
    fn port(&self) -> u16 {
        self.port
    }

    fn waits(&self, pid: u32) -> bool {
        // Its own isolation tests ask like this; the list of those who may be in
        // the way is everybody.
        let sql = format!(
            "SELECT pg_isolation_test_session_is_blocked({pid},
                (SELECT array_agg(pid) FROM pg_stat_activity WHERE pid <> {pid}))"
        );
        let mut control = self.control.lock().expect("no test has failed");
        let answer = control.query(&sql).expect("an answer");
        answer.lines() == ["t"]
    }
}
