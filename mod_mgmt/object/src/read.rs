//! Reads a packed object and links it into memory.
//!
//! `parse` checks the header against the bytes; `link` checks the rest as it goes,
//! so nothing is read twice. The work is bounded by the lengths in the header,
//! which are bounded by the object's own.

use crate::format::{Cursor, Export, Header, LARGEST_RATIO, MAGIC, MUTABLE, NONE, VERSION, unpack};
use crate::{FunctionNames, LARGEST, ObjectError, PAGE_SIZE};
use alloc::string::ToString;
use alloc::vec::Vec;
use zerocopy::FromBytes;

/// An import: where the pointer to it lies, and whose it is.
#[derive(Clone, Debug)]
pub struct Import {
    /// The hash of the symbol's name.
    pub name: u64,
    /// The number of the cell that exports it, as the resolver gave it.
    pub exporter: usize,
    /// Offset of the pointer, in writable memory: a slot, or a place in a vtable.
    pub at: usize,
    /// What is added to the symbol's address there.
    pub addend: i64,
}

/// An address for a name, and the number of the cell it belongs to.
pub type Resolver<'r> = dyn Fn(&str) -> Option<(u64, usize)> + 'r;

/// A packed object.
pub struct Packed<'a> {
    header: &'a Header,
    image: &'a [u8],
    links: &'a [u8],
    exports: &'a [Export],
    names: &'a [u8],
}

impl<'a> Packed<'a> {
    /// Checks the header.
    ///
    /// # Errors
    /// When the bytes are no packed object of this version, or a part of it lies
    /// outside of them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ObjectError> {
        let truncated = ObjectError::Truncated("header");
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| truncated)?;
        if header.magic != MAGIC {
            return Err(ObjectError::Format("no packed object"));
        }
        if header.version.get() != VERSION {
            return Err(ObjectError::Format(
                "a version of packed objects that is unknown",
            ));
        }
        let (image, rest) = part(rest, header.image_packed.get(), "image")?;
        let (links, rest) = part(rest, header.links_packed.get(), "links")?;
        let (exports, names) =
            <[Export]>::ref_from_prefix_with_elems(rest, header.exports.get() as usize)
                .map_err(|_| ObjectError::Truncated("exports"))?;
        let object = Packed {
            header,
            image,
            links,
            exports,
            names,
        };
        object.check()?;
        Ok(object)
    }

    fn check(&self) -> Result<(), ObjectError> {
        let (read_at, write_at, size) = (self.read_at(), self.write_at(), self.size());
        if size > LARGEST {
            return Err(ObjectError::Format("the cell is too large"));
        }
        let on_pages = [read_at, write_at, size]
            .iter()
            .all(|at| at.is_multiple_of(PAGE_SIZE));
        if !on_pages || size == 0 || read_at > write_at || write_at > size {
            return Err(ObjectError::Format("pieces out of order"));
        }
        if self.header.image.get() as usize > size {
            return Err(ObjectError::Truncated("memory"));
        }
        if self.header.links.get() as usize > self.links.len() * LARGEST_RATIO {
            return Err(ObjectError::Truncated("links"));
        }
        let offsets = [
            self.header.eh_frame.get(),
            self.header.eh_frame_hdr.get(),
            self.header.descriptor.get(),
            self.header.moves.get(),
        ];
        let exported = self.exports.iter().map(|export| export.offset.get());
        if exported
            .chain(offsets.into_iter().filter(|at| *at != NONE))
            .any(|at| at as usize > size)
        {
            return Err(ObjectError::Truncated("symbol"));
        }
        Ok(())
    }

    /// Bytes of memory, whole pages.
    #[must_use]
    pub fn size(&self) -> usize {
        self.header.size.get() as usize
    }

    /// Where reading pages start.
    #[must_use]
    pub fn read_at(&self) -> usize {
        self.header.read_at.get() as usize
    }

    /// Where writable pages start.
    #[must_use]
    pub fn write_at(&self) -> usize {
        self.header.write_at.get() as usize
    }

    /// Offset of `.eh_frame`.
    #[must_use]
    pub fn eh_frame(&self) -> Option<usize> {
        offset(self.header.eh_frame.get())
    }

    /// Offset of its sorted index, `.eh_frame_hdr`.
    #[must_use]
    pub fn eh_frame_hdr(&self) -> Option<usize> {
        offset(self.header.eh_frame_hdr.get())
    }

    /// Offset of the crate's static `CELL`.
    #[must_use]
    pub fn descriptor(&self) -> Option<usize> {
        offset(self.header.descriptor.get())
    }

    /// Offset of the crate's static `MOVES`.
    #[must_use]
    pub fn moves(&self) -> Option<usize> {
        offset(self.header.moves.get())
    }

    /// Whether it has variables of its own: `.data` or `.bss`.
    #[must_use]
    pub fn is_mutable(&self) -> bool {
        self.header.flags.get() & MUTABLE != 0
    }

    /// What it exports: the hash of the name, and the offset.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = (u64, usize)> + use<'a> {
        let exports = self.exports.iter();
        exports.map(|export| (export.hash.get(), export.offset.get() as usize))
    }

    /// The names of its functions.
    #[must_use]
    pub fn names(&self) -> FunctionNames {
        FunctionNames::new(self.header.name_blocks.get() as usize, self.names)
    }

    /// Fills `memory` (which is zeroed and [`Packed::size`] long) with the cell as
    /// it is to run at address `base`, which is on a page boundary. Gives the
    /// imports.
    ///
    /// # Errors
    /// When an import is missing or the object is damaged; the memory is then
    /// worthless.
    pub fn link(
        &self,
        memory: &mut [u8],
        base: u64,
        resolve: &Resolver<'_>,
    ) -> Result<Vec<Import>, ObjectError> {
        let memory = memory
            .get_mut(..self.size())
            .ok_or(ObjectError::Truncated("memory"))?;
        if !unpack(self.image, &mut memory[..self.header.image.get() as usize]) {
            return Err(ObjectError::Format("the image does not unpack"));
        }
        let mut links = alloc::vec![0; self.header.links.get() as usize];
        if !unpack(self.links, &mut links) {
            return Err(ObjectError::Format("the links do not unpack"));
        }
        let mut links = Cursor(&links);
        add_base(&mut links, memory, base)?;
        imports(&mut links, memory, self.write_at(), resolve)
    }
}

fn part<'a>(
    bytes: &'a [u8],
    len: u32,
    what: &'static str,
) -> Result<(&'a [u8], &'a [u8]), ObjectError> {
    let parts = bytes.split_at_checked(len as usize);
    parts.ok_or(ObjectError::Truncated(what))
}

fn offset(raw: u32) -> Option<usize> {
    (raw != NONE).then_some(raw as usize)
}

const ENDED: ObjectError = ObjectError::Truncated("links");

/// The eight bytes at `at`, if they lie in `memory`.
fn word(memory: &mut [u8], at: usize) -> Result<&mut [u8; 8], ObjectError> {
    let bytes = memory
        .get_mut(at..)
        .and_then(|bytes| bytes.first_chunk_mut());
    bytes.ok_or(ObjectError::Truncated("relocation"))
}

fn add_base(links: &mut Cursor<'_>, memory: &mut [u8], base: u64) -> Result<(), ObjectError> {
    let mut at = 0_usize;
    for _ in 0..links.number().ok_or(ENDED)? {
        at = at.checked_add(links.length().ok_or(ENDED)?).ok_or(ENDED)?;
        let word = word(memory, at)?;
        *word = u64::from_le_bytes(*word).wrapping_add(base).to_le_bytes();
    }
    Ok(())
}

fn imports(
    links: &mut Cursor<'_>,
    memory: &mut [u8],
    write_at: usize,
    resolve: &Resolver<'_>,
) -> Result<Vec<Import>, ObjectError> {
    let mut imports = Vec::new();
    for _ in 0..links.number().ok_or(ENDED)? {
        let head = links.length().ok_or(ENDED)?;
        let (len, weak) = (head / 2, head % 2 == 1);
        let name = links.string(len).ok_or(ENDED)?;
        let found = resolve(name);
        if found.is_none() && !weak {
            return Err(ObjectError::MissingSymbol(name.to_string()));
        }
        let mut at = 0_usize;
        for _ in 0..links.number().ok_or(ENDED)? {
            at = at.checked_add(links.length().ok_or(ENDED)?).ok_or(ENDED)?;
            let zigzag = links.number().ok_or(ENDED)?;
            let addend = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
            if at < write_at {
                return Err(ObjectError::Format(
                    "an import in memory that is not writable",
                ));
            }
            let address = found.map_or(0, |(address, _)| address);
            *word(memory, at)? = address.wrapping_add_signed(addend).to_le_bytes();
            imports.extend(found.map(|(_, exporter)| Import {
                name: cell_archive::hash_name(name),
                exporter,
                at,
                addend,
            }));
        }
    }
    Ok(imports)
}
