//! Mitos in this process.

use isolation::server::Server;

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
