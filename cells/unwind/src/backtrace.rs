//! Backtraces with cell and function names.

use crate::step::{Registers, caller};
use core::arch::asm;
use core::fmt;
use mod_mgmt::namespace::NAMESPACE;

const DEEPEST: usize = 32;

/// A stack, printed one frame a line.
pub struct Trace {
    registers: Registers,
    at_call: bool,
    skip: usize,
}

/// The stack of an interrupted context.
#[must_use]
pub(crate) fn of(registers: Registers) -> Trace {
    Trace {
        registers,
        at_call: false,
        skip: 0,
    }
}

/// The running task's stack from here, less the `skip` innermost frames.
#[must_use]
#[inline(never)]
pub fn backtrace(skip: usize) -> Trace {
    let mut r = [0u64; 17];
    // SAFETY: reads registers only.
    unsafe {
        asm!(
            "mov [{0} + 3*8], rbx", "mov [{0} + 6*8], rbp", "mov [{0} + 7*8], rsp",
            "mov [{0} + 12*8], r12", "mov [{0} + 13*8], r13", "mov [{0} + 14*8], r14", "mov [{0} + 15*8], r15",
            "lea {1}, [rip]", "mov [{0} + 16*8], {1}",
            in(reg) r.as_mut_ptr(), out(reg) _, options(nostack)
        );
    }
    Trace {
        registers: Registers(r),
        at_call: false,
        skip,
    }
}

impl Trace {
    /// Calls `f` with the address of each frame's instruction, innermost first,
    /// until it says false.
    pub(crate) fn each(&self, mut f: impl FnMut(usize) -> bool) {
        let (mut registers, mut at_call) = (self.registers, self.at_call);
        for _ in 0..DEEPEST {
            if registers.ip() == 0 || !f((registers.ip() - u64::from(at_call)) as usize) {
                break;
            }
            let Some(above) = caller(&registers, at_call) else {
                break;
            };
            registers = above;
            at_call = true;
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut registers, mut at_call) = (self.registers, self.at_call);
        for depth in 0..DEEPEST {
            let ip = registers.ip();
            if ip == 0 {
                break;
            }
            if depth >= self.skip {
                match NAMESPACE.describe((ip - u64::from(at_call)) as usize) {
                    Some(place) => writeln!(f, "    {ip:#018x} {place}")?,
                    None => writeln!(f, "    {ip:#018x} ?")?,
                }
            }
            let Some(above) = caller(&registers, at_call) else {
                break;
            };
            registers = above;
            at_call = true;
        }
        Ok(())
    }
}
