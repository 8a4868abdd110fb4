//! Hand-made objects, linked into memory of this process and called: slots,
//! stubs, every relocation, `.bss`, alignment, relinking.

mod support;

use cell_object::ObjectError;
use cell_object::elf::Access;
use cell_object::layout::STUB;
use goblin::elf::reloc::{
    R_X86_64_64, R_X86_64_GOTPCREL, R_X86_64_PC32, R_X86_64_PC64, R_X86_64_PLT32,
    R_X86_64_REX_GOTPCRELX,
};
use support::elf::{ALLOC, Writer};
use support::host::Linked;

extern "C" fn twice(value: u64) -> u64 {
    value * 2
}

extern "C" fn thrice(value: u64) -> u64 {
    value * 3
}

fn address(function: extern "C" fn(u64) -> u64) -> u64 {
    function as *const () as u64
}

/// Everything is `twice`, and comes from cell 7.
fn resolve(_: &str) -> Option<(u64, usize)> {
    Some((address(twice), 7))
}

fn nobody(_: &str) -> Option<(u64, usize)> {
    None
}

/// `jmp *slot(%rip)` in `by_slot`, `jmp stub` in `by_stub`.
fn two_ways() -> Vec<u8> {
    let mut w = Writer::new();
    let mut code = vec![0x90; 32];
    code[..2].copy_from_slice(&[0xff, 0x25]);
    code[16] = 0xe9;
    let text = w.text(&code);
    w.function("by_slot", text, 0, 6);
    w.function("by_stub", text, 16, 5);
    let import = w.import("import");
    w.relocate(text, 2, R_X86_64_GOTPCREL, import, -4);
    w.relocate(text, 17, R_X86_64_PLT32, import, -4);
    w.write()
}

#[test]
fn calls_go_through_the_slot() {
    let bytes = two_ways();
    let linked = Linked::new(&bytes, &resolve).unwrap();
    assert_eq!(linked.call("by_slot", 21), 42);
    assert_eq!(linked.call("by_stub", 21), 42);
    assert_eq!(linked.imports.len(), 1, "both go through one slot");
    assert_eq!(linked.imports[0].exporter, 7);
}

#[test]
fn relinking_is_a_store_into_the_slot() {
    let bytes = two_ways();
    let linked = Linked::new(&bytes, &resolve).unwrap();
    let text = linked.bytes(0, linked.layout.read_at).to_vec();
    assert_eq!(linked.relink("import", address(thrice)), 1);
    assert_eq!(linked.call("by_slot", 14), 42);
    assert_eq!(linked.call("by_stub", 14), 42);
    assert_eq!(
        linked.bytes(0, linked.layout.read_at),
        text,
        "no byte of text has changed"
    );
}

#[test]
fn a_stub_is_an_indirect_jump_and_a_trap() {
    let bytes = two_ways();
    let linked = Linked::new(&bytes, &resolve).unwrap();
    let import = linked.symbol("import");
    let stub = linked.layout.stub_of(import).unwrap();
    let slot = linked.layout.slot_of(import).unwrap();
    let code = linked.bytes(stub, STUB);
    let jump = i32::from_le_bytes(code[2..6].try_into().unwrap());
    assert_eq!(
        (&code[..2], &code[6..]),
        (&[0xff, 0x25][..], &[0x0f, 0x0b][..])
    );
    assert_eq!(stub as i64 + 6 + i64::from(jump), slot as i64);
    assert!(stub < linked.layout.read_at, "stubs are executable");
    assert!(slot >= linked.layout.write_at, "slots are writable");
    assert_eq!(linked.word(slot), address(twice));
}

#[test]
fn a_slot_for_an_own_symbol_is_no_import() {
    let mut w = Writer::new();
    // mov slot(%rip), %rax; ret
    let text = w.text(&[0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xc3]);
    w.function("get", text, 0, 8);
    let data = w.data(&[5; 16]);
    let own = w.object("own", data, 8);
    w.relocate(text, 3, R_X86_64_REX_GOTPCRELX, own, -4);
    let bytes = w.write();
    let linked = Linked::new(&bytes, &nobody).unwrap();
    assert_eq!(linked.call("get", 0), linked.address("own") as u64);
    assert!(linked.imports.is_empty());
}

#[test]
fn own_sections_are_reached_directly() {
    let mut w = Writer::new();
    // mov value(%rip), %rax; ret; twice, at 0 and at 16.
    let mut code = vec![0xc3; 32];
    code[..3].copy_from_slice(&[0x48, 0x8b, 0x05]);
    code[16..19].copy_from_slice(&[0x48, 0x8b, 0x05]);
    let text = w.text(&code);
    w.function("constant", text, 0, 8);
    w.function("variable", text, 16, 8);
    let constants = w.section(".rodata", ALLOC, 8, &0x1234_5678_9abc_u64.to_le_bytes());
    let bss = w.bss(64, 3 * 4096);
    let constant = w.local("", constants, 0);
    let variable = w.local("", bss, 0);
    w.relocate(text, 3, R_X86_64_PC32, constant, -4);
    w.relocate(text, 19, R_X86_64_PC32, variable, 4096 - 4);
    let bytes = w.write();
    let linked = Linked::new(&bytes, &nobody).unwrap();
    assert_eq!(linked.call("constant", 0), 0x1234_5678_9abc);
    assert_eq!(linked.call("variable", 0), 0, ".bss is zero");
    assert_eq!(linked.layout.slots.symbols().len(), 0);
    let at = linked.layout.sections[bss];
    assert!(linked.bytes(at, 3 * 4096).iter().all(|b| *b == 0));
}

#[test]
fn a_reference_to_imported_code_that_is_not_a_call_meets_the_stub() {
    let mut w = Writer::new();
    // lea import(%rip), %rax; ret
    let text = w.text(&[0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xc3]);
    w.function("take", text, 0, 8);
    let import = w.import("import");
    w.relocate(text, 3, R_X86_64_PC32, import, -4);
    let bytes = w.write();
    let linked = Linked::new(&bytes, &resolve).unwrap();
    let stub = linked.layout.stub_of(linked.symbol("import")).unwrap();
    assert_eq!(linked.call("take", 0), linked.base() + stub as u64);
}

#[test]
fn vtables_hold_addresses_and_are_relinked_too() {
    let mut w = Writer::new();
    let text = w.text(&[0xc3; 16]);
    let table = w.data(&[0; 24]);
    let own = w.function("own", text, 4, 1);
    let import = w.import("import");
    w.relocate(table, 0, R_X86_64_64, own, 0);
    w.relocate(table, 8, R_X86_64_64, own, 3);
    w.relocate(table, 16, R_X86_64_64, import, 0);
    let bytes = w.write();
    let linked = Linked::new(&bytes, &resolve).unwrap();
    let at = linked.layout.sections[table];
    let own = linked.address("own") as u64;
    let words = [0, 8, 16].map(|offset| linked.word(at + offset));
    assert_eq!(words, [own, own + 3, address(twice)]);
    assert_eq!(linked.imports.len(), 1);
    assert_eq!(linked.imports[0].at, at + 16);
    assert_eq!(linked.relink("import", address(thrice)), 1);
    assert_eq!(linked.word(at + 16), address(thrice));
}

#[test]
fn differences_of_64_bits_and_absolute_symbols() {
    let mut w = Writer::new();
    let text = w.text(&[0xc3; 16]);
    let data = w.data(&[0; 16]);
    let own = w.function("own", text, 8, 1);
    let absolute = w.raw_symbol("absolute", 0x10, 0xfff1, 0x1234, 0);
    w.relocate(data, 0, R_X86_64_PC64, own, 0);
    w.relocate(data, 8, R_X86_64_64, absolute, -4);
    let bytes = w.write();
    let linked = Linked::new(&bytes, &nobody).unwrap();
    let at = linked.layout.sections[data];
    let difference = linked.layout.sections[text] as i64 + 8 - at as i64;
    assert_eq!(linked.word(at).cast_signed(), difference);
    assert_eq!(linked.word(at + 8), 0x1230);
}

#[test]
fn weak_imports_may_be_missing_others_may_not() {
    let weak_or_not = |weak: bool| {
        let mut w = Writer::new();
        let text = w.text(&[0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xc3]);
        w.function("get", text, 0, 8);
        let table = w.data(&[0xff; 8]);
        let import = if weak {
            w.weak_import("maybe")
        } else {
            w.import("maybe")
        };
        w.relocate(text, 3, R_X86_64_GOTPCREL, import, -4);
        w.relocate(table, 0, R_X86_64_64, import, 0);
        (w.write(), table)
    };
    let (bytes, table) = weak_or_not(true);
    let linked = Linked::new(&bytes, &nobody).unwrap();
    assert_eq!(linked.call("get", 0), 0);
    assert_eq!(linked.word(linked.layout.sections[table]), 0);
    assert!(linked.imports.is_empty(), "nothing to keep loaded");
    let linked = Linked::new(&bytes, &resolve).unwrap();
    assert_eq!(linked.call("get", 0), address(twice));
    assert_eq!(linked.imports.len(), 2);
    let (bytes, _) = weak_or_not(false);
    let refused = Linked::new(&bytes, &nobody).err();
    assert_eq!(refused, Some(ObjectError::MissingSymbol("maybe".into())));
}

#[test]
fn sections_keep_alignment_and_access() {
    let mut w = Writer::new();
    w.text(&[0xc3; 3]);
    w.section(".text.more", ALLOC | support::elf::EXECUTE, 32, &[0xc3; 5]);
    w.section(".rodata", ALLOC, 1, &[1; 7]);
    w.section(".rodata.wide", ALLOC, 256, &[2; 9]);
    w.data(&[3; 9]);
    w.bss(4096, 1);
    w.section(".comment", 0, 1, b"not loaded");
    let bytes = w.write();
    let linked = Linked::new(&bytes, &nobody).unwrap();
    let layout = &linked.layout;
    assert_eq!(linked.object.sections.len(), 6);
    let mut taken: Vec<(usize, usize)> = Vec::new();
    for (section, at) in linked.object.sections.iter().zip(&layout.sections) {
        assert_eq!(at % section.align, 0, "{}", section.name);
        let part = match section.access {
            Access::Execute => 0..layout.read_at,
            Access::Read => layout.read_at..layout.write_at,
            Access::Write => layout.write_at..layout.size,
        };
        assert!(
            part.contains(at) && at + section.size <= part.end,
            "{}",
            section.name
        );
        assert!(
            taken
                .iter()
                .all(|(from, to)| at + section.size <= *from || to <= at)
        );
        taken.push((*at, at + section.size));
        assert_eq!(linked.bytes(*at, section.bytes.len()), section.bytes);
    }
    for at in [layout.read_at, layout.write_at, layout.size] {
        assert_eq!(at % 4096, 0);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut w = Writer::new();
    let text = w.text(&[0; 8]);
    let far = w.raw_symbol("far", 0x10, 0xfff1, 0x7000_0000_0000_0000, 0);
    w.relocate(text, 0, R_X86_64_PC32, far, 0);
    let refused = Linked::new(&w.write(), &nobody).err();
    assert_eq!(refused, Some(ObjectError::Overflow("far".into())));
}
