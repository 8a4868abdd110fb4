//! A running system as seen from outside: its folder below `target/run/`,
//! named after its PostgreSQL port.
//!
//! The folder holds a lock (held as long as the system lives), the console's
//! log, the process id of QEMU, and the sockets. Any of the tool's commands
//! finds the system through it.

use std::fs::{File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::paths::Paths;

/// Unix socket addresses hold 108 bytes.
const MAX_SOCKET_PATH: usize = 100;

/// The place of one system.
#[derive(Clone, Debug)]
pub struct Instance {
    port: u16,
    folder: PathBuf,
}

/// Kept by whoever runs the system; dropping it says that it is gone.
pub struct Claim {
    _lock: File,
}

impl Instance {
    /// The system of this PostgreSQL port, running or not.
    pub fn new(paths: &Paths, port: u16) -> Self {
        Self {
            port,
            folder: paths.run().join(port.to_string()),
        }
    }

    /// Its PostgreSQL port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder.
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// Everything the system wrote to its console.
    pub fn console_log(&self) -> PathBuf {
        self.folder.join("console.log")
    }

    /// The interactive shell of a system started with `--headless`.
    pub fn console_socket(&self) -> PathBuf {
        self.socket("console")
    }

    /// The scripted shell.
    pub fn control_socket(&self) -> PathBuf {
        self.socket("control")
    }

    /// File with QEMU's process id.
    pub fn process_id(&self) -> PathBuf {
        self.folder.join("qemu.pid")
    }

    /// The boot image it was started with, whatever was built since.
    pub fn nano_core(&self) -> PathBuf {
        self.folder.join("nano_core.elf")
    }

    /// The archive it was started with.
    pub fn archive(&self) -> PathBuf {
        self.folder.join("mitos.img")
    }

    /// The file that the system sees as the memory of a PCI device.
    pub fn mailbox(&self) -> PathBuf {
        self.folder.join("mailbox")
    }

    fn socket(&self, name: &str) -> PathBuf {
        let path = self.folder.join(format!("{name}.sock"));
        if path.as_os_str().len() <= MAX_SOCKET_PATH {
            return path;
        }
        let mut hash = DefaultHasher::new();
        self.folder.hash(&mut hash);
        std::env::temp_dir().join(format!("mitos-{:016x}-{name}.sock", hash.finish()))
    }

    fn files(&self) -> [PathBuf; 7] {
        [
            self.console_log(),
            self.console_socket(),
            self.control_socket(),
            self.process_id(),
            self.nano_core(),
            self.archive(),
            self.mailbox(),
        ]
    }

    /// Takes the place; refused while a system runs there.
    pub fn claim(&self) -> Result<Claim> {
        std::fs::create_dir_all(&self.folder)?;
        let lock = File::create(self.folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("a system is already running on port {}", self.port)
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock"),
        }
        for stale in self.files() {
            match std::fs::remove_file(&stale) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| stale.display().to_string());
                }
                _ => {}
            }
        }
        Ok(Claim { _lock: lock })
    }

    /// True while some process holds the claim.
    pub fn is_running(&self) -> bool {
        File::open(self.folder.join("lock"))
            .is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Waits until the claim is given up; false when it is still held at the
    /// deadline.
    pub fn wait_until_gone(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.is_running() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_once_and_given_back() {
        let place = Instance {
            port: 1,
            folder: std::env::temp_dir().join(format!("mitos-test-{}", std::process::id())),
        };
        assert!(!place.is_running());
        let claim = place.claim().unwrap();
        assert!(place.is_running());
        assert!(place.claim().is_err());
        drop(claim);
        assert!(place.wait_until_gone(Duration::from_secs(1)));
        std::fs::remove_dir_all(&place.folder).unwrap();
    }
}
