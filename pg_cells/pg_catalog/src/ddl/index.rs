//! CREATE INDEX, and the indexes behind constraints.

use super::Change;
use super::columns::column_name;
use super::constraint::is_empty;
use super::names::columns_part;
use crate::Catalogs;
use crate::error::{OrSql, lost};
use crate::rows::{self, NewClass, NewIndexRow, Object};
use crate::schema::{PG_CATALOG, POSTGRES};
use crate::store::{self, Reader, ids, main_file};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_catalog_port::{RowWork, SHARED};
use pg_plan::{CreateIndex, Expr, IndexColumn, Relation};
use pg_txn_port::{LockMode, Transaction};
use pg_types::oid::FIRST_NORMAL;
use pg_types::{Attr, Datum, Oid, SqlError, SqlResult, SqlState, format_type};

/// Most key columns of an index, as in PostgreSQL.
const MAX_KEYS: usize = 32;

/// An index to be made.
pub struct NewIndex<'a> {
    /// Its table, as it is now.
    pub table: &'a Relation,
    /// Its name.
    pub name: &'a str,
    /// Its key columns.
    pub keys: Vec<IndexColumn>,
    /// Attribute numbers of INCLUDE columns.
    pub included: Vec<i16>,
    /// UNIQUE.
    pub unique: bool,
    /// PRIMARY KEY.
    pub primary: bool,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// It is checked at once.
    pub immediate: bool,
    /// Its condition.
    pub predicate: Option<&'a (String, Expr)>,
    /// Typed forms of computed keys.
    pub computed: Vec<Option<Expr>>,
    /// Storage parameters.
    pub options: &'a [(String, String)],
    /// It is filled in the same transaction. Otherwise it is not valid before
    /// [`Catalogs::set_index_valid`].
    pub complete: bool,
}

impl Catalogs {
    /// See [`pg_catalog_port::Catalog::index_is_valid`].
    ///
    /// # Errors
    /// As there.
    pub fn set_index_valid(&self, tx: &mut Transaction, index: Oid) -> SqlResult<()> {
        self.current(tx);
        SHARED.announce(tx).sql()?;
        let reader = Reader::new(&self.system, tx)?;
        let old = reader.one(ids::INDEX_BY_OID, &[Datum::Oid(index)])?;
        let old = old.ok_or_else(|| lost("an index"))?;
        let new = old.clone().set("indisvalid", true);
        store::update(tx, &old, &new)?;
        tx.start_command().sql()?;
        SHARED.announce(tx).sql()
    }
}

impl Change<'_> {
    pub(super) fn create_index(&mut self, def: &CreateIndex) -> SqlResult<()> {
        let table = &def.table;
        if table.schema_oid == PG_CATALOG {
            return Err(SqlError::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied: \"{}\" is a system catalog", table.name),
            ));
        }
        // Beside writers it is made by one at a time.
        let mode = match def.concurrently {
            true => LockMode::ShareUpdateExclusive,
            false => LockMode::Share,
        };
        self.tx.lock_relation(table.oid, mode).sql()?;
        let table = self.fresh(table.oid)?;
        let keys = def.keys.iter().map(|k| IndexColumn {
            attribute: k.attribute,
            expression: k.expression.as_ref().map(|(text, _)| text.clone()),
            type_oid: k.type_oid,
            descending: k.descending,
            nulls_first: k.nulls_first,
        });
        let keys: Vec<IndexColumn> = keys.collect();
        let name = match &def.name {
            Some(name) => name.clone(),
            None => {
                let mut names = key_names(&table, &keys)?;
                for number in &def.include {
                    names.push(column_name(&table, *number)?);
                }
                let part = columns_part(names.iter().map(String::as_str));
                self.choose_name(table.schema_oid, &table.name, Some(&part), "idx", false)?
            }
        };
        if self.name_taken(table.schema_oid, &name, def.if_not_exists)? {
            return Ok(());
        }
        if def.keys.len() > MAX_KEYS {
            return Err(SqlError::new(
                SqlState::TOO_MANY_COLUMNS,
                format!("cannot use more than {MAX_KEYS} columns in an index"),
            ));
        }
        let computed = def.keys.iter().map(|k| k.expression.as_ref());
        let new = NewIndex {
            table: &table,
            name: &name,
            keys,
            included: def.include.clone(),
            unique: def.unique,
            primary: false,
            nulls_not_distinct: def.nulls_not_distinct,
            immediate: true,
            predicate: def.predicate.as_ref(),
            computed: computed.map(|e| e.map(|(_, expr)| expr.clone())).collect(),
            options: &def.options,
            complete: !def.concurrently,
        };
        let oid = self.new_index(&new)?;
        self.index_dependencies(oid, &new)?;
        self.outcome.object = Some(oid);
        Ok(())
    }

    /// REINDEX: new files, to be filled from the rows.
    pub(super) fn reindex(&mut self, targets: &[(Arc<Relation>, Option<Oid>)]) -> SqlResult<()> {
        for (table, only) in targets {
            if table.oid < FIRST_NORMAL {
                return Err(SqlError::unsupported("REINDEX of a system catalog"));
            }
            self.lock(table.oid)?;
            let table = self.fresh(table.oid)?;
            let wanted = table.indexes.iter();
            for index in wanted.filter(|i| only.is_none_or(|oid| oid == i.oid)) {
                self.new_file_of_index(index.oid, index.file, table.file)?;
                self.change_row(ids::INDEX_BY_OID, &[Datum::Oid(index.oid)], |row| {
                    row.put("indisvalid", true);
                })?;
                if !is_empty(&table)? {
                    let table = self.fresh(table.oid)?;
                    self.outcome.work.push(RowWork::BuildIndex {
                        table,
                        index: index.oid,
                        keys: Vec::new(),
                        predicate: None,
                    });
                }
            }
        }
        Ok(())
    }

    /// The columns of an index: keys, then what it includes.
    fn index_columns(&mut self, oid: Oid, new: &NewIndex<'_>) -> SqlResult<()> {
        let names = key_names(new.table, &new.keys)?;
        let keys = new.keys.iter().zip(names);
        let keys = keys.map(|(key, name)| Attr::new(name, key.type_oid, -1));
        let included = new.included.iter().map(|number| {
            let theirs = &new.table.desc.attrs()[*number as usize - 1];
            Attr::new(theirs.name.clone(), theirs.type_oid, theirs.typmod)
        });
        for (place, attr) in (1..).zip(keys.chain(included)) {
            let row = rows::attribute(self.system(), oid, place, &attr)?;
            self.insert(&row)?;
        }
        Ok(())
    }

    /// The rows, the file and, if the table has rows, the work of filling it.
    /// What it depends on is the caller's.
    pub fn new_index(&mut self, new: &NewIndex<'_>) -> SqlResult<Oid> {
        for key in &new.keys {
            check_key_type(key.type_oid)?;
        }
        let oid = self.new_oid()?;
        let table = new.table;
        let owner = if table.owner == 0 {
            POSTGRES
        } else {
            table.owner
        };
        let mut class = rows::class(
            self.system(),
            &NewClass {
                oid,
                name: new.name,
                schema: table.schema_oid,
                owner,
                kind: 'i',
                file: oid,
                columns: new.keys.len() + new.included.len(),
                persistence: if table.schema.starts_with("pg_temp") {
                    't'
                } else {
                    'p'
                },
            },
        )?;
        if !new.options.is_empty() {
            let options: Vec<String> = new
                .options
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect();
            class.put("reloptions", rows::text_array(&options));
        }
        self.insert_class(&class, new.name)?;
        let mut row = rows::index(
            self.system(),
            &NewIndexRow {
                oid,
                table: table.oid,
                keys: &new.keys,
                included: &new.included,
                unique: new.unique,
                primary: new.primary,
                nulls_not_distinct: new.nulls_not_distinct,
                immediate: new.immediate,
                predicate: new.predicate.map(|(text, _)| text.as_str()),
            },
        )?;
        row.put("indisvalid", new.complete);
        self.insert(&row)?;
        self.index_columns(oid, new)?;
        self.new_index_file(oid)?;
        self.bump()?;
        if table.indexes.is_empty() {
            let now = self.fresh(table.oid)?;
            if now.indexes.is_empty() {
                self.change_class(table.oid, |class| class.put("relhasindex", true))?;
            }
        }
        if new.complete {
            self.fill_index(oid, new)?;
        }
        Ok(oid)
    }

    /// Leaves the filling to the executor, if there is anything.
    fn fill_index(&mut self, oid: Oid, new: &NewIndex<'_>) -> SqlResult<()> {
        let blocks = pg_heap_port::blocks(main_file(new.table.file)).sql()?;
        if blocks > 0 {
            let table = self.fresh(new.table.oid)?;
            self.outcome.work.push(RowWork::BuildIndex {
                table,
                index: oid,
                keys: new.computed.clone(),
                predicate: new.predicate.map(|(_, expr)| expr.clone()),
            });
        }
        Ok(())
    }

    /// An index goes with each of its columns.
    fn index_dependencies(&mut self, oid: Oid, new: &NewIndex<'_>) -> SqlResult<()> {
        let mut columns: Vec<i16> = new.keys.iter().map(|k| k.attribute).collect();
        columns.retain(|c| *c > 0);
        columns.extend(&new.included);
        let exprs = new.computed.iter().flatten();
        for expr in exprs.chain(new.predicate.map(|(_, e)| e)) {
            columns.extend(super::depend::columns_of(expr));
        }
        columns.sort_unstable();
        columns.dedup();
        let index = Object::relation(oid);
        if columns.is_empty() {
            return self.depend(index, Object::relation(new.table.oid), 'a');
        }
        for column in columns {
            self.depend(index, Object::column(new.table.oid, column), 'a')?;
        }
        Ok(())
    }
}

/// 42704 for types that have no order.
fn check_key_type(type_oid: Oid) -> SqlResult<()> {
    if rows::operator_class(type_oid) != 0 {
        return Ok(());
    }
    Err(SqlError::new(
        SqlState::UNDEFINED_OBJECT,
        format!(
            "data type {} has no default operator class for access method \"btree\"",
            format_type(type_oid, -1)
        ),
    )
    .with_hint("You must specify an operator class for the index or define a default operator class for the data type."))
}

/// What a computed key is called: a function's name, else `expr`.
fn computed_name(text: &str) -> String {
    let text = text.trim();
    if text.starts_with('(') {
        return "expr".to_string();
    }
    let name = text.split('(').next().unwrap_or("");
    let name = name.rsplit('.').next().unwrap_or(name).trim();
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let call = text.trim_end().ends_with(')') && !name.is_empty() && name.chars().all(word);
    if call { name } else { "expr" }.to_string()
}

/// The names of an index's columns, each once: a number is added as need be.
fn key_names(table: &Relation, keys: &[IndexColumn]) -> SqlResult<Vec<String>> {
    let mut names: Vec<String> = Vec::with_capacity(keys.len());
    for key in keys {
        let base = match &key.expression {
            Some(text) => computed_name(text),
            None => column_name(table, key.attribute)?,
        };
        let mut name = base.clone();
        let mut number = 0;
        while names.contains(&name) {
            number += 1;
            name = format!("{base}{number}");
        }
        names.push(name);
    }
    Ok(names)
}
