//! The network interface as others see it: receive and transmit frames, link state.
#![cfg_attr(not(test), no_std)]
