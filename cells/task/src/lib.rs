//! Preemptive tasks on all CPUs: context switch, run queues, timers of sleeping tasks.
#![cfg_attr(not(test), no_std)]
