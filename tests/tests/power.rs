//! Promise: data that cannot be lost. A power cut at any moment loses no
//! acknowledged commit and leaves no other half done; a damaged page is named and
//! costs nothing but itself.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use offline::check::check;
use offline::device::{Device, DiskFile, Layer};
use offline::place::locate;
use offline::power::record::{Load, Recording};
use offline::power::trial::{self, Plan};
use pg_buffer_port::{FileId, Fork, PageId};
use pg_check_port::{Place, Report, What};
use system_tests::{Guest, Slot};

const LOAD: Load = Load {
    seconds: 0,
    commits: 400,
    tellers: 3,
    builders: 3,
    pgbench: 1,
    seed: 5,
    fresh: true,
};
const PLAN: Plan = Plan {
    images: 48,
    seed: 5,
    boots: 1,
    only: None,
    lying: false,
};

/// The small version of `cargo run -- power`.
#[test]
fn power_cuts_under_load_keep_exactly_the_acknowledged_commits() {
    let paths = system_tests::image();
    let _slot = Slot::take(paths).expect("the slots' folder is writable");
    let folder = paths
        .run()
        .join(format!("power-test-{}", std::process::id()));
    let recording = Recording::at(&folder);
    let journal = recording.make(paths, LOAD).expect("a recording");
    assert!(journal.acknowledged() >= LOAD.commits);
    let outcome = trial::run(&recording, &PLAN, Some(paths)).expect("a trial");
    println!("{outcome:?}");
    assert!(outcome.images >= PLAN.images && outcome.booted >= 1);
    assert!(outcome.wrong.is_empty(), "kept in {}", folder.display());
    // The same trial notices a disk that only says that it has written.
    let lying = Plan {
        boots: 0,
        lying: true,
        ..PLAN
    };
    let outcome = trial::run(&recording, &lying, None).expect("a trial");
    let lost = |words: &String| words.contains("is lost") || words.contains("there is no");
    let found = outcome.wrong.iter().flat_map(|(_, words)| words);
    assert!(found.filter(|words| lost(words)).count() > 0);
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}

fn check_file(path: &Path) -> Report {
    let file = DiskFile(File::open(path).expect("the disk file"));
    check(Device::new(Layer::over(Arc::new(file))))
}

#[test]
fn a_damaged_page_fails_its_statements_and_nothing_else() {
    let mut guest = Guest::boot();
    guest.sql("create table bad (id int primary key, v text)");
    guest.sql("create table good (id int primary key, v text)");
    for table in ["bad", "good"] {
        guest.sql(&format!(
            "insert into {table} select g, repeat('x', 200) from generate_series(1, 500) g"
        ));
    }
    let file = guest.sql("select relfilenode from pg_class where relname = 'bad'");
    let file = FileId::new(file.parse().expect("a number"), Fork::Main);
    assert!(guest.shell("check").contains("sound"));
    guest.stop();
    let report = check_file(guest.disk());
    assert!(report.is_sound(), "{report}");

    let page = PageId::new(file, 3);
    let disk = File::options()
        .read(true)
        .write(true)
        .open(guest.disk())
        .expect("the disk file");
    let copy = DiskFile(disk.try_clone().expect("a handle"));
    let offset = locate(&copy, page).expect("the page is there") + 5000;
    let mut byte = [0];
    disk.read_exact_at(&mut byte, offset).expect("a byte");
    disk.write_all_at(&[byte[0] ^ 4], offset).expect("a byte");
    let report = check_file(guest.disk());
    let damage: Vec<_> = report.damage().collect();
    assert_eq!(damage.len(), 1, "{report}");
    assert_eq!(damage[0].place, Place::Page(page));
    assert_eq!(
        (damage[0].what, damage[0].name.as_str()),
        (What::Checksum, "bad")
    );

    guest.reboot();
    for _ in 0..2 {
        let error = guest.try_sql("select count(v) from bad").unwrap_err();
        assert!(error.contains("XX001"), "{error}");
        assert!(error.contains(&page.to_string()), "{error}");
    }
    assert_eq!(guest.sql("select count(v) from good"), "500");
    guest.sql("update good set v = 'y' where id % 2 = 0");
    guest.sql("insert into good values (501, 'z')");
    assert_eq!(guest.sql("select v from bad where id = 1"), "x".repeat(200));
    let said = guest.try_shell("check").unwrap_err().to_string();
    assert!(said.contains(&page.to_string()), "{said}");
    // Without the table, all is well again.
    guest.sql("drop table bad");
    assert!(guest.shell("check").contains("sound"));
    guest.stop();
    let report = check_file(guest.disk());
    assert!(report.is_sound(), "{report}");
}
