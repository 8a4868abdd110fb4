//! How cells are compiled: the stripped sysroot and the compiler flags.
//!
//! Each flag is explained in docs/building.md; leaving one out breaks linking,
//! swapping or unwinding, mostly without an error.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::paths::Paths;
use crate::run::text;

/// Cells are compiled for the ordinary host target.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The only libraries of the toolchain a cell may use.
const SYSROOT_CRATES: [&str; 3] = ["core", "alloc", "compiler_builtins"];

/// The compiler, its stripped sysroot and the flags for cells.
pub struct Toolchain {
    /// `rustc --version`, part of every fingerprint.
    pub version: String,
    /// The prebuilt rlibs that go into the boot image.
    pub rlibs: Vec<PathBuf>,
    sysroot: PathBuf,
}

impl Toolchain {
    /// Asks the compiler where it lives and lays out the stripped sysroot.
    pub fn prepare(paths: &Paths) -> Result<Self> {
        let ask = |argument: &[&str]| text(rustc().args(argument).current_dir(paths.root()));
        let version = ask(&["--version"])?;
        let full = PathBuf::from(ask(&["--print", "sysroot"])?);
        let libraries = Path::new("lib/rustlib").join(TARGET).join("lib");
        let source = full.join(&libraries);
        let sysroot = paths
            .target()
            .join("sysroot")
            .join(version.replace(' ', "_"));
        let destination = sysroot.join(&libraries);
        std::fs::create_dir_all(&destination)?;
        let mut rlibs = Vec::new();
        let entries = std::fs::read_dir(&source).with_context(|| {
            format!("the target {TARGET} is not installed: rustup target add {TARGET}")
        })?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !SYSROOT_CRATES
                .iter()
                .any(|krate| name.starts_with(&format!("lib{krate}-")))
            {
                continue;
            }
            let link = destination.join(&name);
            if std::fs::symlink_metadata(&link).is_err() {
                std::os::unix::fs::symlink(entry.path(), &link)?;
            }
            if name.ends_with(".rlib") {
                rlibs.push(link);
            }
        }
        if rlibs.len() != SYSROOT_CRATES.len() {
            bail!(
                "expected one rlib each of {SYSROOT_CRATES:?} in {}",
                source.display()
            );
        }
        rlibs.sort();
        Ok(Self {
            version,
            rlibs,
            sysroot,
        })
    }

    /// The flags for crates that become cells, in cargo's encoding.
    pub fn encoded_flags(&self) -> String {
        let mut flags: Vec<String> = [
            "-Csymbol-mangling-version=v0",
            "-Ccodegen-units=1",
            "-Cembed-bitcode=no",
            "-Zplt=yes",
            "-Zcross-crate-inline-threshold=never",
            "-Cllvm-args=-disable-nounwind-inference",
            "-Cforce-frame-pointers=no",
            "--cfg=mitos",
            "--cfg=curve25519_dalek_backend=\"serial\"",
        ]
        .map(String::from)
        .to_vec();
        flags.push(format!("--sysroot={}", self.sysroot.display()));
        for folder in registry_folders() {
            flags.push(format!(
                "--remap-path-prefix={}=crates.io",
                folder.display()
            ));
        }
        flags.join("\x1f")
    }
}

/// The sources of external crates, whose place must not leak into panic
/// messages.
fn registry_folders() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let Some(home) = home else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(home.join("registry/src")) else {
        return Vec::new();
    };
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// Cargo, cleaned of what an enclosing `cargo run` or `cargo test` set: inside
/// it would change flags and trigger rebuilds.
pub fn cargo(paths: &Paths) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let inherited = text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST")
            || text.starts_with("CARGO_BIN_EXE")
            || text.starts_with("CARGO_PROFILE_")
            || matches!(
                &*text,
                "CARGO_CRATE_NAME"
                    | "CARGO_PRIMARY_PACKAGE"
                    | "OUT_DIR"
                    | "RUSTFLAGS"
                    | "CARGO_ENCODED_RUSTFLAGS"
                    | "CARGO_BUILD_TARGET"
                    | "CARGO_TARGET_DIR"
                    | "CARGO_TARGET_TMPDIR"
                    | "RUSTC_WRAPPER"
            );
        if inherited {
            command.env_remove(&name);
        }
    }
    command
        .current_dir(paths.root())
        .env("RUSTC_BOOTSTRAP", "1");
    command
}
