//! The inputs that fuzzing found worth keeping (`mod_mgmt/fuzz`).

mod support;

use std::path::{Path, PathBuf};

use cell_object::{Import, ObjectError};
use support::attempt;

type Attempt = fn(&[u8], &mut Vec<u8>) -> Result<Vec<Import>, ObjectError>;

fn kept(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let files = std::fs::read_dir(&folder).expect("the corpus is part of the repository");
    let paths = files.map(|file| file.unwrap().path());
    paths
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

/// How many were linked, and how many refused.
fn try_all(target: &str, attempt: Attempt) -> (usize, usize) {
    let mut memory = Vec::new();
    let (mut linked, mut refused) = (0, 0);
    for (path, bytes) in kept(target) {
        println!("{}", path.display());
        match attempt(&bytes, &mut memory) {
            Ok(_) => linked += 1,
            Err(_) => refused += 1,
        }
    }
    (linked, refused)
}

#[test]
fn elf() {
    let (linked, refused) = try_all("elf", attempt::elf);
    assert!(
        linked >= 2 && refused >= 10,
        "{linked} linked, {refused} refused"
    );
}

#[test]
fn packed() {
    let (linked, refused) = try_all("packed", attempt::packed);
    assert!(
        linked >= 2 && refused >= 10,
        "{linked} linked, {refused} refused"
    );
}
