//! The block device as others see it: geometry, requests, completion tokens.
#![cfg_attr(not(test), no_std)]
