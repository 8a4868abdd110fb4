//! What sessions have in common: plans, so that a new connection need not parse
//! and plan what another one did, and the numbers of the settings that plans
//! depend on.
//!
//! A plan is plain data; its compiled form belongs to a generation of the
//! executor and stays with the session.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::Plan;
use pg_txn_port::LockMode;
use pg_types::Oid;
use sync::Mutex;

/// How many plans are kept.
const KEPT: usize = 256;
/// The longest text that is kept.
const LONGEST: usize = 2000;
/// How many different settings are remembered.
const EPOCHS: usize = 256;

static PLANS: Mutex<Plans> = Mutex::new(Plans {
    by_text: BTreeMap::new(),
    uses: 0,
});
static NUMBERS: Mutex<Numbers> = Mutex::new(Numbers {
    known: BTreeMap::new(),
    last: 0,
});

/// A plan and what it was made for.
#[derive(Clone, Debug)]
pub struct SharedPlan {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The tables it uses and how they are locked.
    pub locks: Vec<(Oid, LockMode)>,
    /// It changes nothing.
    pub reads_only: bool,
    /// The settings it was made under: see [`plan_epoch`].
    pub epoch: u64,
    /// The types of parameters that were named.
    pub declared: Vec<Oid>,
}

struct Plans {
    by_text: BTreeMap<String, (u64, SharedPlan)>,
    uses: u64,
}

struct Numbers {
    known: BTreeMap<String, u64>,
    last: u64,
}

/// The number of a user's settings, of which `print` says what plans depend on.
/// Equal prints have equal numbers; a number is never given to another print.
#[must_use]
pub fn plan_epoch(user: &str, print: &str) -> u64 {
    let mut key = String::with_capacity(user.len() + 1 + print.len());
    key.extend([user, "\0", print]);
    let mut numbers = NUMBERS.lock();
    if let Some(number) = numbers.known.get(&key) {
        return *number;
    }
    if numbers.known.len() >= EPOCHS {
        numbers.known.clear();
    }
    numbers.last += 1;
    let number = numbers.last;
    numbers.known.insert(key, number);
    number
}

/// The plan of a text that holds under these settings and at this version of the
/// catalog.
#[must_use]
pub fn shared_plan(text: &str, epoch: u64, version: u64, declared: &[Oid]) -> Option<SharedPlan> {
    let mut plans = PLANS.lock();
    plans.uses += 1;
    let uses = plans.uses;
    let (used, shared) = plans.by_text.get_mut(text)?;
    let fits = shared.epoch == epoch
        && shared.plan.catalog_version == version
        && shared.declared == declared;
    if !fits {
        return None;
    }
    *used = uses;
    Some(shared.clone())
}

/// Keeps a plan for all; the one that was not used for the longest time goes.
/// Its version must be one that others see: not of a catalog which the
/// transaction itself has changed.
pub fn share_plan(text: &str, shared: SharedPlan) {
    if text.len() > LONGEST {
        return;
    }
    let text = String::from(text);
    let mut plans = PLANS.lock();
    let mut gone = None;
    if plans.by_text.len() >= KEPT && !plans.by_text.contains_key(&text) {
        let oldest = plans.by_text.iter().min_by_key(|(_, (used, _))| *used);
        if let Some(text) = oldest.map(|(text, _)| text.clone()) {
            gone = plans.by_text.remove(&text);
        }
    }
    plans.uses += 1;
    let uses = plans.uses;
    let former = plans.by_text.insert(text, (uses, shared));
    drop(plans);
    // Large trees are freed without the lock.
    drop((gone, former));
}

/// Forgets everything: another generation of this crate serves from now on.
pub(crate) fn clear() {
    let plans = core::mem::take(&mut PLANS.lock().by_text);
    let known = core::mem::take(&mut NUMBERS.lock().known);
    drop((plans, known));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_settings_have_equal_numbers() {
        let plain = plan_epoch("shared test", "");
        let other = plan_epoch("shared test", "search_path\0a\0");
        assert_ne!(plain, other);
        assert_eq!(plan_epoch("shared test", ""), plain);
        assert_ne!(plan_epoch("shared test 2", ""), plain);
        for number in 0..2 * EPOCHS {
            assert!(plan_epoch("shared test", &std::format!("x\0{number}\0")) > other);
        }
        // Forgotten ones get a new number, not an old one.
        assert!(plan_epoch("shared test", "") >= plain);
    }
}
