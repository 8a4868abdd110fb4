//! Memory: the heap under load from all CPUs, and that everything comes back.

use crate::run::{Test, Verdict, check};
use crate::tasks::together;
use alloc::vec;
use alloc::vec::Vec;
use memory::{MappedPages, Protection, frames};

pub(crate) const TESTS: &[Test] = &[
    Test {
        name: "heap",
        run: heap,
    },
    Test {
        name: "mapped_pages",
        run: mapped_pages,
    },
];

fn heap() -> Verdict {
    let before = frames::usage().heap;
    together(6, |number| {
        let mut held: Vec<Vec<u8>> = Vec::new();
        let mut seed = number as u64 + 1;
        for _ in 0..3000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let size = (seed >> 40) as usize % 20_000;
            if held.len() < 40 {
                held.push(vec![number as u8; size]);
            } else {
                let old = held.swap_remove(size % 40);
                assert!(
                    old.iter().all(|b| *b == number as u8),
                    "someone else wrote into our memory"
                );
            }
        }
    })?;
    task_port::sleep(10_000_000);
    let after = frames::usage().heap;
    check!(
        after <= before + 65_536,
        "{} bytes of heap did not come back",
        after - before
    );
    Ok(())
}

fn mapped_pages() -> Verdict {
    let before = frames::usage();
    for round in 0..50usize {
        let mut pages = MappedPages::allocate((round + 1) * 4096).map_err(|_| "no memory")?;
        let bytes = pages.bytes_mut().ok_or("fresh pages are not writable")?;
        check!(bytes.iter().all(|b| *b == 0), "fresh pages are not zero");
        bytes[0] = 1;
        pages.protect(Protection::Read);
        check!(
            pages.bytes_mut().is_none(),
            "read-only pages gave a mutable slice"
        );
        check!(
            pages.as_type::<u64>(0) == Some(&1),
            "as_type reads something else"
        );
        check!(
            pages.as_type::<u64>(pages.len() - 4).is_none(),
            "as_type reads past the end"
        );
    }
    let after = frames::usage();
    check!(
        after.mapped == before.mapped,
        "{} mapped bytes leak",
        after.mapped - before.mapped
    );
    Ok(())
}
