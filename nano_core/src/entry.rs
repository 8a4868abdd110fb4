//! The first instructions: from QEMU's PVH entry (32-bit protected mode, no
//! paging) to Rust in the higher half, and the same for the other CPUs.
//!
//! PVH is described in Xen's `docs/misc/pvh.pandoc`: EBX holds the physical
//! address of the start info. The boot page tables map the first 4 GiB three
//! times: at zero (until all CPUs run), at the direct map, and the first GiB of
//! it at the kernel's own base. `memory` replaces all but the top table.

use core::arch::global_asm;

/// Where the other CPUs start in real mode. Below 1 MiB, page-aligned.
pub const AP_TRAMPOLINE: u64 = 0x8000;

global_asm!(
    r#"
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18
    .asciz "Xen"
    .balign 4
    .quad pvh_start32

    .section .boot.bss, "aw", @nobits
    .balign 4096
    .global boot_pml4
boot_pml4: .skip 4096
boot_pdpt_low: .skip 4096
boot_pdpt_high: .skip 4096
boot_pd: .skip 4096 * 4

    .section .boot.data, "aw"
    .balign 16
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
boot_gdt_ptr:
    .word 23
    .quad boot_gdt

    .section .boot.text, "ax"
    .code32
    .global pvh_start32
pvh_start32:
    cli
    cld
    mov esi, ebx
    lea eax, [boot_pdpt_low + 3]
    mov [boot_pml4], eax
    mov [boot_pml4 + 256*8], eax
    lea eax, [boot_pdpt_high + 3]
    mov [boot_pml4 + 511*8], eax
    lea eax, [boot_pd + 3]
    mov [boot_pdpt_high + 510*8], eax
    mov [boot_pdpt_low], eax
    add eax, 4096
    mov [boot_pdpt_low + 8], eax
    add eax, 4096
    mov [boot_pdpt_low + 16], eax
    add eax, 4096
    mov [boot_pdpt_low + 24], eax
    lea edi, [boot_pd]
    mov eax, 0x83
    mov ecx, 2048
2:  mov [edi], eax
    add edi, 8
    add eax, 0x200000
    dec ecx
    jnz 2b

    mov eax, 0x6a0
    mov cr4, eax
    lea eax, [boot_pml4]
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x900
    wrmsr
    mov eax, 0x80010033
    mov cr0, eax
    lgdt [boot_gdt_ptr]
    .byte 0xea
    .long boot_entry64
    .word 8
    .code64
boot_entry64:
    mov ax, 16
    mov ss, ax
    mov ds, ax
    mov es, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    movabs rax, offset boot_high
    jmp rax

    .section .text.boot, "ax"
boot_high:
    lea rsp, [rip + boot_stack_top]
    xor ebp, ebp
    mov edi, esi
    call kernel_main
    ud2

    .section .bss.boot_stack, "aw", @nobits
    .balign 4096
    .global boot_stack
boot_stack: .skip 262144
boot_stack_top:

    # Copied to 0x8000. The parameters lie at fixed places behind the first jump.
    .section .rodata.ap, "a"
    .global ap_trampoline_start
    .global ap_trampoline_end
    .global ap_parameters
    .code16
ap_trampoline_start:
    .byte 0xeb, 0x5e
    .balign 8
ap_parameters:
    .quad 0
    .quad 0
    .quad 0
    .quad 0
    .balign 16
    # At 0x8030: the descriptor table; at 0x8048: the pointer to it.
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
    .word 23
    .long 0x8030
    .org ap_trampoline_start + 0x60
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov eax, 0x6a0
    mov cr4, eax
    mov eax, [0x8008]
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x900
    wrmsr
    mov eax, 0x80010033
    mov cr0, eax
    .byte 0x66
    lgdt [0x8048]
    .byte 0x66, 0xea
    .long 0x80c0
    .word 8
    .org ap_trampoline_start + 0xc0
    .code64
    mov ax, 16
    mov ss, ax
    mov ds, ax
    mov es, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    mov rsp, [0x8010]
    mov rdi, [0x8018]
    mov rax, [0x8020]
    xor ebp, ebp
    call rax
    ud2
ap_trampoline_end:
    .text
    .code64
"#
);
