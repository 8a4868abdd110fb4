//! QEMU's monitor: what can be asked of the machine when the system in it is silent.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// QEMU answers at once, or never.
const LIMIT: Duration = Duration::from_secs(10);
const PROMPT: &[u8] = b"(qemu)";
/// Words of a stack that are shown.
const STACK: usize = 192;

/// The socket that QEMU's monitor listens at. It takes one visitor at a time.
pub(super) struct Monitor(PathBuf);

impl Monitor {
    /// The monitor of a machine that is started with [`Monitor::arguments`].
    pub(super) fn new(socket: PathBuf) -> Self {
        Self(socket)
    }

    pub(super) fn arguments(&self) -> [String; 2] {
        let socket = format!("unix:{},server=on,wait=off", self.0.display());
        ["-monitor".into(), socket]
    }

    /// Lets `port` of 127.0.0.1 reach the system's `inner`. The machine's only network
    /// card has the id `net`.
    pub(super) fn forward(&self, port: u16, inner: u16) -> Result<()> {
        let said = self.ask(&[&format!("hostfwd_add net tcp:127.0.0.1:{port}-:{inner}")])?;
        if said.contains("Could not") || said.contains("invalid") {
            bail!("QEMU cannot forward a port: {}", said.trim());
        }
        Ok(())
    }

    /// The registers of all CPUs and what lies on their stacks: where a system is that
    /// says nothing.
    pub(super) fn processors(&self, cpus: u32) -> Result<String> {
        let stacks = (0..cpus).flat_map(|cpu| [format!("cpu {cpu}"), format!("x /{STACK}gx $esp")]);
        let commands: Vec<String> = ["info registers -a".to_string()]
            .into_iter()
            .chain(stacks)
            .collect();
        let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
        self.ask(&commands)
    }

    /// Gives it commands, as soon as it listens, and takes what it says.
    fn ask(&self, commands: &[&str]) -> Result<String> {
        let mut socket = connect(&self.0)?;
        socket.set_read_timeout(Some(LIMIT))?;
        let mut said = Vec::new();
        until_prompt(&mut socket, &mut said)?;
        for command in commands {
            socket.write_all(format!("{command}\n").as_bytes())?;
            until_prompt(&mut socket, &mut said)?;
        }
        Ok(String::from_utf8_lossy(&said).replace('\r', ""))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // QEMU may not have come to make it.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn connect(socket: &Path) -> Result<UnixStream> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() > deadline => {
                return Err(error).context("QEMU's monitor does not answer");
            }
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Reads up to the next prompt, which says that a command was obeyed.
fn until_prompt(socket: &mut UnixStream, said: &mut Vec<u8>) -> Result<()> {
    let start = said.len();
    let mut piece = [0; 4096];
    while !said[start..].windows(PROMPT.len()).any(|w| w == PROMPT) {
        match socket.read(&mut piece)? {
            0 => bail!("QEMU's monitor closed"),
            count => said.extend_from_slice(&piece[..count]),
        }
    }
    Ok(())
}
