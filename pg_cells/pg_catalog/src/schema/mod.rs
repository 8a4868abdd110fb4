//! The built-in relations: what there is before any user creates something.
//!
//! The files beside this one are tables of facts, one entry a relation; here
//! they become descriptors ([`System`]). Ids, names and columns are those of
//! PostgreSQL 15, because clients name them. To add a catalog, add an entry; a
//! stored one gets its file when the database is opened the next time.

mod activity;
mod fixed;
mod information;
mod stored;
mod views;

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use hashbrown::HashMap;
use pg_plan::{Column, Index, IndexColumn, Relation, RelationKind};
use pg_types::oid::{self, Oid};
use pg_types::{Attr, Str, TupleDesc};

/// `pg_catalog`.
pub const PG_CATALOG: Oid = 11;
/// `pg_toast`, which is empty: long values are not moved out of their rows.
pub const PG_TOAST: Oid = 99;
/// `public`.
pub const PUBLIC: Oid = 2200;
/// `information_schema`.
pub const INFORMATION_SCHEMA: Oid = 13207;
/// The role `postgres`.
pub const POSTGRES: Oid = 10;
/// The role `pg_database_owner`, which owns `public`.
pub const DATABASE_OWNER: Oid = 6171;
/// The database `postgres`.
pub const DATABASE: Oid = 5;
/// The access method of tables.
pub const HEAP_AM: Oid = 2;
/// The access method of indexes.
pub const BTREE_AM: Oid = 403;

/// Where a catalog's rows come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A heap table with indexes.
    Stored,
    /// Made on demand.
    Virtual,
}

/// One entry of the tables of facts.
pub(crate) struct TableDef {
    oid: Oid,
    name: &'static str,
    source: Source,
    /// `name:type`, separated by blanks; `?` when NULL is allowed.
    columns: &'static str,
    /// `oid name kind column...`; the kind is `primary`, `unique` or `plain`.
    indexes: &'static [&'static str],
}

pub(crate) struct ViewDef {
    oid: Oid,
    name: &'static str,
    columns: &'static str,
    query: &'static str,
}

const fn table(
    oid: Oid,
    name: &'static str,
    source: Source,
    columns: &'static str,
    indexes: &'static [&'static str],
) -> TableDef {
    TableDef {
        oid,
        name,
        source,
        columns,
        indexes,
    }
}

const fn fixed(oid: Oid, name: &'static str, columns: &'static str) -> TableDef {
    table(oid, name, Source::Virtual, columns, &[])
}

const fn view(oid: Oid, name: &'static str, columns: &'static str, query: &'static str) -> ViewDef {
    ViewDef {
        oid,
        name,
        columns,
        query,
    }
}

/// All built-in relations, by id and by name.
pub struct System {
    relations: Vec<Arc<Relation>>,
    by_oid: HashMap<Oid, usize>,
    catalog: HashMap<Str, usize>,
    information: HashMap<Str, usize>,
    /// Which relation an index belongs to, and its place there.
    indexes: HashMap<Oid, (usize, usize)>,
    index_names: HashMap<Str, Oid>,
}

impl System {
    /// Builds the descriptors.
    #[must_use]
    pub fn new() -> Self {
        let mut system = System {
            relations: Vec::new(),
            by_oid: HashMap::new(),
            catalog: HashMap::new(),
            information: HashMap::new(),
            indexes: HashMap::new(),
            index_names: HashMap::new(),
        };
        let tables = stored::STORED.iter().chain(fixed::FIXED);
        for def in tables.chain(activity::ACTIVITY) {
            system.add(table_relation(def, PG_CATALOG));
        }
        for def in views::VIEWS {
            system.add(view_relation(def, PG_CATALOG));
        }
        for def in information::VIEWS {
            system.add(table_relation(def, INFORMATION_SCHEMA));
        }
        system
    }

    fn add(&mut self, relation: Relation) {
        let at = self.relations.len();
        let names = match relation.schema_oid {
            PG_CATALOG => &mut self.catalog,
            _ => &mut self.information,
        };
        names.insert(Str::from(relation.name.as_str()), at);
        self.by_oid.insert(relation.oid, at);
        for (place, index) in relation.indexes.iter().enumerate() {
            self.indexes.insert(index.oid, (at, place));
            self.index_names
                .insert(Str::from(index.name.as_str()), index.oid);
        }
        self.relations.push(Arc::new(relation));
    }

    /// All of them.
    pub fn relations(&self) -> &[Arc<Relation>] {
        &self.relations
    }

    /// One by id.
    pub fn by_oid(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.by_oid.get(&oid).map(|at| &self.relations[*at])
    }

    /// One by schema and name.
    #[inline]
    pub fn by_name(&self, schema: &str, name: &str) -> Option<&Arc<Relation>> {
        let names = match schema {
            "pg_catalog" => &self.catalog,
            "information_schema" => &self.information,
            _ => return None,
        };
        names.get(name).map(|at| &self.relations[*at])
    }

    /// An index of `pg_catalog` by name.
    pub fn index_named(&self, name: &str) -> Option<(&Arc<Relation>, Oid)> {
        let oid = *self.index_names.get(name)?;
        self.index(oid).map(|(relation, _)| (relation, oid))
    }

    /// An index by id, with its table.
    pub fn index(&self, oid: Oid) -> Option<(&Arc<Relation>, &Arc<Index>)> {
        let (relation, place) = *self.indexes.get(&oid)?;
        let relation = &self.relations[relation];
        Some((relation, &relation.indexes[place]))
    }
}

/// `name:type?` words as a descriptor.
fn descriptor(columns: &str) -> TupleDesc {
    let attr = |word: &str| {
        let (name, kind) = word.split_once(':').unwrap_or((word, "text"));
        let plain = kind.strip_suffix('?');
        let info = pg_types::typeinfo::type_by_name(plain.unwrap_or(kind));
        let attr = Attr::new(name, info.map_or(oid::TEXT, |t| t.oid), -1);
        match plain {
            Some(_) => attr,
            None => attr.not_null(),
        }
    };
    TupleDesc::new(columns.split_ascii_whitespace().map(attr).collect())
}

fn table_relation(def: &TableDef, schema: Oid) -> Relation {
    let desc = descriptor(def.columns);
    let stored = def.source == Source::Stored;
    let kind = match stored {
        true => RelationKind::Table,
        false => RelationKind::Virtual,
    };
    let mut relation = relation(def.oid, def.name, schema, kind, desc);
    if stored {
        relation.file = def.oid;
        let index = |line: &&str| Arc::new(system_index(line, def.oid, &relation.desc));
        relation.indexes = def.indexes.iter().map(index).collect();
    }
    relation
}

fn view_relation(def: &ViewDef, schema: Oid) -> Relation {
    let attrs = descriptor(def.columns);
    // Columns of views may always be NULL.
    let nullable = attrs.attrs().iter().cloned().map(|mut a| {
        a.not_null = false;
        a
    });
    let desc = TupleDesc::new(nullable.collect());
    let mut relation = relation(def.oid, def.name, schema, RelationKind::View, desc);
    relation.view = Some(def.query.to_string());
    relation
}

fn relation(oid: Oid, name: &str, schema: Oid, kind: RelationKind, desc: TupleDesc) -> Relation {
    let schema_name = match schema {
        PG_CATALOG => "pg_catalog",
        _ => "information_schema",
    };
    Relation {
        oid,
        file: 0,
        name: name.to_string(),
        schema: schema_name.to_string(),
        schema_oid: schema,
        owner: POSTGRES,
        kind,
        columns: alloc::vec![Column::default(); desc.len()],
        desc: Arc::new(desc),
        indexes: Vec::new(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        referenced_by: Vec::new(),
        view: None,
        sequence: None,
        reltuples: -1.0,
        relpages: 0,
        relallvisible: 0,
        counters: Default::default(),
    }
}

/// `oid name kind column...` as an index.
fn system_index(line: &str, table: Oid, desc: &TupleDesc) -> Index {
    let mut words = line.split_ascii_whitespace();
    let oid = words.next().and_then(|w| w.parse().ok()).unwrap_or(0);
    let name = words.next().unwrap_or("").to_string();
    let kind = words.next().unwrap_or("plain");
    let key = |column: &str| {
        let place = desc.find(column).unwrap_or(0);
        IndexColumn {
            attribute: place as i16 + 1,
            expression: None,
            type_oid: desc.attrs().get(place).map_or(oid::OID, |a| a.type_oid),
            descending: false,
            nulls_first: false,
        }
    };
    Index {
        oid,
        constraint: (kind != "plain").then(|| String::from(name.as_str())),
        name,
        file: oid,
        table,
        unique: kind != "plain",
        nulls_not_distinct: false,
        primary: kind == "primary",
        keys: words.map(key).collect(),
        predicate: None,
        valid: true,
        included: Vec::new(),
        constraint_oid: 0,
        deferral: Default::default(),
        counters: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_makes_sense() {
        let system = System::new();
        let all = [stored::STORED, fixed::FIXED, activity::ACTIVITY].concat_defs();
        for def in all {
            for word in def.columns.split_ascii_whitespace() {
                let (_, kind) = word.split_once(':').expect("name:type");
                let kind = kind.trim_end_matches('?');
                let known = pg_types::typeinfo::type_by_name(kind);
                assert!(known.is_some(), "{}: type {kind}", def.name);
            }
            assert!(def.name.starts_with("pg_"), "lookups rely on it");
            let relation = system.by_oid(def.oid).expect("by id");
            assert_eq!(relation.name, def.name);
            for line in def.indexes {
                for column in line.split_ascii_whitespace().skip(3) {
                    assert!(relation.desc.find(column).is_some(), "{line}");
                }
            }
        }
    }

    trait Defs {
        fn concat_defs(&self) -> Vec<&'static TableDef>;
    }

    impl Defs for [&'static [TableDef]; 3] {
        fn concat_defs(&self) -> Vec<&'static TableDef> {
            self.iter().flat_map(|d| d.iter()).collect()
        }
    }

    #[test]
    fn ids_are_unique() {
        let system = System::new();
        let mut ids: Vec<Oid> = system.relations.iter().map(|r| r.oid).collect();
        ids.extend(system.indexes.keys());
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert!(ids.iter().all(|oid| *oid < oid::FIRST_NORMAL));
    }
}
