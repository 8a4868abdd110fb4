//! Pruning: versions that nobody sees leave their page, and the room is one
//! piece again. No index is touched: where an entry may lead to a chain, a
//! pointer stays, as a redirect to the chain's first version left, or as a dead
//! pointer when none is. Versions in the middle of a chain go, too, when those who
//! look at the older ones see none of them: then the version before them is ended
//! by who ended the last of them, which is the same to everyone (`README.md`).
//!
//! It costs as much as the page has items, however little it brings. So changes
//! ask for it only when their page is full or a chain has grown by eight
//! versions ([`for_change`]), only when some version can go (the page's hint
//! tells), and a page that stays nearly full is left: with every row that moves
//! elsewhere its reserve grows, until one pruning serves an eighth of its rows.

use crate::page::{self, set_free_slots, version};
use crate::visibility::{Fate, Known};
use alloc::vec;
use alloc::vec::Vec;
use pg_buffer_port::{MiniTx, Slot};
use pg_heap_port::HeapError;
use pg_page::slots::{self, ItemPointer, State};
use pg_page::tuple_header::{self, TupleHeader, at as field, bits};
use pg_page::{Page, get_u16, header};
use pg_txn_port::{Sight, Xid};

/// In the prune hint: what was ended and is left was looked at, and only waits for
/// the horizon.
const LOOKED_AT: u64 = 1 << 63;

/// Whether pruning the page may bring room.
pub fn is_worth_it(page: &Page) -> Result<bool, HeapError> {
    let hint = page::prune_hint(page);
    Ok(match (hint, hint & LOOKED_AT) {
        (0, _) => false,
        (hint, 0) => Xid(hint) < pg_txn_port::sight()?.limit(),
        (hint, _) => Xid(hint & !LOOKED_AT) < pg_txn_port::horizon()?,
    })
}

/// The slot for a new version of `len` bytes on the latched page, if it is to
/// lie there. Prunes the page if that is necessary, or `wanted` and possible.
pub fn for_change(
    mtx: &mut MiniTx,
    page: Slot,
    len: usize,
    wanted: bool,
) -> Result<Option<u16>, HeapError> {
    let number = page::slot_for(mtx.page(page), len);
    if (number.is_some() && !wanted) || !is_worth_it(mtx.page(page))? {
        return Ok(number);
    }
    prune(mtx, page)?;
    let bytes = mtx.page(page);
    if number.is_none() && page::free(bytes) < reserve(bytes, len) {
        return Ok(None);
    }
    Ok(page::slot_for(bytes, len))
}

/// The room that pruning a full page must bring for the page to be used on: for
/// an eighth of its rows.
fn reserve(page: &Page, len: usize) -> usize {
    let used = usize::from(header::special(page)) - usize::from(header::upper(page));
    let row = page::item_size(len);
    row * (used / row / 8).max(1)
}

/// What a pruning is about to do.
#[derive(Debug, Default)]
pub struct Plan {
    /// Pointers that change.
    pub changes: Vec<(u16, ItemPointer)>,
    /// Versions that go.
    pub removed: u32,
    /// Versions that stay though ended.
    pub kept_dead: u32,
    /// Versions that nobody has ended, or that are undecided.
    pub live: u32,
    /// Versions in front of a gap in their chain, each with the last of the gap.
    gaps: Vec<(u16, u16)>,
    /// The least xmax among those that stay.
    prune_hint: u64,
    /// The least one among those that may be tried again when the horizon has
    /// passed it.
    looked_at: u64,
    /// Hints for versions, by their offsets.
    hints: Vec<(usize, u16)>,
}

struct Planner<'a> {
    page: &'a Page,
    /// Before it, who looks now is all that counts.
    limit: Xid,
    /// By slot number; none where no version is.
    fates: Vec<Option<Fate>>,
    /// Versions that are dealt with.
    reached: Vec<bool>,
    /// The chain being looked at.
    members: Vec<u16>,
    plan: Plan,
}

/// Looks at all versions of a page.
pub fn plan(page: &Page, sight: &Sight) -> Result<Plan, HeapError> {
    let count = usize::from(slots::count(page));
    let mut planner = Planner {
        page,
        limit: sight.limit(),
        fates: vec![None; count + 1],
        reached: vec![false; count + 1],
        members: Vec::new(),
        plan: Plan::default(),
    };
    let mut known = Known::default();
    for (number, pointer) in slots::pointers(page) {
        if pointer.state == State::Normal {
            planner.fates[usize::from(number)] = planner.look(&mut known, number, sight)?;
        }
    }
    for (number, pointer) in slots::pointers(page) {
        if !planner.reached[usize::from(number)] {
            planner.chain(number, pointer);
        }
    }
    for number in 1..=count {
        planner.leftover(number as u16);
    }
    Ok(planner.plan)
}

impl Planner<'_> {
    /// Finds out a version's fate. Most are alive, and their hints say so.
    #[inline]
    fn look(
        &mut self,
        known: &mut Known,
        number: u16,
        sight: &Sight,
    ) -> Result<Option<Fate>, HeapError> {
        let item = slots::item(self.page, number);
        let Some(item) = item.filter(|i| i.len() >= tuple_header::SIZE) else {
            return Ok(None);
        };
        let marks = get_u16(item, field::INFOMASK);
        let unended = marks & (bits::XMAX_INVALID | bits::XMAX_LOCK_ONLY) != 0;
        if unended && marks & bits::XMIN_COMMITTED != 0 {
            return Ok(Some(Fate::Live));
        }
        let Some(found) = version(self.page, number) else {
            return Ok(None);
        };
        let mut hints = 0;
        let fate = known.fate(&found.header, sight, &mut hints)?;
        if hints != 0 {
            self.plan.hints.push((found.offset, hints));
        }
        Ok(Some(fate))
    }

    fn at(&self, number: u16) -> Option<(TupleHeader, Fate)> {
        let fate = (*self.fates.get(usize::from(number))?)?;
        Some((version(self.page, number)?.header, fate))
    }

    /// Plans the chain that begins at `root`, if one does.
    fn chain(&mut self, root: u16, pointer: ItemPointer) {
        let first = match pointer.state {
            State::Redirect => pointer.offset,
            State::Normal => root,
            State::Unused | State::Dead => return,
        };
        // Most chains that were pruned before consist of one living version.
        if first != root && self.fates.get(usize::from(first)) == Some(&Some(Fate::Live)) {
            self.reached[usize::from(first)] = true;
            self.plan.live += 1;
            return;
        }
        if self.at(root).is_some_and(|(h, _)| h.has(bits::HEAP_ONLY)) {
            return;
        }
        let mut next = Some(first);
        let mut members = core::mem::take(&mut self.members);
        members.clear();
        let mut dead = 0;
        let mut hidden = false;
        let mut expect = None;
        while let Some(number) = next.take() {
            let Some((header, fate)) = self.at(number) else {
                break;
            };
            if expect.is_some_and(|x| x != header.xmin) || members.contains(&number) {
                break;
            }
            members.push(number);
            if fate == Fate::Dead {
                // All before it are dead as well: nobody sees an older one who
                // does not see the end of this one.
                dead = members.len();
            }
            hidden |= fate == Fate::Hidden;
            // Behind a version that is not ended for good there may be one whose
            // maker has aborted: no part of the chain.
            let ended = fate.is_over() || fate == Fate::RecentlyDead;
            if ended && header.has(bits::HOT_UPDATED) {
                next = Some(header.next_slot);
                expect = Some(header.xmax);
            }
        }
        for number in &members {
            self.reached[usize::from(*number)] = true;
        }
        if hidden {
            dead = self.skip_hidden(&mut members, dead);
        }
        self.cut(root, pointer, &members, dead);
        self.members = members;
    }

    /// Plans to remove hidden members behind the first `dead` ones: those at the
    /// front count as dead, others leave a gap. Answers how many are dead then.
    fn skip_hidden(&mut self, members: &mut Vec<u16>, dead: usize) -> usize {
        let is_hidden = |number: &u16| self.fates[usize::from(*number)] == Some(Fate::Hidden);
        let front = members[dead..].iter().take_while(|n| is_hidden(n)).count();
        let dead = dead + front;
        let mut kept: Vec<u16> = members[..dead].to_vec();
        for run in members[dead..].chunk_by(|a, b| is_hidden(a) == is_hidden(b)) {
            match (run, kept.last()) {
                ([.., last], Some(before)) if is_hidden(last) => {
                    self.plan.gaps.push((*before, *last));
                    self.plan.removed += run.len() as u32;
                    let unused = run.iter().map(|n| (*n, ItemPointer::UNUSED));
                    self.plan.changes.extend(unused);
                }
                _ => kept.extend_from_slice(run),
            }
        }
        *members = kept;
        dead
    }

    /// Plans to remove the first `dead` members of a chain.
    fn cut(&mut self, root: u16, pointer: ItemPointer, members: &[u16], dead: usize) {
        for number in &members[dead..] {
            self.stays(*number);
        }
        self.plan.removed += dead as u32;
        let redirected = pointer.state == State::Redirect;
        if dead == 0 && !(redirected && members.is_empty()) {
            return;
        }
        let changes = &mut self.plan.changes;
        match members.get(dead) {
            Some(first) => changes.push((root, ItemPointer::redirect(*first))),
            None => changes.push((
                root,
                ItemPointer {
                    offset: 0,
                    len: 0,
                    state: State::Dead,
                },
            )),
        }
        let gone = members[..dead].iter().filter(|n| **n != root);
        changes.extend(gone.map(|n| (*n, ItemPointer::UNUSED)));
    }

    /// A version that no chain reaches: left by an update that was rolled back.
    fn leftover(&mut self, number: u16) {
        if self.reached[usize::from(number)] {
            return;
        }
        let Some((header, fate)) = self.at(number) else {
            return;
        };
        if !header.has(bits::HEAP_ONLY) {
            return;
        }
        if fate == Fate::Dead {
            self.plan.removed += 1;
            self.plan.changes.push((number, ItemPointer::UNUSED));
        } else {
            self.stays(number);
        }
    }

    fn stays(&mut self, number: u16) {
        let Some((header, fate)) = self.at(number) else {
            return;
        };
        match fate {
            Fate::Live | Fate::Undecided => self.plan.live += 1,
            Fate::RecentlyDead | Fate::Hidden | Fate::Dead => self.plan.kept_dead += 1,
        }
        if fate != Fate::Live && !header.has(bits::XMAX_LOCK_ONLY) {
            let ends = if header.xmax == 0 {
                header.xmin
            } else {
                header.xmax
            };
            let again = fate != Fate::RecentlyDead || Xid(ends) >= self.limit;
            let hint = match again {
                true => &mut self.plan.prune_hint,
                false => &mut self.plan.looked_at,
            };
            *hint = if *hint == 0 { ends } else { ends.min(*hint) };
        }
    }
}

/// Prunes a latched page. Answers what was done.
pub fn prune(mtx: &mut MiniTx, page: Slot) -> Result<Plan, HeapError> {
    let sight = pg_txn_port::sight()?;
    let plan = plan(mtx.page(page), &sight)?;
    for (offset, hints) in &plan.hints {
        mtx.set_hint(page, offset + field::INFOMASK, *hints);
    }
    let hint = match (plan.prune_hint, plan.looked_at) {
        (0, 0) => 0,
        (0, looked_at) => looked_at | LOOKED_AT,
        (hint, _) => hint,
    };
    page::set_prune_hint(mtx, page, hint);
    for (before, last) in &plan.gaps {
        close_gap(mtx, page, *before, *last);
    }
    if !plan.changes.is_empty() {
        if plan.changes.iter().any(|(_, p)| p.state == State::Unused) {
            set_free_slots(mtx, page, true);
        }
        compact(mtx, page, &plan.changes);
    }
    Ok(plan)
}

/// Ends the version in slot `before` as `last`, behind it in its chain, is ended.
fn close_gap(mtx: &mut MiniTx, page: Slot, before: u16, last: u16) {
    let bytes = mtx.page(page);
    let (Some(mut kept), Some(gone)) = (version(bytes, before), version(bytes, last)) else {
        return;
    };
    let block = mtx.page_id(page).block;
    let (header, end) = (&mut kept.header, gone.header);
    (header.xmax, header.cmax) = (end.xmax, end.cmax);
    (header.next_block, header.next_slot) = (end.next_block, end.next_slot);
    if (end.next_block, end.next_slot) == (block, last) {
        // It was deleted.
        header.next_slot = before;
    }
    header.infomask = header.infomask & !bits::ABOUT_XMAX | end.infomask & bits::ABOUT_XMAX;
    page::write_end(mtx, page, &kept);
}

/// Changes pointers and moves all items left to the page's end, in runs that lie
/// together. The pointers are written in one piece.
fn compact(mtx: &mut MiniTx, page: Slot, changes: &[(u16, ItemPointer)]) {
    let bytes = mtx.page(page);
    let mut pointers: Vec<ItemPointer> = slots::pointers(bytes).map(|(_, p)| p).collect();
    for (number, pointer) in changes {
        pointers[usize::from(*number) - 1] = *pointer;
    }
    // Offset and slot in one number, which sorts by the offset.
    let mut items: Vec<u32> = Vec::with_capacity(pointers.len());
    for (at, pointer) in (0u32..).zip(&pointers) {
        if pointer.state == State::Normal {
            items.push(u32::from(pointer.offset) << 16 | at);
        }
    }
    items.sort_unstable();
    let lower = usize::from(header::lower(bytes));
    let mut upper = usize::from(header::special(bytes));
    // The run being collected: from where, how long, to where.
    let mut run = (upper, 0, upper);
    for item in items.into_iter().rev() {
        let pointer = &mut pointers[(item & 0xFFFF) as usize];
        let size = usize::from(pointer.len).next_multiple_of(2);
        let from = usize::from(pointer.offset);
        upper -= size;
        pointer.offset = upper as u16;
        if from + size == run.0 {
            run = (from, run.1 + size, upper);
        } else {
            move_run(mtx, page, run);
            run = (from, size, upper);
        }
    }
    move_run(mtx, page, run);
    let mut encoded = Vec::with_capacity(pointers.len() * slots::POINTER_SIZE);
    for pointer in &pointers {
        encoded.extend_from_slice(&pointer.encode());
    }
    mtx.write(page, slots::pointer_offset(1), &encoded);
    page::set_bounds(mtx, page, lower, upper);
}

fn move_run(mtx: &mut MiniTx, page: Slot, (from, len, to): (usize, usize, usize)) {
    if from != to && len > 0 {
        mtx.shift(page, from, to, len);
    }
}
