// Fp's kernels for x86-64 with BMI2 and ADX: what kernels.h promises, in the System V convention.
//
// A row multiplies six limbs by the one in rdx and adds the twelve halves in two independent chains
// of carries, low halves through OF (adox), high halves through CF (adcx), so that the multiplier
// alone limits the speed. p leaves three bits free, so no row carries out of its seventh limb.
// Leaf functions, position independent; no vector registers, no red zone across calls. Each starts
// with endbr64, since it is reached through pointers.
#if defined(__x86_64__) && defined(__ELF__)

        .section .rodata
        .balign 64
        .type   fp_adx_modulus, @object
fp_adx_modulus:
        .quad   0xb9feffffffffaaab, 0x1eabfffeb153ffff, 0x6730d2a0f6b0f624
        .quad   0x64774b84f38512bf, 0x4b1ba7b6434bacd7, 0x1a0111ea397fe69a
fp_adx_inverse:                                 // -1 / p mod 2^64
        .quad   0x89f3fffcfffcfffd
        .size   fp_adx_modulus, .-fp_adx_modulus

        .text

.macro FUNCTION name
        .balign 64
        .globl  \name
        .hidden \name
        .type   \name, @function
\name:
        .cfi_startproc
        endbr64
.endm

.macro END name
        .cfi_endproc
        .size   \name, .-\name
.endm

.macro SAVE register
        pushq   \register
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset \register, 0
.endm

.macro RESTORE register
        popq    \register
        .cfi_adjust_cfa_offset -8
        .cfi_restore \register
.endm

.macro SAVE_ALL
        SAVE    %rbx
        SAVE    %rbp
        SAVE    %r12
        SAVE    %r13
        SAVE    %r14
        SAVE    %r15
.endm

.macro RESTORE_ALL
        RESTORE %r15
        RESTORE %r14
        RESTORE %r13
        RESTORE %r12
        RESTORE %rbp
        RESTORE %rbx
.endm

// t0..t6 = rdx * a[0..5]. Uses rax.
.macro FIRST_ROW a, t0, t1, t2, t3, t4, t5, t6
        mulxq   0(\a), \t0, \t1
        mulxq   8(\a), %rax, \t2
        addq    %rax, \t1
        mulxq   16(\a), %rax, \t3
        adcq    %rax, \t2
        mulxq   24(\a), %rax, \t4
        adcq    %rax, \t3
        mulxq   32(\a), %rax, \t5
        adcq    %rax, \t4
        mulxq   40(\a), %rax, \t6
        adcq    %rax, \t5
        adcq    $0, \t6
.endm

// t0..t6 += rdx * (six limbs at base). Uses rax, rbx; rbp is 0.
// The no-ops fill the group of six in which a processor hands out a product with its two additions:
// without them Zen 4 sends additions to the multiplier's port, and a product takes 155 cycles for 143.
.macro ROW_INTO base, t0, t1, t2, t3, t4, t5, t6
        xorl    %eax, %eax                      // both carries off
        mulxq   0+\base, %rax, %rbx
        adoxq   %rax, \t0
        adcxq   %rbx, \t1
        nop
        nop
        mulxq   8+\base, %rax, %rbx
        adoxq   %rax, \t1
        adcxq   %rbx, \t2
        nop
        nop
        mulxq   16+\base, %rax, %rbx
        adoxq   %rax, \t2
        adcxq   %rbx, \t3
        nop
        nop
        mulxq   24+\base, %rax, %rbx
        adoxq   %rax, \t3
        adcxq   %rbx, \t4
        nop
        nop
        mulxq   32+\base, %rax, %rbx
        adoxq   %rax, \t4
        adcxq   %rbx, \t5
        nop
        nop
        mulxq   40+\base, %rax, %rbx
        adoxq   %rax, \t5
        adcxq   %rbx, \t6
        nop
        nop
        adoxq   %rbp, \t6
.endm

// The same into t0..t5, where t6 is new.
.macro ROW base, t0, t1, t2, t3, t4, t5, t6
        movq    %rbp, \t6
        ROW_INTO \base, \t0, \t1, \t2, \t3, \t4, \t5, \t6
.endm

// rdx = the q by which t0 + q * p is a multiple of 2^64.
.macro QUOTIENT t0
        movq    fp_adx_inverse(%rip), %rdx
        imulq   \t0, %rdx
.endm

// t1..t6 = (t0..t6 + q * p) / 2^64.
.macro REDUCE_ROW_INTO t0, t1, t2, t3, t4, t5, t6
        QUOTIENT \t0
        ROW_INTO fp_adx_modulus(%rip), \t0, \t1, \t2, \t3, \t4, \t5, \t6
.endm

// t1..t6 = (t0..t5 + q * p) / 2^64.
.macro REDUCE_ROW t0, t1, t2, t3, t4, t5, t6
        QUOTIENT \t0
        ROW     fp_adx_modulus(%rip), \t0, \t1, \t2, \t3, \t4, \t5, \t6
.endm

// rdi[0..5] = t0..t5, less p if they are not below p. u0..u5 are other registers.
.macro STORE_REDUCED t0, t1, t2, t3, t4, t5, u0, u1, u2, u3, u4, u5
        movq    \t0, \u0
        subq    0+fp_adx_modulus(%rip), \u0
        movq    \t1, \u1
        sbbq    8+fp_adx_modulus(%rip), \u1
        movq    \t2, \u2
        sbbq    16+fp_adx_modulus(%rip), \u2
        movq    \t3, \u3
        sbbq    24+fp_adx_modulus(%rip), \u3
        movq    \t4, \u4
        sbbq    32+fp_adx_modulus(%rip), \u4
        movq    \t5, \u5
        sbbq    40+fp_adx_modulus(%rip), \u5
        cmovncq \u0, \t0
        cmovncq \u1, \t1
        cmovncq \u2, \t2
        cmovncq \u3, \t3
        cmovncq \u4, \t4
        cmovncq \u5, \t5
        movq    \t0, 0(%rdi)
        movq    \t1, 8(%rdi)
        movq    \t2, 16(%rdi)
        movq    \t3, 24(%rdi)
        movq    \t4, 32(%rdi)
        movq    \t5, 40(%rdi)
.endm

// void (uint64_t* out, const uint64_t* a, const uint64_t* b)
FUNCTION slipway_fp_adx_mul
        SAVE_ALL
        movq    %rdx, %rcx
        xorl    %ebp, %ebp
        movq    0(%rcx), %rdx
        FIRST_ROW %rsi, %r8, %r9, %r10, %r11, %r12, %r13, %r14
        REDUCE_ROW_INTO %r8, %r9, %r10, %r11, %r12, %r13, %r14
        movq    8(%rcx), %rdx
        ROW     0(%rsi), %r9, %r10, %r11, %r12, %r13, %r14, %r8
        REDUCE_ROW_INTO %r9, %r10, %r11, %r12, %r13, %r14, %r8
        movq    16(%rcx), %rdx
        ROW     0(%rsi), %r10, %r11, %r12, %r13, %r14, %r8, %r9
        REDUCE_ROW_INTO %r10, %r11, %r12, %r13, %r14, %r8, %r9
        movq    24(%rcx), %rdx
        ROW     0(%rsi), %r11, %r12, %r13, %r14, %r8, %r9, %r10
        REDUCE_ROW_INTO %r11, %r12, %r13, %r14, %r8, %r9, %r10
        movq    32(%rcx), %rdx
        ROW     0(%rsi), %r12, %r13, %r14, %r8, %r9, %r10, %r11
        REDUCE_ROW_INTO %r12, %r13, %r14, %r8, %r9, %r10, %r11
        movq    40(%rcx), %rdx
        ROW     0(%rsi), %r13, %r14, %r8, %r9, %r10, %r11, %r12
        REDUCE_ROW_INTO %r13, %r14, %r8, %r9, %r10, %r11, %r12
        STORE_REDUCED %r14, %r8, %r9, %r10, %r11, %r12, %rax, %rbx, %rcx, %rdx, %rsi, %rbp
        RESTORE_ALL
        ret
END slipway_fp_adx_mul

// void (uint64_t* out12, const uint64_t* a, const uint64_t* b)
FUNCTION slipway_fp_adx_mul_wide
        SAVE_ALL
        movq    %rdx, %rcx
        xorl    %ebp, %ebp
        movq    0(%rcx), %rdx
        FIRST_ROW %rsi, %r8, %r9, %r10, %r11, %r12, %r13, %r14
        movq    %r8, 0(%rdi)
        movq    8(%rcx), %rdx
        ROW     0(%rsi), %r9, %r10, %r11, %r12, %r13, %r14, %r8
        movq    %r9, 8(%rdi)
        movq    16(%rcx), %rdx
        ROW     0(%rsi), %r10, %r11, %r12, %r13, %r14, %r8, %r9
        movq    %r10, 16(%rdi)
        movq    24(%rcx), %rdx
        ROW     0(%rsi), %r11, %r12, %r13, %r14, %r8, %r9, %r10
        movq    %r11, 24(%rdi)
        movq    32(%rcx), %rdx
        ROW     0(%rsi), %r12, %r13, %r14, %r8, %r9, %r10, %r11
        movq    %r12, 32(%rdi)
        movq    40(%rcx), %rdx
        ROW     0(%rsi), %r13, %r14, %r8, %r9, %r10, %r11, %r12
        movq    %r13, 40(%rdi)
        movq    %r14, 48(%rdi)
        movq    %r8, 56(%rdi)
        movq    %r9, 64(%rdi)
        movq    %r10, 72(%rdi)
        movq    %r11, 80(%rdi)
        movq    %r12, 88(%rdi)
        RESTORE_ALL
        ret
END slipway_fp_adx_mul_wide

// Twelve limbs of a[0..5]^2 at rsi: the lower six end in r8..r13, the upper six at 0..40(out). Each
// product of different limbs is made once, then all are doubled and the squares added.
// Uses all registers but rdi and rsp; `out` is rdi or rsp.
.macro SQUARE out
        // Products with a[0]: limbs 1..6 in r9..r14.
        movq    0(%rsi), %rdx
        mulxq   8(%rsi), %r9, %r10
        mulxq   16(%rsi), %rax, %r11
        addq    %rax, %r10
        mulxq   24(%rsi), %rax, %r12
        adcq    %rax, %r11
        mulxq   32(%rsi), %rax, %r13
        adcq    %rax, %r12
        mulxq   40(%rsi), %rax, %r14
        adcq    %rax, %r13
        adcq    $0, %r14
        // a[1] * a[2..5]: limbs 3..7; r15 is limb 7.
        movq    8(%rsi), %rdx
        xorl    %r15d, %r15d
        mulxq   16(%rsi), %rax, %rbx
        adoxq   %rax, %r11
        adcxq   %rbx, %r12
        mulxq   24(%rsi), %rax, %rbx
        adoxq   %rax, %r12
        adcxq   %rbx, %r13
        mulxq   32(%rsi), %rax, %rbx
        adoxq   %rax, %r13
        adcxq   %rbx, %r14
        mulxq   40(%rsi), %rax, %rbx
        adoxq   %rax, %r14
        adcxq   %rbx, %r15
        movl    $0, %eax
        adoxq   %rax, %r15
        // a[2] * a[3..5]: limbs 5..8; rbp is limb 8.
        movq    16(%rsi), %rdx
        xorl    %ebp, %ebp
        mulxq   24(%rsi), %rax, %rbx
        adoxq   %rax, %r13
        adcxq   %rbx, %r14
        mulxq   32(%rsi), %rax, %rbx
        adoxq   %rax, %r14
        adcxq   %rbx, %r15
        mulxq   40(%rsi), %rax, %rbx
        adoxq   %rax, %r15
        adcxq   %rbx, %rbp
        movl    $0, %eax
        adoxq   %rax, %rbp
        // a[3] * a[4..5], a[4] * a[5]: limbs 7..10; rcx is limb 9, r8 limb 10.
        movq    24(%rsi), %rdx
        xorl    %ecx, %ecx
        mulxq   32(%rsi), %rax, %rbx
        adoxq   %rax, %r15
        adcxq   %rbx, %rbp
        mulxq   40(%rsi), %rax, %rbx
        adoxq   %rax, %rbp
        adcxq   %rbx, %rcx
        movl    $0, %eax
        adoxq   %rax, %rcx
        movq    32(%rsi), %rdx
        mulxq   40(%rsi), %rax, %r8
        addq    %rax, %rcx
        adcq    $0, %r8
        // Doubled through CF, the squares added through OF; rbx collects limb 11.
        movq    0(%rsi), %rdx
        xorl    %ebx, %ebx
        mulxq   %rdx, %rax, %rdx
        pushq   %rax                            // limb 0
        .cfi_adjust_cfa_offset 8
        adcxq   %r9, %r9
        adoxq   %rdx, %r9
        movq    8(%rsi), %rdx
        mulxq   %rdx, %rax, %rdx
        adcxq   %r10, %r10
        adoxq   %rax, %r10
        adcxq   %r11, %r11
        adoxq   %rdx, %r11
        movq    16(%rsi), %rdx
        mulxq   %rdx, %rax, %rdx
        adcxq   %r12, %r12
        adoxq   %rax, %r12
        adcxq   %r13, %r13
        adoxq   %rdx, %r13
        movq    24(%rsi), %rdx
        mulxq   %rdx, %rax, %rdx
        adcxq   %r14, %r14
        adoxq   %rax, %r14
        adcxq   %r15, %r15
        adoxq   %rdx, %r15
        movq    32(%rsi), %rdx
        mulxq   %rdx, %rax, %rdx
        adcxq   %rbp, %rbp
        adoxq   %rax, %rbp
        adcxq   %rcx, %rcx
        adoxq   %rdx, %rcx
        movq    40(%rsi), %rdx
        mulxq   %rdx, %rax, %rdx
        adcxq   %r8, %r8
        adoxq   %rax, %r8
        adcxq   %rbx, %rbx
        adoxq   %rdx, %rbx
        popq    %rax
        .cfi_adjust_cfa_offset -8
        movq    %r14, 0+\out
        movq    %r15, 8+\out
        movq    %rbp, 16+\out
        movq    %rcx, 24+\out
        movq    %r8, 32+\out
        movq    %rbx, 40+\out
        movq    %rax, %r8
.endm

// void (uint64_t* out12, const uint64_t* a)
FUNCTION slipway_fp_adx_sqr_wide
        SAVE_ALL
        SQUARE  48(%rdi)
        movq    %r8, 0(%rdi)
        movq    %r9, 8(%rdi)
        movq    %r10, 16(%rdi)
        movq    %r11, 24(%rdi)
        movq    %r12, 32(%rdi)
        movq    %r13, 40(%rdi)
        RESTORE_ALL
        ret
END slipway_fp_adx_sqr_wide

// The lower limbs in r8..r13 reduced, the upper six at `high` added, stored at rdi.
.macro REDUCE_WIDE high
        xorl    %ebp, %ebp
        REDUCE_ROW %r8, %r9, %r10, %r11, %r12, %r13, %r14
        REDUCE_ROW %r9, %r10, %r11, %r12, %r13, %r14, %r8
        REDUCE_ROW %r10, %r11, %r12, %r13, %r14, %r8, %r9
        REDUCE_ROW %r11, %r12, %r13, %r14, %r8, %r9, %r10
        REDUCE_ROW %r12, %r13, %r14, %r8, %r9, %r10, %r11
        REDUCE_ROW %r13, %r14, %r8, %r9, %r10, %r11, %r12
        addq    0+\high, %r14
        adcq    8+\high, %r8
        adcq    16+\high, %r9
        adcq    24+\high, %r10
        adcq    32+\high, %r11
        adcq    40+\high, %r12
        STORE_REDUCED %r14, %r8, %r9, %r10, %r11, %r12, %rax, %rbx, %rcx, %rdx, %rsi, %rbp
.endm

// void (uint64_t* out, const uint64_t* wide12)
FUNCTION slipway_fp_adx_redc_wide
        SAVE_ALL
        movq    0(%rsi), %r8
        movq    8(%rsi), %r9
        movq    16(%rsi), %r10
        movq    24(%rsi), %r11
        movq    32(%rsi), %r12
        movq    40(%rsi), %r13
        REDUCE_WIDE 48(%rsi)
        RESTORE_ALL
        ret
END slipway_fp_adx_redc_wide

// void (uint64_t* out, const uint64_t* a)
FUNCTION slipway_fp_adx_sqr
        SAVE_ALL
        subq    $48, %rsp
        .cfi_adjust_cfa_offset 48
        SQUARE  0(%rsp)
        REDUCE_WIDE 0(%rsp)
        addq    $48, %rsp
        .cfi_adjust_cfa_offset -48
        RESTORE_ALL
        ret
END slipway_fp_adx_sqr

// For the linker: these functions keep to indirect-branch tracking and shadow stacks.
        .section .note.gnu.property, "a", @note
        .balign 8
        .long   4, 16, 5
        .asciz  "GNU"
        .long   0xc0000002, 4, 3, 0

#endif

#if defined(__ELF__)
        .section .note.GNU-stack, "", @progbits
#endif
