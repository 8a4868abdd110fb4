//! From one stack to another.

use core::arch::global_asm;

global_asm!(
    r#"
    .section .text.switch, "ax"
    # switch_stacks(save: *mut u64, load: u64): saves what the calling convention
    # keeps, and the control words of the FPU; everything else the caller has saved.
    .balign 16
    .globl switch_stacks
    .hidden switch_stacks
switch_stacks:
    .cfi_startproc
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    sub rsp, 8
    stmxcsr [rsp]
    fnstcw [rsp + 4]
    mov [rdi], rsp
    mov rsp, rsi
    ldmxcsr [rsp]
    fldcw [rsp + 4]
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret
    .cfi_endproc

    # An interrupted task continues here, on its own stack, with interrupts off:
    # [rsp] its flags, [rsp + 8] where it was, then 128 bytes of red zone.
    .balign 16
    .globl preempted
    .hidden preempted
preempted:
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
    mov rbx, rsp
    and rsp, -16
    sub rsp, 512
    fxsave64 [rsp]
    cld
    call preempted_schedule
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
    popfq
    ret 128
"#
);

unsafe extern "C" {
    /// Saves the running context's stack pointer to `save` and continues the
    /// context whose stack pointer is `load`. Returns when someone switches back.
    pub(crate) fn switch_stacks(save: *mut u64, load: u64);
    pub(crate) fn preempted();
}

/// The first stack pointer of a context that starts in `entry` on a stack that
/// ends at `top`. The word above the entry is zero: unwinding ends there.
///
/// # Safety
/// The stack below `top` is mapped and unused; `top` is a multiple of 16.
pub(crate) unsafe fn first_frame(top: usize, entry: extern "C" fn() -> !) -> u64 {
    // Control words (MXCSR and x87 as after reset), six registers, entry, zero.
    let frame: [u64; 9] = [0x037f_0000_1f80, 0, 0, 0, 0, 0, 0, entry as usize as u64, 0];
    let at = top - size_of_val(&frame);
    // SAFETY: the caller's promise.
    unsafe { (at as *mut [u64; 9]).write(frame) };
    at as u64
}
