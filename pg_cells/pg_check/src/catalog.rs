//! Which relations there are, as the catalogs say, and whether each has its file
//! and each file its relation.

use crate::pages::Kind;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_buffer_port::{FileId, Fork};
use pg_catalog_port::CATALOG;
use pg_check_port::{Finding, Place, Report, What};
use pg_heap_port::RowBatch;
use pg_plan::{Relation, RelationKind};
use pg_txn_port::{Isolation, Transaction};
use pg_types::oid::FIRST_NORMAL;
use pg_types::tuple::Tuple;
use pg_types::{Datum, Oid};

/// What the catalogs say.
#[derive(Default)]
pub struct Relations {
    tables: BTreeMap<u32, Arc<Relation>>,
    /// Rows of `pg_class` by file.
    classes: BTreeMap<u32, Class>,
    /// Files that descriptors name.
    described: BTreeSet<u32>,
    /// All of it could be read.
    is_whole: bool,
}

/// A row of `pg_class`.
struct Class {
    oid: Oid,
    /// Zero when it has none.
    file: u32,
    name: String,
    kind: u8,
}

impl Relations {
    /// The table in a file.
    pub fn table(&self, file: FileId) -> Option<&Arc<Relation>> {
        self.tables.get(&file.relation())
    }

    /// All tables.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.tables.values()
    }

    /// The name of the relation in a file.
    pub fn name(&self, file: FileId) -> Option<&str> {
        self.classes.get(&file.relation()).map(|c| c.name.as_str())
    }
}

/// Reads the catalogs.
pub fn look(report: &mut Report) -> Relations {
    let mut relations = Relations::default();
    match read(&mut relations, report) {
        Ok(()) => relations.is_whole = true,
        Err(error) => report.add(Finding::damage(Place::System, What::Catalog, error)),
    }
    relations
}

fn read(relations: &mut Relations, report: &mut Report) -> Result<(), String> {
    let words = |error: &dyn core::fmt::Debug| format!("{error:?}");
    let mut tx = Transaction::begin(Isolation::ReadCommitted, true).map_err(|e| words(&e))?;
    tx.start_command().map_err(|e| words(&e))?;
    let catalog = CATALOG.enter().map_err(|e| words(&e))?;
    let class = catalog
        .relation(&mut tx, &[], Some("pg_catalog"), "pg_class")
        .map_err(|e| String::from(e.message()))?
        .ok_or("there is no pg_class")?;
    for found in classes(&class, &mut tx)? {
        report.looked.relations += 1;
        let oid = found.oid;
        let described = catalog.relation_by_oid(&mut tx, oid);
        match described {
            Ok(Some(relation)) => describe(relations, &relation),
            // Indexes are described by their tables.
            Ok(None) if found.kind == b'i' => {}
            Ok(None) => {
                let what = format!("{} has no descriptor", found.name);
                report.add(Finding::damage(Place::Relation(oid), What::Catalog, what));
            }
            Err(error) => {
                let what = format!("{}: {}", found.name, error.message());
                report.add(Finding::damage(Place::Relation(oid), What::Catalog, what));
            }
        }
        if found.file != 0 {
            relations.classes.insert(found.file, found);
        }
    }
    Ok(())
}

fn describe(relations: &mut Relations, relation: &Arc<Relation>) {
    if relation.file == 0 {
        return;
    }
    relations.described.insert(relation.file);
    let indexes = relation.indexes.iter().map(|index| index.file);
    relations.described.extend(indexes);
    if relation.kind == RelationKind::Table {
        relations.tables.insert(relation.file, Arc::clone(relation));
    }
}

/// The rows of `pg_class`.
fn classes(class: &Relation, tx: &mut Transaction) -> Result<Vec<Class>, String> {
    let words = |error: &dyn core::fmt::Debug| format!("{error:?}");
    let snapshot = tx.latest_snapshot().map_err(|e| words(&e))?;
    let column = |name: &str| class.desc.find(name).ok_or(format!("no column {name}"));
    let (oid, name) = (column("oid")?, column("relname")?);
    let (kind, file) = (column("relkind")?, column("relfilenode")?);
    let heap = FileId::new(class.file, Fork::Main);
    let mut batch = RowBatch::new();
    let mut found = Vec::new();
    for block in 0..pg_heap_port::blocks(heap).map_err(|e| words(&e))? {
        pg_heap_port::scan_block(&snapshot, heap, block, &mut batch).map_err(|e| words(&e))?;
        for (tid, bytes) in batch.iter() {
            let row = Tuple::new(&class.desc, bytes).and_then(|t| t.decode());
            let row = row.map_err(|_| format!("the row at {tid} of pg_class"))?;
            let kind = match row.get(kind) {
                Some(Datum::Char(kind)) => *kind,
                _ => 0,
            };
            let class = Class {
                oid: row.get(oid).and_then(Datum::as_oid).unwrap_or(0),
                file: row.get(file).and_then(Datum::as_oid).unwrap_or(0),
                name: row.get(name).and_then(Datum::as_str).unwrap_or("").into(),
                kind,
            };
            found.push(class);
        }
    }
    Ok(found)
}

/// Compares the catalogs with the files.
pub fn compare(relations: &Relations, files: &BTreeMap<FileId, Kind>, report: &mut Report) {
    if !relations.is_whole {
        return;
    }
    for (file, class) in &relations.classes {
        let place = Place::Relation(class.oid);
        let Some(kind) = files.get(&FileId::new(*file, Fork::Main)) else {
            let what = format!("{}: file {file}", class.name);
            report.add(Finding::damage(place, What::NoFile, what));
            continue;
        };
        let wanted: &[Kind] = match class.kind {
            b'r' | b't' | b'm' => &[Kind::Heap, Kind::Empty],
            b'i' => &[Kind::Tree],
            _ => continue,
        };
        if !wanted.contains(kind) {
            let what = format!("{} is in a file of {kind:?}", class.name);
            report.add(Finding::damage(place, What::Kind, what));
        }
        if !relations.described.contains(file) {
            let what = format!("{} belongs to no descriptor", class.name);
            report.add(Finding::damage(place, What::Catalog, what));
        }
    }
    for file in files.keys() {
        let number = file.relation();
        if number >= FIRST_NORMAL && !relations.classes.contains_key(&number) {
            report.add(Finding::damage(Place::File(*file), What::Orphan, ""));
        }
    }
}
