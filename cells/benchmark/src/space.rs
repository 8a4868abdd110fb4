//! Memory: the heap, mapped pages, copies.

use crate::run::{Bench, Measured, per_call, per_round};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::hint::black_box;
use memory::MappedPages;

/// A page of the database.
const PAGE: usize = 8192;

pub(crate) const BENCHES: &[Bench] = &[
    Bench {
        name: "heap_64",
        run: || heap(64, 5000),
    },
    Bench {
        name: "heap_1k",
        run: || heap(1024, 5000),
    },
    Bench {
        name: "heap_64k",
        run: || heap(65536, 500),
    },
    Bench {
        name: "mapped_page",
        run: mapped_page,
    },
    Bench {
        name: "copy_8k",
        run: copy,
    },
];

/// An allocation and its end.
fn heap(size: usize, count: u64) -> Measured {
    Ok(per_call(count, |_| {
        let mut bytes: Vec<u8> = Vec::with_capacity(black_box(size));
        bytes.push(1);
        black_box(&bytes);
    }))
}

/// Taken, cleared, mapped, unmapped on all CPUs, given back.
fn mapped_page() -> Measured {
    let mut failed = false;
    let ps = per_round(100, |_| match MappedPages::allocate(memory::PAGE_SIZE) {
        Ok(pages) => drop(black_box(pages)),
        Err(_) => failed = true,
    });
    if failed {
        return Err(String::from("out of memory"));
    }
    Ok(ps)
}

fn copy() -> Measured {
    let (from, mut to) = (vec![1u8; PAGE], vec![0u8; PAGE]);
    Ok(per_call(500, |_| {
        to.copy_from_slice(black_box(&from));
        black_box(&to);
    }))
}
