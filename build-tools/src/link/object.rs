//! From an rlib to one relocatable object, and what it defines and needs.
//!
//! An rlib of one codegen unit holds one object with a section per function.
//! `ld -r` gathers them into about a dozen; hidden symbols become local, so
//! that the cell's globals are exactly what others may link to. What the
//! loader cannot handle is refused here, with the symbol's name. Then the object
//! is packed, into what the archive holds (`cell_object`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use goblin::archive::Archive;
use goblin::elf::section_header::{SHF_ALLOC, SHF_TLS};
use goblin::elf::sym::{STB_GLOBAL, STB_LOCAL, STB_WEAK};
use goblin::elf::{Elf, header, reloc};

use crate::link::script::{MERGE_SCRIPT, write_merge_script};
use crate::link::{SOURCES, unwind_index};
use crate::paths::{Paths, write_if_changed};
use crate::run::output;

/// Relocations the loader knows.
const RELOCATIONS: [u32; 7] = [
    reloc::R_X86_64_64,
    reloc::R_X86_64_PC32,
    reloc::R_X86_64_PLT32,
    reloc::R_X86_64_GOTPCREL,
    reloc::R_X86_64_GOTPCRELX,
    reloc::R_X86_64_REX_GOTPCRELX,
    reloc::R_X86_64_PC64,
];

/// A crate as one ELF object, not packed yet.
pub struct Merged {
    /// The ELF file.
    pub bytes: Vec<u8>,
    /// Its symbols.
    pub symbols: Symbols,
}

/// What a crate defines for others and needs from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols {
    /// Global symbols it defines.
    pub defined: BTreeSet<String>,
    /// Symbols it needs from elsewhere; weak ones are not among them.
    pub undefined: BTreeSet<String>,
    /// Whether it has statics that change.
    pub statics: bool,
}

/// The line of a crate with statics.
const STATICS: &str = "*statics";

impl Symbols {
    /// One name a line, after a plus or a minus; a line of its own for statics.
    fn to_text(&self) -> String {
        let statics = self.statics.then(|| format!("{STATICS}\n"));
        let defined = self.defined.iter().map(|name| format!("+{name}\n"));
        let undefined = self.undefined.iter().map(|name| format!("-{name}\n"));
        statics
            .into_iter()
            .chain(defined)
            .chain(undefined)
            .collect()
    }

    fn from_text(text: &str) -> Self {
        let names = |sign| {
            let lines = text.lines().filter_map(move |line| line.strip_prefix(sign));
            lines.map(str::to_string).collect()
        };
        Self {
            defined: names('+'),
            undefined: names('-'),
            statics: text.lines().any(|line| line == STATICS),
        }
    }
}

/// A crate as the archive holds it.
pub struct Object {
    /// The packed object.
    pub packed: Vec<u8>,
    /// Its symbols.
    pub symbols: Symbols,
}

/// Turns the rlib of the crate `name` into a packed object; `None` when nothing in
/// it is worth loading. The work is kept in a cache, keyed by the rlib's content.
pub fn make(paths: &Paths, rlib: &Path, name: &str) -> Result<Option<Object>> {
    let at = || rlib.display().to_string();
    let content = std::fs::read(rlib).with_context(at)?;
    let mut key = cell_archive::payload_digest(&content).to_vec();
    for part in [name, MERGE_SCRIPT, SOURCES] {
        key.extend_from_slice(part.as_bytes());
    }
    let key = cell_archive::payload_digest(&key);
    let (packed, symbols) = (cache(paths, &key, "cell"), cache(paths, &key, "symbols"));
    if let (Ok(packed), Ok(text)) = (std::fs::read(&packed), std::fs::read_to_string(&symbols)) {
        let symbols = Symbols::from_text(&text);
        return Ok((!packed.is_empty()).then_some(Object { packed, symbols }));
    }
    let object = match merge(paths, rlib, &content)? {
        Some(merged) => Some(Object {
            packed: cell_object::pack::pack(&merged.bytes, name).with_context(at)?,
            symbols: merged.symbols,
        }),
        None => None,
    };
    let text = object.as_ref().map(|object| object.symbols.to_text());
    write_if_changed(&symbols, text.unwrap_or_default().as_bytes())?;
    let bytes = object.as_ref().map_or(&[][..], |object| &object.packed);
    write_if_changed(&packed, bytes)?;
    Ok(object)
}

/// Makes the objects of many crates, on all CPUs: rlib and name of each.
pub fn make_all(paths: &Paths, crates: &[(&Path, &str)]) -> Result<Vec<Option<Object>>> {
    // Once here, so that the workers find it.
    write_merge_script(paths)?;
    let next = AtomicUsize::new(0);
    let work = || {
        let mut made = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((rlib, name)) = crates.get(index) else {
                return made;
            };
            made.push((index, make(paths, rlib, name)));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended
            .flat_map(|made| made.expect("no worker panics"))
            .collect()
    });
    made.sort_unstable_by_key(|(index, _)| *index);
    made.into_iter().map(|(_, object)| object).collect()
}

/// The place of a cached result.
pub fn cache(paths: &Paths, key: &[u8; 32], extension: &str) -> PathBuf {
    paths
        .cache()
        .join(format!("{}.{extension}", hex(&key[..16])))
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The object files within an rlib.
pub fn members(rlib: &[u8]) -> Result<Vec<&[u8]>> {
    let archive = Archive::parse(rlib)?;
    let mut objects = Vec::new();
    for index in 0..archive.len() {
        let Some(member) = archive.get_at(index) else {
            continue;
        };
        let name = member.extended_name();
        if name.ends_with(".o") {
            let start = usize::try_from(member.offset)?;
            let end = start + member.size();
            objects.push(
                rlib.get(start..end)
                    .context("a member lies outside of the rlib")?,
            );
        }
    }
    Ok(objects)
}

/// Gathers the object files of an rlib, whose bytes are `content`, into one; `None`
/// when nothing in it is worth loading.
///
/// # Errors
/// When it holds what the system cannot serve, with the symbol's name.
pub fn merge(paths: &Paths, rlib: &Path, content: &[u8]) -> Result<Option<Merged>> {
    let script = write_merge_script(paths)?;
    let stem = rlib
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let scratch = paths
        .image()
        .join("scratch")
        .join(format!("{stem}.{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let result = merge_in(&scratch, &script, content);
    std::fs::remove_dir_all(&scratch)?;
    let at = || format!("cannot make an object of {}", rlib.display());
    match result.with_context(at)? {
        bytes if bytes.is_empty() => Ok(None),
        bytes => inspect(bytes).with_context(at),
    }
}

fn merge_in(scratch: &Path, script: &Path, content: &[u8]) -> Result<Vec<u8>> {
    let mut inputs = Vec::new();
    for (index, member) in members(content)?.into_iter().enumerate() {
        let path = scratch.join(format!("{index}.o"));
        std::fs::write(&path, member)?;
        inputs.push(path);
    }
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let merged = scratch.join("merged.o");
    output(
        Command::new("ld")
            .args([
                "-m",
                "elf_x86_64",
                "-r",
                "--force-group-allocation",
                "-S",
                "-T",
            ])
            .arg(script)
            .arg("-o")
            .arg(&merged)
            .args(&inputs),
    )?;
    let linked = add_unwind_index(scratch, &merged)?;
    output(
        Command::new("objcopy")
            .arg("--localize-hidden")
            .args(unwind_index::SYMBOLS.map(|name| format!("--localize-symbol={name}")))
            .arg(&linked),
    )?;
    Ok(std::fs::read(&linked)?)
}

fn add_unwind_index(scratch: &Path, merged: &Path) -> Result<PathBuf> {
    let Some(assembly) = unwind_index::assembly(&std::fs::read(merged)?)? else {
        return Ok(merged.to_path_buf());
    };
    let (source, index) = (scratch.join("index.s"), scratch.join("index.o"));
    std::fs::write(&source, assembly)?;
    output(
        Command::new("as")
            .arg("--64")
            .arg("-o")
            .arg(&index)
            .arg(&source),
    )?;
    let linked = scratch.join("linked.o");
    output(
        Command::new("ld")
            .args(["-m", "elf_x86_64", "-r", "-o"])
            .args([&linked, merged, &index].map(AsRef::<Path>::as_ref)),
    )?;
    Ok(linked)
}

fn inspect(bytes: Vec<u8>) -> Result<Option<Merged>> {
    let elf = Elf::parse(&bytes)?;
    if elf.header.e_type != header::ET_REL || elf.header.e_machine != header::EM_X86_64 {
        bail!("not a relocatable x86-64 object");
    }
    let (mut loaded, mut statics) = (0, false);
    for section in &elf.section_headers {
        let name = elf.shdr_strtab.get_at(section.sh_name).unwrap_or_default();
        let flags = u32::try_from(section.sh_flags).unwrap_or(u32::MAX);
        if flags & SHF_ALLOC == 0 || section.sh_size == 0 {
            continue;
        }
        if flags & SHF_TLS != 0 {
            bail!("thread-local storage ({name}) does not exist in the kernel");
        }
        if name.starts_with(".init") || name.starts_with(".fini") || name.starts_with(".ctors") {
            bail!("constructors ({name}) are never run in the kernel");
        }
        if !name.starts_with(".eh_frame") {
            loaded += 1;
        }
        // The pointer to the unwinder's personality, eight bytes of `.data` in each
        // object with landing pads, is no static of the crate's.
        statics |= name == ".bss" || name == ".data" && section.sh_size > 8;
    }
    if loaded == 0 {
        return Ok(None);
    }
    check_relocations(&elf)?;
    let mut defined = BTreeSet::new();
    let mut undefined = BTreeSet::new();
    for symbol in &elf.syms {
        let name = elf.strtab.get_at(symbol.st_name).unwrap_or_default();
        if symbol.st_bind() == STB_LOCAL || name.is_empty() {
            continue;
        }
        if symbol.st_shndx == 0 {
            // Assemblers name the table whenever an address is taken from it.
            if symbol.st_bind() == STB_GLOBAL && name != "_GLOBAL_OFFSET_TABLE_" {
                undefined.insert(name.to_string());
            }
        } else if matches!(symbol.st_bind(), STB_GLOBAL | STB_WEAK) {
            defined.insert(name.to_string());
        }
    }
    drop(elf);
    Ok(Some(Merged {
        bytes,
        symbols: Symbols {
            defined,
            undefined,
            statics,
        },
    }))
}

fn check_relocations(elf: &Elf<'_>) -> Result<()> {
    for (_, section) in &elf.shdr_relocs {
        for relocation in section {
            if RELOCATIONS.contains(&relocation.r_type) {
                continue;
            }
            let symbol = elf.syms.get(relocation.r_sym);
            let name = symbol.and_then(|symbol| elf.strtab.get_at(symbol.st_name));
            bail!(
                "{} at offset {:#x} against `{}` is no relocation the loader knows",
                reloc::r_to_str(relocation.r_type, header::EM_X86_64),
                relocation.r_offset,
                name.unwrap_or_default(),
            );
        }
    }
    Ok(())
}
