//! Interrupt and exception delivery: IDT, IST stacks, local and I/O APIC, MSI-X vectors.
#![cfg_attr(not(test), no_std)]
