//! What is written is read back; what is altered is refused; noise is an error.

mod support;

use cell_archive::write::{
    NewEntry, NewSymbol, NewUse, archive, labelled, public_key, symbol_table,
};
use cell_archive::{Archive, ArchiveError, EntryKind, SymbolTable, UseKind};
use support::SECRET;

fn sample() -> Vec<u8> {
    let port = NewUse {
        name: "a_port".into(),
        kind: UseKind::Port,
        fingerprint: 99,
    };
    let library = NewUse {
        name: "b".into(),
        kind: UseKind::Library,
        fingerprint: 5,
    };
    let cell = |name: &str, uses: Vec<NewUse>, payload: Vec<u8>| NewEntry {
        kind: EntryKind::Cell,
        name: name.into(),
        version: "1.2.3".into(),
        fingerprint: 42,
        uses,
        payload,
    };
    archive(
        &[
            cell("first", vec![], vec![1; 5000]),
            cell("second", vec![port, library], vec![2; 3]),
        ],
        &SECRET,
    )
}

#[test]
fn reads_what_was_written() {
    let bytes = sample();
    let archive = Archive::parse(&bytes).unwrap();
    archive.verify(&public_key(&SECRET)).unwrap();
    let names: Vec<_> = archive.entries().map(|e| e.name).collect();
    assert_eq!(names, ["first", "second"]);
    let second = archive.find(EntryKind::Cell, "second").unwrap();
    assert_eq!(
        (second.version, second.fingerprint, second.payload),
        ("1.2.3", 42, &[2; 3][..])
    );
    assert!(second.is_intact());
    let uses: Vec<_> = second
        .uses()
        .map(|u| (u.name, u.kind, u.fingerprint))
        .collect();
    assert_eq!(
        uses,
        [("a_port", UseKind::Port, 99), ("b", UseKind::Library, 5)]
    );
    let offset = second.payload.as_ptr() as usize - bytes.as_ptr() as usize;
    assert_eq!(offset % 4096, 0);
}

#[test]
fn a_label_is_read_back_and_signed() {
    let bytes = labelled(&[], &SECRET, "0123456789abcdef more");
    let archive = Archive::parse(&bytes).unwrap();
    archive.verify(&public_key(&SECRET)).unwrap();
    assert_eq!(archive.label(), "0123456789abcdef");
    assert_eq!(Archive::parse(&sample()).unwrap().label(), "");
    let mut other = bytes.clone();
    other[48] ^= 1;
    let verdict = Archive::parse(&other).unwrap().verify(&public_key(&SECRET));
    assert_eq!(verdict, Err(ArchiveError::BadSignature));
}

#[test]
fn padding_after_the_end_is_ignored() {
    let mut bytes = sample();
    bytes.resize(bytes.len() + 4096, 0);
    Archive::parse(&bytes)
        .unwrap()
        .verify(&public_key(&SECRET))
        .unwrap();
}

#[test]
fn every_altered_table_byte_is_noticed() {
    let good = sample();
    let table_len = 128 + 2 * 96 + 2 * 24 + "first1.2.3second1.2.3a_portb".len();
    for at in 0..table_len {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let verdict = Archive::parse(&bytes).and_then(|a| a.verify(&public_key(&SECRET)));
        assert!(verdict.is_err(), "byte {at} is not covered");
    }
}

#[test]
fn an_altered_payload_is_not_intact() {
    let mut bytes = sample();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let archive = Archive::parse(&bytes).unwrap();
    let intact: Vec<_> = archive.entries().map(|e| e.is_intact()).collect();
    assert_eq!(intact, [true, false]);
}

#[test]
fn another_key_is_named_as_such() {
    let bytes = sample();
    let verdict = Archive::parse(&bytes)
        .unwrap()
        .verify(&public_key(&[8; 32]));
    assert_eq!(verdict, Err(ArchiveError::OtherKey));
}

#[test]
fn noise_is_an_error_and_never_a_panic() {
    let good = sample();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + random() % 8 {
            let at = (random() % 512) as usize;
            bytes[at] = random() as u8;
        }
        bytes.truncate((random() % (bytes.len() as u64 + 1)) as usize);
        support::attempt(&bytes, random());
    }
}

#[test]
fn symbols_are_found_by_name_and_address() {
    let symbol = |name: &str, address, size, is_linkable| NewSymbol {
        name: name.into(),
        address,
        size,
        is_function: true,
        is_linkable,
    };
    let bytes = symbol_table(&[
        symbol("low", 0x1000, 16, true),
        symbol("hidden", 0x1010, 8, false),
        symbol("asm", 0x1020, 0, true),
    ])
    .unwrap();
    let table = SymbolTable::parse(&bytes).unwrap();
    assert_eq!(table.find("asm").unwrap().address, 0x1020);
    assert_eq!(table.find("hidden"), None);
    assert_eq!(table.find("absent"), None);
    let name_at = |address| table.covering(address).map(|s| s.name);
    assert_eq!(name_at(0xfff), None);
    assert_eq!(name_at(0x100f), Some("low"));
    assert_eq!(name_at(0x1010), Some("hidden"));
    assert_eq!(name_at(0x1018), None);
    assert_eq!(name_at(0x9999), Some("asm"));
}

/// What fuzzing found worth keeping (`mod_mgmt/fuzz`).
#[test]
fn the_corpus_is_read_or_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/archive");
    let (mut loadable, mut refused) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        println!("{}", path.display());
        match support::attempt(&std::fs::read(path).unwrap(), 0x1005) {
            true => loadable += 1,
            false => refused += 1,
        }
    }
    assert!(
        loadable >= 1 && refused >= 10,
        "{loadable} loadable, {refused} refused"
    );
}
