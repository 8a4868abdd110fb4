//! The packed form: what it says of a cell, and that no bytes at all make its
//! reader panic, write outside of the cell's memory or place an import in
//! constants.

mod support;

use cell_object::elf::Object;
use cell_object::layout::Layout;
use cell_object::pack::{pack, pack_placed};
use cell_object::{FunctionNames, ObjectError, Packed};
use support::attempt;
use support::elf::Writer;
use support::rustc;

fn packed() -> Vec<u8> {
    pack(&rustc::object(), "shapes").unwrap()
}

/// Steele, Lea and Flood's SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn every_truncation_is_refused_or_loses_names() {
    let bytes = packed();
    let mut memory = Vec::new();
    let whole = attempt::packed(&bytes, &mut memory).unwrap().len();
    let mut intact = 0;
    for len in 0..bytes.len() {
        if let Ok(imports) = attempt::packed(&bytes[..len], &mut memory) {
            assert_eq!(imports.len(), whole);
            intact += 1;
        }
    }
    assert!(
        intact < bytes.len() / 2,
        "{intact} of {} lengths pass; only the names come last",
        bytes.len()
    );
}

#[test]
fn every_changed_byte_is_refused_or_harmless() {
    let bytes = packed();
    let mut altered = bytes.clone();
    let (mut memory, mut seed, mut refused) = (Vec::new(), 1, 0);
    for at in 0..bytes.len() {
        for value in [0, 0xff, bytes[at] ^ 1 << (next(&mut seed) % 8)] {
            altered[at] = value;
            refused += u32::from(attempt::packed(&altered, &mut memory).is_err());
        }
        altered[at] = bytes[at];
    }
    assert!(refused > 500, "only {refused} of all changes were noticed");
}

#[test]
fn extreme_numbers_in_the_header_are_refused_or_harmless() {
    let bytes = packed();
    let extreme = [
        0,
        1,
        7,
        4095,
        4096,
        1 << 28,
        1 << 31,
        u32::MAX - 7,
        u32::MAX,
    ];
    let mut memory = Vec::new();
    for seed in 0..4000_u64 {
        let mut state = seed;
        let mut altered = bytes.clone();
        for _ in 0..=next(&mut state) % 3 {
            let at = 12 + next(&mut state) as usize % 13 * 4;
            let value: u32 = extreme[next(&mut state) as usize % extreme.len()];
            altered[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let _ = attempt::packed(&altered, &mut memory);
    }
}

#[test]
fn noise_is_refused() {
    let mut memory = Vec::new();
    let proper = packed();
    for seed in 0..500_u64 {
        let mut state = seed;
        let len = next(&mut state) as usize % 600;
        let mut noise: Vec<u8> = (0..len).map(|_| next(&mut state) as u8).collect();
        assert!(attempt::packed(&noise, &mut memory).is_err());
        // Behind a proper header the rest is looked at.
        let head = noise.len().min(68);
        noise[..head].copy_from_slice(&proper[..head]);
        assert!(attempt::packed(&noise, &mut memory).is_err());
    }
}

#[test]
fn another_version_is_refused() {
    let mut bytes = packed();
    bytes[8] += 1;
    let message = "a version of packed objects that is unknown";
    assert_eq!(
        Packed::parse(&bytes).err(),
        Some(ObjectError::Format(message))
    );
    bytes[0] = b'm';
    let message = "no packed object";
    assert_eq!(
        Packed::parse(&bytes).err(),
        Some(ObjectError::Format(message))
    );
}

#[test]
fn it_is_the_same_wherever_it_runs_but_for_addresses() {
    let bytes = packed();
    let object = Packed::parse(&bytes).unwrap();
    let linked = |base: u64| {
        let mut memory = vec![0; object.size()];
        object.link(&mut memory, base, &|_| Some((77, 1))).unwrap();
        memory
    };
    let (one, other) = (linked(0x1000), linked(0x5000));
    let constants = ..object.write_at();
    assert_eq!(
        one[constants], other[constants],
        "no address in code or constants"
    );
    let words = |memory: &[u8]| -> Vec<u64> {
        let (words, _) = memory[object.write_at()..].as_chunks();
        words.iter().map(|word| u64::from_le_bytes(*word)).collect()
    };
    let moved = |(one, other): (u64, u64)| other.wrapping_sub(one);
    let distances: Vec<u64> = words(&one)
        .into_iter()
        .zip(words(&other))
        .map(moved)
        .collect();
    assert!(distances.iter().all(|d| *d == 0 || *d == 0x4000));
    assert!(distances.contains(&0x4000), "vtables move with the cell");
}

#[test]
fn it_says_where_things_are() {
    let elf = rustc::object();
    let object = Object::parse(&elf).unwrap();
    let layout = Layout::of(&object).unwrap();
    let bytes = pack_placed(&object, &layout, "shapes").unwrap();
    let packed = Packed::parse(&bytes).unwrap();
    let frames = object.section(".eh_frame").unwrap();
    assert_eq!(packed.eh_frame(), Some(layout.sections[frames]));
    assert_eq!(packed.eh_frame_hdr(), None, "the compiler makes none");
    assert_eq!(packed.descriptor(), None);
    let count = object
        .symbols
        .iter()
        .position(|s| s.name == "count")
        .unwrap();
    let offset = layout.offset_of(&object, count).unwrap();
    let hash = cell_archive::hash_name("count");
    assert!(packed.exports().any(|export| export == (hash, offset)));
    let (name, start) = packed.names().find(offset + 3).unwrap();
    assert_eq!((name.as_str(), start), ("count", offset));
    assert!(
        bytes.len() * 2 < elf.len(),
        "{} of {}",
        bytes.len(),
        elf.len()
    );
}

#[test]
fn the_descriptor_is_that_of_the_crate() {
    let mut w = Writer::new();
    let data = w.data(&[0; 32]);
    w.object("_RNvCsabc_4gate4CELL", data, 0);
    w.object("_RNvNtCsabc_4door4plan4CELL", data, 16);
    let bytes = pack(&w.write(), "door").unwrap();
    let packed = Packed::parse(&bytes).unwrap();
    assert_eq!(packed.descriptor(), Some(packed.write_at() + 16));
    let bytes = pack(&w.write(), "window").unwrap();
    assert_eq!(Packed::parse(&bytes).unwrap().descriptor(), None);
}

#[test]
fn names_are_found_across_blocks() {
    let names: Vec<String> = (0..1000).map(|n| format!("function_{n}")).collect();
    let functions: Vec<(usize, &str)> = names
        .iter()
        .enumerate()
        .map(|(n, name)| (64 + 32 * n, name.as_str()))
        .collect();
    let packed = FunctionNames::pack(&functions);
    assert_eq!(packed.find(63), None);
    for (start, name) in &functions {
        for offset in [*start, start + 31] {
            assert_eq!(packed.find(offset), Some((name.to_string(), *start)));
        }
    }
    assert_eq!(packed.find(1 << 20).unwrap().0, "function_999");
    let text: usize = names.iter().map(String::len).sum();
    assert!(packed.size() < text, "{} bytes for {text}", packed.size());
}
