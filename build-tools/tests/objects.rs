//! From rlib to object, on libraries made with the assembler: what is merged,
//! hidden, indexed and refused.

use std::path::PathBuf;
use std::process::Command;

use goblin::elf::Elf;
use mitos::object::{Merged, merge};
use mitos::paths::Paths;

/// Two functions in sections of their own, the later one first.
const SOURCE: &str = r#"
.section .text.second, "ax", @progbits
.globl second
.type second, @function
second: .cfi_startproc
    push %rbx
    .cfi_adjust_cfa_offset 8
    call elsewhere@PLT
    pop %rbx
    ret
.cfi_endproc
.section .text.first, "ax", @progbits
.globl first
.hidden first
.type first, @function
first: .cfi_startproc
    mov counter@GOTPCREL(%rip), %rax
    ret
.cfi_endproc
.weak maybe
.section .rodata.table, "a", @progbits
.quad maybe
.section .note.GNU-stack, "", @progbits
"#;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("mitos-objects-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn object(&self, source: &str) -> anyhow::Result<Option<Merged>> {
        let [assembly, object, rlib] = ["a.s", "a.o", "liba.rlib"].map(|name| self.0.join(name));
        std::fs::write(&assembly, source).unwrap();
        let run = |command: &mut Command| assert!(command.status().unwrap().success());
        run(Command::new("as")
            .arg("--64")
            .arg("-o")
            .args([&object, &assembly]));
        let _ = std::fs::remove_file(&rlib);
        run(Command::new("ar").arg("rcs").args([&rlib, &object]));
        let content = std::fs::read(&rlib).unwrap();
        merge(&Paths::at(self.0.clone()), &rlib, &content)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn section<'a>(object: &'a Merged, name: &str) -> &'a [u8] {
    let elf = Elf::parse(&object.bytes).unwrap();
    let found: Vec<_> = elf
        .section_headers
        .iter()
        .filter(|section| elf.shdr_strtab.get_at(section.sh_name) == Some(name))
        .collect();
    assert_eq!(found.len(), 1, "{name} is there once");
    &object.bytes[found[0].file_range().unwrap()]
}

#[test]
fn an_rlib_becomes_one_object() {
    let object = Scratch::new("one").object(SOURCE).unwrap().unwrap();
    let names = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&object.symbols.defined),
        ["second"],
        "hidden symbols are the cell's own"
    );
    assert_eq!(
        names(&object.symbols.undefined),
        ["counter", "elsewhere"],
        "weak ones may be missing"
    );
    let elf = Elf::parse(&object.bytes).unwrap();
    for section in &elf.section_headers {
        let name = elf.shdr_strtab.get_at(section.sh_name).unwrap();
        assert!(
            !name.starts_with(".text.") && !name.starts_with(".note"),
            "{name}"
        );
    }
}

#[test]
fn frames_are_terminated_and_indexed() {
    let object = Scratch::new("frames").object(SOURCE).unwrap().unwrap();
    let frames = section(&object, ".eh_frame");
    assert_eq!(frames[frames.len() - 4..], [0; 4]);
    let index = section(&object, ".eh_frame_hdr");
    assert_eq!(index[..4], [1, 0x1b, 0x03, 0x3b]);
    assert_eq!(index[8..12], 2u32.to_le_bytes());
    assert_eq!(index.len(), 12 + 2 * 8);
    // The relocations of the table: sorted by function, each with its frame.
    let elf = Elf::parse(&object.bytes).unwrap();
    let mut functions = Vec::new();
    for (at, relocations) in &elf.shdr_relocs {
        let target = elf.section_headers[*at].sh_info as usize;
        let name = elf.shdr_strtab.get_at(elf.section_headers[target].sh_name);
        if name == Some(".eh_frame_hdr") {
            functions = relocations
                .iter()
                .filter(|r| r.r_offset >= 12 && (r.r_offset - 12) % 8 == 0)
                .map(|r| r.r_addend.unwrap() - r.r_offset as i64)
                .collect();
        }
    }
    let mut addresses: Vec<i64> = elf
        .syms
        .iter()
        .filter(|symbol| symbol.is_function())
        .map(|symbol| symbol.st_value as i64)
        .collect();
    addresses.sort_unstable();
    assert_eq!(functions, addresses);
}

#[test]
fn an_empty_crate_is_no_object() {
    assert!(Scratch::new("empty").object(".text\n").unwrap().is_none());
}

#[test]
fn what_the_loader_cannot_do_is_refused() {
    let scratch = Scratch::new("refused");
    let cases = [
        (
            ".section .tdata, \"awT\", @progbits\n.quad 1\n",
            "thread-local",
        ),
        (".text\n.globl f\nf: movl $f, %eax\n", "X86_64_32 at"),
        (
            ".section .init_array, \"aw\", @init_array\n.quad 0\n",
            "constructors",
        ),
    ];
    for (source, expected) in cases {
        let error = format!("{:#}", scratch.object(source).err().unwrap());
        assert!(error.contains(expected), "{error}");
    }
}
