//! [`Guest`]: a booted system that belongs to one test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mitos::client::{self, ClientError};
use mitos::instance::Instance;
use mitos::machine::Config;
use mitos::running::Running;
use mitos::vm::{End, Vm, free_port, make_disk};
use mitos::{pipeline, push};

use offline::power::image::Fates;

use crate::power;
use crate::slot::Slot;

/// What a guest may take for anything before the test fails. Generous: the
/// machine may be slow and shared, and a healthy guest never comes near it.
pub const LIMIT: Duration = Duration::from_secs(180);

/// A booted system. Dropped, it is killed and its disk removed.
pub struct Guest {
    /// `None` once it was stopped or killed.
    vm: Option<Vm>,
    config: Config,
    console: String,
    slot: Option<Slot>,
}

impl Guest {
    /// Boots on an empty disk and waits until queries are accepted.
    pub fn boot() -> Self {
        Self::boot_with(|_| {})
    }

    /// The same, after the test changed the configuration.
    pub fn boot_with(adjust: impl FnOnce(&mut Config)) -> Self {
        let mut guest = Self::start(adjust);
        guest.wait_until_ready();
        guest
    }

    /// Starts on an empty disk and does not wait.
    pub fn start(adjust: impl FnOnce(&mut Config)) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let paths = crate::image();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let disk = paths
            .run()
            .join(format!("disk-{}-{number}.img", std::process::id()));
        let mut config = Config::new(0, disk);
        adjust(&mut config);
        let mut guest = Self {
            vm: None,
            config,
            console: String::new(),
            slot: None,
        };
        guest.power_on();
        guest
    }

    /// Boots again on the same disk, after [`Guest::kill`] or [`Guest::stop`],
    /// and waits until queries are accepted.
    pub fn reboot(&mut self) {
        assert!(self.vm.is_none(), "the guest still runs");
        self.power_on();
        self.wait_until_ready();
    }

    /// Boots on an empty disk that records its writes, for
    /// [`Guest::power_cut`].
    pub fn boot_recording() -> Self {
        let mut guest = Self::start(|config| {
            config.disk_log = Some(config.disk.with_extension("log"));
        });
        guest.wait_until_ready();
        guest
    }

    /// Cuts the power of a recording guest: what it wrote since the last flush
    /// of its disk is there, missing or torn, as the seed has it.
    pub fn power_cut(&mut self, seed: u64) -> Fates {
        self.kill();
        let log = self
            .config
            .disk_log
            .as_ref()
            .expect("the guest records its writes");
        let disk = &self.config.disk;
        let fates = power::cut(&before(disk), log, disk, seed);
        let fates = fates.expect("the log of writes is readable");
        println!("power cut with seed {seed}: {fates:?}");
        fates
    }

    fn power_on(&mut self) {
        let paths = crate::image();
        if self.config.disk_log.is_some() {
            make_disk(&self.config.disk).expect("the disk can be made");
            copy_sparse(&self.config.disk, &before(&self.config.disk));
        }
        if self.slot.is_none() {
            self.slot = Some(Slot::take(paths).expect("the slots' folder is writable"));
        }
        // A port found free may be taken before QEMU binds it.
        for _ in 0..5 {
            self.config.pg_port = free_port().expect("the machine has free ports");
            match Vm::start(paths, &self.config) {
                Ok(vm) => {
                    self.vm = Some(vm);
                    return;
                }
                Err(error) => eprintln!("starting again: {error:#}"),
            }
        }
        panic!("QEMU does not start");
    }

    fn wait_until_ready(&mut self) {
        if let Err(error) = self.vm_mut().wait_until_ready(LIMIT) {
            panic!("the system does not become ready: {error:#}");
        }
    }

    /// PostgreSQL's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.config.pg_port
    }

    /// The disk image.
    pub fn disk(&self) -> &Path {
        &self.config.disk
    }

    /// Waits for a console line that `matches`, among those not yet seen.
    pub fn wait_for_line(&mut self, matches: impl Fn(&str) -> bool) -> String {
        match self.vm_mut().wait_for(LIMIT, matches) {
            Ok(line) => line,
            Err(error) => panic!("the awaited line does not come: {error:#}"),
        }
    }

    /// Runs a shell command and gives its answer; the test fails if it does.
    pub fn shell(&self, command: &str) -> String {
        match self.try_shell(command) {
            Ok(answer) => answer,
            Err(error) => panic!("shell command `{command}`: {error}"),
        }
    }

    /// Runs a shell command that may fail.
    ///
    /// # Errors
    /// What the client or the system says.
    pub fn try_shell(&self, command: &str) -> Result<String, ClientError> {
        client::shell(self.vm().instance(), command, LIMIT)
    }

    /// Pushes cells as one set, as they are in the working tree; the test fails
    /// if the system refuses. Gives the system's answer, which names the pause.
    pub fn push(&self, cells: &[&str]) -> String {
        match self.try_push(cells) {
            Ok(answer) => answer,
            Err(error) => panic!("push of {cells:?}: {error}"),
        }
    }

    /// Pushes cells as one set; the system may refuse.
    ///
    /// # Errors
    /// What the client or the system says.
    pub fn try_push(&self, cells: &[&str]) -> Result<String, ClientError> {
        self.push_archive(&self.pack(cells))
    }

    /// The signed archive that [`Guest::push`] would send.
    pub fn pack(&self, cells: &[&str]) -> Vec<u8> {
        let parts = pipeline::prepare(crate::image()).expect("the image was built before");
        let running = Running::ask(self.instance()).expect("the guest answers");
        let names: Vec<String> = cells.iter().map(|cell| cell.to_string()).collect();
        push::plan(&parts, &running, &names)
            .expect("the test names cells")
            .archive
    }

    /// Pushes cells in the version that they have with these features
    /// (`MEMBER/FEATURE`), as one set.
    pub fn push_variant(&self, cells: &[&str], features: &[&str]) -> String {
        let paths = crate::image();
        let keys = mitos::keys::Keys::load(paths).expect("the image was built before");
        let parts = pipeline::prepare_with(paths, keys, features).expect("the variant builds");
        let names = cells.iter().copied().collect();
        match self.push_archive(&push::pack(&parts, &names).archive) {
            Ok(answer) => answer,
            Err(error) => panic!("push of {cells:?} with {features:?}: {error}"),
        }
    }

    /// Sends bytes as a push, whatever they are.
    ///
    /// # Errors
    /// What the client or the system says.
    pub fn push_archive(&self, archive: &[u8]) -> Result<String, ClientError> {
        client::push(self.instance(), archive, LIMIT)
    }

    /// Where the running system is found.
    pub fn instance(&self) -> &Instance {
        self.vm().instance()
    }

    /// Runs SQL through `psql`: rows as lines, columns separated by `|`.
    pub fn sql(&self, sql: &str) -> String {
        match self.try_sql(sql) {
            Ok(rows) => rows,
            Err(error) => panic!("`{sql}`: {error}"),
        }
    }

    /// Runs SQL that may fail.
    ///
    /// # Errors
    /// What `psql` printed, the SQLSTATE included.
    pub fn try_sql(&self, sql: &str) -> Result<String, String> {
        let limit = format!("{}", LIMIT.as_secs());
        let out = Command::new("timeout")
            .args([
                limit.as_str(),
                "psql",
                "-X",
                "-q",
                "-A",
                "-t",
                "-h",
                "127.0.0.1",
            ])
            .args([
                "-p",
                &self.port().to_string(),
                "-U",
                "postgres",
                "-d",
                "postgres",
            ])
            .args([
                "-v",
                "ON_ERROR_STOP=1",
                "-v",
                "VERBOSITY=verbose",
                "-c",
                sql,
            ])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("psql does not start: {error}"))?;
        if out.status.success() {
            Ok(String::from_utf8_lossy(&out.stdout).trim_end().to_string())
        } else {
            Err(String::from_utf8_lossy(&out.stderr).trim_end().to_string())
        }
    }

    /// Everything on the console, over all boots.
    pub fn console(&self) -> String {
        let current = self.vm.as_ref().map(Vm::console).unwrap_or_default();
        format!("{}{current}", self.console)
    }

    /// Shuts down cleanly; the disk stays for [`Guest::reboot`].
    pub fn stop(&mut self) {
        // Clean means: told to, and left with success.
        match client::shell(self.vm().instance(), "stop", LIMIT) {
            Ok(_) | Err(ClientError::Closed) => {}
            Err(error) => panic!("the system does not stop: {error}"),
        }
        let end = self.wait_for_end();
        assert_eq!(end, End::Success, "the system did not stop cleanly");
    }

    /// Cuts the power; the disk stays for [`Guest::reboot`].
    pub fn kill(&mut self) {
        self.vm_mut().kill();
        self.remember();
    }

    /// Waits until the guest ends by itself.
    pub fn wait_for_end(&mut self) -> End {
        match self.vm().wait(Some(LIMIT)) {
            Ok(end) => {
                self.remember();
                end
            }
            Err(error) => panic!("{error:#}"),
        }
    }

    /// Keeps what was said, gives up the rest.
    fn remember(&mut self) {
        self.console = self.console();
        if let Some(vm) = self.vm.take() {
            let folder = vm.instance().folder().clone();
            drop(vm);
            // Left-overs are no reason to fail a test.
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    fn vm(&self) -> &Vm {
        self.vm.as_ref().expect("the test asks a guest that runs")
    }

    fn vm_mut(&mut self) -> &mut Vm {
        self.vm.as_mut().expect("the test asks a guest that runs")
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- console ---\n{}\n--- end of console ---",
                self.console().trim_end()
            );
        }
        self.remember();
        // Left-overs are no reason to fail a test.
        let _ = std::fs::remove_file(&self.config.disk);
        if let Some(log) = &self.config.disk_log {
            let _ = std::fs::remove_file(log);
            let _ = std::fs::remove_file(before(&self.config.disk));
        }
    }
}

/// Where the disk's state before the boot is kept.
fn before(disk: &Path) -> PathBuf {
    disk.with_extension("before")
}

fn copy_sparse(from: &Path, to: &Path) {
    let status = Command::new("cp")
        .args(["--sparse=always", "--reflink=auto"])
        .args([from, to])
        .status()
        .expect("cp starts");
    assert!(status.success(), "cannot copy {}", from.display());
}
