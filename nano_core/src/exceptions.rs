//! The gates: all 256 vectors enter here, save everything, and call the handler
//! that is installed for the vector.
//!
//! Handlers run on an interrupt stack with interrupts off. They may change the
//! saved frame: that is how a fault becomes an unwind and how a task is
//! preempted (the interrupted task continues in a trampoline on its own stack).

use core::arch::global_asm;
use core::sync::atomic::{AtomicPtr, Ordering};
use x86_64::VirtAddr;
use x86_64::structures::idt::InterruptDescriptorTable;

use crate::tables::{IST_DOUBLE_FAULT, IST_EXCEPTION, IST_INTERRUPT, IST_NMI};

pub use unwind::{Frame, Registers};

/// What is called for a vector.
pub type Handler = fn(&mut Frame);

const VECTORS: usize = 256;
static HANDLERS: [AtomicPtr<()>; VECTORS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; VECTORS];

/// Installs the handler of a vector. The code must never be unloaded.
pub fn set_handler(vector: u8, handler: Handler) {
    HANDLERS[usize::from(vector)].store(handler as *mut (), Ordering::Release);
}

// SAFETY comments for assembly: each stub leaves a uniform frame (vector, error
// code, then what the CPU pushed); `common` saves all general registers and the
// FPU state below it, keeps the stack aligned, and undoes exactly that.
global_asm!(
    r#"
    .section .text.gates, "ax"
    .altmacro
    .macro gate vector
    .balign 16
    .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
    .else
    push 0
    .endif
    push \vector
    jmp gate_common
    .endm

    .balign 16
    .global gates_start
gates_start:
    .set vector_number, 0
    .rept 256
    gate %vector_number
    .set vector_number, vector_number + 1
    .endr
    .noaltmacro

gate_common:
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    mov rdi, rsp
    mov rbx, rsp
    and rsp, -16
    sub rsp, 512
    fxsave64 [rsp]
    cld
    call gate_dispatch
    fxrstor64 [rsp]
    mov rsp, rbx
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    pop rax
    add rsp, 16
    iretq
"#
);

unsafe extern "C" {
    static gates_start: [u8; 16];
}

#[unsafe(no_mangle)]
extern "C" fn gate_dispatch(frame: &mut Frame) {
    let handler = HANDLERS[(frame.vector & 0xff) as usize].load(Ordering::Acquire);
    if handler.is_null() {
        unwind::unexpected(frame);
        return;
    }
    // SAFETY: only `set_handler` stores here, and it takes a `Handler`.
    let handler: Handler = unsafe { core::mem::transmute(handler) };
    if frame.vector < 32 {
        return handler(frame);
    }
    let area = cpu::this();
    area.irq_depth.fetch_add(1, Ordering::Relaxed);
    handler(frame);
    area.irq_depth.fetch_sub(1, Ordering::Relaxed);
}

static IDT: spin::Once<InterruptDescriptorTable> = spin::Once::new();

/// Loads the common IDT on the running CPU, making it first if needed.
pub fn load_idt() {
    IDT.call_once(make_idt).load();
}

fn make_idt() -> InterruptDescriptorTable {
    let first = (&raw const gates_start) as u64;
    let mut idt = InterruptDescriptorTable::new();
    let raw = core::ptr::from_mut(&mut idt).cast::<RawGate>();
    for vector in 0..VECTORS {
        let stack = match vector {
            2 => IST_NMI,
            8 => IST_DOUBLE_FAULT,
            0..32 => IST_EXCEPTION,
            _ => IST_INTERRUPT,
        };
        // SAFETY: an IDT is 256 gates of 16 bytes; the crate's typed entries
        // cannot take one address for all vectors.
        unsafe {
            raw.add(vector).write(RawGate::new(
                VirtAddr::new(first + 16 * vector as u64),
                stack,
            ))
        };
    }
    idt
}

/// A gate as the CPU reads it: Intel SDM volume 3, figure 6-8.
#[repr(C)]
struct RawGate {
    offset_low: u16,
    selector: u16,
    ist: u8,
    kind: u8,
    offset_middle: u16,
    offset_high: u32,
    reserved: u32,
}

const _: () = assert!(size_of::<RawGate>() * VECTORS == size_of::<InterruptDescriptorTable>());

impl RawGate {
    fn new(address: VirtAddr, stack: u16) -> Self {
        let address = address.as_u64();
        RawGate {
            offset_low: address as u16,
            // The kernel's code segment: the first after the null descriptor.
            selector: 8,
            ist: stack as u8 + 1,
            // Present, ring 0, 64-bit interrupt gate.
            kind: 0x8e,
            offset_middle: (address >> 16) as u16,
            offset_high: (address >> 32) as u32,
            reserved: 0,
        }
    }
}
