//! TCP round trips against the echo service: the network without a database,
//! and the load under which cells are swapped.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::Wishes;
use super::guest::{Disk, Guest};
use super::report::Row;
use crate::paths::Paths;

/// No answer for so long is a failure.
const LIMIT: Duration = Duration::from_secs(20);
/// The boot option that starts the service.
pub(super) const OPTION: &str = "echo=7";

/// One connection.
pub(super) struct Echo(TcpStream);

impl Echo {
    /// Connects.
    pub(super) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("the echo service")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self(stream))
    }

    /// Sends bytes and waits until as many have come back.
    pub(super) fn round_trip(&mut self, bytes: usize) -> Result<()> {
        let (sent, mut back) = (vec![0x5a; bytes], vec![0; bytes]);
        self.0.write_all(&sent)?;
        self.0.read_exact(&mut back).context("no echo")?;
        if back != sent {
            return Err(anyhow!("the echo is not what was sent"));
        }
        Ok(())
    }
}

/// Connections that talk until they are told to stop.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    /// Round trips, and the longest one in microseconds.
    done: Arc<(AtomicU64, AtomicU64)>,
    clients: Vec<JoinHandle<Result<()>>>,
}

impl Load {
    /// Starts `clients` connections.
    pub(super) fn start(port: u16, clients: usize, bytes: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let clients = (0..clients)
            .map(|_| {
                let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
                std::thread::spawn(move || {
                    let mut echo = Echo::connect(port)?;
                    while !stop.load(Ordering::Relaxed) {
                        let started = Instant::now();
                        echo.round_trip(bytes)?;
                        let us = started.elapsed().as_micros() as u64;
                        done.0.fetch_add(1, Ordering::Relaxed);
                        done.1.fetch_max(us, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        Self {
            stop,
            done,
            clients,
        }
    }

    /// Round trips so far.
    pub(super) fn count(&self) -> u64 {
        self.done.0.load(Ordering::Relaxed)
    }

    /// The longest round trip since the last call, in milliseconds.
    pub(super) fn take_longest(&self) -> f64 {
        self.done.1.swap(0, Ordering::Relaxed) as f64 / 1e3
    }

    /// Ends the connections.
    ///
    /// # Errors
    /// When one of them failed.
    pub(super) fn end(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client
                .join()
                .map_err(|_| anyhow!("an echo client panicked"))??;
        }
        Ok(())
    }
}

pub(super) fn measure(paths: &Paths, wishes: &Wishes) -> Result<Vec<Row>> {
    let guest = Guest::boot(paths, Disk::empty(paths)?, |config| {
        config.append.push(OPTION.into());
    })?;
    let mut rows = Vec::new();
    for (clients, bytes) in [(1, 1), (1, 100), (8, 100)] {
        let load = Load::start(guest.echo(), clients, bytes);
        std::thread::sleep(Duration::from_millis(500));
        let mut rates = Vec::new();
        for _ in 0..wishes.repeat.min(3) {
            let (before, started) = (load.count(), Instant::now());
            std::thread::sleep(Duration::from_secs(2));
            rates.push((load.count() - before) as f64 / started.elapsed().as_secs_f64());
        }
        load.end()?;
        let name = format!("TCP round trips, {bytes} bytes, {clients} clients");
        rows.push(Row::median(name, rates, "/s"));
    }
    Ok(rows)
}
