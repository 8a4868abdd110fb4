//! What was looked up before: descriptors by name and id, for a version of the
//! schema.
//!
//! An entry is filled from a snapshot taken after the version was asked for.
//! All changes that this version counts are in the snapshot; what the snapshot
//! has beyond them will move the version. So an entry is right for its version
//! for ever, and nothing is locked while catalogs are read.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use hashbrown::{Equivalent, HashMap};
use pg_catalog_port::{OWN, TableStatistics};
use pg_plan::Relation;
use pg_types::{Oid, Str};
use sync::SpinLock;

/// Versions kept: the committed one, and those of transactions that change the
/// schema.
const VERSIONS: usize = 4;

/// What a name of `pg_class` stands for.
#[derive(Clone, Debug)]
pub enum Named {
    /// A table, view or sequence.
    Relation(Arc<Relation>),
    /// An index of a table.
    Index(Arc<Relation>, Oid),
    /// Nothing.
    Nothing,
}

#[derive(PartialEq, Eq)]
struct Key {
    schema: Str,
    name: Str,
}

struct KeyRef<'a>(&'a str, &'a str);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        KeyRef(&self.schema, &self.name).hash(state);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        self.1.hash(state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.1.as_bytes() == key.name.as_bytes() && self.0.as_bytes() == key.schema.as_bytes()
    }
}

/// What is known of one version.
#[derive(Default)]
struct Known {
    names: HashMap<Key, Named>,
    relations: HashMap<Oid, Option<Arc<Relation>>>,
    schemas: HashMap<Str, Option<Oid>>,
    statistics: HashMap<Oid, Option<Arc<TableStatistics>>>,
}

/// The cache.
#[derive(Default)]
pub struct Cache {
    /// The newest committed version first.
    versions: SpinLock<Vec<(u64, Known)>>,
}

impl Cache {
    fn get<T>(&self, version: u64, look: impl FnOnce(&Known) -> Option<T>) -> Option<T> {
        let versions = self.versions.lock();
        let (_, known) = versions.iter().find(|(v, _)| *v == version)?;
        look(known)
    }

    fn put(&self, version: u64, write: impl FnOnce(&mut Known)) {
        let mut gone = Vec::new();
        let mut versions = self.versions.lock();
        let committed = version & OWN == 0;
        let newest = versions.first().map_or(0, |(v, _)| *v);
        if committed && newest > version && newest & OWN == 0 {
            return;
        }
        let at = match versions.iter().position(|(v, _)| *v == version) {
            Some(at) => at,
            None => {
                // A newer committed version outdates all others.
                let keep = if committed { 0 } else { VERSIONS - 1 };
                while versions.len() > keep {
                    gone.extend(versions.pop());
                }
                let at = usize::from(!committed && newest & OWN == 0 && !versions.is_empty());
                versions.insert(at, (version, Known::default()));
                at
            }
        };
        write(&mut versions[at].1);
        drop(versions);
        // Freeing what was known takes time, and needs no lock.
        drop(gone);
    }

    /// What a name stands for.
    #[inline]
    pub fn name(&self, version: u64, schema: &str, name: &str) -> Option<Named> {
        self.get(version, |k| k.names.get(&KeyRef(schema, name)).cloned())
    }

    /// Keeps that.
    pub fn put_name(&self, version: u64, schema: &str, name: &str, named: &Named) {
        let key = Key {
            schema: Str::from(schema),
            name: Str::from(name),
        };
        self.put(version, |k| {
            if let Named::Relation(r) | Named::Index(r, _) = named {
                k.relations.insert(r.oid, Some(Arc::clone(r)));
            }
            k.names.insert(key, named.clone());
        });
    }

    /// A relation by id.
    #[inline]
    pub fn relation(&self, version: u64, oid: Oid) -> Option<Option<Arc<Relation>>> {
        self.get(version, |k| k.relations.get(&oid).cloned())
    }

    /// Keeps that.
    pub fn put_relation(&self, version: u64, oid: Oid, relation: &Option<Arc<Relation>>) {
        self.put(version, |k| {
            k.relations.insert(oid, relation.clone());
        });
    }

    /// A schema's id by name.
    pub fn schema(&self, version: u64, name: &str) -> Option<Option<Oid>> {
        self.get(version, |k| k.schemas.get(name).copied())
    }

    /// Keeps that.
    pub fn put_schema(&self, version: u64, name: &str, oid: Option<Oid>) {
        self.put(version, |k| {
            k.schemas.insert(Str::from(name), oid);
        });
    }

    /// Statistics of a relation.
    pub fn statistics(&self, version: u64, oid: Oid) -> Option<Option<Arc<TableStatistics>>> {
        self.get(version, |k| k.statistics.get(&oid).cloned())
    }

    /// Keeps that.
    pub fn put_statistics(&self, version: u64, oid: Oid, known: &Option<Arc<TableStatistics>>) {
        self.put(version, |k| {
            k.statistics.insert(oid, known.clone());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_kept_apart() {
        let cache = Cache::default();
        cache.put_schema(1, "a", Some(1));
        cache.put_schema(OWN | 5, "a", Some(5));
        assert_eq!(cache.schema(1, "a"), Some(Some(1)));
        assert_eq!(cache.schema(OWN | 5, "a"), Some(Some(5)));
        assert_eq!(cache.schema(2, "a"), None);
        cache.put_schema(2, "a", None);
        assert_eq!(cache.schema(2, "a"), Some(None));
        // Late for its version: dropped.
        cache.put_schema(1, "a", Some(1));
        assert_eq!(cache.schema(1, "a"), None);
        assert_eq!(cache.schema(2, "a"), Some(None));
    }

    #[test]
    fn many_changing_transactions_push_each_other_out() {
        let cache = Cache::default();
        cache.put_schema(1, "a", Some(1));
        for own in 0..10 {
            cache.put_schema(OWN | own, "a", Some(9));
        }
        assert_eq!(cache.schema(1, "a"), Some(Some(1)));
        assert_eq!(cache.schema(OWN | 9, "a"), Some(Some(9)));
        assert_eq!(cache.schema(OWN, "a"), None);
    }
}
