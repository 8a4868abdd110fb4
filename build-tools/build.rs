//! Tells the tool the digest of the sources that decide how rlibs become packed
//! objects and the boot image, for the keys of its cache (`src/link/mod.rs`).

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

/// What takes part, from this package's folder.
const FOLDERS: [&str; 3] = [
    "src/link",
    "../mod_mgmt/object/src",
    "../mod_mgmt/archive/src",
];

fn main() {
    let mut files = Vec::new();
    for folder in FOLDERS {
        println!("cargo:rerun-if-changed={folder}");
        list(Path::new(folder), &mut files);
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        let content = std::fs::read(&file).expect("a source file can be read");
        for part in [file.to_string_lossy().as_bytes(), &content] {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
    }
    println!(
        "cargo:rustc-env=MITOS_LINK_SOURCES={:016x}",
        hasher.finish()
    );
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("the folder is part of the repository");
    for entry in entries.flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => list(&path, files),
            false => files.push(path),
        }
    }
}
