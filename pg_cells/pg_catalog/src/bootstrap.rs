//! Making the catalogs in a new database, and opening them in an old one.

use crate::Catalogs;
use crate::control::{self, LAYOUT, State};
use crate::error::OrSql;
use crate::garbage;
use crate::row::Row;
use crate::rows::{self, NewClass, NewIndexRow};
use crate::schema::{
    DATABASE, DATABASE_OWNER, INFORMATION_SCHEMA, PG_CATALOG, PG_TOAST, POSTGRES, PUBLIC,
};
use crate::store::{self, Reader, ids, key_of_row, main_file, relation};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_buffer_port::MiniTx;
use pg_catalog_port::Opened;
use pg_heap_port::Tid;
use pg_plan::{Relation, RelationKind};
use pg_txn_port::{Isolation, Transaction};
use pg_types::oid::FIRST_NORMAL;
use pg_types::{Attr, Oid, SqlResult};

/// Views have ids from here on, in the tables of `schema`.
const FIRST_VIEW: Oid = 12000;

impl Catalogs {
    /// See [`pg_catalog_port::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open_database(&self) -> SqlResult<Opened> {
        let mut opened = Opened::default();
        match control::state()? {
            State::Missing => {
                self.create_all()?;
                opened.created = true;
            }
            State::Complete(layout) => {
                self.create_missing_files()?;
                if layout != LAYOUT {
                    self.rewrite_builtin_rows()?;
                }
                let mut tx = begin()?;
                self.drop_temporary(&mut tx)?;
                tx.commit().sql()?;
                let mut tx = begin()?;
                opened.orphans = self.remove_orphans(&mut tx)?;
            }
        }
        Ok(opened)
    }

    fn stored(&self) -> impl Iterator<Item = &Arc<Relation>> {
        let stored = |r: &&Arc<Relation>| r.kind == RelationKind::Table;
        self.system.relations().iter().filter(stored)
    }

    /// Makes everything, over the remains of an attempt that was interrupted.
    fn create_all(&self) -> SqlResult<()> {
        control::create()?;
        for table in self.stored() {
            garbage::remove(table.file)?;
            create_table_file(table.file)?;
            for index in &table.indexes {
                garbage::remove(index.file)?;
                create_index_file(0, index.file)?;
            }
        }
        let mut tx = begin()?;
        let mut rows = self.builtin_rows()?;
        rows.extend(self.first_rows()?);
        for table in self.stored() {
            let rows: Vec<&Row> = rows.iter().filter(|r| r.table.oid == table.oid).collect();
            fill(&mut tx, table, &rows)?;
        }
        tx.commit().sql()?;
        control::set_complete()
    }

    /// Catalogs that are stored since this version of the cell.
    fn create_missing_files(&self) -> SqlResult<()> {
        for table in self.stored() {
            if pg_buffer_port::blocks(main_file(table.file)).is_err() {
                create_table_file(table.file)?;
            }
            for index in &table.indexes {
                if pg_buffer_port::blocks(main_file(index.file)).is_err() {
                    create_index_file(0, index.file)?;
                }
            }
        }
        Ok(())
    }

    /// Replaces what another version of this cell wrote about the built-in
    /// relations and types.
    fn rewrite_builtin_rows(&self) -> SqlResult<()> {
        let mut tx = begin()?;
        let reader = Reader::new(&self.system, &mut tx)?;
        let owners = [
            (ids::CLASS, "oid"),
            (ids::ATTRIBUTE, "attrelid"),
            (ids::INDEX, "indexrelid"),
            (ids::TYPE, "oid"),
        ];
        for (table, owner) in owners {
            for row in reader.scan(table)? {
                if row.oid(owner) < FIRST_NORMAL {
                    store::delete(&mut tx, &row)?;
                }
            }
        }
        for row in self.builtin_rows()? {
            store::insert(&mut tx, &row)?;
        }
        tx.commit().sql()?;
        control::set_complete()
    }

    /// What the catalogs say of themselves and of the built-in types.
    fn builtin_rows(&self) -> SqlResult<Vec<Row>> {
        let system = &self.system;
        let mut all = Vec::new();
        for relation in system.relations() {
            let mut class = rows::class(
                system,
                &NewClass {
                    oid: relation.oid,
                    name: &relation.name,
                    schema: relation.schema_oid,
                    owner: POSTGRES,
                    kind: if relation.oid < FIRST_VIEW { 'r' } else { 'v' },
                    file: relation.file,
                    columns: relation.desc.len(),
                    persistence: 'p',
                },
            )?;
            class.put("relhasindex", !relation.indexes.is_empty());
            class.put("relhasrules", relation.oid >= FIRST_VIEW);
            all.push(class);
            for (place, attr) in relation.desc.attrs().iter().enumerate() {
                let number = place as i16 + 1;
                all.push(rows::attribute(system, relation.oid, number, attr)?);
            }
            self.builtin_indexes(relation, &mut all)?;
        }
        for info in pg_types::typeinfo::TYPES {
            all.push(rows::builtin_type(system, info)?);
        }
        Ok(all)
    }

    fn builtin_indexes(&self, table: &Relation, all: &mut Vec<Row>) -> SqlResult<()> {
        let system = &self.system;
        for index in &table.indexes {
            all.push(rows::class(
                system,
                &NewClass {
                    oid: index.oid,
                    name: &index.name,
                    schema: table.schema_oid,
                    owner: POSTGRES,
                    kind: 'i',
                    file: index.file,
                    columns: index.keys.len(),
                    persistence: 'p',
                },
            )?);
            all.push(rows::index(
                system,
                &NewIndexRow {
                    oid: index.oid,
                    table: table.oid,
                    keys: &index.keys,
                    included: &[],
                    unique: index.unique,
                    primary: index.primary,
                    nulls_not_distinct: false,
                    immediate: true,
                    predicate: None,
                },
            )?);
            for (place, key) in index.keys.iter().enumerate() {
                let column = &table.desc.attrs()[key.attribute as usize - 1];
                let attr = Attr::new(column.name.clone(), key.type_oid, -1);
                all.push(rows::attribute(system, index.oid, place as i16 + 1, &attr)?);
            }
        }
        Ok(())
    }

    /// Rows that users may change: schemas, the role, the databases.
    fn first_rows(&self) -> SqlResult<Vec<Row>> {
        let system = &self.system;
        let schemas = [
            (PG_CATALOG, "pg_catalog", POSTGRES),
            (PG_TOAST, "pg_toast", POSTGRES),
            (PUBLIC, "public", DATABASE_OWNER),
            (INFORMATION_SCHEMA, "information_schema", POSTGRES),
        ];
        let mut all = Vec::new();
        for (oid, name, owner) in schemas {
            all.push(rows::namespace(system, oid, name, owner)?);
        }
        all.push(
            Row::new(relation(system, ids::AUTHID)?)
                .set_oid("oid", DATABASE_OWNER)
                .set("rolname", "pg_database_owner")
                .set("rolinherit", true)
                .set("rolconnlimit", -1),
        );
        let mut role = Row::new(relation(system, ids::AUTHID)?)
            .set_oid("oid", POSTGRES)
            .set("rolname", "postgres")
            .set("rolconnlimit", -1);
        let rights = [
            "rolsuper",
            "rolinherit",
            "rolcreaterole",
            "rolcreatedb",
            "rolcanlogin",
            "rolreplication",
            "rolbypassrls",
        ];
        for right in rights {
            role.put(right, true);
        }
        all.push(role);
        for (oid, name, template) in [(1, "template1", true), (DATABASE, "postgres", false)] {
            all.push(
                Row::new(relation(system, ids::DATABASE)?)
                    .set_oid("oid", oid)
                    .set("datname", name)
                    .set_oid("datdba", POSTGRES)
                    .set("encoding", 6)
                    .set_char("datlocprovider", 'c')
                    .set("datistemplate", template)
                    .set("datallowconn", !template)
                    .set("datconnlimit", -1)
                    .set_oid("dattablespace", 1663)
                    .set("datcollate", "C.UTF-8")
                    .set("datctype", "C.UTF-8"),
            );
        }
        all.push(
            Row::new(relation(system, ids::DESCRIPTION)?)
                .set_oid("objoid", PUBLIC)
                .set_oid("classoid", ids::NAMESPACE)
                .set("description", "standard public schema"),
        );
        all.push(
            Row::new(relation(system, ids::SHDESCRIPTION)?)
                .set_oid("objoid", DATABASE)
                .set_oid("classoid", ids::DATABASE)
                .set("description", "default administrative connection database"),
        );
        Ok(all)
    }
}

/// A transaction of the catalog's own.
pub fn begin() -> SqlResult<Transaction> {
    let mut tx = Transaction::begin(Isolation::ReadCommitted, false).sql()?;
    tx.start_command().sql()?;
    Ok(tx)
}

/// Makes an empty table's file.
///
/// # Errors
/// Failures of the storage.
pub fn create_table_file(file: u32) -> SqlResult<()> {
    let mut mtx = MiniTx::begin(0);
    pg_buffer_port::create_file(&mut mtx, main_file(file)).sql()?;
    mtx.commit().sql()?;
    Ok(())
}

/// Makes an empty index's file on behalf of transaction `xid`.
///
/// # Errors
/// Failures of the storage.
pub fn create_index_file(xid: u64, file: u32) -> SqlResult<()> {
    let mut mtx = MiniTx::begin(xid);
    pg_buffer_port::create_file(&mut mtx, main_file(file)).sql()?;
    pg_btree_port::create(&mut mtx, main_file(file)).sql()?;
    mtx.commit().sql()?;
    Ok(())
}

/// Fills an empty catalog and its indexes at once.
fn fill(tx: &mut Transaction, table: &Relation, rows: &[&Row]) -> SqlResult<()> {
    let bytes: Vec<Vec<u8>> = rows.iter().map(|r| r.encode()).collect();
    let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
    let mut tids: Vec<Tid> = Vec::new();
    pg_heap_port::insert_many(tx, main_file(table.file), &slices, &mut tids).sql()?;
    for index in &table.indexes {
        let keys = rows.iter().zip(&tids);
        let mut entries: Vec<(Vec<u8>, Tid)> = keys
            .map(|(row, tid)| (key_of_row(index, row), *tid))
            .collect();
        entries.sort();
        let mut next = entries.into_iter();
        let mut give = |key: &mut Vec<u8>| {
            let (bytes, tid) = next.next()?;
            *key = bytes;
            Some(tid)
        };
        pg_btree_port::bulk_build(main_file(index.file), &mut give).sql()?;
    }
    Ok(())
}
