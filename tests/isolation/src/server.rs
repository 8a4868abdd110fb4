//! The two servers that scripts run on: Mitos in this process, and a PostgreSQL
//! from which their answers are recorded.

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

/// Mitos, started at first use.
pub struct Mitos(u16);

impl Mitos {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        Mitos(host_server::start())
    }
}

impl Server for Mitos {
    fn port(&self) -> u16 {
        self.0
    }

    fn waits(&self, pid: u32) -> bool {
        let sessions = pg_wire_port::sessions();
        let session = sessions.iter().find(|s| s.pid == pid);
        session.is_some_and(|s| s.cancel.is_waiting())
    }
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
