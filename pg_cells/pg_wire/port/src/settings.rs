//! The settings a session has changed. Names, defaults and checks are the
//! cell's business; names are in lower case here.

use alloc::collections::BTreeMap;
use alloc::string::String;

/// What differs from the defaults.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// For the session: SET, and what the client said at the start.
    pub session: BTreeMap<String, String>,
    /// For the transaction: SET LOCAL.
    pub local: BTreeMap<String, String>,
    /// What the client said at the start, which RESET goes back to.
    pub start: BTreeMap<String, String>,
}

impl Settings {
    /// Whether nothing differs.
    #[inline]
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.session.is_empty() && self.local.is_empty() && self.start.is_empty()
    }

    /// The value in force, if it differs from the default. The name is in lower
    /// case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.local.get(name).or_else(|| self.session.get(name));
        found.or_else(|| self.start.get(name)).map(String::as_str)
    }
}
