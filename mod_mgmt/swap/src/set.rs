//! The cells of a swap: loaded and linked against each other, their doors in
//! order, and what must be among them.

use crate::steps::bring_old;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use cell_archive::{Entry, EntryKind};
use mod_mgmt::namespace::{BaseCrate, Loaded, NAMESPACE};
use mod_mgmt::scope::Scope;
use mod_mgmt::{LoadError, loader};
use port::{Door, Moves};
use swap_port::objects::Source;
use swap_port::{Order, Passage, Ran, SwapFailure};

/// A cell or library of the set.
pub(crate) struct Member {
    pub(crate) order: Order,
    pub(crate) code: Arc<Loaded>,
    /// What it replaces, if anything.
    pub(crate) former: Option<Arc<Loaded>>,
    /// Its description, unless it is a port crate or a library.
    pub(crate) cell: Option<&'static port::Cell>,
    pub(crate) passages: Vec<Passage>,
    /// The ports and libraries it was compiled against.
    uses: Vec<String>,
}

impl Member {
    pub(crate) fn ran(&self, push: u64) -> Ran {
        Ran {
            name: self.code.name.clone(),
            version: self.code.version.clone(),
            generation: self.code.generation,
            object: self.code.object,
            push,
        }
    }

    /// Whether it takes state over: one of its doors has some.
    pub(crate) fn takes_over(&self) -> bool {
        self.passages.iter().any(|p| p.serving().has_state())
    }

    fn uses(&self, name: &str) -> bool {
        self.uses.iter().any(|used| used == name)
    }
}

/// A crate whose statics move to another generation of it.
pub(crate) struct Mover {
    pub(crate) name: String,
    pub(crate) old: &'static Moves,
    pub(crate) new: &'static Moves,
}

/// All of them.
pub(crate) struct Set {
    /// In the order in which they are loaded and born.
    pub(crate) members: Vec<Member>,
    /// Crates without code.
    pub(crate) crates: Vec<BaseCrate>,
    /// All doors, callers before those they call.
    pub(crate) passages: Vec<Passage>,
    /// Crates with statics of another generation, lowest first.
    pub(crate) movers: Vec<Mover>,
}

impl Set {
    /// Loads and links all of them.
    pub(crate) fn load(orders: &[Order]) -> Result<Self, SwapFailure> {
        let mut scope = Scope::default();
        let (mut members, mut crates) = (Vec::new(), Vec::new());
        // A spare is linked to what is current, and not to others of its set.
        let alone = orders.len() == 1;
        for order in orders {
            let loaded = order.source.with_entry(&order.name, |entry| {
                let spare = alone.then(|| swap_port::spares::take(entry)).flatten();
                // The loader looks at what it loads; what was pushed is looked at
                // here when a spare serves instead.
                let pushed = matches!(order.source, Source::Pushed(_));
                if spare.is_some() && pushed && !entry.is_intact() {
                    return Err(LoadError::Digest(entry.name.to_string()));
                }
                load(order, entry, &mut scope, spare)
            });
            match loaded {
                Some(Ok(Load::Cell(member))) => members.push(member),
                Some(Ok(Load::Crate(krate))) => crates.push(krate),
                Some(Err(error)) => return Err(error.into()),
                None => return Err(LoadError::NotFound(order.name.clone()).into()),
            }
        }
        if members.iter().all(|m| m.cell.is_none()) {
            let first = orders.first().map(|order| order.name.clone());
            return Err(first.map_or(SwapFailure::Nothing, SwapFailure::NoPort));
        }
        let mut set = Set {
            movers: movers(&members)?,
            passages: Vec::new(),
            members,
            crates,
        };
        set.passages = set.callers_first();
        Ok(set)
    }

    /// All doors, those of callers before those of the cells they call: who is
    /// inside the first may still have to pass the second.
    fn callers_first(&self) -> Vec<Passage> {
        fn visit(at: usize, members: &[Member], seen: &mut [bool], order: &mut Vec<usize>) {
            if core::mem::replace(&mut seen[at], true) {
                return;
            }
            for (called, member) in members.iter().enumerate() {
                let port = member.code.name.clone() + "_port";
                if called != at && members[at].uses(&port) {
                    visit(called, members, seen, order);
                }
            }
            order.push(at);
        }
        let (mut seen, mut order) = (alloc::vec![false; self.members.len()], Vec::new());
        for at in (0..self.members.len()).rev() {
            visit(at, &self.members, &mut seen, &mut order);
        }
        order
            .into_iter()
            .rev()
            .flat_map(|at| self.members[at].passages.iter().copied())
            .collect()
    }

    /// The doors that callers must leave and wait at: those with state; and where
    /// such a door is replaced by one of another generation of its port, those of
    /// all cells that call through that port, since their code would go on
    /// calling through the former door.
    pub(crate) fn closing(&self) -> Vec<Passage> {
        let moved: Vec<String> = self
            .passages
            .iter()
            .filter(|p| p.old.is_some() && p.serving().has_state())
            .map(|p| p.new.name().to_string() + "_port")
            .collect();
        let calls_moved = |passage: &Passage| {
            let mut members = self.members.iter();
            let member = members.find(|m| m.passages.iter().any(|p| same(p.new, passage.new)));
            member.is_some_and(|m| moved.iter().any(|port| m.uses(port)))
        };
        self.passages
            .iter()
            .filter(|p| p.serving().has_state() || calls_moved(p))
            .copied()
            .collect()
    }

    /// Whether all that is handed over can be so while calls go on.
    pub(crate) fn can_share(&self, closing: &[Passage]) -> bool {
        let shared = |p: &Passage| p.old.is_none() && p.new.shares_state();
        self.movers.is_empty() && !closing.is_empty() && closing.iter().all(shared)
    }

    /// Whether what some cell keeps is not handed over, but brought back by its
    /// port's start.
    pub(crate) fn begins_anew(&self) -> bool {
        self.movers.iter().any(|mover| mover.new.anew)
    }

    /// The crate through which a door is called, if it moves.
    pub(crate) fn mover(&self, passage: &Passage) -> Option<&Mover> {
        let name = passage.new.name();
        let mut movers = self.movers.iter();
        movers.find(|mover| mover.name.strip_suffix("_port") == Some(name))
    }

    /// Of these doors, those whose state is handed over.
    pub(crate) fn handing_over(&self, closing: &[Passage]) -> Vec<Passage> {
        let anew = |passage: &Passage| self.mover(passage).is_some_and(|mover| mover.new.anew);
        let kept = closing.iter().filter(|passage| !anew(passage));
        kept.copied().collect()
    }

    /// The cell behind a door.
    pub(crate) fn behind(&self, passage: &Passage) -> Option<&Member> {
        let mut members = self.members.iter();
        members.find(|m| m.passages.iter().any(|p| same(p.new, passage.new)))
    }

    /// Whether statements must come to an end before the doors are drained.
    pub(crate) fn waits_for_calls(&self, closing: &[Passage]) -> bool {
        closing.iter().any(|p| !p.serving().has_state())
    }
}

enum Load {
    Cell(Member),
    Crate(BaseCrate),
}

fn load(
    order: &Order,
    entry: &Entry<'_>,
    scope: &mut Scope,
    spare: Option<Arc<Loaded>>,
) -> Result<Load, LoadError> {
    if entry.kind == EntryKind::CodelessCrate {
        scope.add_crate(entry.name, entry.fingerprint);
        return Ok(Load::Crate(BaseCrate {
            name: entry.name.to_string(),
            version: entry.version.to_string(),
            fingerprint: entry.fingerprint,
        }));
    }
    let code = match spare {
        Some(code) => code,
        None => loader::load_in(entry, scope)?,
    };
    scope.add(&code);
    let former = NAMESPACE.find(&order.replaces);
    let cell = code.cell();
    let old_doors = former.as_ref().and_then(|f| f.cell());
    let old_doors = old_doors.map_or(&[][..], |cell| cell.provides);
    let passage = |door: &port::DoorRef| {
        let new: &'static dyn Door = **door;
        let old = old_doors.iter().find(|old| old.name() == new.name());
        let old = old.map(|old| **old).filter(|old| !same(*old, new));
        Passage { new, old }
    };
    let passages = cell.map_or(&[][..], |cell| cell.provides);
    Ok(Load::Cell(Member {
        order: order.clone(),
        passages: passages.iter().map(passage).collect(),
        cell,
        former,
        uses: entry.uses().map(|used| used.name.to_string()).collect(),
        code,
    }))
}

/// Whether two references are to one door.
fn same(a: &dyn Door, b: &dyn Door) -> bool {
    core::ptr::addr_eq(core::ptr::from_ref(a), core::ptr::from_ref(b))
}

/// The crates whose statics move. Each must say how, and the set must have all
/// cells that use it: they would go on with the former generation's.
fn movers(members: &[Member]) -> Result<Vec<Mover>, SwapFailure> {
    let mut movers = Vec::new();
    for member in members.iter().filter(|m| m.cell.is_none()) {
        let Some(former) = &member.former else {
            continue;
        };
        if !former.mutable && !member.code.mutable {
            continue;
        }
        let (Some(old), Some(new)) = (former.moves(), member.code.moves()) else {
            return Err(SwapFailure::Fixed(former.name.clone()));
        };
        let missing = users_missing(former, members);
        if !missing.is_empty() {
            return Err(SwapFailure::Users {
                port: former.name.clone(),
                missing,
            });
        }
        movers.push(Mover {
            name: former.name.clone(),
            old,
            new,
        });
    }
    Ok(movers)
}

/// The current cells that import from `former` and are not replaced.
fn users_missing(former: &Arc<Loaded>, members: &[Member]) -> Vec<String> {
    let replaced = |name: &str| members.iter().any(|m| m.order.replaces == name);
    let uses = |cell: &Arc<Loaded>| cell.dependencies.iter().any(|d| d.number == former.number);
    let cells = NAMESPACE.cells();
    let users = cells.iter().filter(|c| uses(c) && !replaced(&c.name));
    users.map(|c| c.name.clone()).collect()
}

/// Makes the set's cells the current ones of their names. Gives the former ones.
pub(crate) fn make_current(set: &Set) -> Vec<(Arc<Loaded>, Option<Arc<Loaded>>)> {
    let mut former = Vec::new();
    for member in &set.members {
        if member.order.replaces != member.code.name {
            drop(NAMESPACE.forget(&member.order.replaces));
        }
        let same_name = NAMESPACE.make_current(&member.code);
        former.push((
            Arc::clone(&member.code),
            member.former.clone().or(same_name),
        ));
    }
    former
}

/// Makes the former cells current again.
pub(crate) fn make_former_current(former: &[(Arc<Loaded>, Option<Arc<Loaded>>)]) {
    for (new, old) in former {
        match old {
            Some(old) => {
                if old.name != new.name {
                    drop(NAMESPACE.forget(&new.name));
                }
                drop(NAMESPACE.make_current(old));
            }
            None => drop(NAMESPACE.forget(&new.name)),
        }
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        // What was staged and not flipped goes before its code does.
        bring_old(&self.passages);
    }
}
