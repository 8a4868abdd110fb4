//! Settings of the whole system, as its boot options named them: what a PostgreSQL
//! server has in its configuration file. Their defaults and checks are the cell's
//! business, as those of sessions.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use sync::Mutex;

/// Those that may be set.
pub const SYSTEM_SETTINGS: [&str; 9] = [
    "autovacuum",
    "autovacuum_analyze_scale_factor",
    "autovacuum_analyze_threshold",
    "autovacuum_naptime",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_vacuum_insert_threshold",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_threshold",
];

static SYSTEM: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// What begins the names under which they move to another generation.
const MOVED: &str = "system ";

/// Sets one, in whatever words; what is no value counts as not set.
pub fn set_system(name: &str, value: &str) {
    let former = SYSTEM.lock().insert(name.to_string(), value.to_string());
    drop(former);
    crate::autovacuum::nudge();
}

/// What one was set to.
#[must_use]
pub fn system_setting(name: &str) -> Option<String> {
    SYSTEM.lock().get(name).cloned()
}

/// Puts them among the numbers that move, as names.
pub(crate) fn give(numbers: &mut BTreeMap<String, u64>) {
    for (name, value) in SYSTEM.lock().iter() {
        numbers.insert(alloc::format!("{MOVED}{name}={value}"), 1);
    }
}

/// Takes them out again.
pub(crate) fn take(numbers: &BTreeMap<String, u64>) {
    for words in numbers.keys().filter_map(|name| name.strip_prefix(MOVED)) {
        if let Some((name, value)) = words.split_once('=') {
            SYSTEM.lock().insert(name.to_string(), value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_move() {
        let mut numbers = BTreeMap::from([("system test=a=b".to_string(), 1)]);
        take(&numbers);
        assert_eq!(system_setting("test").as_deref(), Some("a=b"));
        numbers.clear();
        give(&mut numbers);
        assert_eq!(numbers.get("system test=a=b"), Some(&1));
    }
}
