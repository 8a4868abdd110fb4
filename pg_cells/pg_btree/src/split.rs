//! Splitting pages that are full: first planned upwards, as far as pages must
//! split, then written with new pages on the right.

use crate::descend::corrupt;
use crate::free::{self, Fresh};
use crate::node::{Bound, CAPACITY, Item, Node, Position, ROOT};
use crate::write::{self, Frame, special_size};
use alloc::vec;
use alloc::vec::Vec;
use pg_btree_port::{FileId, IndexError};
use pg_buffer_port::{MiniTx, Slot};
use pg_page::slots::POINTER_SIZE;

/// Stands for a new page's number until it has one.
const TO_COME: Option<u32> = Some(u32::MAX);

/// A page to be split.
struct Split {
    slot: Slot,
    block: u32,
    frame: Frame,
    left: Vec<Item>,
    right: Vec<Item>,
    separator: Bound,
}

/// The splits for one entry, from the leaf upwards.
#[derive(Default)]
pub struct Growth(Vec<Split>);

impl Growth {
    /// Plans to split a latched page while adding `item`. Gives the item that its
    /// parent must get; none when it is the root, which stays where it is and
    /// gets two new children.
    pub fn split(
        &mut self,
        file: FileId,
        (slot, block): (Slot, u32),
        node: &Node<'_>,
        item: Item,
    ) -> Result<Option<Item>, IndexError> {
        let index = node.count_before(item.at.position());
        let mut items = node.items();
        let frame = Frame::of(node);
        let at_end = node.high().is_none() && index == node.len();
        items.insert(usize::from(index).min(items.len()), item);
        let (cut, separator) =
            choose(&items, &frame, at_end).ok_or_else(|| corrupt(file, block))?;
        let right = items.split_off(cut);
        self.0.push(Split {
            slot,
            block,
            frame,
            left: items,
            right,
            separator: separator.clone(),
        });
        Ok((block != ROOT).then_some(Item {
            at: separator,
            child: TO_COME,
        }))
    }

    /// Does what was planned, and adds the last item to the page above.
    pub fn write(
        self,
        mtx: &mut MiniTx,
        file: FileId,
        has_free: bool,
        above: Option<(Slot, Item)>,
    ) -> Result<(), IndexError> {
        // The page made last, for which the items of the level above wait.
        let mut made = None;
        for mut split in self.0 {
            let items = split.left.iter_mut().chain(&mut split.right);
            items.for_each(|item| settle(item, made));
            let right = free::take(mtx, file, has_free)?;
            if split.block == ROOT {
                let left = free::take(mtx, file, has_free)?;
                return split.write_root(mtx, file, &left, &right);
            }
            made = Some(right.block);
            split.write(mtx, file, &right)?;
        }
        if let Some((slot, mut item)) = above {
            settle(&mut item, made);
            let node = Node::new(mtx.page(slot));
            let index = node.map_or(0, |n| n.count_before(item.at.position()));
            write::insert(mtx, slot, index, &item);
        }
        Ok(())
    }
}

/// Gives an item the number that it waits for.
fn settle(item: &mut Item, made: Option<u32>) {
    if item.child == TO_COME {
        item.child = made;
    }
}

impl Split {
    fn right_frame(&self, right: &Fresh) -> Frame {
        Frame {
            level: self.frame.level,
            right: self.frame.right,
            high: self.frame.high.clone(),
            stamp: right.stamp,
            list: None,
        }
    }

    fn left_frame(&self, right: &Fresh, stamp: Option<u64>) -> Frame {
        Frame {
            level: self.frame.level,
            right: Some(right.block),
            high: Some(self.separator.clone()),
            stamp,
            list: None,
        }
    }

    fn write(self, mtx: &mut MiniTx, file: FileId, right: &Fresh) -> Result<(), IndexError> {
        write::page(mtx, right.slot, &self.right_frame(right), &self.right);
        pg_txn_port::page_split(file.0, self.block, &[right.block])?;
        let frame = self.left_frame(right, self.frame.stamp);
        write::page(mtx, self.slot, &frame, &self.left);
        Ok(())
    }

    fn write_root(
        self,
        mtx: &mut MiniTx,
        file: FileId,
        left: &Fresh,
        right: &Fresh,
    ) -> Result<(), IndexError> {
        write::page(mtx, right.slot, &self.right_frame(right), &self.right);
        pg_txn_port::page_split(file.0, self.block, &[left.block, right.block])?;
        let frame = self.left_frame(right, left.stamp);
        write::page(mtx, left.slot, &frame, &self.left);
        let node = Node::new(mtx.page(self.slot)).ok_or_else(|| corrupt(file, ROOT))?;
        let root = Frame {
            level: self.frame.level + 1,
            list: node.next_free(),
            ..Frame::default()
        };
        let children = [
            Item {
                at: Position::LEAST.to_owned(),
                child: Some(left.block),
            },
            Item {
                at: self.separator,
                child: Some(right.block),
            },
        ];
        write::page(mtx, self.slot, &root, &children);
        Ok(())
    }
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
