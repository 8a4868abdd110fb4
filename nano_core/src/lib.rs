//! The boot image: entry, early console, CPU tables, and what must exist before the first cell can be loaded.
#![cfg_attr(not(test), no_std)]
