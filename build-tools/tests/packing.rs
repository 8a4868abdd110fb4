//! The order of cells in an image, symbols nobody provides, and what a push
//! takes along: on made-up cells.

use std::path::PathBuf;

use cell_archive::write::{NewUse, archive};
use cell_archive::{Archive, EntryKind, UseKind};
use mitos::base::Base;
use mitos::image::{Cell, order};
use mitos::keys::Keys;
use mitos::object::{Object, Symbols};
use mitos::pipeline::Parts;
use mitos::push::plan;

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
    let push = plan(&now, &Archive::parse(&old).unwrap(), &["app".into()]).unwrap();
    assert_eq!(push.names, ["deep", "fresh", "app"]);
    let sent = Archive::parse(&push.archive).unwrap();
    assert_eq!(
        sent.entries().map(|entry| entry.name).collect::<Vec<_>>(),
        push.names
    );
    assert!(push.advice.is_empty());
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
    let old = Archive::parse(&old).unwrap();
    let alone = plan(&now, &old, &["app".into()]).unwrap();
    assert_eq!(alone.advice.len(), 1);
    assert!(
        alone.advice[0].ends_with("push in the same set: door_port other"),
        "{:?}",
        alone.advice
    );
    let all = ["app", "other", "door_port"].map(String::from);
    assert!(plan(&now, &old, &all).unwrap().advice.is_empty());
}

#[test]
fn the_boot_image_cannot_be_pushed() {
    let old = booted(&[]);
    let now = parts(vec![], vec![cell("nano_core", &[], &[], &[])]);
    let old = Archive::parse(&old).unwrap();
    assert!(plan(&now, &old, &["nano_core".into()]).is_err());
    assert!(plan(&now, &old, &["absent".into()]).is_err());
}
