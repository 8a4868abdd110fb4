//! An object of the pinned compiler, with the flags of cells, from bytes to
//! calls; its unwind tables point where they should.

mod support;

use cell_object::ObjectError;
use support::host::Linked;
use support::rustc;

extern "C" fn plus_100(value: u64) -> u64 {
    value + 100
}

extern "C" fn plus_1000(value: u64) -> u64 {
    value + 1000
}

fn resolve(name: &str) -> Option<(u64, usize)> {
    match name {
        "outside_by_address" => Some((plus_1000 as *const () as u64, 2)),
        // Everything of core, and the personality, is not called.
        _ => Some((plus_100 as *const () as u64, 1)),
    }
}

#[test]
fn compiled_code_runs() {
    let bytes = rustc::object();
    let linked = Linked::new(&bytes, &resolve).unwrap();
    assert_eq!(linked.call("count", 2), 40);
    assert_eq!(linked.call("count", 0), 42);
    assert_eq!(linked.call("zeroed", 0), 0);
    assert_eq!(linked.address("ALIGNED") % 64, 0);
    assert_eq!(
        linked.call("shape", 0),
        0,
        "a method of its own through a vtable"
    );
    assert_eq!(
        linked.call("shape", 1),
        101,
        "a method that calls an import"
    );
    assert_eq!(linked.call("direct", 5), 106);
    assert_eq!(linked.call("count", 0), 43, "the guard was dropped");
    assert_eq!(linked.call("pointer", 0), 1000, "an import in a table");
    assert_eq!(
        linked.call("pointer", 1),
        0xfe,
        "an own function in a table"
    );
    assert_eq!(linked.call("address", 0), plus_100 as *const () as u64);
}

#[test]
fn relinking_changes_what_compiled_code_calls() {
    let bytes = rustc::object();
    let linked = Linked::new(&bytes, &resolve).unwrap();
    assert!(linked.relink("outside", plus_1000 as *const () as u64) > 0);
    assert_eq!(linked.call("direct", 5), 1006);
    assert_eq!(linked.call("shape", 1), 1001);
    assert_eq!(linked.call("address", 0), plus_1000 as *const () as u64);
    assert!(linked.relink("outside_by_address", plus_100 as *const () as u64) > 0);
    assert_eq!(linked.call("pointer", 0), 100);
}

/// Every frame description begins with a relative pointer to its function.
#[test]
fn unwind_tables_point_to_the_functions() {
    let bytes = rustc::object();
    let linked = Linked::new(&bytes, &resolve).unwrap();
    let section = linked.object.section(".eh_frame").unwrap();
    let start = linked.layout.sections[section];
    let table = linked.bytes(start, linked.object.sections[section].size);
    let word = |at: usize| i32::from_le_bytes(table[at..at + 4].try_into().unwrap());
    let (mut at, mut described) = (0, Vec::new());
    while at + 8 <= table.len() && word(at) != 0 {
        if word(at + 4) != 0 {
            described.push((start + at + 8) as i64 + i64::from(word(at + 8)));
        }
        at += 4 + word(at) as usize;
    }
    for name in ["count", "shape", "pointer", "direct", "zeroed", "address"] {
        let offset = linked.address(name) as i64 - linked.base().cast_signed();
        assert!(described.contains(&offset), "{name}");
    }
}

#[test]
fn a_missing_import_is_named() {
    let bytes = rustc::object();
    let without = |name: &str| match name {
        "outside_by_address" => None,
        other => resolve(other),
    };
    let refused = Linked::new(&bytes, &without).err();
    assert_eq!(
        refused,
        Some(ObjectError::MissingSymbol("outside_by_address".into()))
    );
}
