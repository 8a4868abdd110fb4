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
}

impl CrashKind {
    /// The kind by its shell word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "panic" => CrashKind::Panic,
            "null" => CrashKind::Null,
            "wild" => CrashKind::Wild,
            "divide" => CrashKind::Divide,
            "opcode" => CrashKind::Opcode,
            "stack" => CrashKind::Stack,
            "loop" => CrashKind::Loop,
            _ => return None,
        })
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        use CrashKind::{Divide, Loop, Null, Opcode, Panic, Stack, Wild};
        [Panic, Null, Wild, Divide, Opcode, Stack, Loop]
            .into_iter()
            .find(|k| *k as u8 == code)
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
