//! The order of cells in an image, symbols nobody provides, and what a push
//! takes along: on made-up cells.

use std::path::PathBuf;

use cell_archive::write::{NewUse, archive};
use cell_archive::{Archive, EntryKind, UseKind};
use mitos::base::Base;
use mitos::image::{Cell, order};
use mitos::keys::Keys;
use mitos::object::{Object, Symbols};
use mitos::pipeline::{Parts, Spent};
use mitos::push::plan;
use mitos::running::Running;
use mitos::upgrade;

fn base() -> Base {
    Base {
        table: Vec::new(),
        linkable: ["memcpy".to_string()].into(),
        image: PathBuf::new(),
    }
}

fn cell(name: &str, defined: &[&str], undefined: &[&str], uses: &[(&str, u64)]) -> Cell {
    let set = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    Cell {
        name: name.into(),
        version: "1.0.0".into(),
        fingerprint: 7,
        uses: uses
            .iter()
            .map(|(name, fingerprint)| NewUse {
                name: name.to_string(),
                kind: UseKind::Port,
                fingerprint: *fingerprint,
            })
            .collect(),
        kind: EntryKind::Cell,
        object: Some(Object {
            packed: name.as_bytes().to_vec(),
            symbols: Symbols {
                defined: set(defined),
                undefined: set(undefined),
                statics: false,
            },
        }),
    }
}

#[test]
fn a_cell_comes_after_its_providers() {
    let cells = vec![
        cell("top", &[], &["middle_fn", "memcpy"], &[]),
        cell("middle", &["middle_fn"], &["bottom_fn"], &[]),
        cell("bottom", &["bottom_fn"], &[], &[]),
    ];
    let names: Vec<String> = order(&base(), cells)
        .unwrap()
        .into_iter()
        .map(|cell| cell.name)
        .collect();
    assert_eq!(names, ["bottom", "middle", "top"]);
}

#[test]
fn a_symbol_without_provider_is_named() {
    let error = order(&base(), vec![cell("lonely", &[], &["nowhere"], &[])])
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("nowhere, needed by lonely"),
        "{error}"
    );
}

#[test]
fn a_symbol_with_two_providers_is_refused() {
    let twice = vec![cell("a", &["f"], &[], &[]), cell("b", &["f"], &[], &[])];
    assert!(order(&base(), twice).is_err());
    assert!(order(&base(), vec![cell("a", &["memcpy"], &[], &[])]).is_err());
}

fn parts(cells: Vec<Cell>, base_crates: Vec<Cell>) -> Parts {
    let keys = Keys {
        secret: [1; 32],
        public: String::new(),
    };
    Parts {
        base: base(),
        base_crates,
        cells,
        keys,
        label: String::new(),
        spent: Spent::default(),
    }
}

fn booted(cells: &[Cell]) -> Vec<u8> {
    archive(&cells.iter().map(Cell::entry).collect::<Vec<_>>(), &[1; 32])
}

#[test]
fn a_push_takes_new_crates_along_and_nothing_else() {
    let old = booted(&[
        cell("app", &[], &[], &[]),
        cell("known", &["known_fn"], &[], &[]),
    ]);
    let now = parts(
        vec![
            cell("known", &["known_fn"], &[], &[]),
            cell("deep", &["deep_fn"], &[], &[]),
            cell("fresh", &["fresh_fn"], &["deep_fn"], &[]),
            cell("app", &[], &["known_fn", "fresh_fn"], &[]),
        ],
        vec![],
    );
    let push = plan(&now, &running(&old), &["app".into()]).unwrap();
    assert_eq!(push.names, ["deep", "fresh", "app"]);
    let sent = Archive::parse(&push.archive).unwrap();
    assert_eq!(
        sent.entries().map(|entry| entry.name).collect::<Vec<_>>(),
        push.names
    );
}

#[test]
fn a_changed_port_is_pushed_with_all_its_users() {
    let old = booted(&[
        cell("door_port", &[], &[], &[]),
        cell("app", &[], &[], &[("door_port", 7)]),
        cell("other", &[], &[], &[("door_port", 7)]),
    ]);
    let mut port = cell("door_port", &[], &[], &[]);
    port.fingerprint = 8;
    let now = parts(
        vec![
            port,
            cell("app", &[], &[], &[("door_port", 8)]),
            cell("other", &[], &[], &[("door_port", 8)]),
        ],
        vec![],
    );
    let running = running(&old);
    let alone = plan(&now, &running, &["app".into()]).unwrap();
    assert_eq!(alone.names, ["door_port", "app", "other"]);
}

#[test]
fn an_unchanged_port_brings_nobody() {
    let cells = || {
        vec![
            cell("door_port", &["enter"], &[], &[]),
            cell("app", &[], &["enter"], &[("door_port", 7)]),
            cell("other", &[], &[], &[("door_port", 7)]),
        ]
    };
    let running = running(&booted(&cells()));
    let push = plan(&parts(cells(), vec![]), &running, &["app".into()]).unwrap();
    assert_eq!(push.names, ["app"]);
}

#[test]
fn what_needs_another_boot_image_is_refused() {
    let old = booted(&[cell("sync", &[], &[], &[])]);
    let mut sync = cell("sync", &[], &[], &[]);
    sync.fingerprint = 9;
    let app = cell("app", &[], &[], &[("sync", 9)]);
    let refused = plan(
        &parts(vec![app], vec![sync]),
        &running(&old),
        &["app".into()],
    );
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("restart the system"), "{error}");
}

/// A cell with a port beside it: it has no interface of its own.
fn behind_a_port(name: &str, body: &str, uses: &[(&str, u64)]) -> Cell {
    let mut cell = cell(name, &[], &[], uses);
    cell.fingerprint = 0;
    if let Some(object) = &mut cell.object {
        object.packed = body.as_bytes().to_vec();
    }
    cell
}

#[test]
fn an_upgrade_is_sets_of_what_differs_lowest_first() {
    let build = |log: &str, tree_port: u64| {
        let mut port = cell("tree_port", &[], &[], &[]);
        port.fingerprint = tree_port;
        let log_port = cell("log_port", &[], &[], &[]);
        let top_port = cell("top_port", &[], &[], &[]);
        vec![
            log_port,
            port,
            top_port,
            behind_a_port("log", log, &[("log_port", 7)]),
            behind_a_port("tree", "tree", &[("tree_port", tree_port)]),
            behind_a_port("top", "top", &[("top_port", 7), ("tree_port", tree_port)]),
        ]
    };
    let old = booted(&build("log", 1));
    let running = running(&old);
    let same = parts(build("log", 1), vec![]);
    assert!(upgrade::plan(&same, &running).sets.is_empty());
    let changed = parts(build("another log", 2), vec![]);
    let plan = upgrade::plan(&changed, &running);
    assert_eq!(plan.sets, [vec!["log"], vec!["tree_port", "tree", "top"]]);
    assert_eq!(plan.ports, ["tree_port"]);
    assert!(plan.is_whole() && plan.left.is_empty(), "{plan:?}");
}

#[test]
fn an_upgrade_names_what_cannot_be_replaced_and_does_the_rest() {
    let build = |interface: u64, body: &str| {
        let mut port = cell("log_port", &[], &[], &[]);
        port.fingerprint = interface;
        let object = port.object.as_mut().unwrap();
        object.symbols.statics = true;
        object.packed = body.as_bytes().to_vec();
        vec![
            port,
            cell("top_port", &[], &[], &[]),
            behind_a_port("log", body, &[("log_port", interface)]),
            behind_a_port("top", body, &[("top_port", 7)]),
        ]
    };
    let line = |cell: &Cell| {
        let object = mitos::running::object_number(cell);
        // A cell's state is behind its door; the doors are in its port.
        let moving = match cell.name.ends_with("_port") {
            true => "fixed",
            false => "free",
        };
        format!(
            "{} {:016x} {object:016x} {moving}\n",
            cell.name, cell.fingerprint
        )
    };
    let old = build(1, "old");
    let list: String = old.iter().map(line).collect();
    let running =
        Running::parse(&(list + "gone 0000000000000000 0000000000000001 free\n")).unwrap();
    // Its interface changes, and it does not say how it moves.
    let plan = upgrade::plan(&parts(build(2, "new"), vec![]), &running);
    assert_eq!(plan.sets, [["top"]], "{plan:?}");
    assert_eq!(plan.refused.len(), 1, "{plan:?}");
    assert_eq!(plan.refused[0].0, "log");
    assert!(
        plan.refused[0].1.contains("log_port has statics"),
        "{plan:?}"
    );
    assert!(!plan.is_whole());
    // Its code alone changes: it runs on.
    let plan = upgrade::plan(&parts(build(1, "new"), vec![]), &running);
    assert_eq!(plan.sets, [["log"], ["top"]]);
    let left: Vec<&str> = plan.left.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(left, ["log_port", "gone"]);
    assert!(plan.is_whole());
}

#[test]
fn the_list_of_the_shell_is_read() {
    let text = "counter 0000000000000000 00000000000000ff\nport 0000000000000007 -\n";
    let running = Running::parse(text).unwrap();
    assert_eq!(running.get("counter").unwrap().object, 255);
    assert_eq!(running.get("port").unwrap().fingerprint, 7);
    assert!(Running::parse("counter what").is_none());
}

fn running(archive: &[u8]) -> Running {
    Running::from_archive(&Archive::parse(archive).unwrap())
}

#[test]
fn the_boot_image_cannot_be_pushed() {
    let old = booted(&[]);
    let now = parts(vec![], vec![cell("nano_core", &[], &[], &[])]);
    let old = running(&old);
    assert!(plan(&now, &old, &["nano_core".into()]).is_err());
    assert!(plan(&now, &old, &["absent".into()]).is_err());
}
