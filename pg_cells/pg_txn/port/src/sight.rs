//! Which versions of rows nobody sees, whoever looks and will look.
//!
//! The *horizon* is the coarse answer: what was ended before it is past for
//! everyone. One old snapshot holds it up for all that came after. So here is the
//! fine one, too: a version that was made and ended after a snapshot was taken is
//! as little seen by it as one that was ended before.
//!
//! That answer is only for snapshots whose owner never follows a row from the
//! version it sees to newer ones: those under repeatable read, where a row that
//! others have changed fails the transaction. Any other snapshot is *solid*: what
//! was ended after its oldest running transaction stays, as a way to the newest.

use crate::{ActiveSet, Xid};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What the snapshots of a transaction hold up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keep {
    /// The oldest id that one of them cares for.
    pub xmin: Xid,
    /// The same of the solid ones alone.
    pub solid: Xid,
}

impl Keep {
    /// Nothing.
    pub const NOTHING: Keep = Keep {
        xmin: Xid::MAX,
        solid: Xid::MAX,
    };

    /// A solid snapshot's.
    #[must_use]
    pub fn solid(xmin: Xid) -> Self {
        Keep { xmin, solid: xmin }
    }
}

/// Who looks, at one moment.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What was ended before it, nobody sees.
    pub horizon: Xid,
    /// Some solid snapshot may see what was ended by this one or later.
    pub solid: Xid,
    /// Who runs.
    pub now: Arc<ActiveSet>,
    /// The other snapshots.
    pub exact: Vec<Arc<ActiveSet>>,
}

impl Sight {
    /// Of what nothing is known: everyone may see everything.
    #[must_use]
    pub fn unknown() -> Self {
        Sight {
            horizon: Xid::INVALID,
            solid: Xid::INVALID,
            now: Arc::default(),
            exact: Vec::new(),
        }
    }

    /// Whether no snapshot, in use or to come, sees a version that one committed
    /// transaction has made and another has ended.
    #[inline]
    #[must_use]
    pub fn hides(&self, xmin: Xid, xmax: Xid) -> bool {
        xmax < self.horizon
            || (xmax < self.solid
                && self.now.has_ended(xmax)
                && self
                    .exact
                    .iter()
                    .all(|set| set.has_ended(xmax) || !set.has_ended(xmin)))
    }

    /// What was ended before it has been hidden ever since, or is seen by an exact
    /// snapshot.
    #[must_use]
    pub fn limit(&self) -> Xid {
        self.horizon.max(self.solid.min(self.now.xmin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn set(running: Vec<u64>, xmax: u64) -> Arc<ActiveSet> {
        let running: Vec<Xid> = running.into_iter().map(Xid).collect();
        Arc::new(ActiveSet {
            xmin: running.first().copied().unwrap_or(Xid(xmax)),
            xmax: Xid(xmax),
            running,
        })
    }

    #[test]
    fn what_came_and_went_after_a_snapshot_is_hidden() {
        let sight = Sight {
            horizon: Xid(10),
            solid: Xid(40),
            now: set(vec![50], 60),
            exact: vec![set(vec![10, 15], 20), set(vec![30], 35)],
        };
        // (made, ended) and whether it is hidden.
        let cases = [
            // Before all.
            ((3, 9), true),
            // The first snapshot sees it: its end was running, or to come.
            ((3, 10), false),
            ((9, 25), false),
            // It was ended before the first one, though by a later id.
            ((3, 12), true),
            // Made and ended between the two.
            ((22, 25), true),
            ((15, 22), true),
            // The second one sees it.
            ((22, 30), false),
            ((22, 36), false),
            // After both, and before the solid ones.
            ((36, 38), true),
            ((36, 40), false),
        ];
        for ((xmin, xmax), hidden) in cases {
            assert_eq!(sight.hides(Xid(xmin), Xid(xmax)), hidden, "{xmin} {xmax}");
        }
        let free = Sight {
            solid: Xid::MAX,
            ..sight
        };
        assert!(free.hides(Xid(40), Xid(45)));
        // It runs, or was not known then.
        assert!(!free.hides(Xid(40), Xid(50)));
        assert!(!free.hides(Xid(40), Xid(61)));
        assert_eq!(free.limit(), Xid(50));
        assert!(!Sight::unknown().hides(Xid(1), Xid(2)));
    }
}
