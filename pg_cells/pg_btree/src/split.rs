//! Splitting a page that is full.

use crate::descend::corrupt;
use crate::node::{Bound, CAPACITY, Frame, Item, Node, Position, ROOT, special_size, write};
use alloc::vec;
use alloc::vec::Vec;
use pg_btree_port::{FileId, IndexError};
use pg_buffer_port::{MiniTx, Slot};
use pg_page::slots::POINTER_SIZE;

/// Splits the latched page `block` while adding `item` as number `index`. Gives
/// the new right page and the separator that its parent must get; none when the
/// page was the root, which stays where it is and gets two new children.
pub fn split(
    mtx: &mut MiniTx,
    file: FileId,
    slot: Slot,
    block: u32,
    index: u16,
    item: Item,
) -> Result<Option<(Bound, u32)>, IndexError> {
    let node = Node::new(mtx.page(slot)).ok_or_else(|| corrupt(file, block))?;
    let mut items = node.items();
    let frame = Frame::of(&node);
    let at_end = node.right().is_none() && index == node.len();
    items.insert(usize::from(index).min(items.len()), item);
    let (cut, separator) = choose(&items, &frame, at_end).ok_or_else(|| corrupt(file, block))?;
    let (left, right) = items.split_at(cut);
    let (right_slot, right_block) = mtx.extend(file)?;
    let left_frame = Frame {
        level: frame.level,
        right: Some(right_block),
        high: Some(separator.clone()),
    };
    write(mtx, right_slot, &frame, right);
    if block != ROOT {
        pg_txn_port::page_split(file.0, block, &[right_block])?;
        write(mtx, slot, &left_frame, left);
        return Ok(Some((separator, right_block)));
    }
    let (left_slot, left_block) = mtx.extend(file)?;
    pg_txn_port::page_split(file.0, block, &[left_block, right_block])?;
    write(mtx, left_slot, &left_frame, left);
    let root = Frame {
        level: frame.level + 1,
        right: None,
        high: None,
    };
    let children = [
        Item {
            at: Position::LEAST.to_owned(),
            child: Some(left_block),
        },
        Item {
            at: separator,
            child: Some(right_block),
        },
    ];
    write(mtx, slot, &root, &children);
    Ok(None)
}

/// The shortest position above `left` and at most `right`: what tells them
/// apart needs no more of the key than its first different byte.
pub fn separator(left: Position<'_>, right: Position<'_>) -> Bound {
    let common = left.key.iter().zip(right.key).take_while(|(a, b)| a == b);
    let common = common.count();
    match right.key.get(..=common) {
        Some(prefix) => Position::before(prefix).to_owned(),
        // Equal keys: the tid decides.
        None => right.to_owned(),
    }
}

/// Where to cut: in the middle, or near the end when entries arrive in order.
/// Both sides must fit a page with their bounds. Gives the number of items that
/// stay and the separator.
fn choose(items: &[Item], frame: &Frame, at_end: bool) -> Option<(usize, Bound)> {
    let sizes: Vec<usize> = items.iter().map(|i| i.size() + POINTER_SIZE).collect();
    let total: usize = sizes.iter().sum();
    let target = if at_end { total / 10 * 9 } else { total / 2 };
    let mut left = vec![0; items.len() + 1];
    for (at, size) in sizes.iter().enumerate() {
        left[at + 1] = left[at] + size;
    }
    let mut cuts: Vec<usize> = (1..items.len()).collect();
    cuts.sort_by_key(|cut| left[*cut].abs_diff(target));
    let right_special = special_size(frame.high.as_ref().map(|h| h.key.len()));
    cuts.into_iter().find_map(|cut| {
        let (before, behind) = (items[cut - 1].at.position(), items[cut].at.position());
        // An inner page's separator must be its child's own, or the way down
        // would lose the positions between the two.
        let separator = match frame.level {
            0 => separator(before, behind),
            _ => behind.to_owned(),
        };
        let left_special = special_size(Some(separator.key.len()));
        let fits =
            left[cut] + left_special <= CAPACITY && total - left[cut] + right_special <= CAPACITY;
        fits.then_some((cut, separator))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_short_and_between() {
        let cases: [(&[u8], &[u8], &[u8]); 4] = [
            (b"abc", b"abz999", b"abz"),
            (b"a", b"b", b"b"),
            (b"ab", b"abc", b"abc"),
            (b"", b"x", b"x"),
        ];
        for (left, right, expected) in cases {
            let (l, r) = (Position::behind(left), Position::before(right));
            let found = separator(l, r);
            assert_eq!(found.key, expected);
            assert!(l < found.position() && found.position() <= r);
        }
        let same = separator(
            Position { key: b"k", tid: 3 },
            Position { key: b"k", tid: 9 },
        );
        assert_eq!((&same.key[..], same.tid), (&b"k"[..], 9));
    }
}
