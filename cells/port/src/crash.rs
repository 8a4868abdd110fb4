//! Faults on command.

/// The ways to make a cell fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum CrashKind {
    /// A Rust panic.
    Panic = 1,
    /// A read through a null pointer.
    Null = 2,
    /// A write through a wild, canonical pointer.
    Wild = 3,
    /// A division by zero in hardware.
    Divide = 4,
    /// An invalid opcode.
    Opcode = 5,
    /// Recursion without end.
    Stack = 6,
    /// A loop without end.
    Loop = 7,
    /// A jump into data.
    Execute = 8,
    /// A lock that is taken twice.
    Relock = 9,
    /// A wait for what never comes.
    Wait = 10,
    /// An allocation of more than there is.
    Memory = 11,
}

/// All of them, with their shell words.
const KINDS: [(&str, CrashKind); 11] = [
    ("panic", CrashKind::Panic),
    ("null", CrashKind::Null),
    ("wild", CrashKind::Wild),
    ("divide", CrashKind::Divide),
    ("opcode", CrashKind::Opcode),
    ("stack", CrashKind::Stack),
    ("loop", CrashKind::Loop),
    ("execute", CrashKind::Execute),
    ("relock", CrashKind::Relock),
    ("wait", CrashKind::Wait),
    ("memory", CrashKind::Memory),
];

impl CrashKind {
    /// The kind by its shell word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let named = KINDS.iter().find(|(name, _)| *name == word);
        named.map(|(_, kind)| *kind)
    }

    /// All shell words.
    pub fn words() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(name, _)| *name)
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        let kinds = KINDS.iter().map(|(_, kind)| *kind);
        kinds.into_iter().find(|kind| *kind as u8 == code)
    }
}

/// Faults here. Inlined, so that the faulting instruction belongs to the
/// caller's crate.
#[inline(always)]
pub fn crash_here(kind: CrashKind) {
    #[cfg(mitos)]
    match kind {
        CrashKind::Panic => panic!("crashed on command"),
        // SAFETY: faulting is the purpose; no memory is mapped at these
        // addresses and each asm line ends in an exception.
        CrashKind::Null => unsafe { core::arch::asm!("mov {0}, [{0}]", in(reg) 0usize) },
        // SAFETY: as above.
        CrashKind::Wild => unsafe {
            core::arch::asm!("mov [{0}], {0}", in(reg) 0x0000_5eed_dead_b000usize)
        },
        // SAFETY: as above; #DE.
        CrashKind::Divide => unsafe {
            core::arch::asm!("div {0:r}", in(reg) 0usize, inout("rax") 1usize => _, inout("rdx") 0usize => _);
        },
        // SAFETY: as above; #UD.
        CrashKind::Opcode => unsafe { core::arch::asm!("ud2") },
        CrashKind::Stack => descend(1),
        CrashKind::Loop => loop {
            core::hint::black_box(());
        },
        CrashKind::Execute => {
            // `ret`, where nothing may be executed.
            let code = core::hint::black_box([0xc3_u8; 16]);
            // SAFETY: as above; the fetch of the first instruction faults.
            unsafe { core::arch::asm!("call {}", in(reg) code.as_ptr(), clobber_abi("C")) }
        }
        CrashKind::Relock => {
            let lock = sync::SpinLock::new(());
            let _first = lock.lock();
            let _second = core::hint::black_box(&lock).lock();
        }
        CrashKind::Wait => loop {
            task_port::park();
        },
        CrashKind::Memory => {
            let size = core::hint::black_box(1_usize << 46);
            core::hint::black_box(alloc::vec::Vec::<u8>::with_capacity(size));
        }
    }
    #[cfg(not(mitos))]
    panic!("crashed on command: {kind:?}");
}

#[cfg(mitos)]
#[allow(unconditional_recursion)]
#[inline(always)]
fn descend(depth: usize) {
    // Generic, so that its code is instantiated in the caller's crate.
    #[inline(never)]
    fn deeper<T: Copy>(depth: usize, witness: T) -> usize {
        let frame = core::hint::black_box([depth; 64]);
        deeper(depth + 1, core::hint::black_box(witness)) + frame[depth % 64]
    }
    core::hint::black_box(deeper(depth, 0u8));
}
