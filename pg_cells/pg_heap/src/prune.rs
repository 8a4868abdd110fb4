//! Pruning: versions that nobody sees leave their page, and the room is one
//! piece again. No index is touched: where an entry may lead to a chain, a
//! pointer stays, as a redirect to the chain's first version left, or as a dead
//! pointer when none is.

use crate::page::{self, Version, set_free_slots, set_pointer, version};
use crate::visibility::{Fate, fate};
use alloc::vec;
use alloc::vec::Vec;
use pg_buffer_port::{MiniTx, Slot};
use pg_heap_port::HeapError;
use pg_page::slots::{self, ItemPointer, State};
use pg_page::tuple_header::bits;
use pg_page::{Page, header};
use pg_txn_port::Xid;

/// Whether pruning the page may bring room.
pub fn is_worth_it(page: &Page) -> Result<bool, HeapError> {
    let hint = page::prune_hint(page);
    Ok(hint != 0 && Xid(hint) < pg_txn_port::horizon()?)
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
    /// The least xmax among those that stay.
    prune_hint: u64,
}

struct Planner<'a> {
    page: &'a Page,
    /// By slot number.
    fates: Vec<Option<(Version, Fate)>>,
    reached: Vec<bool>,
    plan: Plan,
}

/// Looks at all versions of a page.
pub fn plan(page: &Page, horizon: Xid) -> Result<Plan, HeapError> {
    let count = usize::from(slots::count(page));
    let mut planner = Planner {
        page,
        fates: vec![None; count + 1],
        reached: vec![false; count + 1],
        plan: Plan::default(),
    };
    for (number, pointer) in slots::pointers(page) {
        if pointer.state == State::Normal
            && let Some(found) = version(page, number)
        {
            let fate = fate(&found.header, horizon, &mut 0)?;
            planner.fates[usize::from(number)] = Some((found, fate));
        }
    }
    for (number, pointer) in slots::pointers(page) {
        planner.chain(number, pointer);
    }
    for number in 1..=count {
        planner.leftover(number as u16);
    }
    Ok(planner.plan)
}

impl Planner<'_> {
    fn at(&self, number: u16) -> Option<(Version, Fate)> {
        self.fates.get(usize::from(number)).copied().flatten()
    }

    /// Plans the chain that begins at `root`, if one does.
    fn chain(&mut self, root: u16, pointer: ItemPointer) {
        let mut next = match pointer.state {
            State::Redirect => Some(pointer.offset),
            State::Normal => Some(root),
            State::Unused | State::Dead => return,
        };
        if self
            .at(root)
            .is_some_and(|(v, _)| v.header.has(bits::HEAP_ONLY))
        {
            return;
        }
        let mut members: Vec<u16> = Vec::new();
        let mut dead = 0;
        let mut expect = None;
        while let Some(number) = next.take() {
            let Some((found, fate)) = self.at(number) else {
                break;
            };
            let header = found.header;
            if expect.is_some_and(|x| x != header.xmin) || members.contains(&number) {
                break;
            }
            members.push(number);
            if fate == Fate::Dead {
                // All before it are dead as well: nobody sees an older one who
                // does not see the end of this one.
                dead = members.len();
            }
            if header.has(bits::HOT_UPDATED) {
                next = Some(header.next_slot);
                expect = Some(header.xmax);
            }
        }
        for number in &members {
            self.reached[usize::from(*number)] = true;
        }
        self.cut(root, pointer, &members, dead);
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
        let Some((found, fate)) = self.at(number) else {
            return;
        };
        if self.reached[usize::from(number)] || !found.header.has(bits::HEAP_ONLY) {
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
        let Some((found, fate)) = self.at(number) else {
            return;
        };
        match fate {
            Fate::Live => self.plan.live += 1,
            Fate::Undecided => self.plan.live += 1,
            Fate::RecentlyDead | Fate::Dead => self.plan.kept_dead += 1,
        }
        let header = &found.header;
        if fate != Fate::Live && !header.has(bits::XMAX_LOCK_ONLY) {
            let ends = if header.xmax == 0 {
                header.xmin
            } else {
                header.xmax
            };
            let hint = self.plan.prune_hint;
            self.plan.prune_hint = if hint == 0 { ends } else { hint.min(ends) };
        }
        let _ = self.page;
    }
}

/// Prunes a latched page. Answers what was done.
pub fn prune(mtx: &mut MiniTx, page: Slot) -> Result<Plan, HeapError> {
    let horizon = pg_txn_port::horizon()?;
    let plan = plan(mtx.page(page), horizon)?;
    page::set_prune_hint(mtx, page, plan.prune_hint);
    if !plan.changes.is_empty() {
        for (number, pointer) in &plan.changes {
            set_pointer(mtx, page, *number, *pointer);
        }
        if plan.changes.iter().any(|(_, p)| p.state == State::Unused) {
            set_free_slots(mtx, page, true);
        }
        compact(mtx, page);
    }
    Ok(plan)
}

/// Moves all items to the page's end, in runs that lie together.
fn compact(mtx: &mut MiniTx, page: Slot) {
    let bytes = mtx.page(page);
    let mut items: Vec<(u16, ItemPointer)> = slots::pointers(bytes)
        .filter(|(_, p)| p.state == State::Normal)
        .collect();
    items.sort_unstable_by_key(|(_, p)| core::cmp::Reverse(p.offset));
    let lower = usize::from(header::lower(bytes));
    let mut upper = usize::from(header::special(bytes));
    // The run being collected: from where, how long, to where its end goes.
    let mut run: Option<(usize, usize, usize)> = None;
    for (number, pointer) in items {
        let (from, size) = (
            usize::from(pointer.offset),
            usize::from(pointer.len).next_multiple_of(2),
        );
        upper -= size;
        if from != upper {
            set_pointer(
                mtx,
                page,
                number,
                ItemPointer::normal(upper as u16, pointer.len),
            );
        }
        run = match run {
            Some((start, len, to)) if from + size == start => Some((from, len + size, to - size)),
            other => {
                move_run(mtx, page, other);
                Some((from, size, upper))
            }
        };
    }
    move_run(mtx, page, run);
    page::set_bounds(mtx, page, lower, upper);
}

fn move_run(mtx: &mut MiniTx, page: Slot, run: Option<(usize, usize, usize)>) {
    if let Some((from, len, to)) = run
        && from != to
    {
        mtx.shift(page, from, to, len);
    }
}
