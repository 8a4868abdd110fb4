//! State on its way from one cell to the next.

use alloc::boxed::Box;
use core::any::Any;

/// Why a state could not be handed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandoverError {
    /// The provider has no state to give: given already, or never had one.
    Missing,
    /// The state is of a schema the taker does not know.
    Schema {
        /// The schema that was offered.
        offered: u32,
    },
    /// The provider cannot give its state at this moment.
    Busy,
}

/// A provider's state: a value of a type that the port crate defines, with the
/// version of its schema.
///
/// Make it in a non-generic function of the port crate: the code that can drop
/// the value is then the port crate's, not that of the cell which gives it away
/// and is about to be unloaded.
pub struct State {
    schema: u32,
    value: Box<dyn Any + Send>,
}

impl State {
    /// Wraps `value`.
    #[must_use]
    pub fn new(schema: u32, value: Box<dyn Any + Send>) -> Self {
        State { schema, value }
    }

    /// The schema's version.
    #[must_use]
    pub fn schema(&self) -> u32 {
        self.schema
    }

    /// The value, if it is a `T`.
    ///
    /// # Errors
    /// The state itself when it is of another type.
    pub fn take<T: Any>(self) -> Result<Box<T>, State> {
        let schema = self.schema;
        self.value
            .downcast()
            .map_err(|value| State { schema, value })
    }
}

/// Where a state comes from: what a second schema may hold beside the first one's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lineage {
    /// How many handovers it has lived through since it got this record.
    pub handovers: u64,
    /// When it got it (ns since boot).
    pub since: u64,
}

impl Lineage {
    /// The record of a state that had none.
    #[must_use]
    pub fn begins() -> Self {
        Lineage {
            handovers: 0,
            since: task_port::now(),
        }
    }

    /// The same, one handover later.
    #[must_use]
    pub fn handed_over(self) -> Self {
        Lineage {
            handovers: self.handovers + 1,
            ..self
        }
    }
}

/// What a version of a cell keeps of the lineage that its state came with: the
/// usual version nothing, the one that the tests of upgrades build with the feature
/// `lineage` all of it. So there are two versions whose states differ in shape.
#[derive(Clone, Copy, Debug)]
pub struct Kept(Option<Lineage>);

impl Kept {
    /// By a version that keeps it if `keeps`; callers say
    /// `cfg!(feature = "lineage")`.
    #[must_use]
    pub fn of(inherited: Option<Lineage>, keeps: bool) -> Self {
        Kept(keeps.then(|| inherited.unwrap_or_else(Lineage::begins)))
    }

    /// What the state is handed over with.
    #[must_use]
    pub fn give(&self) -> Option<Lineage> {
        self.0.map(Lineage::handed_over)
    }
}

/// The value of a state with its lineage beside it. The body is the same as
/// without, so both directions of the conversion move one pointer however much
/// the body holds.
struct Traced<S> {
    body: S,
    lineage: Lineage,
}

/// The two schemas of a state: the body, and the body with its lineage. The way a
/// state changes its shape: the new schema wraps the old one's body, and whoever
/// knows both converts by moving the body from one wrapping to the other.
///
/// As with [`State::new`], call it in non-generic functions of the port crate.
#[derive(Clone, Copy, Debug)]
pub struct Schemas {
    /// The number of the plain schema.
    pub plain: u32,
    /// The number of the one with a lineage.
    pub traced: u32,
}

impl Schemas {
    /// Wraps a body, with its lineage if it has one.
    #[must_use]
    pub fn wrap<S: Any + Send>(self, body: S, lineage: Option<Lineage>) -> State {
        match lineage {
            None => State::new(self.plain, Box::new(body)),
            Some(lineage) => State::new(self.traced, Box::new(Traced { body, lineage })),
        }
    }

    /// Takes a state of either schema.
    ///
    /// # Errors
    /// The state itself when it is of neither.
    pub fn unwrap<S: Any + Send>(self, state: State) -> Result<(S, Option<Lineage>), State> {
        let schema = state.schema();
        if schema == self.plain {
            return state.take::<S>().map(|body| (*body, None));
        }
        if schema == self.traced {
            let traced = state.take::<Traced<S>>()?;
            return Ok((traced.body, Some(traced.lineage)));
        }
        Err(state)
    }
}

impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "State(schema {})", self.schema)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::sync::Arc;
    use alloc::vec;

    const SCHEMAS: Schemas = Schemas {
        plain: 1,
        traced: 2,
    };

    #[test]
    fn a_state_goes_up_and_down_without_being_copied() {
        let body = Arc::new(vec![7u8; 1 << 20]);
        let at = Arc::as_ptr(&body);
        let plain = SCHEMAS.wrap(body, None);
        assert_eq!(plain.schema(), 1);
        let (body, lineage) = SCHEMAS.unwrap::<Arc<Vec<u8>>>(plain).unwrap();
        assert_eq!(lineage, None);
        let lineage = Lineage {
            handovers: 3,
            since: 5,
        };
        let traced = SCHEMAS.wrap(body, Some(lineage.handed_over()));
        assert_eq!(traced.schema(), 2);
        let (body, found) = SCHEMAS.unwrap::<Arc<Vec<u8>>>(traced).unwrap();
        assert_eq!(found.unwrap().handovers, 4);
        assert_eq!(Arc::as_ptr(&body), at);
    }

    #[test]
    fn a_version_keeps_the_lineage_or_drops_it() {
        let found = Lineage {
            handovers: 3,
            since: 5,
        };
        assert_eq!(Kept::of(Some(found), false).give(), None);
        assert_eq!(
            Kept::of(Some(found), true).give(),
            Some(found.handed_over())
        );
        assert_eq!(Kept::of(None, true).give().map(|l| l.handovers), Some(1));
    }

    #[test]
    fn another_schema_or_type_is_given_back() {
        let strange = State::new(3, Box::new(1u32));
        assert_eq!(SCHEMAS.unwrap::<u32>(strange).unwrap_err().schema(), 3);
        let other = State::new(1, Box::new("text"));
        assert!(SCHEMAS.unwrap::<u32>(other).is_err());
    }
}
