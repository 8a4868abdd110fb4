//! virtio network device driver.
#![cfg_attr(not(test), no_std)]
