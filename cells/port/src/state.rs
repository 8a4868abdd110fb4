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

impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "State(schema {})", self.schema)
    }
}
