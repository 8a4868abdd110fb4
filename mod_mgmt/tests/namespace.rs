//! What the namespace remembers of cells, and forgets when they are unloaded.
//! All tests share the system's one namespace, so names and addresses are each
//! test's own.

use cell_object::{FunctionNames, Import};
use mod_mgmt::namespace::{Loaded, NAMESPACE};
use mod_mgmt::scope::Scope;
use std::sync::Arc;

fn cell(name: &str, start: usize, exports: &[&str], uses: &[&Arc<Loaded>]) -> Arc<Loaded> {
    let (number, generation) = NAMESPACE.number(name);
    let hash = |name: &str| cell_archive::hash_name(name);
    let import = |used: &&Arc<Loaded>| Import {
        name: 0,
        exporter: used.number,
        at: 0,
        addend: 0,
    };
    let exported = exports.iter().zip(0u64..);
    let cell = Arc::new(Loaded {
        number,
        name: name.to_string(),
        version: "1.0.0".to_string(),
        fingerprint: start as u64,
        object: 0,
        generation,
        start,
        size: 0x1000,
        eh_frame: 0,
        eh_frame_hdr: 0,
        names: FunctionNames::pack(&[(0x10, "work")]),
        exports: exported.map(|(n, i)| (hash(n), start as u64 + i)).collect(),
        imports: uses.iter().map(import).collect(),
        dependencies: uses.iter().map(|used| Arc::clone(used)).collect(),
        descriptor: None,
        moves: None,
        mutable: false,
    });
    NAMESPACE.enter(&cell);
    cell
}

fn current(name: &str, start: usize, exports: &[&str], uses: &[&Arc<Loaded>]) -> Arc<Loaded> {
    let cell = cell(name, start, exports, uses);
    drop(NAMESPACE.make_current(&cell));
    cell
}

fn address(name: &str) -> Option<usize> {
    NAMESPACE.resolve(name).map(|(address, _)| address as usize)
}

#[test]
fn exports_belong_to_the_current_generation() {
    let first = current("gen", 0x1_0000, &["gen_a", "gen_gone"], &[]);
    let second = cell("gen", 0x2_0000, &["gen_a"], &[]);
    assert_eq!((first.generation, second.generation), (1, 2));
    assert_ne!(first.number, second.number);
    assert_eq!(address("gen_a"), Some(0x1_0000), "loaded, not current");
    assert_eq!(NAMESPACE.fingerprint("gen"), Some(0x1_0000));
    drop(NAMESPACE.make_current(&second));
    assert_eq!(address("gen_a"), Some(0x2_0000));
    assert_eq!(NAMESPACE.fingerprint("gen"), Some(0x2_0000));
    drop(first);
    assert_eq!(
        address("gen_a"),
        Some(0x2_0000),
        "the newer one's export stays"
    );
    assert_eq!(address("gen_gone"), None);
}

#[test]
fn a_candidate_that_is_dropped_leaves_no_trace() {
    let first = current("trace", 0x3_0000, &["trace_a"], &[]);
    let candidate = cell("trace", 0x4_0000, &["trace_a", "trace_b"], &[]);
    let number = candidate.number;
    assert!(NAMESPACE.by_address(0x4_0800).is_some());
    drop(candidate);
    assert!(NAMESPACE.by_address(0x4_0800).is_none());
    assert!(NAMESPACE.by_number(number).is_none());
    assert_eq!(address("trace_a"), Some(0x3_0000));
    assert_eq!(address("trace_b"), None);
    assert_eq!(NAMESPACE.find("trace").unwrap().number, first.number);
}

#[test]
fn a_rollback_makes_the_former_exports_current_again() {
    let first = current("back", 0x5_0000, &["back_a"], &[]);
    let second = cell("back", 0x6_0000, &["back_a", "back_new"], &[]);
    let former = NAMESPACE.make_current(&second).unwrap();
    assert_eq!(former.number, first.number);
    drop(NAMESPACE.make_current(&former));
    assert_eq!(address("back_a"), Some(0x5_0000));
    drop(second);
    assert_eq!(address("back_a"), Some(0x5_0000));
    assert_eq!(address("back_new"), None, "its exporter is unloaded");
}

#[test]
fn an_address_belongs_to_the_cell_that_covers_it() {
    let here = current("place", 0x7_0000, &[], &[]);
    let found = |at: usize| NAMESPACE.by_address(at).map(|c| c.number);
    assert_eq!(found(0x7_0000), Some(here.number));
    assert_eq!(found(0x7_0fff), Some(here.number));
    assert_eq!(found(0x7_1000), None);
    assert_eq!(found(0x6_ffff), None);
    let place = NAMESPACE.describe(0x7_0018).unwrap();
    assert_eq!(place.to_string(), "place: work + 0x8");
    assert_eq!(NAMESPACE.describe(0x7_0008).unwrap().function, "?");
}

#[test]
fn what_is_imported_from_stays_loaded() {
    let library = current("lib_kept", 0x8_0000, &["kept_a"], &[]);
    let user = current("lib_user", 0x9_0000, &[], &[&library]);
    let newer = cell("lib_kept", 0xa_0000, &["kept_a"], &[]);
    drop(NAMESPACE.make_current(&newer));
    let old = library.number;
    drop(library);
    assert!(NAMESPACE.by_number(old).is_some(), "the user holds it");
    let fresh = cell("lib_user", 0xb_0000, &[], &[&newer]);
    drop(NAMESPACE.make_current(&fresh));
    assert!(NAMESPACE.by_number(old).is_some());
    drop(user);
    assert!(
        NAMESPACE.by_number(old).is_none(),
        "unloaded with its last user"
    );
    assert!(NAMESPACE.by_address(0x8_0000).is_none());
    assert_eq!(address("kept_a"), Some(0xa_0000));
}

#[test]
fn dependents_are_known_and_come_first_in_unloading() {
    let base = current("dep_base", 0xc_0000, &[], &[]);
    let middle = current("dep_middle", 0xd_0000, &[], &[&base]);
    let top = current("dep_top", 0xe_0000, &[], &[&middle, &base]);
    let other = current("dep_other", 0xf_0000, &[], &[&base]);
    assert_eq!(
        NAMESPACE.dependents("dep_base"),
        ["dep_middle", "dep_other", "dep_top"]
    );
    assert_eq!(NAMESPACE.dependents("dep_middle"), ["dep_top"]);
    assert!(NAMESPACE.dependents("dep_top").is_empty());
    assert!(NAMESPACE.dependents("no such cell").is_empty());
    let order = ["dep_other", "dep_top", "dep_middle", "dep_base"];
    assert_eq!(NAMESPACE.unloading_order("dep_base"), order);
    assert_eq!(
        NAMESPACE.unloading_order("dep_middle"),
        ["dep_top", "dep_middle"]
    );
    assert!(NAMESPACE.unloading_order("no such cell").is_empty());
    drop((base, middle, top, other));
}

/// A cell that still runs old code of a library depends on it, whatever is
/// current.
#[test]
fn dependents_count_older_generations() {
    let old = current("old_lib", 0x10_0000, &[], &[]);
    let user = current("old_user", 0x11_0000, &[], &[&old]);
    let new = current("old_lib", 0x12_0000, &[], &[]);
    assert_eq!(NAMESPACE.dependents("old_lib"), ["old_user"]);
    let fresh = current("old_user", 0x13_0000, &[], &[&new]);
    drop(user);
    assert_eq!(NAMESPACE.dependents("old_lib"), ["old_user"], "named once");
    drop((old, new, fresh));
}

#[test]
fn a_set_is_linked_against_itself_before_what_is_current() {
    let port = current("scope_port", 0x5_0000, &["scope_a", "scope_b"], &[]);
    let next = cell("scope_port", 0x6_0000, &["scope_a"], &[]);
    let mut scope = Scope::default();
    assert_eq!(scope.resolve("scope_a"), Some((0x5_0000, port.number)));
    scope.add(&next);
    assert_eq!(scope.resolve("scope_a"), Some((0x6_0000, next.number)));
    assert_eq!(scope.resolve("scope_b"), Some((0x5_0001, port.number)));
    assert_eq!(scope.fingerprint("scope_port"), Some(0x6_0000));
    assert_eq!(NAMESPACE.fingerprint("scope_port"), Some(0x5_0000));
    scope.add_crate("scope_types", 7);
    assert_eq!(scope.fingerprint("scope_types"), Some(7));
    assert_eq!(scope.fingerprint("scope_nothing"), None);
}

#[test]
fn each_address_is_found_among_many_cells() {
    let at = |n: usize| 0x100_0000 + n * 0x1000;
    let mut cells: Vec<_> = (0..300)
        .map(|n| current(&format!("many_{n}"), at(n * 7 % 300), &[], &[]))
        .collect();
    let found = |n: usize| NAMESPACE.by_address(at(n) + 0x10).map(|c| c.start);
    assert!((0..300).all(|n| found(n) == Some(at(n))));
    // Every third one goes.
    for n in (0..300).rev().step_by(3) {
        let cell = cells.swap_remove(n);
        drop(NAMESPACE.forget(&cell.name));
    }
    let left: Vec<usize> = cells.iter().map(|c| c.start).collect();
    for n in 0..300 {
        let here = left.contains(&at(n)).then_some(at(n));
        assert_eq!(found(n), here, "{n}");
    }
}
