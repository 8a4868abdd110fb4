//! Promise: on a machine that cannot carry a database the system says in one
//! sentence why not, its shell answers, and a disk that is not ours stays as it is.

use std::fs::File;
use std::os::unix::fs::FileExt;

use mitos::machine::Config;
use mitos::vm::NOT_READY;
use system_tests::Guest;

const MIB: u64 = 1 << 20;

/// Boots a machine that cannot carry a database; the sentence.
fn refusal(adjust: impl FnOnce(&mut Config)) -> (Guest, String) {
    let mut guest = Guest::start(adjust);
    let line = guest.wait_for_line(|line| line.starts_with("mitos: "));
    let line = match line.as_str() {
        "mitos: nano_core" => guest.wait_for_line(|line| line.starts_with("mitos: ")),
        _ => line,
    };
    let why = line
        .strip_prefix(NOT_READY)
        .unwrap_or_else(|| panic!("not a refusal: {line}"))
        .to_string();
    assert!(guest.shell("cells").contains("shell"), "the shell answers");
    (guest, why)
}

/// A disk of `size` bytes with `mark` at an offset.
fn disk(config: &Config, size: u64, at: u64, mark: &[u8]) {
    let file = File::create(&config.disk).expect("the disk can be made");
    file.set_len(size).expect("the disk can be sized");
    file.write_all_at(mark, at)
        .expect("the disk can be written");
}

#[test]
fn a_foreign_disk_is_not_touched_unless_one_says_so() {
    // Where btrfs keeps its superblock: far behind the places of ours.
    let mark = *b"_BHRfS_M";
    let at = 0x1_0040;
    let (mut guest, why) = refusal(|config| disk(config, 256 * MIB, at, &mark));
    assert!(why.contains("the disk holds something else"), "{why}");
    guest.kill();
    let file = File::open(guest.disk()).expect("the disk is there");
    let mut bytes = vec![0; 256 * MIB as usize];
    file.read_exact_at(&mut bytes, 0)
        .expect("the disk is readable");
    let place = at as usize..at as usize + mark.len();
    assert_eq!(&bytes[place.clone()], mark, "the mark is still there");
    bytes[place].fill(0);
    assert!(bytes.iter().all(|byte| *byte == 0), "nothing was written");
    // A test has one machine at a time.
    drop(guest);

    let mut guest = Guest::boot_with(|config| {
        disk(config, 256 * MIB, at, &mark);
        config.append.push("disk=overwrite".into());
    });
    assert_eq!(guest.sql("select 1"), "1");
    guest.stop();
}

#[test]
fn a_disk_of_a_newer_format_is_refused() {
    let mut guest = Guest::boot();
    guest.stop();
    let file = File::options().write(true).read(true).open(guest.disk());
    let file = file.expect("the disk is there");
    for copy in pg_page::superblock::COPIES {
        let mut block = vec![0; pg_page::superblock::BLOCK as usize];
        file.read_exact_at(&mut block, copy).expect("readable");
        block[8] += 1;
        block[12..16].fill(0);
        let crc = checksum::crc32c(0, &block);
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        file.write_all_at(&block, copy).expect("writable");
    }
    let copy = guest.disk().with_extension("newer");
    std::fs::copy(guest.disk(), &copy).expect("the disk can be copied");
    drop(guest);
    let (_guest, why) = refusal(|config| {
        std::fs::rename(&copy, &config.disk).expect("the disk can be moved");
    });
    let newer = format!("the disk has format {}", pg_page::superblock::FORMAT + 1);
    assert!(why.contains(&newer), "{why}");
}

#[test]
fn a_disk_that_is_too_small_is_refused() {
    let (_guest, why) = refusal(|config| disk(config, MIB, 0, &[]));
    assert!(why.contains("the disk is too small"), "{why}");
}

#[test]
fn a_machine_without_a_network_says_so() {
    let (_guest, why) = refusal(|config| config.network = false);
    assert!(why.contains("network"), "{why}");
}

#[test]
fn too_little_memory_is_said() {
    let mut guest = Guest::start(|config| config.memory = "64M".into());
    let line = guest.wait_for_line(|line| line.starts_with(NOT_READY));
    assert!(line.contains("give the machine 256 MiB at least"), "{line}");
}
