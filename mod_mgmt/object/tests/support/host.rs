//! Links objects into memory of this process and runs them there, with the
//! protections that the system's loader gives.

use cell_object::elf::Object;
use cell_object::layout::Layout;
use cell_object::pack::pack_placed;
use cell_object::{Import, ObjectError, Packed, Resolver};

/// A linked object that can be called.
pub struct Linked<'a> {
    pub object: Object<'a>,
    pub layout: Layout,
    pub imports: Vec<Import>,
    base: *mut u8,
}

impl<'a> Linked<'a> {
    pub fn new(bytes: &'a [u8], resolve: &Resolver<'_>) -> Result<Self, ObjectError> {
        let object = Object::parse(bytes)?;
        let layout = Layout::of(&object)?;
        let packed = pack_placed(&object, &layout, "shapes")?;
        let packed = Packed::parse(&packed)?;
        assert_eq!(packed.size(), layout.size);
        // SAFETY: a new private mapping, which nothing else refers to.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                layout.size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(base, libc::MAP_FAILED);
        let mut linked = Linked {
            object,
            layout,
            imports: Vec::new(),
            base: base.cast(),
        };
        // SAFETY: mapped above, writable, and this long.
        let memory = unsafe { std::slice::from_raw_parts_mut(linked.base, linked.layout.size) };
        let base = linked.base as u64;
        linked.imports = packed.link(memory, base, resolve)?;
        linked.protect(0, linked.layout.read_at, libc::PROT_READ | libc::PROT_EXEC);
        linked.protect(
            linked.layout.read_at,
            linked.layout.write_at,
            libc::PROT_READ,
        );
        Ok(linked)
    }

    fn protect(&self, from: usize, to: usize, protection: i32) {
        if from < to {
            // SAFETY: a part of our own mapping, at page boundaries.
            let done = unsafe { libc::mprotect(self.base.add(from).cast(), to - from, protection) };
            assert_eq!(done, 0);
        }
    }

    pub fn symbol(&self, name: &str) -> usize {
        let found = self.object.symbols.iter().position(|s| s.name == name);
        found.unwrap_or_else(|| panic!("no symbol {name}"))
    }

    /// The address of a symbol that the object defines.
    pub fn address(&self, name: &str) -> usize {
        let offset = self.layout.offset_of(&self.object, self.symbol(name));
        self.base as usize + offset.expect("the object defines it")
    }

    /// Calls the function `name`, which takes and gives a number.
    pub fn call(&self, name: &str, argument: u64) -> u64 {
        // SAFETY: the tests' objects have functions of this type under the names
        // they call; the code is mapped executable while `self` lives.
        let function: extern "C" fn(u64) -> u64 =
            unsafe { std::mem::transmute(self.address(name) as *const ()) };
        function(argument)
    }

    /// The bytes at `offset` from the start.
    pub fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        assert!(offset + len <= self.layout.size);
        // SAFETY: inside our mapping, readable in every protection.
        unsafe { std::slice::from_raw_parts(self.base.add(offset), len) }
    }

    pub fn word(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.bytes(offset, 8).try_into().unwrap())
    }

    pub fn base(&self) -> u64 {
        self.base as u64
    }

    /// Relinks the import of `name`: every pointer to it gets the new address.
    /// Gives how many there were.
    pub fn relink(&self, name: &str, address: u64) -> usize {
        let hash = cell_archive::hash_name(name);
        let mut stored = 0;
        for import in self.imports.iter().filter(|i| i.name == hash) {
            // Outside of the writable pages this store would kill the test.
            // SAFETY: import pointers lie in our mapping, aligned.
            let slot = unsafe {
                &*self
                    .base
                    .add(import.at)
                    .cast::<std::sync::atomic::AtomicU64>()
            };
            slot.store(address, std::sync::atomic::Ordering::Release);
            stored += 1;
        }
        stored
    }
}

impl Drop for Linked<'_> {
    fn drop(&mut self) {
        // SAFETY: our own mapping; `self` ends here, and calls borrow it.
        unsafe { libc::munmap(self.base.cast(), self.layout.size) };
    }
}
