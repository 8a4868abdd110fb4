//! pgbench's processes: TPC-B for some seconds, with a log of every transaction,
//! and what they say at the end. Three processes where the clients are to speak
//! all modes of the protocol.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Wishes;
use super::latency::Latencies;
use crate::bench::guest::folder;
use crate::bench::pgbench;
use crate::paths::Paths;

/// What pgbench may take beyond its time.
const GRACE: Duration = Duration::from_secs(60);
/// In the names of the logs.
pub(super) const LOG: &str = "-log";
/// The modes of the protocol, as pgbench calls them.
const MODES: [&str; 3] = ["simple", "extended", "prepared"];

/// pgbench at work. Dropped, it is killed.
pub(super) struct Load {
    processes: Vec<Process>,
    folder: PathBuf,
    deadline: Instant,
}

struct Process {
    child: Child,
    mode: &'static str,
    clients: u32,
    /// Of its files in the load's folder.
    name: String,
}

/// What came of a load.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Transactions whose end was acknowledged, as pgbench counts.
    pub(super) processed: u64,
    /// Transactions that failed, as pgbench counts.
    pub(super) failed: u64,
    /// Clients that gave up: their connection was lost or a statement failed.
    pub(super) aborted: u64,
    /// What pgbench had to say about errors.
    pub(super) errors: Vec<String>,
    /// Of each acknowledged transaction.
    pub(super) latencies: Latencies,
}

impl Load {
    /// Starts `wishes.clients` clients for `wishes.seconds`.
    pub(super) fn start(paths: &Paths, port: u16, wishes: &Wishes, seed: u64) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = folder(paths)?.join(format!("load-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let mut load = Self {
            processes: Vec::new(),
            folder,
            deadline: Instant::now() + Duration::from_secs(wishes.seconds) + GRACE,
        };
        for ((mode, clients), at) in shares(wishes.clients, wishes.mixed).into_iter().zip(0..) {
            let seed = seed.wrapping_add(at) & 0x7fff_ffff;
            let process = Process::start(&load.folder, port, mode, clients, wishes.seconds, seed)?;
            load.processes.push(process);
        }
        Ok(load)
    }

    /// Where its logs grow.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether all of it still runs.
    pub(super) fn is_running(&mut self) -> bool {
        self.processes
            .iter_mut()
            .all(|process| matches!(process.child.try_wait(), Ok(None)))
    }

    /// Waits for its end and adds up.
    pub(super) fn finish(mut self) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        for process in &mut self.processes {
            process.wait(self.deadline)?;
            process.add_to(&self.folder, &mut outcome)?;
        }
        Ok(outcome)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // It has ended, as a rule.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
        // Left-overs are no reason to fail.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Outcome {
    /// Adds what another load did.
    pub(super) fn add(&mut self, other: Self) {
        self.processed += other.processed;
        self.failed += other.failed;
        self.aborted += other.aborted;
        self.errors.extend(other.errors);
        self.latencies.add(&other.latencies);
    }
}

/// How many clients speak which mode; a mode without a client is left out.
fn shares(clients: u32, mixed: bool) -> Vec<(&'static str, u32)> {
    if !mixed {
        return vec![(MODES[0], clients)];
    }
    let count = MODES.len() as u32;
    let share = |at: u32| clients / count + u32::from(at < clients % count);
    let all = MODES.iter().zip(0..).map(|(mode, at)| (*mode, share(at)));
    all.filter(|(_, clients)| *clients > 0).collect()
}

impl Process {
    fn start(
        folder: &Path,
        port: u16,
        mode: &'static str,
        clients: u32,
        seconds: u64,
        seed: u64,
    ) -> Result<Self> {
        let name = format!("{mode}-{clients}");
        let file = |end: &str| File::create(folder.join(format!("{name}.{end}")));
        let child = pgbench::command(port)
            .args(["-n", "-M", mode, "-c", &clients.to_string()])
            .args(["-j", &clients.min(2).to_string()])
            .args(["-T", &seconds.to_string()])
            .args(["--failures-detailed", "--log"])
            .arg(format!("--log-prefix={name}{LOG}"))
            .arg(format!("--random-seed={seed}"))
            .arg("postgres")
            .current_dir(folder)
            .stdout(Stdio::from(file("out")?))
            .stderr(Stdio::from(file("err")?))
            .spawn()
            .context("cannot run pgbench; install postgresql-contrib")?;
        Ok(Self {
            child,
            mode,
            clients,
            name,
        })
    }

    fn wait(&mut self, deadline: Instant) -> Result<()> {
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("pgbench ({} mode) does not end", self.mode);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn add_to(&self, folder: &Path, outcome: &mut Outcome) -> Result<()> {
        let read = |end: &str| std::fs::read_to_string(folder.join(format!("{}.{end}", self.name)));
        let (out, err) = (read("out")?, read("err")?);
        outcome.aborted += aborted(&err);
        let complaints = err.lines().filter(|line| !is_chatter(line));
        outcome
            .errors
            .extend(complaints.map(|line| format!("{}: {line}", self.mode)));
        match (processed(&out), failed(&out)) {
            (Some(processed), failed) => {
                outcome.processed += processed;
                outcome.failed += failed.unwrap_or(0);
            }
            // It says nothing when no client got in.
            (None, _) => outcome.aborted = outcome.aborted.max(u64::from(self.clients)),
        }
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let prefix = format!("{}{LOG}", self.name);
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                outcome.latencies.read(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// What pgbench says although nothing is wrong.
fn is_chatter(line: &str) -> bool {
    let chatter = [
        "pgbench: setting random seed",
        "pgbench (",
        "starting vacuum",
    ];
    line.is_empty() || chatter.iter().any(|start| line.starts_with(start))
}

/// `number of transactions actually processed: 123`, or `123/200`.
fn processed(out: &str) -> Option<u64> {
    number(out, "number of transactions actually processed: ")
}

/// `number of failed transactions: 0 (0.000%)`.
fn failed(out: &str) -> Option<u64> {
    number(out, "number of failed transactions: ")
}

fn number(out: &str, before: &str) -> Option<u64> {
    let rest = out.lines().find_map(|line| line.strip_prefix(before))?;
    rest.split(['/', ' ']).next()?.parse().ok()
}

/// `client 3 script 0 aborted in command 5 query 0: …`, or `client 3 aborted …`.
fn aborted(err: &str) -> u64 {
    let gave_up = |line: &&str| line.contains("client ") && line.contains(" aborted");
    err.lines().filter(gave_up).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_read() {
        let out = "number of transactions actually processed: 4711\n\
                   number of failed transactions: 2 (0.042%)\n";
        assert_eq!(processed(out), Some(4711));
        assert_eq!(failed(out), Some(2));
        assert_eq!(processed("pgbench: error"), None);
        let err = "pgbench: error: client 3 script 0 aborted in command 5 query 0: \
                   ERROR:  x\npgbench: error: client 1 aborted in command 4 (SQL) of script 0; \
                   perhaps the backend died while processing\nother\n";
        assert_eq!(aborted(err), 2);
        assert!(is_chatter("pgbench: setting random seed to 7"));
        assert!(err.lines().all(|line| !is_chatter(line)));
    }

    #[test]
    fn clients_are_shared_out() {
        assert_eq!(shares(8, false), [("simple", 8)]);
        assert_eq!(
            shares(8, true),
            [("simple", 3), ("extended", 3), ("prepared", 2)]
        );
        assert_eq!(shares(1, true), [("simple", 1)]);
    }
}
