//! What is measured: a system of the benchmark's, or a server that runs already.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bench::guest::{Disk, Guest};
use crate::bench::sql::Session;
use crate::paths::Paths;

/// The pool: as much as PostgreSQL has by default.
const BUFFERS: &str = "buffers=128M";
/// Until a server that was killed answers again.
const RECOVERY_LIMIT: Duration = Duration::from_secs(300);
/// A server's statistics may come so late.
const LATE: Duration = Duration::from_millis(1500);

/// A server.
pub(super) struct Target {
    name: String,
    kind: Kind,
}

enum Kind {
    /// The benchmark's. None while it is being killed and booted again.
    Own(Option<Guest>),
    /// PostgreSQL: its port, and the program that starts and kills it.
    Peer(u16, Option<String>),
}

impl Target {
    /// A fresh system.
    pub(super) fn own(paths: &Paths) -> Result<Self> {
        Ok(Self {
            name: "Mitos".into(),
            kind: Kind::Own(Some(boot(paths, Disk::empty(paths)?)?)),
        })
    }

    /// A server that runs, as `NAME:PORT` or `NAME:PORT:PROGRAM`.
    pub(super) fn named(named: &str) -> Result<Self> {
        let mut words = named.splitn(3, ':');
        let (name, port) = (words.next().unwrap_or_default(), words.next());
        let port = port.and_then(|port| port.parse().ok());
        let port = port.with_context(|| format!("`--peer {named}`: wanted NAME:PORT[:PROGRAM]"))?;
        Ok(Self {
            name: name.to_string(),
            kind: Kind::Peer(port, words.next().map(str::to_string)),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn port(&self) -> u16 {
        match &self.kind {
            Kind::Own(guest) => guest.as_ref().map_or(0, Guest::port),
            Kind::Peer(port, _) => *port,
        }
    }

    /// Runs a statement in a session of its own; how long that took.
    pub(super) fn query(&self, text: &str, limit: Duration) -> Result<Duration> {
        let mut session = Session::connect(self.port(), limit)?;
        let began = Instant::now();
        session.query(text)?;
        Ok(began.elapsed())
    }

    fn number(&self, query: &str) -> Result<u64> {
        let mut session = Session::connect(self.port(), Duration::from_secs(60))?;
        let rows = session.query(query)?;
        let field = rows.first().and_then(|row| row.first()?.as_deref());
        let field = field.with_context(|| format!("{query}: no row"))?;
        Ok(field.parse()?)
    }

    /// Transactions of TPC-B so far that were committed.
    pub(super) fn committed(&self) -> Result<u64> {
        self.number("select count(*) from pgbench_history")
    }

    /// What the device had to make durable so far: flushes and forced writes.
    pub(super) fn flushes(&self) -> Result<u64> {
        match &self.kind {
            Kind::Own(guest) => {
                let answer = guest.as_ref().context("it is down")?.shell("counters")?;
                let mut words = answer.lines().filter_map(|line| line.split_once(' '));
                let found = words.find(|(name, _)| *name == "disk.durable");
                let (_, number) = found.context("`counters` does not say `disk.durable`")?;
                Ok(number.parse()?)
            }
            Kind::Peer(..) => {
                std::thread::sleep(LATE);
                self.number("select wal_sync from pg_stat_wal")
            }
        }
    }

    /// Whether [`Target::recover`] can be done.
    pub(super) fn can_be_killed(&self) -> bool {
        !matches!(self.kind, Kind::Peer(_, None))
    }

    /// Kills it as a power cut would, and starts it again; the time from power-on to
    /// the first answer.
    pub(super) fn recover(&mut self, paths: &Paths) -> Result<Duration> {
        let began = match &mut self.kind {
            Kind::Own(guest) => {
                let disk = guest.take().context("it is down")?.kill();
                let began = Instant::now();
                *guest = Some(start(paths, disk)?);
                began
            }
            Kind::Peer(_, None) => bail!("it cannot be killed"),
            Kind::Peer(port, Some(program)) => {
                control(&self.name, *port, program, "kill")?;
                let began = Instant::now();
                control(&self.name, *port, program, "start")?;
                began
            }
        };
        loop {
            let limit = Duration::from_millis(500);
            let asked = Session::connect(self.port(), limit)
                .and_then(|mut session| session.query("select 1"));
            match asked {
                Ok(_) => return Ok(began.elapsed()),
                Err(error) if began.elapsed() > RECOVERY_LIMIT => {
                    return Err(error).context("it does not come up");
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

fn start(paths: &Paths, disk: Disk) -> Result<Guest> {
    Guest::start(paths, disk, |config| {
        config.memory = "2G".into();
        config.append.push(BUFFERS.into());
    })
}

fn boot(paths: &Paths, disk: Disk) -> Result<Guest> {
    let mut guest = start(paths, disk)?;
    guest.ready()?;
    Ok(guest)
}

/// Asks a server's program for something: it gets name and port in its environment.
fn control(name: &str, port: u16, program: &str, verb: &str) -> Result<()> {
    let mut command = Command::new(program);
    command
        .arg(verb)
        .env("NAME", name)
        .env("PORT", port.to_string());
    crate::run::output(&mut command).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_named() {
        let peer = Target::named("tuned:55532:/a/run.sh").expect("a peer");
        assert_eq!((peer.name(), peer.port()), ("tuned", 55532));
        assert!(peer.can_be_killed());
        assert!(!Target::named("x:1").expect("a peer").can_be_killed());
        assert!(Target::named("tuned").is_err());
    }
}
