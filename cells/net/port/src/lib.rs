//! Sockets as others see them: listener, stream, wait tokens.
#![cfg_attr(not(test), no_std)]
