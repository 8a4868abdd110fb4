//! [`Merge`]: the rows of sorted tapes in one order. More tapes than can be read
//! at a time are merged into longer ones first, neighbours with neighbours, so
//! that equal rows stay in the order in which they came.

use super::TAPE_BYTES;
use super::tape::{Place, Tape};
use crate::env::Env;
use crate::sort_key::{KeyOrder, compare_keys};
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_types::{Datum, SqlResult};

/// Tapes are read at a time, however little memory there is.
const LEAST_WAYS: usize = 6;
/// And at most.
const MOST_WAYS: usize = 500;

/// A tape with its present row, keys first.
struct Run {
    tape: Tape,
    place: Place,
    row: Vec<Datum>,
}

/// The rows of several tapes in order.
pub struct Merge {
    orders: Vec<KeyOrder>,
    runs: Vec<Run>,
    /// The runs that have a row, as a heap with the least on top.
    heap: Vec<u32>,
    started: bool,
}

/// Brings the number of tapes down to what can be read at a time. Each gives its
/// rows with their keys in front.
///
/// # Errors
/// 53100, 58030, 57014.
pub fn reduce(orders: &[KeyOrder], tapes: &mut Vec<Tape>, env: &mut Env<'_>) -> SqlResult<()> {
    let ways = (env.run.memory.work / TAPE_BYTES).clamp(LEAST_WAYS, MOST_WAYS);
    while tapes.len() > ways {
        // As few as do: each row merged now is written once more.
        let excess = tapes.len() - ways;
        let count = (excess + 1).min(ways);
        let at = shortest(tapes, count);
        let some: Vec<Tape> = tapes.drain(at..at + count).collect();
        let mut merge = Merge::new(orders, some)?;
        let mut longer = Tape::new(env)?;
        while merge.advance()? {
            env.tick()?;
            longer.push(&[merge.whole()])?;
        }
        longer.finish()?;
        tapes.insert(at, longer);
    }
    Ok(())
}

/// Where `count` neighbours have the fewest bytes.
fn shortest(tapes: &[Tape], count: usize) -> usize {
    let bytes = |window: &[Tape]| window.iter().map(Tape::bytes).sum::<u64>();
    let windows = tapes.windows(count).enumerate();
    windows
        .min_by_key(|(_, w)| bytes(w))
        .map_or(0, |(at, _)| at)
}

impl Merge {
    /// Of tapes that have been finished.
    ///
    /// # Errors
    /// 58030 when the device fails.
    pub fn new(orders: &[KeyOrder], tapes: Vec<Tape>) -> SqlResult<Self> {
        let mut merge = Merge {
            orders: orders.to_vec(),
            runs: Vec::with_capacity(tapes.len()),
            heap: Vec::with_capacity(tapes.len()),
            started: false,
        };
        for tape in tapes {
            let mut run = Run {
                tape,
                place: Place::default(),
                row: Vec::new(),
            };
            if run.tape.take(&mut run.place, &mut run.row)? {
                merge.heap.push(merge.runs.len() as u32);
            }
            merge.runs.push(run);
        }
        for at in (0..merge.heap.len() / 2).rev() {
            merge.sift(at);
        }
        Ok(merge)
    }

    /// Whether the run `a` comes before `b`: of equal rows the one of the earlier
    /// run came first.
    fn before(&self, a: u32, b: u32) -> bool {
        let (left, right) = (&self.runs[a as usize].row, &self.runs[b as usize].row);
        match compare_keys(&self.orders, left, right) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => a < b,
        }
    }

    /// Lets the run at a place of the heap sink to where it belongs.
    fn sift(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.before(self.heap[child], self.heap[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }

    /// Moves to the next row; false at the end.
    ///
    /// # Errors
    /// 58030 when the device fails.
    pub fn advance(&mut self) -> SqlResult<bool> {
        if core::mem::replace(&mut self.started, true)
            && let Some(top) = self.heap.first().copied()
        {
            let run = &mut self.runs[top as usize];
            if !run.tape.take(&mut run.place, &mut run.row)? {
                self.heap.swap_remove(0);
            }
            self.sift(0);
        }
        Ok(!self.heap.is_empty())
    }

    fn whole(&self) -> &[Datum] {
        let top = self.heap.first();
        top.map_or(&[], |top| &self.runs[*top as usize].row)
    }

    /// The present row.
    #[must_use]
    pub fn row(&self) -> &[Datum] {
        self.whole().get(self.orders.len()..).unwrap_or_default()
    }

    /// The keys of the present row.
    #[must_use]
    pub fn keys(&self) -> &[Datum] {
        self.whole().get(..self.orders.len()).unwrap_or_default()
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.runs.iter().map(|r| r.tape.bytes()).sum()
    }
}
