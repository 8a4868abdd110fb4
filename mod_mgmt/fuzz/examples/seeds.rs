//! Writes the first inputs of each target: proper ones, which mutation starts
//! from. `cargo run --example seeds` in this folder.

#[path = "../../object/tests/support/elf.rs"]
#[allow(dead_code)]
mod elf;
#[path = "../../object/tests/support/rustc.rs"]
mod rustc;

use std::fs;
use std::path::{Path, PathBuf};

use cell_archive::EntryKind;
use cell_archive::UseKind::{Library, Port};
use cell_archive::write::{NewEntry, NewSymbol, NewUse, archive, symbol_table};
use cell_object::pack::pack;
use elf::Writer;

/// The tests' key (`mod_mgmt/archive/tests/support`).
const SECRET: [u8; 32] = [7; 32];
/// `R_X86_64_64` and `R_X86_64_PLT32` of the System V ABI.
const ABSOLUTE: u32 = 1;
const CALL: u32 = 4;

/// One call, one table with an own and an imported address, some zeroes.
fn small() -> Vec<u8> {
    let mut w = Writer::new();
    let text = w.text(&[0xe8, 0, 0, 0, 0, 0xc3]);
    let data = w.data(&[0; 32]);
    let zeroes = w.bss(64, 256);
    let function = w.function("own", text, 0, 6);
    w.object("_RNvCsabc_5small4CELL", data, 16);
    w.local("zeroes", zeroes, 8);
    let import = w.import("import");
    w.relocate(text, 1, CALL, import, -4);
    w.relocate(data, 0, ABSOLUTE, function, 0);
    w.relocate(data, 8, ABSOLUTE, import, 0);
    w.write()
}

fn cell(name: &str, payload: Vec<u8>) -> NewEntry {
    let used = |name: &str, kind| NewUse {
        name: name.into(),
        kind,
        fingerprint: 99,
    };
    NewEntry {
        kind: EntryKind::Cell,
        name: name.into(),
        version: "1.2.3".into(),
        fingerprint: 42,
        uses: vec![used("a_port", Port), used("first", Library)],
        payload,
    }
}

fn symbols() -> Vec<u8> {
    let symbol = |name: &str, address| NewSymbol {
        name: name.into(),
        address,
        size: 16,
        is_function: true,
        is_linkable: true,
    };
    symbol_table(&[symbol("low", 0x1000), symbol("high", 0x1010)]).expect("few symbols")
}

fn put(target: &str, name: &str, bytes: &[u8]) {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&folder).expect("the corpus can be written");
    fs::write(folder.join(name), bytes).expect("the corpus can be written");
}

fn main() {
    let (small, compiled) = (small(), rustc::object());
    put("elf", "small", &small);
    put("elf", "compiled", &compiled);
    put(
        "packed",
        "small",
        &pack(&small, "small").expect("a proper object"),
    );
    put(
        "packed",
        "compiled",
        &pack(&compiled, "shapes").expect("a proper object"),
    );
    let entries = [cell("first", vec![1; 100]), cell("second", vec![2; 3])];
    put("archive", "two", &archive(&entries, &SECRET));
    put("archive", "symbols", &symbols());
}
