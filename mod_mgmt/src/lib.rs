//! Loads, links and unloads cells: object reader, relocation, slots, namespaces, signatures.
#![cfg_attr(not(test), no_std)]
