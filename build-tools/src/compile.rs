//! One cargo run that compiles every crate of the system.
//!
//! Which rlib belongs to which package is taken from cargo's own messages:
//! the folder of artifacts also holds those of earlier builds.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

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
    Diagnostic { message: Diagnostic },
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
) -> Result<BTreeMap<PackageId, PathBuf>> {
    let mut progress = Progress::new("Compiling");
    let mut command = cargo(paths);
    command
        .args([
            "build",
            "--lib",
            "--profile=cell",
            "--message-format=json-diagnostic-rendered-ansi",
        ])
        .args(["--quiet", "--target", TARGET, "--target-dir"])
        .arg(paths.cells())
        .env("CARGO_ENCODED_RUSTFLAGS", toolchain.encoded_flags())
        .env("MITOS_PUBLIC_KEY", public_key)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for package in graph.members() {
        command.args(["-p", &package.name]);
    }
    let mut child = command.spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let stderr = child.stderr.take().context("cargo has no error output")?;
    let errors = std::thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
    let marker = format!("/{TARGET}/");
    let mut rlibs = BTreeMap::new();
    let mut compiled = 0;
    for line in BufReader::new(stdout).lines() {
        match serde_json::from_str(&line?) {
            Ok(Message::Artifact {
                package_id,
                target,
                filenames,
                fresh,
            }) => {
                progress.update(&format!("{} crates, {}", rlibs.len(), target.name));
                let rlib = filenames.into_iter().find(|name| {
                    name.extension()
                        .is_some_and(|extension| extension == "rlib")
                        && name.to_string_lossy().contains(&marker)
                });
                if let Some(rlib) = rlib {
                    compiled += usize::from(!fresh);
                    rlibs.insert(package_id, rlib);
                }
            }
            Ok(Message::Diagnostic { message }) if message.level != "note" => {
                progress.wipe();
                eprint!("{}", message.rendered.unwrap_or_default());
            }
            _ => {}
        }
    }
    let status = child.wait()?;
    let said = errors.join().unwrap_or_default();
    if !status.success() {
        progress.wipe();
        eprint!("{said}");
        bail!("the cells do not compile");
    }
    progress.done(&format!("{compiled} of {} crates", rlibs.len()));
    Ok(rlibs)
}
