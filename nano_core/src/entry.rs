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

    .section .rodata.ap, "a"
    .global ap_trampoline_start
    .global ap_trampoline_end
    .code16
ap_trampoline_start:
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov eax, 0x6a0
    mov cr4, eax
    mov eax, [0x8000 + (ap_cr3 - ap_trampoline_start)]
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x900
    wrmsr
    mov eax, 0x80010033
    mov cr0, eax
    .byte 0x66
    lgdt [0x8000 + (ap_gdt_ptr - ap_trampoline_start)]
    .byte 0x66, 0xea
    .long 0x8000 + (ap_entry64 - ap_trampoline_start)
    .word 8
    .code64
ap_entry64:
    mov ax, 16
    mov ss, ax
    mov ds, ax
    mov es, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    mov rsp, [0x8000 + (ap_stack - ap_trampoline_start)]
    mov rdi, [0x8000 + (ap_argument - ap_trampoline_start)]
    mov rax, [0x8000 + (ap_target - ap_trampoline_start)]
    xor ebp, ebp
    call rax
    ud2
    .balign 16
ap_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
ap_gdt_ptr:
    .word 23
    .long 0x8000 + (ap_gdt - ap_trampoline_start)
    .balign 8
    .global ap_parameters
ap_parameters:
ap_cr3: .quad 0
ap_stack: .quad 0
ap_argument: .quad 0
ap_target: .quad 0
ap_trampoline_end:
    .text
    .code64
"#
);
