//! What core and alloc import from whoever hosts them: memory functions, the
//! allocator's symbols, the panic handler.

use core::alloc::Layout;
use core::arch::global_asm;
use core::panic::PanicInfo;
use memory::heap::{HEAP, Heap, Window};

// Copies go through 16-byte registers. Blocks up to 32 bytes are two loads that
// overlap; larger ones load their last 32 bytes first, so that the forward loop
// is right for overlapping blocks as well. Loops take 64 bytes a round. String
// instructions are not used: under emulation each byte of theirs is an instruction.
// Comparisons of less than 8 bytes take two loads that overlap as well.
global_asm!(
    r#"
    .section .text.memory_functions, "ax"
    .global memcpy
    .global memmove
    .global memset
    .global memcmp
    .global bcmp
    .global strlen
    .balign 16
memmove:
    .cfi_startproc
    mov rax, rdi
    sub rax, rsi
    cmp rax, rdx
    jae memcpy
    cmp rdx, 32
    jbe memcpy
    # Backwards: the destination overlaps the source from above.
    mov rax, rdi
    movups xmm4, [rsi]
    movups xmm5, [rsi + 16]
    lea rcx, [rdi + rdx]
    add rsi, rdx
    add rdi, 32
2:  movups xmm0, [rsi - 16]
    movups xmm1, [rsi - 32]
    movups [rcx - 16], xmm0
    movups [rcx - 32], xmm1
    sub rsi, 32
    sub rcx, 32
    cmp rcx, rdi
    ja 2b
    movups [rax], xmm4
    movups [rax + 16], xmm5
    ret
    .cfi_endproc

    .balign 16
memcpy:
    .cfi_startproc
    mov rax, rdi
    cmp rdx, 16
    jb 4f
    cmp rdx, 32
    ja 3f
    movups xmm0, [rsi]
    movups xmm1, [rsi + rdx - 16]
    movups [rdi], xmm0
    movups [rdi + rdx - 16], xmm1
    ret
3:  movups xmm4, [rsi + rdx - 32]
    movups xmm5, [rsi + rdx - 16]
    lea rcx, [rdi + rdx - 32]
    cmp rdx, 128
    jbe 2f
    lea r8, [rcx - 32]
5:  movups xmm0, [rsi]
    movups xmm1, [rsi + 16]
    movups xmm2, [rsi + 32]
    movups xmm3, [rsi + 48]
    movups [rdi], xmm0
    movups [rdi + 16], xmm1
    movups [rdi + 32], xmm2
    movups [rdi + 48], xmm3
    add rsi, 64
    add rdi, 64
    cmp rdi, r8
    jb 5b
    cmp rdi, rcx
    jae 6f
2:  movups xmm0, [rsi]
    movups xmm1, [rsi + 16]
    movups [rdi], xmm0
    movups [rdi + 16], xmm1
    add rsi, 32
    add rdi, 32
    cmp rdi, rcx
    jb 2b
6:  movups [rcx], xmm4
    movups [rcx + 16], xmm5
    ret
4:  test dl, 8
    jnz 8f
    test dl, 4
    jnz 7f
    test dl, 2
    jnz 9f
    test dl, 1
    jz 1f
    mov cl, [rsi]
    mov [rdi], cl
1:  ret
8:  mov rcx, [rsi]
    mov r8, [rsi + rdx - 8]
    mov [rdi], rcx
    mov [rdi + rdx - 8], r8
    ret
7:  mov ecx, [rsi]
    mov r8d, [rsi + rdx - 4]
    mov [rdi], ecx
    mov [rdi + rdx - 4], r8d
    ret
9:  mov cx, [rsi]
    mov r8w, [rsi + rdx - 2]
    mov [rdi], cx
    mov [rdi + rdx - 2], r8w
    ret
    .cfi_endproc

    .balign 16
memset:
    .cfi_startproc
    mov rax, rdi
    movzx ecx, sil
    mov r8, 0x0101010101010101
    imul rcx, r8
    cmp rdx, 16
    jb 4f
    movq xmm0, rcx
    punpcklqdq xmm0, xmm0
    lea rcx, [rdi + rdx - 16]
    cmp rdx, 80
    jbe 2f
    lea r8, [rcx - 48]
3:  movups [rdi], xmm0
    movups [rdi + 16], xmm0
    movups [rdi + 32], xmm0
    movups [rdi + 48], xmm0
    add rdi, 64
    cmp rdi, r8
    jb 3b
    cmp rdi, rcx
    jae 5f
2:  movups [rdi], xmm0
    add rdi, 16
    cmp rdi, rcx
    jb 2b
5:  movups [rcx], xmm0
    ret
4:  test dl, 8
    jz 5f
    mov [rdi], rcx
    mov [rdi + rdx - 8], rcx
    ret
5:  test dl, 4
    jz 6f
    mov [rdi], ecx
    mov [rdi + rdx - 4], ecx
    ret
6:  test rdx, rdx
    jz 1f
7:  mov [rdi], cl
    inc rdi
    dec rdx
    jnz 7b
1:  ret
    .cfi_endproc

    .balign 16
bcmp:
memcmp:
    .cfi_startproc
    cmp rdx, 8
    jb 3f
    lea r8, [rdi + rdx - 8]
    lea r9, [rsi + rdx - 8]
2:  mov rax, [rdi]
    mov rcx, [rsi]
    cmp rax, rcx
    jne 5f
    add rdi, 8
    add rsi, 8
    cmp rdi, r8
    jb 2b
    mov rax, [r8]
    mov rcx, [r9]
    cmp rax, rcx
    jne 5f
    xor eax, eax
    ret
5:  bswap rax
    bswap rcx
    cmp rax, rcx
    sbb eax, eax
    or eax, 1
    ret
3:  cmp rdx, 4
    jb 4f
    mov eax, [rdi]
    mov ecx, [rsi]
    cmp eax, ecx
    jne 6f
    mov eax, [rdi + rdx - 4]
    mov ecx, [rsi + rdx - 4]
    cmp eax, ecx
    jne 6f
    xor eax, eax
    ret
6:  bswap eax
    bswap ecx
    cmp eax, ecx
    sbb eax, eax
    or eax, 1
    ret
4:  cmp rdx, 1
    jbe 7f
    movzx eax, word ptr [rdi]
    movzx ecx, word ptr [rsi]
    cmp eax, ecx
    jne 8f
    movzx eax, byte ptr [rdi + rdx - 1]
    movzx ecx, byte ptr [rsi + rdx - 1]
    sub eax, ecx
    ret
8:  rol ax, 8
    rol cx, 8
    sub eax, ecx
    ret
7:  jb 9f
    movzx eax, byte ptr [rdi]
    movzx ecx, byte ptr [rsi]
    sub eax, ecx
    ret
9:  xor eax, eax
    ret
    .cfi_endproc

    .balign 16
strlen:
    .cfi_startproc
    mov rax, rdi
2:  cmp byte ptr [rax], 0
    je 3f
    inc rax
    jmp 2b
3:  sub rax, rdi
    ret
    .cfi_endproc

"#
);

/// # Safety
/// The allocator's contract.
#[rustc_std_internal_symbol]
unsafe fn __rust_alloc(size: usize, align: usize) -> *mut u8 {
    // SAFETY: alloc passes sizes and alignments of layouts.
    HEAP.allocate(unsafe { Layout::from_size_align_unchecked(size, align) })
}

/// # Safety
/// The allocator's contract.
#[rustc_std_internal_symbol]
unsafe fn __rust_dealloc(object: *mut u8, size: usize, align: usize) {
    // SAFETY: as above; the object is from `__rust_alloc` with this layout.
    unsafe { HEAP.free(object, Layout::from_size_align_unchecked(size, align)) }
}

/// # Safety
/// The allocator's contract.
#[rustc_std_internal_symbol]
unsafe fn __rust_realloc(object: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    // SAFETY: as above.
    unsafe {
        let old = Layout::from_size_align_unchecked(old_size, align);
        let new = Layout::from_size_align_unchecked(size, align);
        if Heap::<Window>::same_class(old, new) {
            return object;
        }
        let moved = HEAP.allocate(new);
        if !moved.is_null() {
            moved.copy_from_nonoverlapping(object, old_size.min(size));
            HEAP.free(object, old);
        }
        moved
    }
}

/// # Safety
/// The allocator's contract.
#[rustc_std_internal_symbol]
unsafe fn __rust_alloc_zeroed(size: usize, align: usize) -> *mut u8 {
    // SAFETY: as above.
    unsafe {
        let object = __rust_alloc(size, align);
        if !object.is_null() {
            object.write_bytes(0, size);
        }
        object
    }
}

#[rustc_std_internal_symbol]
fn __rust_alloc_error_handler(size: usize, _align: usize) -> ! {
    panic!("out of memory: {size} bytes");
}

#[rustc_std_internal_symbol]
fn __rust_no_alloc_shim_is_unstable_v2() {}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // The only panic of this file is that of an allocation which failed.
    match info.location() {
        Some(at) if at.file() == file!() => unwind::out_of_memory(info),
        _ => unwind::panic(info),
    }
}
