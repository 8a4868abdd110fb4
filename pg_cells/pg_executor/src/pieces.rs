//! [`sort`]: sorting many elements in pieces, so that a long sort shows that it
//! lives, and ends when its statement is cancelled. (A comparison cannot end a
//! sort: the standard one must be told one order to its end.)
//!
//! Pieces are short enough to be silent for; they are merged two by two.

use crate::env::Env;
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_types::SqlResult;

/// Elements that are sorted without a look around: some 200,000 comparisons.
const PIECE: usize = 1 << 14;

/// Sorts; equal elements stay in their order. After an error the elements are all
/// there, in any order.
///
/// # Errors
/// 57014 when the statement is to be stopped.
pub fn sort<T: Copy>(
    elements: &mut Vec<T>,
    env: &mut Env<'_>,
    mut order: impl FnMut(&T, &T) -> Ordering,
) -> SqlResult<()> {
    for piece in elements.chunks_mut(PIECE) {
        piece.sort_by(&mut order);
        env.look()?;
    }
    if elements.len() <= PIECE {
        return Ok(());
    }
    let mut merged = Vec::with_capacity(elements.len());
    let mut width = PIECE;
    while width < elements.len() {
        merged.clear();
        for pair in elements.chunks(2 * width) {
            let (left, right) = pair.split_at(width.min(pair.len()));
            merge(left, right, &mut merged, env, &mut order)?;
        }
        core::mem::swap(elements, &mut merged);
        width *= 2;
    }
    Ok(())
}

/// Appends the elements of two sorted pieces, of equal ones those of the left first.
fn merge<T: Copy>(
    left: &[T],
    right: &[T],
    into: &mut Vec<T>,
    env: &mut Env<'_>,
    order: &mut impl FnMut(&T, &T) -> Ordering,
) -> SqlResult<()> {
    env.look()?;
    let (mut from_left, mut from_right) = (left, right);
    // Nothing to be done where the input was in order.
    let apart = match (left.last(), right.first()) {
        (Some(last), Some(first)) => order(first, last) != Ordering::Less,
        _ => true,
    };
    if !apart {
        while let ([l, left @ ..], [r, right @ ..]) = (from_left, from_right) {
            env.tick()?;
            if order(r, l) == Ordering::Less {
                into.push(*r);
                from_right = right;
            } else {
                into.push(*l);
                from_left = left;
            }
        }
    }
    into.extend_from_slice(from_left);
    into.extend_from_slice(from_right);
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::env::RunState;
    use crate::prepare::Surroundings;
    use crate::store::memory::MemoryStore;
    use pg_builtins::BasicContext;
    use pg_executor_port::NoViews;
    use pg_txn_port::CancelToken;
    use pg_types::SqlState;

    /// Calls `work` with an environment without tables.
    pub(crate) fn with_env<T>(cancel: &CancelToken, work: impl FnOnce(&mut Env<'_>) -> T) -> T {
        let mut store = MemoryStore::default();
        let session = BasicContext::default();
        let mut run = RunState::default();
        let surroundings = Surroundings {
            store: &mut store,
            params: &[],
            session: &session,
            views: &NoViews,
            cancel,
            spill: None,
            notes: None,
        };
        work(&mut surroundings.env(&mut run))
    }

    /// Keys with many equals, and where each stood.
    fn elements(count: usize) -> Vec<(u32, usize)> {
        let mut seed = 11u32;
        let next = |at| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 18, at)
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn equal_elements_stay_in_their_order() {
        let cancel = CancelToken::new();
        for count in [0, 1, 100, PIECE, PIECE + 1, 3 * PIECE - 1, 5 * PIECE + 7] {
            let mut sorted = elements(count);
            let mut expected = sorted.clone();
            expected.sort_by_key(|e| e.0);
            with_env(&cancel, |env| {
                sort(&mut sorted, env, |a, b| a.0.cmp(&b.0)).expect("not cancelled");
            });
            assert!(sorted == expected, "{count} elements");
            // Once more, in order already, and the other way round.
            with_env(&cancel, |env| {
                sort(&mut sorted, env, |a, b| a.0.cmp(&b.0)).expect("not cancelled");
                assert!(sorted == expected);
                sort(&mut sorted, env, |a, b| b.0.cmp(&a.0)).expect("not cancelled");
            });
            expected.sort_by_key(|e| core::cmp::Reverse(e.0));
            assert!(sorted == expected, "{count} elements backwards");
        }
    }

    #[test]
    fn a_long_sort_shows_that_it_lives() {
        let cancel = CancelToken::new();
        let (mut last, mut silent, mut longest) = (0, 0usize, 0);
        with_env(&cancel, |env| {
            sort(&mut elements(8 * PIECE), env, |a, b| {
                let signs = task_port::with_ledger(|ledger| ledger.activity());
                silent = if signs == last { silent + 1 } else { 0 };
                (last, longest) = (signs, longest.max(silent));
                a.cmp(b)
            })
            .expect("not cancelled");
        });
        assert!(longest < 32 * PIECE, "{longest} comparisons without a sign");
    }

    #[test]
    fn a_cancelled_sort_ends_soon() {
        // Among the pieces, and among the merges.
        for when in [3 * PIECE, 8 * PIECE * 16] {
            let cancel = CancelToken::new();
            let mut count = 0;
            let mut some = elements(8 * PIECE);
            let mut before = some.clone();
            let done = with_env(&cancel, |env| {
                sort(&mut some, env, |a, b| {
                    count += 1;
                    if count == when {
                        cancel.cancel();
                    }
                    a.cmp(b)
                })
            });
            assert_eq!(
                done.map_err(|e| e.code()),
                Err(SqlState::QUERY_CANCELED),
                "after {when} of {count}"
            );
            assert!(count < when + 32 * PIECE);
            // Nothing is lost.
            some.sort_unstable();
            before.sort_unstable();
            assert!(some == before);
        }
    }
}
