//! One step up the stack, from the registers at any instruction.
//!
//! Compiled code carries tables for every instruction (`-C force-unwind-tables`
//! is the target's default), so this works at a faulting instruction, where the
//! language's own unwinder, which expects call sites, does not.

use crate::finder::{Tables, tables};
use crate::{Frame, way_back};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use cpu::MAX_CPUS;
use gimli::{
    BaseAddresses, CfaRule, EhFrame, EndianSlice, NativeEndian, Register, RegisterRule,
    UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow,
};

/// The registers that unwinding follows, by DWARF number (System V ABI,
/// figure 3.36): 3 rbx, 6 rbp, 7 rsp, 12 to 15, 16 the return address.
#[derive(Clone, Copy, Debug)]
pub struct Registers(pub [u64; 17]);

const RSP: usize = 7;
const RETURN: usize = 16;

impl Registers {
    /// Those of an interrupted context.
    #[must_use]
    pub fn of(f: &Frame) -> Self {
        Registers([
            f.rax, f.rdx, f.rcx, f.rbx, f.rsi, f.rdi, f.rbp, f.rsp, f.r8, f.r9, f.r10, f.r11,
            f.r12, f.r13, f.r14, f.r15, f.rip,
        ])
    }

    /// The address of the instruction.
    #[must_use]
    pub fn ip(&self) -> u64 {
        self.0[RETURN]
    }

    /// The stack pointer.
    #[must_use]
    pub fn sp(&self) -> u64 {
        self.0[RSP]
    }
}

struct OnStack;

impl<O: gimli::ReaderOffset> UnwindContextStorage<O> for OnStack {
    type Rules = [(Register, RegisterRule<O>); 32];
    type Stack = [UnwindTableRow<O, Self>; 2];
}

/// A word of the stack, if it is mapped.
pub(crate) fn read_word(address: u64) -> Option<u64> {
    if !address.is_multiple_of(8) {
        return None;
    }
    memory::paging::translate(address)?;
    // SAFETY: aligned and mapped; stacks are not unmapped while their task is
    // being looked at.
    Some(unsafe { (address as *const u64).read_volatile() })
}

/// Where a CPU that reads a stack goes back to if it faults, and how deep in interrupt
/// handlers it is; 0 when it reads none.
struct Reading {
    place: AtomicUsize,
    depth: AtomicU32,
}

static READING: [Reading; MAX_CPUS] = [const {
    Reading {
        place: AtomicUsize::new(0),
        depth: AtomicU32::new(0),
    }
}; MAX_CPUS];

/// The caller's registers. `at_call` says that the instruction pointer is a
/// return address, so that the call just before it is meant. None for a stack, or tables,
/// that cannot be read.
pub(crate) fn caller(registers: &Registers, at_call: bool) -> Option<Registers> {
    let _stay = cpu::PreemptGuard::new();
    let reading = &READING[cpu::id() % MAX_CPUS];
    let depth = cpu::this().irq_depth.load(Ordering::Relaxed);
    // Whoever was interrupted may be reading, too.
    let outer = reading.place.load(Ordering::Relaxed);
    let outer_depth = reading.depth.swap(depth, Ordering::Relaxed);
    let mut above = None;
    let whole = way_back::or_back(&reading.place, &mut || above = read(registers, at_call));
    reading.place.store(outer, Ordering::Relaxed);
    reading.depth.store(outer_depth, Ordering::Relaxed);
    above.filter(|_| whole)
}

/// A fault has come to its gate: whoever read a stack on this CPU has been left, too.
pub(crate) fn stop_reading() {
    let reading = &READING[cpu::id() % MAX_CPUS];
    reading.place.store(0, Ordering::Relaxed);
}

/// If this CPU faulted while it read a stack, lets it go on as if there was none.
pub(crate) fn give_up_reading(frame: &mut Frame) -> bool {
    let reading = &READING[cpu::id() % MAX_CPUS];
    let depth = cpu::this().irq_depth.load(Ordering::Relaxed);
    if reading.depth.load(Ordering::Relaxed) != depth {
        return false;
    }
    match reading.place.swap(0, Ordering::Relaxed) {
        0 => false,
        place => {
            way_back::set(frame, place);
            true
        }
    }
}

fn read(registers: &Registers, at_call: bool) -> Option<Registers> {
    let pc = registers.ip().checked_sub(u64::from(at_call))?;
    let Tables {
        eh_frame: eh_frame_at,
        index,
    } = tables(pc as usize)?;
    // SAFETY: the section ends with a terminator, which gimli stops at.
    let bytes = unsafe {
        core::slice::from_raw_parts(
            eh_frame_at as *const u8,
            isize::MAX as usize - eh_frame_at % 4096,
        )
    };
    let eh_frame = EhFrame::new(bytes, NativeEndian);
    let bases = BaseAddresses::default().set_eh_frame(eh_frame_at as u64);
    let fde = find_fde(&eh_frame, &bases, index, pc)?;
    let mut context = UnwindContext::<usize, OnStack>::new_in();
    let row = fde
        .unwind_info_for_address(&eh_frame, &bases, &mut context, pc)
        .ok()?;
    // A caller's frame lies above: one that does not, on a damaged stack, would lead round
    // in circles.
    apply(registers, row).filter(|above| above.sp() > registers.sp())
}

type Fde<'a> = gimli::FrameDescriptionEntry<EndianSlice<'a, NativeEndian>>;

fn find_fde<'a>(
    eh_frame: &EhFrame<EndianSlice<'a, NativeEndian>>,
    bases: &BaseAddresses,
    index: usize,
    pc: u64,
) -> Option<Fde<'a>> {
    // SAFETY: the index is read-only memory of the boot image or of a loaded
    // cell, and says itself how long it is; the parser goes no further.
    let bytes = unsafe { core::slice::from_raw_parts(index as *const u8, 64 << 20) };
    let bases = bases.clone().set_eh_frame_hdr(index as u64);
    let header = gimli::EhFrameHdr::new(bytes, NativeEndian)
        .parse(&bases, 8)
        .ok()?;
    header
        .table()?
        .fde_for_address(eh_frame, &bases, pc, EhFrame::cie_from_offset)
        .ok()
}

fn apply(registers: &Registers, row: &UnwindTableRow<usize, OnStack>) -> Option<Registers> {
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => registers
            .0
            .get(usize::from(register.0))?
            .wrapping_add_signed(*offset),
        CfaRule::Expression(_) => return None,
    };
    let mut above = *registers;
    above.0[RSP] = cfa;
    above.0[RETURN] = 0;
    for (register, rule) in row.registers() {
        let place = above.0.get_mut(usize::from(register.0))?;
        *place = match rule {
            RegisterRule::Undefined => 0,
            RegisterRule::SameValue => *place,
            RegisterRule::Offset(offset) => read_word(cfa.wrapping_add_signed(*offset))?,
            RegisterRule::ValOffset(offset) => cfa.wrapping_add_signed(*offset),
            RegisterRule::Register(other) => *registers.0.get(usize::from(other.0))?,
            _ => return None,
        };
    }
    Some(above)
}
