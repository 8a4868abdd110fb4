//! Recording: a system on a fresh disk under load, its writes logged, until it is
//! killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mitos::machine::Config;
use mitos::paths::Paths;
use mitos::vm::{Vm, free_port};

use super::client::Client;
use super::journal::{Book, Journal};
use super::{builders, tellers};

/// How large a disk: room for the load, and quick to copy.
const DISK: u64 = 256 << 20;
/// A small log, so that checkpoints come often; a pool smaller than the data.
pub const OPTIONS: [&str; 2] = ["log_size=4M", "buffers=2M"];
/// What a system may take to be ready, or to stop.
const LIMIT: Duration = Duration::from_secs(300);

/// What to record.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// At least so long.
    pub seconds: u64,
    /// And until so many commits are acknowledged.
    pub commits: usize,
    /// Clients that move money.
    pub tellers: u32,
    /// Clients that change their schema.
    pub builders: u32,
    /// Clients of pgbench beside them; 0 for none.
    pub pgbench: u32,
    /// Where their choices come from.
    pub seed: u64,
    /// From the first boot on: formatting the disk and making the catalogs too.
    pub fresh: bool,
}

/// Where a recording is kept.
#[derive(Clone, Debug)]
pub struct Recording {
    folder: PathBuf,
}

impl Recording {
    /// In this folder.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Recording {
            folder: folder.to_path_buf(),
        }
    }

    /// The disk before the load.
    #[must_use]
    pub fn before(&self) -> PathBuf {
        self.folder.join("before.img")
    }

    /// The log of writes.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("writes.log")
    }

    fn journal_file(&self) -> PathBuf {
        self.folder.join("journal.json")
    }

    /// What the clients were told.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn journal(&self) -> Result<Journal> {
        let bytes = std::fs::read(self.journal_file())?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Makes it anew: boots, prepares the tables, stops; boots again with the log
    /// of writes, and cuts the power under load.
    ///
    /// # Errors
    /// When the system does not come up, or the load does nothing.
    pub fn make(&self, paths: &Paths, load: Load) -> Result<Journal> {
        std::fs::create_dir_all(&self.folder)?;
        let disk = self.folder.join("disk.img");
        File::create(&disk)?.set_len(DISK)?;
        if !load.fresh {
            prepare(paths, &disk, load)?;
        }
        copy(&disk, &self.before())?;
        let mut config = config(&disk)?;
        config.disk_log = Some(self.log());
        let mut vm = Vm::start(paths, &config)?;
        vm.wait_until_ready(LIMIT)?;
        let book = Book::new(self.log());
        if load.fresh {
            make_tables(config.pg_port, load)?;
            let now = book.now();
            book.lock().ready = now;
        }
        under_load(&mut vm, config.pg_port, load, &book, &self.folder)?;
        drop(vm);
        std::fs::remove_file(&disk)?;
        let journal = book.lock().clone();
        if journal.acknowledged() == 0 {
            bail!("the clients did nothing: {:?}", refusals(&journal));
        }
        self.save(&journal)?;
        Ok(journal)
    }

    /// Notes what the clients were told.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, journal: &Journal) -> Result<()> {
        let bytes = serde_json::to_vec(journal)?;
        Ok(std::fs::write(self.journal_file(), bytes)?)
    }
}

/// What the server refused to all clients.
#[must_use]
pub fn refusals(journal: &Journal) -> Vec<(String, u64)> {
    let mut all = std::collections::BTreeMap::new();
    for client in journal.tellers.values().chain(journal.builders.values()) {
        for (words, count) in &client.refused {
            *all.entry(words.clone()).or_default() += count;
        }
    }
    all.into_iter().collect()
}

fn config(disk: &Path) -> Result<Config> {
    let mut config = Config::new(free_port()?, disk.to_path_buf());
    config.append.extend(OPTIONS.map(String::from));
    config.accel = mitos::qemu::Accel::Tcg;
    Ok(config)
}

/// Boots a disk, and gives the system with its port.
///
/// # Errors
/// When it does not come up.
pub fn boot(paths: &Paths, disk: &Path) -> Result<(Vm, u16)> {
    let config = config(disk)?;
    let mut vm = Vm::start(paths, &config)?;
    vm.wait_until_ready(LIMIT)?;
    Ok((vm, config.pg_port))
}

fn prepare(paths: &Paths, disk: &Path, load: Load) -> Result<()> {
    let (vm, port) = boot(paths, disk)?;
    let mut client = Client::connect(port)?;
    for sql in tellers::tables()
        .iter()
        .chain(&builders::tables(load.builders))
    {
        client.query(sql).with_context(|| sql.clone())?;
    }
    // A system that stops may end before its answer is out.
    let _ = mitos::client::shell(vm.instance(), "stop", LIMIT);
    vm.wait(Some(LIMIT))?;
    Ok(())
}

fn make_tables(port: u16, load: Load) -> Result<()> {
    let mut client = Client::connect(port)?;
    let tables = tellers::tables();
    for sql in tables.iter().chain(&builders::tables(load.builders)) {
        client.query(sql).with_context(|| sql.clone())?;
    }
    Ok(())
}

/// Lets the clients work, and kills the system while they do.
fn under_load(vm: &mut Vm, port: u16, load: Load, book: &Book, folder: &Path) -> Result<()> {
    let stop = AtomicBool::new(false);
    let mut pgbench = start_pgbench(port, load, folder)?;
    std::thread::scope(|scope| {
        for number in 0..load.tellers {
            let stop = &stop;
            scope.spawn(move || tellers::work(port, number, load.seed, book, stop));
        }
        for number in 0..load.builders {
            let stop = &stop;
            scope.spawn(move || builders::work(port, number, load.seed, book, stop));
        }
        let start = Instant::now();
        let goes_on = || {
            let passed = start.elapsed();
            let is_early = passed < Duration::from_secs(load.seconds);
            let is_idle = book.lock().acknowledged() < load.commits;
            is_early || (is_idle && passed < LIMIT)
        };
        while goes_on() && vm.end().is_none() {
            std::thread::sleep(Duration::from_millis(50));
        }
        vm.kill();
        stop.store(true, Ordering::Relaxed);
    });
    if let Some(child) = &mut pgbench {
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok(())
}

fn start_pgbench(port: u16, load: Load, folder: &Path) -> Result<Option<Child>> {
    if load.pgbench == 0 {
        return Ok(None);
    }
    let script = folder.join("tpcb.sql");
    std::fs::write(&script, tellers::script())?;
    let seconds = (load.seconds + 60).to_string();
    let child = Command::new("pgbench")
        .args(["-n", "-h", "127.0.0.1", "-U", "postgres"])
        .args(["-p", &port.to_string(), "-c", &load.pgbench.to_string()])
        .args(["-T", &seconds, "-f"])
        .arg(&script)
        .arg("postgres")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Ok(Some(child.context("pgbench does not start")?))
}

/// Copies a file and leaves its holes.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp")
        .args(["--sparse=always", "--reflink=auto"])
        .args([from, to])
        .status()?;
    if !status.success() {
        bail!("cannot copy {}", from.display());
    }
    Ok(())
}
