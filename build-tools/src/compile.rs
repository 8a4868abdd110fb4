//! One cargo run that compiles every crate of the system.
//!
//! Which rlib belongs to which package is taken from cargo's own messages:
//! the folder of artifacts also holds those of earlier builds.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::graph::{Graph, PackageId};
use crate::paths::Paths;
use crate::progress::Progress;
use crate::toolchain::{TARGET, Toolchain, cargo};

#[derive(Deserialize)]
#[serde(tag = "reason")]
enum Message {
    #[serde(rename = "compiler-artifact")]
    Artifact {
        package_id: PackageId,
        target: ArtifactTarget,
        filenames: Vec<PathBuf>,
        fresh: bool,
    },
    #[serde(rename = "compiler-message")]
    Diagnostic {
        package_id: PackageId,
        message: Diagnostic,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct ArtifactTarget {
    name: String,
}

#[derive(Deserialize)]
struct Diagnostic {
    rendered: Option<String>,
    level: String,
}

/// Compiles all members; gives the rlib of each package that was needed.
pub fn compile(
    paths: &Paths,
    toolchain: &Toolchain,
    graph: &Graph,
    public_key: &str,
    features: &[&str],
) -> Result<BTreeMap<PackageId, PathBuf>> {
    let mut collector = Collector::new();
    let mut command = command(paths, toolchain, graph, public_key);
    if !features.is_empty() {
        command.args(["--features", &features.join(",")]);
    }
    let mut child = command.spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let stderr = child.stderr.take().context("cargo has no error output")?;
    let errors = std::thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
    for line in BufReader::new(stdout).lines() {
        // Lines that are no message come from build scripts.
        if let Ok(message) = serde_json::from_str(&line?) {
            collector.take(message);
        }
    }
    let status = child.wait()?;
    let said = errors.join().unwrap_or_default();
    if !status.success() {
        collector.progress.wipe();
        eprint!("{said}");
        bail!("the cells do not compile");
    }
    let Collector {
        progress,
        rlibs,
        compiled,
        ..
    } = collector;
    progress.done(&format!("{compiled} of {} crates", rlibs.len()));
    Ok(rlibs)
}

fn command(paths: &Paths, toolchain: &Toolchain, graph: &Graph, public_key: &str) -> Command {
    let format = if std::io::stderr().is_terminal() {
        "--message-format=json-diagnostic-rendered-ansi"
    } else {
        "--message-format=json"
    };
    let mut command = cargo(paths);
    command
        .args(["build", "--lib", "--profile=cell", "--quiet"])
        // What is compiled already is told by content: neither a file that was saved
        // without a change nor another work tree makes it old.
        .arg("-Zchecksum-freshness")
        .args([format, "--target", TARGET])
        .arg("--target-dir")
        .arg(paths.cells())
        .env("CARGO_ENCODED_RUSTFLAGS", toolchain.encoded_flags())
        .env("MITOS_PUBLIC_KEY", public_key)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for package in graph.members() {
        command.args(["-p", &package.name]);
    }
    command
}

/// What cargo's messages add up to.
struct Collector {
    progress: Progress,
    rlibs: BTreeMap<PackageId, PathBuf>,
    /// Packages compiled now, not taken from an earlier build.
    compiled: usize,
    /// Warnings of packages that are not finished. Cargo repeats those of
    /// packages that it does not compile; they were shown when it did.
    warnings: BTreeMap<PackageId, String>,
}

impl Collector {
    fn new() -> Self {
        Self {
            progress: Progress::new("Compiling"),
            rlibs: BTreeMap::new(),
            compiled: 0,
            warnings: BTreeMap::new(),
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Artifact {
                package_id,
                target,
                filenames,
                fresh,
            } => {
                self.progress
                    .update(&format!("{} crates, {}", self.rlibs.len(), target.name));
                if let Some(warnings) = self.warnings.remove(&package_id)
                    && !fresh
                {
                    self.progress.wipe();
                    eprint!("{warnings}");
                }
                if let Some(rlib) = filenames.into_iter().find(|name| is_rlib(name)) {
                    self.compiled += usize::from(!fresh);
                    self.rlibs.insert(package_id, rlib);
                }
            }
            Message::Diagnostic {
                package_id,
                message,
            } => {
                let text = message.rendered.unwrap_or_default();
                if message.level.starts_with("error") {
                    self.progress.wipe();
                    eprint!("{text}");
                } else {
                    self.warnings.entry(package_id).or_default().push_str(&text);
                }
            }
            Message::Other => {}
        }
    }
}

/// True for a library of the target; those of build scripts lie elsewhere.
fn is_rlib(name: &Path) -> bool {
    name.extension()
        .is_some_and(|extension| extension == "rlib")
        && name.components().any(|part| part.as_os_str() == TARGET)
}
