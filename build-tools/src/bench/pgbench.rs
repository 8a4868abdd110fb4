//! Transactions and connections per second, by PostgreSQL's own `pgbench`.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Wishes;
use super::guest::Server;
use super::report::Row;
use super::sql;
use crate::paths::Paths;

/// What making the tables may take.
const FILL_LIMIT: Duration = Duration::from_secs(600);
/// What a load may take beyond its time.
const GRACE: Duration = Duration::from_secs(60);

/// Name, arguments, clients.
const LOADS: &[(&str, &[&str], u32)] = &[
    ("select", &["-S"], 1),
    ("select", &["-S"], 8),
    ("select, prepared", &["-S", "-M", "prepared"], 1),
    ("select, prepared", &["-S", "-M", "prepared"], 8),
    ("TPC-B", &[], 1),
    ("TPC-B", &[], 8),
    ("TPC-B, prepared", &["-M", "prepared"], 8),
    ("connections (-C -S)", &["-C", "-S"], 1),
    ("connections (-C -S)", &["-C", "-S"], 8),
];

pub(crate) fn measure(paths: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let server = Server::open(paths, wishes.server)?;
    let port = server.port;
    let none = |why: &str| {
        let row = |(name, _, clients): &(&str, _, u32)| Row::missing(title(name, *clients), why);
        LOADS.iter().map(row).collect::<Vec<Row>>()
    };
    if let Some(why) = sql::missing(port) {
        return Ok(none(&why));
    }
    let filled = match fill(port, wishes.scale) {
        Ok(took) => Row::one(
            format!("pgbench -i -s {}", wishes.scale),
            took.as_secs_f64(),
            "s",
        ),
        Err(error) => return Ok(none(&format!("no tables: {}", first_line(&error)))),
    };
    let mut rows = vec![filled];
    for (name, arguments, clients) in LOADS {
        let mut rates = Vec::new();
        let mut problem = None;
        // Three are enough: each is a mean over its seconds.
        for _ in 0..wishes.repeat.min(3) {
            match load(port, arguments, *clients, wishes.seconds) {
                Ok(rate) => rates.push(rate),
                Err(error) => problem = Some(first_line(&error)),
            }
        }
        let title = title(name, *clients);
        rows.push(match (rates.is_empty(), problem) {
            (true, Some(why)) => Row::missing(title, why),
            (_, Some(why)) => Row::median(title, rates, "/s").note(format!("also failed: {why}")),
            (_, None) => Row::median(title, rates, "/s"),
        });
    }
    Ok(rows)
}

fn title(name: &str, clients: u32) -> String {
    format!("pgbench {name}, {clients} clients")
}

fn first_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines().next().unwrap_or_default().to_string()
}

/// `pgbench` of the path, or where Debian keeps it.
fn program() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").ok();
    let found = debian
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path().join("bin/pgbench"));
    found
        .filter(|p| p.exists())
        .max()
        .unwrap_or("pgbench".into())
}

/// `pgbench` on this port, without what it is to do.
pub(crate) fn command(port: u16) -> Command {
    let mut command = Command::new(program());
    command
        .args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port.to_string()])
        .env("PGCONNECT_TIMEOUT", "20")
        .env("PGSSLMODE", "disable")
        .stdin(Stdio::null());
    command
}

/// Runs to the end or to the limit; gives what it printed.
pub(crate) fn finish(command: &mut Command, limit: Duration) -> Result<String> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run pgbench; install postgresql-contrib")?;
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill()?;
                child.wait()?;
                bail!("pgbench still ran after {limit:?}");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let output = child.wait_with_output()?;
    if !status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let error = said
            .lines()
            .find(|l| l.contains("error") || l.contains("ERROR"));
        bail!(
            "{}",
            error.or(said.lines().last()).unwrap_or("pgbench failed")
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Makes and fills the tables; gives the time it took.
pub(crate) fn fill(port: u16, scale: u32) -> Result<Duration> {
    let started = Instant::now();
    let scale = scale.to_string();
    finish(
        command(port).args(["-q", "-i", "-s", &scale, "postgres"]),
        FILL_LIMIT,
    )?;
    Ok(started.elapsed())
}

/// Some of the steps of making and filling the tables, by their letters.
pub(crate) fn steps(port: u16, scale: u32, letters: &str) -> Result<()> {
    let scale = scale.to_string();
    let mut command = command(port);
    command.args(["-q", "-i", "-I", letters, "-s", &scale, "postgres"]);
    finish(&mut command, FILL_LIMIT).map(drop)
}

/// A number of transactions by one client.
pub(crate) fn transactions(port: u16, arguments: &[&str], count: u32) -> Result<()> {
    let count = count.to_string();
    let mut command = command(port);
    command
        .args(["-n", "--random-seed=7", "-t", &count])
        .args(arguments)
        .arg("postgres");
    finish(&mut command, FILL_LIMIT).map(drop)
}

pub(super) fn load(port: u16, arguments: &[&str], clients: u32, seconds: u64) -> Result<f64> {
    let mut command = command(port);
    command
        .args([
            "-n",
            "-c",
            &clients.to_string(),
            "-j",
            &clients.min(2).to_string(),
        ])
        .args(["-T", &seconds.to_string()])
        .args(arguments)
        .arg("postgres");
    let said = finish(&mut command, Duration::from_secs(seconds) + GRACE)?;
    rate(&said).context("pgbench names no rate")
}

/// `tps = 123.4 (…)`; with `-C` that includes the connections.
fn rate(said: &str) -> Option<f64> {
    let line = said.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A load that goes on until it is dropped.
pub(crate) struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `pgbench -S` with that many clients.
pub(crate) fn background(port: u16, clients: u32) -> Result<Background> {
    let child = command(port)
        .args(["-n", "-S", "-c", &clients.to_string(), "-j", "1"])
        .args(["-T", "3600", "postgres"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run pgbench")?;
    Ok(Background(child))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read() {
        let said = "latency average = 1 ms\ntps = 812.512 (without initial connection time)\n";
        assert_eq!(rate(said), Some(812.512));
        assert_eq!(rate("pgbench: error"), None);
    }
}
