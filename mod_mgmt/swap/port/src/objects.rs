//! The objects that cells can be made from: those of the boot archive, and the
//! last few versions of each cell that were pushed and taken.
//!
//! A version is told by the digest of its object. The boot archive's are never
//! forgotten. Of those that were pushed, [`KEEP`] a cell are kept beside the one
//! that runs, and [`KEEP_BYTES`] of archives in all; an archive goes with the
//! last version that lies in it. What was refused is not entered at all.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use cell_archive::{Archive, Entry, EntryKind};
use sync::Mutex;

/// Pushed versions of a cell that are kept beside the one that runs.
pub const KEEP: usize = 4;
/// Bytes of pushed archives that are kept beside those that run.
pub const KEEP_BYTES: usize = 48 << 20;
/// Generations of a version that are remembered.
const KEEP_GENERATIONS: usize = 32;

/// An archive whose signature was checked.
#[derive(Clone)]
pub enum Source {
    /// The one the system was booted with.
    Boot(&'static [u8]),
    /// One that was pushed.
    Pushed(Arc<[u8]>),
}

impl core::fmt::Debug for Source {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Source::Boot(_) => f.write_str("boot"),
            Source::Pushed(bytes) => write!(f, "push of {} bytes", bytes.len()),
        }
    }
}

impl Source {
    /// One that was pushed.
    #[must_use]
    pub fn pushed(archive: Vec<u8>) -> Self {
        Source::Pushed(archive.into())
    }

    /// The archive.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Source::Boot(bytes) => bytes,
            Source::Pushed(bytes) => bytes,
        }
    }

    fn is(&self, other: &Source) -> bool {
        core::ptr::eq(self.bytes(), other.bytes())
    }

    /// Calls `f` with the entry of the cell or crate `name`.
    pub fn with_entry<R>(&self, name: &str, f: impl FnOnce(&Entry<'_>) -> R) -> Option<R> {
        let archive = Archive::parse(self.bytes()).ok()?;
        let entry = archive
            .find(EntryKind::Cell, name)
            .or_else(|| archive.find(EntryKind::CodelessCrate, name));
        entry.map(|entry| f(&entry))
    }
}

/// What is known of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It has not stood its probation yet.
    Untried,
    /// It has.
    Good,
    /// It was replaced because it faulted.
    Bad,
}

/// A version of a cell that can be loaded.
#[derive(Clone, Debug)]
pub struct Version {
    /// The start of its object's digest.
    pub object: u64,
    /// Where it lies.
    pub source: Source,
    /// Which push brought it; 0 for the boot.
    pub push: u64,
    /// What is known of it.
    pub verdict: Verdict,
    /// The generations that ran from it, the latest ones.
    pub generations: Vec<u64>,
}

#[derive(Debug)]
struct Objects {
    boot: Option<&'static [u8]>,
    /// Oldest first, in the order in which they first ran.
    versions: BTreeMap<String, Vec<Version>>,
    pushes: u64,
}

static OBJECTS: Mutex<Objects> = Mutex::new(Objects {
    boot: None,
    versions: BTreeMap::new(),
    pushes: 0,
});

/// Says which archive the system was booted with. Its signature was checked by
/// the boot.
pub fn install_boot_archive(bytes: &'static [u8]) {
    OBJECTS.lock().boot = Some(bytes);
}

fn object_number(entry: &Entry<'_>) -> u64 {
    let mut start = [0; 8];
    start.copy_from_slice(&entry.digest[..8]);
    u64::from_be_bytes(start)
}

impl Objects {
    /// The versions of `name`; the first is the boot archive's, if it has one.
    fn of(&mut self, name: &str) -> &mut Vec<Version> {
        if !self.versions.contains_key(name) {
            let source = self.boot.map(Source::Boot);
            let boot = source.and_then(|source| {
                Some(Version {
                    object: source.with_entry(name, object_number)?,
                    source,
                    push: 0,
                    verdict: Verdict::Good,
                    generations: alloc::vec![1],
                })
            });
            self.versions
                .insert(name.to_string(), boot.into_iter().collect());
        }
        self.versions.entry(name.to_string()).or_default()
    }

    fn find(&mut self, name: &str, wanted: impl Fn(&Version) -> bool) -> Option<Source> {
        let versions = self.of(name);
        let found = versions.iter().rev().find(|v| wanted(v));
        found.map(|v| v.source.clone())
    }

    /// Bytes of pushed archives, each counted once.
    fn bytes(&self) -> usize {
        let mut archives: Vec<&Source> = Vec::new();
        for version in self.versions.values().flatten() {
            if version.push > 0 && !archives.iter().any(|a| a.is(&version.source)) {
                archives.push(&version.source);
            }
        }
        archives.iter().map(|a| a.bytes().len()).sum()
    }
}

/// The version of `name` with this object.
#[must_use]
pub fn by_object(name: &str, object: u64) -> Option<Source> {
    OBJECTS.lock().find(name, |v| v.object == object)
}

/// The version of `name` that the system was booted with.
#[must_use]
pub fn boot_version(name: &str) -> Option<Source> {
    OBJECTS.lock().find(name, |v| v.push == 0)
}

/// The version that a generation of `name` ran from.
#[must_use]
pub fn by_generation(name: &str, generation: u64) -> Option<Source> {
    OBJECTS
        .lock()
        .find(name, |v| v.generations.contains(&generation))
}

/// The version that ran before the one with this object.
#[must_use]
pub fn before(name: &str, object: u64) -> Option<Source> {
    let latest = |v: &Version| v.generations.last().copied().unwrap_or(0);
    let mut objects = OBJECTS.lock();
    let others = objects.of(name).iter().filter(|v| v.object != object);
    others.max_by_key(|v| latest(v)).map(|v| v.source.clone())
}

/// The latest version beside the one with this object that has stood its
/// probation and was not found bad.
#[must_use]
pub fn last_good(name: &str, object: u64) -> Option<Source> {
    OBJECTS
        .lock()
        .find(name, |v| v.object != object && v.verdict == Verdict::Good)
}

/// Notes what is known of a version.
pub fn judge(name: &str, object: u64, verdict: Verdict) {
    let mut objects = OBJECTS.lock();
    let versions = objects.of(name).iter_mut();
    for version in versions.filter(|v| v.object == object) {
        version.verdict = verdict;
    }
}

/// The versions of `name`, in the order in which they first ran.
#[must_use]
pub fn versions(name: &str) -> Vec<Version> {
    OBJECTS.lock().of(name).clone()
}

/// A push was taken; gives its number.
#[must_use]
pub fn count_push() -> u64 {
    let mut objects = OBJECTS.lock();
    objects.pushes += 1;
    objects.pushes
}

/// Enters what a generation of `name` runs from. Gives which push brought that
/// version, 0 for the boot.
pub fn enter(name: &str, object: u64, source: &Source, push: u64, generation: u64) -> u64 {
    let mut forgotten: Vec<Version> = Vec::new();
    let mut objects = OBJECTS.lock();
    let versions = objects.of(name);
    let at = versions.iter().position(|v| v.object == object);
    let at = at.unwrap_or_else(|| {
        versions.push(Version {
            object,
            source: source.clone(),
            push,
            verdict: Verdict::Untried,
            generations: Vec::new(),
        });
        versions.len() - 1
    });
    let version = &mut versions[at];
    version.generations.push(generation);
    if version.generations.len() > KEEP_GENERATIONS {
        version.generations.remove(0);
    }
    let push = version.push;
    while versions.iter().filter(|v| v.push > 0).count() > KEEP + 1 {
        let Some(oldest) = oldest(versions, object) else {
            break;
        };
        forgotten.push(versions.remove(oldest));
    }
    while objects.bytes() > KEEP_BYTES {
        let versions = objects.of(name);
        let Some(oldest) = oldest(versions, object) else {
            break;
        };
        forgotten.push(versions.remove(oldest));
    }
    drop(objects);
    drop(forgotten);
    push
}

/// The pushed version to forget first: never the one that runs.
fn oldest(versions: &[Version], running: u64) -> Option<usize> {
    let may_go = |v: &&Version| v.push > 0 && v.object != running;
    let oldest = versions
        .iter()
        .filter(may_go)
        .min_by_key(|v| v.push)?
        .object;
    versions.iter().position(|v| v.object == oldest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cell_archive::write::{NewEntry, archive};

    fn pushed(name: &str, body: &[u8]) -> (Source, u64) {
        let entry = NewEntry {
            kind: EntryKind::Cell,
            name: name.to_string(),
            version: String::from("1"),
            fingerprint: 0,
            uses: Vec::new(),
            payload: body.to_vec(),
        };
        let source = Source::pushed(archive(&[entry], &[7; 32]));
        let object = source.with_entry(name, object_number).unwrap();
        (source, object)
    }

    #[test]
    fn a_thousand_pushes_leave_what_can_be_rolled_back_to() {
        for number in 1..=1000u64 {
            let (source, object) = pushed("many", &number.to_le_bytes());
            enter("many", object, &source, number, number + 1);
            judge("many", object, Verdict::Good);
        }
        let kept = versions("many");
        assert_eq!(kept.len(), KEEP + 1);
        assert!(by_generation("many", 1001).is_some());
        assert!(by_generation("many", 998).is_some());
        assert!(by_generation("many", 2).is_none(), "forgotten");
        let running = kept.last().unwrap().object;
        let former = before("many", running).unwrap();
        assert!(former.is(&by_generation("many", 1000).unwrap()));
    }

    #[test]
    fn the_same_object_is_kept_once() {
        for generation in 1..=10 {
            let (source, object) = pushed("same", b"object");
            assert_eq!(enter("same", object, &source, generation, generation), 1);
        }
        let kept = versions("same");
        assert_eq!((kept.len(), kept[0].generations.len()), (1, 10));
        assert!(before("same", kept[0].object).is_none());
    }

    #[test]
    fn the_last_good_version_is_neither_the_present_one_nor_a_bad_one() {
        let mut objects = Vec::new();
        for (number, verdict) in [Verdict::Good, Verdict::Good, Verdict::Bad, Verdict::Untried]
            .into_iter()
            .enumerate()
        {
            let (source, object) = pushed("good", &[number as u8]);
            enter("good", object, &source, number as u64 + 1, number as u64);
            judge("good", object, verdict);
            objects.push(object);
        }
        let found = last_good("good", objects[3]).unwrap();
        assert!(found.is(&by_object("good", objects[1]).unwrap()));
        let found = last_good("good", objects[1]).unwrap();
        assert!(found.is(&by_object("good", objects[0]).unwrap()));
    }
}
