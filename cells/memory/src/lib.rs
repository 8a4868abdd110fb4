//! Physical frames, virtual pages, MappedPages and the kernel heap.
#![cfg_attr(not(test), no_std)]
