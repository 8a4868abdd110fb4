//! Writes the packed form of an object; the bytes are drawn in `format`.

use crate::elf::{Definition, Object};
use crate::fix::{Fixed, fix};
use crate::format::{Export, Header, MAGIC, MUTABLE, NONE, NameBlock, VERSION};
use crate::layout::Layout;
use crate::{FunctionNames, ObjectError};
use alloc::format;
use alloc::vec::Vec;
use zerocopy::IntoBytes;

/// Functions in a block of names: more pack better, fewer are found faster.
const NAMES_IN_BLOCK: usize = 256;

/// The pointer to the unwinder's personality.
const PERSONALITY: &str = "DW.ref.rust_eh_personality";

/// Packs an ELF object of the crate `name`.
///
/// # Errors
/// When it is no complete object, or one that the system cannot serve.
pub fn pack(elf: &[u8], name: &str) -> Result<Vec<u8>, ObjectError> {
    let object = Object::parse(elf)?;
    let layout = Layout::of(&object)?;
    pack_placed(&object, &layout, name)
}

/// The same for an object that is read and placed.
///
/// # Errors
/// When a relocation does not fit.
pub fn pack_placed(
    object: &Object<'_>,
    layout: &Layout,
    name: &str,
) -> Result<Vec<u8>, ObjectError> {
    let fixed = fix(object, layout)?;
    let links = links(object, &fixed);
    let image_packed = lz4_flex::block::compress(&fixed.image);
    let links_packed = lz4_flex::block::compress(&links);
    let exports = exports(object, layout);
    let (name_blocks, names) = names(object, layout);
    let section = |name: &str| {
        let section = object.section(name);
        section.map_or(NONE, |section| narrow(layout.sections[section]))
    };
    let root = |ending| root_static(object, layout, name, ending).map_or(NONE, narrow);
    let bytes = |name| object.section(name).map_or(0, |s| object.sections[s].size);
    // The pointer to the unwinder's personality, which each object with landing pads
    // has in `.data`, never changes.
    let mut symbols = object.symbols.iter();
    let personality = symbols.find(|s| s.name == PERSONALITY);
    let personality = personality.map_or(0, |symbol| symbol.size as usize);
    let variables = bytes(".bss") > 0 || bytes(".data") > personality;
    let header = Header {
        magic: MAGIC,
        version: VERSION.into(),
        size: narrow(layout.size).into(),
        read_at: narrow(layout.read_at).into(),
        write_at: narrow(layout.write_at).into(),
        eh_frame: section(".eh_frame").into(),
        eh_frame_hdr: section(".eh_frame_hdr").into(),
        descriptor: root("4CELL").into(),
        image: narrow(fixed.image.len()).into(),
        image_packed: narrow(image_packed.len()).into(),
        links: narrow(links.len()).into(),
        links_packed: narrow(links_packed.len()).into(),
        exports: narrow(exports.len()).into(),
        name_blocks: narrow(name_blocks.len()).into(),
        moves: root("5MOVES").into(),
        flags: (u32::from(variables) * MUTABLE).into(),
    };
    let mut out = header.as_bytes().to_vec();
    out.extend_from_slice(&image_packed);
    out.extend_from_slice(&links_packed);
    out.extend_from_slice(exports.as_bytes());
    out.extend_from_slice(name_blocks.as_bytes());
    out.extend_from_slice(&names);
    Ok(out)
}

/// Nothing here exceeds [`crate::LARGEST`], which `Layout::of` has seen to, but the
/// names of an object that nobody could have written to disk.
fn narrow(value: usize) -> u32 {
    u32::try_from(value).expect("an object has less than 4 GiB")
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn links(object: &Object<'_>, fixed: &Fixed) -> Vec<u8> {
    let mut out = Vec::new();
    number(&mut out, fixed.own.len() as u64);
    let mut last = 0;
    for at in &fixed.own {
        number(&mut out, (at - last) as u64);
        last = *at;
    }
    number(&mut out, fixed.imports.len() as u64);
    for (symbol, places) in &fixed.imports {
        let symbol = &object.symbols[*symbol];
        let weak = symbol.definition == Definition::Undefined { weak: true };
        number(&mut out, 2 * symbol.name.len() as u64 + u64::from(weak));
        out.extend_from_slice(symbol.name.as_bytes());
        number(&mut out, places.len() as u64);
        let mut last = 0;
        for (at, addend) in places {
            number(&mut out, (at - last) as u64);
            number(&mut out, (addend << 1 ^ addend >> 63).cast_unsigned());
            last = *at;
        }
    }
    out
}

fn exports(object: &Object<'_>, layout: &Layout) -> Vec<Export> {
    let symbols = object.symbols.iter().enumerate();
    let exported = symbols.filter(|(_, symbol)| symbol.exported);
    exported
        .filter_map(|(index, symbol)| {
            Some(Export {
                hash: cell_archive::hash_name(symbol.name).into(),
                offset: narrow(layout.offset_of(object, index)?).into(),
            })
        })
        .collect()
}

fn names(object: &Object<'_>, layout: &Layout) -> (Vec<NameBlock>, Vec<u8>) {
    let symbols = object.symbols.iter().enumerate();
    let functions: Vec<(usize, &str)> = symbols
        .filter(|(_, symbol)| symbol.function)
        .filter_map(|(index, symbol)| Some((layout.offset_of(object, index)?, symbol.name)))
        .collect();
    pack_names(functions)
}

fn pack_names(mut functions: Vec<(usize, &str)>) -> (Vec<NameBlock>, Vec<u8>) {
    functions.sort_unstable();
    let (mut packed, mut lengths) = (Vec::new(), Vec::new());
    for block in functions.chunks(NAMES_IN_BLOCK) {
        let (mut text, mut last) = (Vec::new(), 0);
        for (offset, name) in block {
            number(&mut text, (offset - last) as u64);
            number(&mut text, name.len() as u64);
            text.extend_from_slice(name.as_bytes());
            last = *offset;
        }
        packed.push(lz4_flex::block::compress(&text));
        lengths.push((block[0].0, text.len()));
    }
    let mut at = size_of::<NameBlock>() * packed.len();
    let mut blocks = Vec::new();
    for ((first, len), bytes) in lengths.into_iter().zip(&packed) {
        blocks.push(NameBlock {
            first: narrow(first).into(),
            len: narrow(len).into(),
            at: narrow(at).into(),
            packed: narrow(bytes.len()).into(),
        });
        at += bytes.len();
    }
    (blocks, packed.concat())
}

impl FunctionNames {
    /// Packs functions: where each starts, and its mangled name.
    #[must_use]
    pub fn pack(functions: &[(usize, &str)]) -> Self {
        let (blocks, names) = pack_names(functions.to_vec());
        FunctionNames::new(blocks.len(), &[blocks.as_bytes(), &names].concat())
    }
}

/// The offset of a public static of the crate, such as `pub static CELL`, by its
/// v0 symbol: `_RNv`, then the path from the crate's name (with its length) to
/// `ending`, which is the static's name with its length.
fn root_static(object: &Object<'_>, layout: &Layout, name: &str, ending: &str) -> Option<usize> {
    let root = format!("{}{name}", name.len());
    let is_it = |s: &str| {
        s.starts_with("_RNv") && s.ends_with(ending) && s.contains(&root) && !s.contains('$')
    };
    let symbol = object
        .symbols
        .iter()
        .position(|s| s.exported && is_it(s.name))?;
    layout.offset_of(object, symbol)
}
