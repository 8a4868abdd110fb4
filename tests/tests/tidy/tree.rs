//! The tree as the rules see it: its files, its crates, who depends on whom.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A file that git knows or would add.
pub struct File {
    /// Path below the root.
    pub path: String,
    /// Its text; empty for what is not UTF-8.
    pub text: String,
}

/// A workspace member.
pub struct Member {
    /// The package's name.
    pub name: String,
    /// Folder below the root.
    pub folder: String,
    /// Its description, if any.
    pub description: String,
    /// Names of its normal dependencies.
    pub dependencies: Vec<String>,
}

impl Member {
    /// True for a crate that is called through a port beside it.
    pub fn has_port(&self) -> bool {
        root().join(&self.folder).join("port/Cargo.toml").exists()
    }
}

/// The workspace's root.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        tests
            .parent()
            .expect("tests/ lies in the root")
            .to_path_buf()
    })
}

/// All files, sources and others.
pub fn files() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| {
        let mut files = Vec::new();
        walk(root(), &mut files);
        assert!(files.len() > 50, "the walk over the tree finds nothing");
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    })
}

/// All Rust sources.
pub fn rust() -> impl Iterator<Item = &'static File> {
    files().iter().filter(|file| file.path.ends_with(".rs"))
}

fn walk(folder: &Path, files: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the tree is readable") {
        let path = entry.expect("an entry is readable").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            let is_generated = name == ".git" || name == "target";
            if !is_generated {
                walk(&path, files);
            }
        } else if name != ".git" && name != "Cargo.lock" {
            let below = path
                .strip_prefix(root())
                .expect("the walk stays below the root");
            files.push(File {
                path: below.to_string_lossy().into_owned(),
                text: std::fs::read_to_string(&path).unwrap_or_default(),
            });
        }
    }
}

/// All workspace members.
pub fn members() -> &'static [Member] {
    static MEMBERS: OnceLock<Vec<Member>> = OnceLock::new();
    MEMBERS.get_or_init(|| {
        let out = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
            .current_dir(root())
            .output()
            .expect("cargo starts");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let metadata: serde_json::Value =
            serde_json::from_slice(&out.stdout).expect("cargo writes JSON");
        let packages = metadata["packages"]
            .as_array()
            .expect("metadata lists packages");
        packages.iter().map(member).collect()
    })
}

fn member(package: &serde_json::Value) -> Member {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    let folder = manifest.parent().expect("a manifest lies in a folder");
    let below = folder
        .strip_prefix(root())
        .expect("a member lies below the root");
    let dependencies = package["dependencies"]
        .as_array()
        .expect("a package lists dependencies");
    Member {
        name: text(&package["name"]),
        folder: below.to_string_lossy().into_owned(),
        description: text(&package["description"]),
        dependencies: dependencies
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| text(&dependency["name"]))
            .collect(),
    }
}

/// The member whose folder is the innermost around a file.
pub fn owner(path: &str) -> Option<&'static Member> {
    members()
        .iter()
        .filter(|member| path.starts_with(&format!("{}/", member.folder)))
        .max_by_key(|member| member.folder.len())
}

/// Fails with all faults at once.
pub fn expect_none(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}
