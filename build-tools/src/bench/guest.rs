//! A booted system that belongs to the benchmark: a disk and a port of its own,
//! gone when it is dropped.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::monitor::Monitor;
use crate::client::{self, ClientError};
use crate::instance::Instance;
use crate::machine::Config;
use crate::paths::Paths;
use crate::qemu::Accel;
use crate::vm::{End, Vm, free_port};

/// What a boot may take. Generous: the machine may be busy.
const BOOT_LIMIT: Duration = Duration::from_secs(120);
/// What a shell command may take.
const SHELL_LIMIT: Duration = Duration::from_secs(60);
/// The echo service's port inside, of RFC 862.
const ECHO: u16 = 7;

/// Where SQL is measured: a system of the benchmark's, or a server that runs
/// already.
pub(crate) struct Server {
    guest: Option<Guest>,
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
}

impl Server {
    /// The server that was named, or a fresh system.
    pub(crate) fn open(paths: &Paths, named: Option<u16>) -> Result<Self> {
        if let Some(port) = named {
            return Ok(Self { guest: None, port });
        }
        let guest = Guest::boot(paths, Disk::empty(paths)?, |config| {
            config.memory = "2G".into();
        })?;
        Ok(Self {
            port: guest.port(),
            guest: Some(guest),
        })
    }

    /// Whether it has ended: a system that did is replaced by a fresh one.
    pub(crate) fn is_gone(&self) -> bool {
        self.guest
            .as_ref()
            .is_some_and(|guest| guest.end().is_some())
    }
}

/// A running system.
pub(crate) struct Guest {
    vm: Vm,
    disk: Disk,
    monitor: Monitor,
    cpus: u32,
    echo: u16,
    started: Instant,
}

/// A disk image, removed when dropped.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// The name of an image that does not exist yet: an empty disk.
    pub(crate) fn empty(paths: &Paths) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = folder(paths)?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("disk-{}-{number}.img", std::process::id());
        Ok(Self(folder.join(name)))
    }

    /// Another image with the same content.
    pub(crate) fn copy(&self, paths: &Paths) -> Result<Self> {
        let copy = Self::empty(paths)?;
        let mut cp = std::process::Command::new("cp");
        cp.args(["--sparse=always", "--reflink=auto"])
            .args([&self.0, &copy.0]);
        crate::run::output(&mut cp)?;
        Ok(copy)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Where the benchmark keeps what it makes.
pub(crate) fn folder(paths: &Paths) -> Result<PathBuf> {
    let folder = paths.target().join("bench");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

impl Guest {
    /// Starts a system on `disk` with two ports: PostgreSQL's and, with the boot
    /// option `echo=7`, the echo service's. Waits for nothing.
    pub(crate) fn start(paths: &Paths, disk: Disk, adjust: impl Fn(&mut Config)) -> Result<Self> {
        let mut problem = anyhow!("no port is free");
        // A port found free may be taken before QEMU binds it.
        for _ in 0..5 {
            let (port, echo) = (free_port()?, free_port()?);
            let mut config = Config::new(port, disk.0.clone());
            config.accel = Accel::Auto.settle(paths);
            adjust(&mut config);
            let monitor = Monitor::new(folder(paths)?.join(format!("monitor-{port}.sock")));
            config.qemu_args.extend(monitor.arguments());
            let started = Instant::now();
            let vm = Vm::start(paths, &config);
            match vm.and_then(|vm| monitor.forward(echo, ECHO).map(|()| vm)) {
                Ok(vm) => {
                    return Ok(Self {
                        vm,
                        disk,
                        monitor,
                        cpus: config.cpus,
                        echo,
                        started,
                    });
                }
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    /// The same, and waits until it is ready.
    pub(crate) fn boot(paths: &Paths, disk: Disk, adjust: impl Fn(&mut Config)) -> Result<Self> {
        let mut guest = Self::start(paths, disk, adjust)?;
        guest.ready()?;
        Ok(guest)
    }

    /// Waits until it is ready; gives the time since power-on and the line.
    pub(crate) fn ready(&mut self) -> Result<(Duration, String)> {
        let says = |line: &str| {
            line.starts_with(crate::vm::READY) || line.starts_with(crate::vm::NOT_READY)
        };
        let line = self.vm.wait_for(BOOT_LIMIT, says)?;
        if line.starts_with(crate::vm::NOT_READY) {
            bail!("{line}");
        }
        Ok((self.started.elapsed(), line))
    }

    /// Waits for its end and gives everything it wrote.
    pub(crate) fn console_at_end(&mut self, limit: Duration) -> Result<String> {
        self.vm.wait(Some(limit))?;
        Ok(self.vm.console())
    }

    /// PostgreSQL's port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.vm.instance().port()
    }

    /// Where it is found.
    pub(crate) fn instance(&self) -> &Instance {
        self.vm.instance()
    }

    /// The echo service's port on 127.0.0.1.
    pub(crate) fn echo(&self) -> u16 {
        self.echo
    }

    /// Runs a shell command.
    pub(crate) fn shell(&self, command: &str) -> Result<String> {
        client::shell(self.vm.instance(), command, SHELL_LIMIT)
            .with_context(|| format!("shell command `{command}`"))
    }

    /// The cells with a port, by name.
    pub(crate) fn cells(&self) -> Result<Vec<String>> {
        let names = self.shell("cells")?;
        let first = |line: &str| line.split_whitespace().next().map(str::to_string);
        Ok(names.lines().filter_map(first).collect())
    }

    /// How long QEMU's threads have waited for a CPU of the host's, all together: the
    /// system's clock goes on meanwhile, and the system does not. None where the host
    /// does not say.
    pub(crate) fn host_wait(&self) -> Option<Duration> {
        let process = std::fs::read_to_string(self.vm.instance().process_id()).ok()?;
        let tasks = std::fs::read_dir(format!("/proc/{}/task", process.trim())).ok()?;
        let of_task = |task: PathBuf| {
            // Time on a CPU, time waiting for one (ns), turns. Its threads have no
            // names of their own; those that are no CPU of the system's do little.
            let stat = std::fs::read_to_string(task.join("schedstat")).ok()?;
            stat.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        let waits: Option<Vec<u64>> = tasks.flatten().map(|task| of_task(task.path())).collect();
        Some(Duration::from_nanos(waits?.iter().sum()))
    }

    /// How it ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        self.vm.end()
    }

    /// Runs a shell command that may fail, with a limit.
    ///
    /// # Errors
    /// What the system or the control line says.
    pub(crate) fn try_shell(&self, command: &str, limit: Duration) -> Result<String, ClientError> {
        client::shell(self.vm.instance(), command, limit)
    }

    /// The last lines of its console.
    pub(crate) fn console_tail(&self, count: usize) -> String {
        self.vm.console_tail(count)
    }

    /// Where its CPUs are, from QEMU: for a system that does not answer.
    pub(crate) fn processors(&self) -> String {
        let said = self.monitor.processors(self.cpus);
        said.unwrap_or_else(|error| format!("{error:#}"))
    }

    /// Kills QEMU (SIGKILL), as a power cut would, and keeps the disk.
    pub(crate) fn kill(mut self) -> Disk {
        self.vm.kill();
        self.disk
    }

    /// Shuts it down and keeps the disk.
    pub(crate) fn stop(self) -> Result<Disk> {
        // Not `client::stop`: it waits for a lock that this process holds.
        match client::shell(self.vm.instance(), "stop", SHELL_LIMIT) {
            // The system may be gone before its answer is through.
            Ok(_) | Err(ClientError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        match self.vm.wait(Some(SHELL_LIMIT))? {
            End::Success => {}
            end => bail!("the system ended: {end}"),
        }
        Ok(self.disk)
    }
}
