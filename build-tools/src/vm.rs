//! One QEMU process: its console's lines, its end.
//!
//! Whatever the system writes to its first serial port goes to a log file,
//! which is what this file reads: the same on a terminal, headless, and in the
//! system tests. The second serial port is the control line (see
//! [`crate::client`]).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::instance::{Claim, Instance};
use crate::machine::Config;
use crate::paths::Paths;
use crate::qemu::EXIT_SUCCESS;

/// The line that says that queries are accepted.
pub const READY: &str = "mitos: ready";
/// The line that says that they are not, and why.
pub const NOT_READY: &str = "mitos: not ready: ";
/// How often the log and the process are looked at.
const POLL: Duration = Duration::from_millis(10);
/// Size of a disk made here; it takes only the room that is written.
const DISK_BYTES: u64 = 1 << 30;

/// How a system ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It left with success.
    Success,
    /// It left with this code.
    Code(u8),
    /// It reset the machine: a triple fault, or an unexpected power-off.
    Reset,
    /// QEMU itself failed or was killed.
    Killed,
}

impl End {
    fn of(status: ExitStatus) -> Self {
        match status.code() {
            Some(EXIT_SUCCESS) => Self::Success,
            Some(0) => Self::Reset,
            // The debug-exit device makes an odd status of the code; QEMU's own
            // failures are 1, which code 0 would be as well.
            Some(code) if code & 1 == 1 && code > 1 => {
                u8::try_from(code >> 1).map_or(Self::Killed, Self::Code)
            }
            _ => Self::Killed,
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Success => f.write_str("success"),
            Self::Code(code) => write!(f, "exit code {code:#x}"),
            Self::Reset => f.write_str("the machine was reset (triple fault?)"),
            Self::Killed => f.write_str("QEMU failed or was killed"),
        }
    }
}

/// A running system. Dropped, it is killed, as by a power cut.
pub struct Vm {
    instance: Instance,
    process: Process,
    log: Log,
    _claim: Claim,
}

impl Vm {
    /// Starts QEMU; does not wait for anything.
    pub fn start(paths: &Paths, config: &Config) -> Result<Self> {
        let instance = Instance::new(paths, config.pg_port);
        let claim = instance.claim()?;
        make_disk(&config.disk)?;
        // A build that goes on meanwhile must not be mixed in.
        keep(&paths.nano_core(), &instance.nano_core())?;
        keep(&paths.archive(), &instance.archive())?;
        if let Some(log) = &config.disk_log {
            File::create(log)?;
        }
        File::create(instance.mailbox())?.set_len(control::MAILBOX_LEN as u64)?;
        // Made here, so that it can be read before QEMU opens it.
        File::create(instance.console_log())?;
        let process = Process::start(config.command(paths, &instance))?;
        std::fs::write(instance.process_id(), format!("{}\n", process.id))?;
        let log = Log::open(instance.console_log())?;
        Ok(Self {
            instance,
            process,
            log,
            _claim: claim,
        })
    }

    /// Where it runs.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Everything on the console so far.
    pub fn console(&self) -> String {
        let bytes = std::fs::read(self.instance.console_log()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of the console.
    pub fn console_tail(&self, count: usize) -> String {
        let console = self.console();
        let lines: Vec<&str> = console.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// Waits for a new console line that `matches`, and returns it. Lines are
    /// offered once, in order.
    ///
    /// # Errors
    /// When the system ends first, or at the limit; with the console's tail.
    pub fn wait_for(&mut self, limit: Duration, matches: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + limit;
        loop {
            // Asked for before the log is read: nothing is written after it.
            let end = self.process.end();
            while let Some(line) = self.log.next_line()? {
                if matches(&line) {
                    return Ok(line);
                }
            }
            if let Some(end) = end {
                bail!("the system ended: {end}\n{}", self.console_tail(40));
            }
            if Instant::now() > deadline {
                bail!("no answer after {limit:?}\n{}", self.console_tail(40));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits until the system accepts queries.
    ///
    /// # Errors
    /// As [`Vm::wait_for`], and when the system says that it cannot, with its
    /// sentence.
    pub fn wait_until_ready(&mut self, limit: Duration) -> Result<()> {
        let says = |line: &str| line.starts_with(READY) || line.starts_with(NOT_READY);
        let line = self.wait_for(limit, says)?;
        match line.strip_prefix(NOT_READY) {
            Some(why) => bail!("not ready: {why}"),
            None => Ok(()),
        }
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<End> {
        self.process.end()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it still runs at the limit.
    pub fn wait(&self, limit: Option<Duration>) -> Result<End> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            if let Some(end) = self.process.end() {
                return Ok(end);
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                bail!(
                    "the system still runs at the deadline\n{}",
                    self.console_tail(40)
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// Builds replace files and never write into them, so a second name keeps
/// what the first one meant.
fn keep(from: &Path, to: &Path) -> Result<()> {
    std::fs::hard_link(from, to)
        .or_else(|_| std::fs::copy(from, to).map(drop))
        .with_context(|| format!("cannot keep {}; has it been built?", from.display()))
}

/// An empty disk, where there is none yet.
pub fn make_disk(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    file.set_len(DISK_BYTES)?;
    Ok(())
}

/// A port on 127.0.0.1 that nobody uses just now.
pub fn free_port() -> Result<u16> {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    Ok(socket.local_addr()?.port())
}

/// A child process watched by a thread of its own: the thread starts it, since
/// `--pdeathsig` speaks of the starting thread, and lives as long.
struct Process {
    id: u32,
    killed: Arc<AtomicBool>,
    end: Arc<Mutex<Option<End>>>,
    watcher: Option<JoinHandle<()>>,
}

impl Process {
    fn start(mut command: Command) -> Result<Self> {
        let killed = Arc::new(AtomicBool::new(false));
        let end = Arc::new(Mutex::new(None));
        let (sender, receiver) = mpsc::channel();
        let (kill, result) = (killed.clone(), end.clone());
        let watcher = std::thread::spawn(move || match command.spawn() {
            Ok(child) => {
                // The receiver waits; and without it there is nobody to tell.
                let _ = sender.send(Ok(child.id()));
                let outcome = watch(child, &kill);
                *result
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(outcome);
            }
            Err(error) => {
                let _ = sender.send(Err(error));
            }
        });
        let id = receiver
            .recv()
            .map_err(|_| anyhow!("the watcher ended early"))?
            .context("cannot start QEMU")?;
        Ok(Self {
            id,
            killed,
            end,
            watcher: Some(watcher),
        })
    }

    fn end(&self) -> Option<End> {
        *self
            .end
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn kill(&mut self) {
        self.killed.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            // A watcher that panicked has left its child to the kernel.
            let _ = watcher.join();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn watch(mut child: Child, kill: &AtomicBool) -> End {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return End::of(status),
            Ok(None) if kill.load(Ordering::Relaxed) => {
                let _ = child.kill();
                let _ = child.wait();
                return End::Killed;
            }
            Ok(None) => std::thread::sleep(POLL),
            Err(_) => return End::Killed,
        }
    }
}

/// Lines of a growing file, each once.
struct Log {
    file: File,
    position: u64,
    partial: Vec<u8>,
}

impl Log {
    fn open(path: PathBuf) -> Result<Self> {
        Ok(Self {
            file: File::open(path)?,
            position: 0,
            partial: Vec::new(),
        })
    }

    fn next_line(&mut self) -> Result<Option<String>> {
        if !self.partial.contains(&b'\n') {
            self.file.seek(SeekFrom::Start(self.position))?;
            self.position += self.file.read_to_end(&mut self.partial)? as u64;
        }
        let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let line: Vec<u8> = self.partial.drain(..=end).collect();
        Ok(Some(String::from_utf8_lossy(&line).trim_end().to_string()))
    }
}
