//! What the loader does with bytes, and what must hold of any that it takes.
//! The tests and the fuzz targets (`mod_mgmt/fuzz`) share it.

use cell_object::elf::Object;
use cell_object::layout::Layout;
use cell_object::pack::pack_placed;
use cell_object::{Import, LARGEST, ObjectError, Packed};

/// An address of the system's window for cells.
pub const BASE: u64 = 0xffff_e000_0000_1000;

/// An ELF object: read, placed, packed and linked.
pub fn elf(bytes: &[u8], memory: &mut Vec<u8>) -> Result<Vec<Import>, ObjectError> {
    let object = Object::parse(bytes)?;
    assert!(
        object.relocations.len() * 24 <= bytes.len(),
        "more than the file holds"
    );
    assert!(object.symbols.len() * 24 <= bytes.len());
    let layout = Layout::of(&object)?;
    assert!(layout.size <= LARGEST && layout.size.is_multiple_of(4096));
    packed(&pack_placed(&object, &layout, "odd")?, memory)
}

/// A packed object, as it comes out of an archive. The memory comes from the
/// caller, so that thousands of attempts need not clear a new one each.
pub fn packed(bytes: &[u8], memory: &mut Vec<u8>) -> Result<Vec<Import>, ObjectError> {
    let packed = Packed::parse(bytes)?;
    assert!(packed.size() <= LARGEST && packed.size().is_multiple_of(4096));
    assert!(packed.read_at() <= packed.write_at() && packed.write_at() <= packed.size());
    for (_, offset) in packed.exports() {
        assert!(offset <= packed.size());
    }
    let names = packed.names();
    for offset in [0, 100, packed.size()] {
        let _ = names.find(offset);
    }
    if memory.len() < packed.size() {
        memory.resize(packed.size(), 0);
    }
    let imports = packed.link(memory, BASE, &|_| Some((BASE - 4096, 1)))?;
    for import in &imports {
        assert!(
            (packed.write_at()..packed.size() - 7).contains(&import.at),
            "an import in constants"
        );
    }
    Ok(imports)
}
