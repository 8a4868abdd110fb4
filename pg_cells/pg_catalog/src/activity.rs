//! Rows of the views over what was done with tables and indexes: `pg_stat_*`,
//! `pg_statio_*`, `pg_stats`. The counts are those of the descriptors.

use crate::Catalogs;
use crate::row::Row;
use crate::store::{Reader, ids};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Counts, Index, Relation, RelationKind};
use pg_txn_port::Transaction;
use pg_types::{Datum, FormatSettings, Oid, SqlResult, oid};

fn count(n: u64) -> Datum {
    Datum::Int8(i64::try_from(n).unwrap_or(i64::MAX))
}

fn time(micros: i64) -> Datum {
    match micros {
        0 => Datum::Null,
        micros => Datum::TimestampTz(micros),
    }
}

/// Which tables a view is about, by the word in its name.
fn shows(view: &str, table: &Relation) -> bool {
    let system = matches!(table.schema.as_str(), "pg_catalog" | "information_schema");
    if view.contains("_sys_") {
        system
    } else {
        !view.contains("_user_") || !system
    }
}

impl Catalogs {
    /// The rows of one of these views; none when it is not one.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn activity_rows(
        &self,
        tx: &mut Transaction,
        view: &Arc<Relation>,
    ) -> SqlResult<Option<Vec<Row>>> {
        let name = view.name.as_str();
        let row: fn(&Arc<Relation>, &Relation) -> Vec<Row> = match name {
            "pg_stats" => return self.column_rows(tx, view).map(Some),
            _ if name.starts_with("pg_stat_xact_") => return Ok(None),
            _ if name.starts_with("pg_stat_") && name.ends_with("_tables") => table_rows,
            _ if name.starts_with("pg_stat_") && name.ends_with("_indexes") => index_rows,
            _ => return Ok(None),
        };
        let mut rows = Vec::new();
        for table in self.stored_tables(tx)? {
            if shows(name, &table) {
                rows.extend(row(view, &table));
            }
        }
        Ok(Some(rows))
    }

    fn stored_tables(&self, tx: &mut Transaction) -> SqlResult<Vec<Arc<Relation>>> {
        let classes = Reader::new(&self.system, tx)?.scan(ids::CLASS)?;
        let tables = classes.iter().filter(|c| c.char("relkind") == 'r');
        let mut oids: Vec<Oid> = tables.map(|c| c.oid("oid")).collect();
        oids.sort_unstable();
        let mut all = Vec::with_capacity(oids.len());
        for oid in oids {
            all.extend(self.by_oid(tx, oid)?);
        }
        all.retain(|r| r.kind == RelationKind::Table);
        Ok(all)
    }

    /// `pg_stats`: a row a column that ANALYZE has looked at. Values are texts of
    /// arrays, since there is no type for arrays of any type.
    fn column_rows(&self, tx: &mut Transaction, view: &Arc<Relation>) -> SqlResult<Vec<Row>> {
        let mut rows = Vec::new();
        for table in self.stored_tables(tx)? {
            let Some(known) = self.load_statistics(tx, table.oid)? else {
                continue;
            };
            for (attr, column) in table.desc.attrs().iter().zip(&known.columns) {
                if attr.dropped {
                    continue;
                }
                let values = |values: Vec<Datum>| match values.is_empty() {
                    true => Datum::Null,
                    false => array_text(attr.type_oid, values),
                };
                let shares = column.common.iter().map(|(_, s)| Datum::Float4(*s as f32));
                let shares: Vec<Datum> = shares.collect();
                let common = column.common.iter().map(|(value, _)| value.clone());
                rows.push(
                    Row::new(view)
                        .set("schemaname", table.schema.as_str())
                        .set("tablename", table.name.as_str())
                        .set("attname", attr.name.clone())
                        .set("inherited", false)
                        .set("null_frac", Datum::Float4(column.null_fraction as f32))
                        .set("avg_width", column.width)
                        .set("n_distinct", Datum::Float4(column.distinct as f32))
                        .set("most_common_vals", values(common.collect()))
                        .set("histogram_bounds", values(column.histogram.clone()))
                        .set(
                            "most_common_freqs",
                            match shares.is_empty() {
                                true => Datum::Null,
                                false => Datum::array(oid::FLOAT4, shares),
                            },
                        ),
                );
            }
        }
        Ok(rows)
    }
}

fn array_text(type_oid: Oid, values: Vec<Datum>) -> Datum {
    let Some(array) = pg_types::typeinfo::array_of(type_oid) else {
        return Datum::Null;
    };
    let value = Datum::array(type_oid, values);
    let text = pg_types::to_text(&value, array, &FormatSettings::default());
    text.as_deref().map(Datum::from).unwrap_or_default()
}

fn named(view: &Arc<Relation>, table: &Relation) -> Row {
    Row::new(view)
        .set_oid("relid", table.oid)
        .set("schemaname", table.schema.as_str())
        .set("relname", table.name.as_str())
}

/// A row of `pg_stat_*_tables`.
fn table_rows(view: &Arc<Relation>, table: &Relation) -> Vec<Row> {
    let Counts {
        scans,
        read,
        index_scans,
        fetched,
        inserted,
        updated,
        hot_updated,
        deleted,
        live,
        dead,
        changed,
        fresh,
        vacuumed,
        autovacuumed,
        analyzed,
        autoanalyzed,
        vacuums,
        autovacuums,
        analyzes,
        autoanalyzes,
    } = table.counters.read();
    let mut row = named(view, table);
    let counts = [
        ("seq_scan", scans),
        ("seq_tup_read", read),
        ("n_tup_ins", inserted),
        ("n_tup_upd", updated),
        ("n_tup_del", deleted),
        ("n_tup_hot_upd", hot_updated),
        ("n_mod_since_analyze", changed),
        ("n_ins_since_vacuum", fresh),
        ("vacuum_count", vacuums),
        ("autovacuum_count", autovacuums),
        ("analyze_count", analyzes),
        ("autoanalyze_count", autoanalyzes),
    ];
    for (name, value) in counts {
        row.put(name, count(value));
    }
    // A table without indexes has no scans of them, rather than none yet.
    if !table.indexes.is_empty() {
        row.put("idx_scan", count(index_scans));
        row.put("idx_tup_fetch", count(fetched));
    }
    row.put("n_live_tup", Datum::Int8(live.max(0)));
    row.put("n_dead_tup", Datum::Int8(dead.max(0)));
    let times = [
        ("last_vacuum", vacuumed),
        ("last_autovacuum", autovacuumed),
        ("last_analyze", analyzed),
        ("last_autoanalyze", autoanalyzed),
    ];
    for (name, value) in times {
        row.put(name, time(value));
    }
    alloc::vec![row]
}

/// The rows of `pg_stat_*_indexes`.
fn index_rows(view: &Arc<Relation>, table: &Relation) -> Vec<Row> {
    let row = |index: &Arc<Index>| {
        let counts = index.counters.read();
        named(view, table)
            .set_oid("indexrelid", index.oid)
            .set("indexrelname", index.name.as_str())
            .set("idx_scan", count(counts.scans))
            .set("idx_tup_read", count(counts.read))
            .set("idx_tup_fetch", count(counts.fetched))
    };
    table.indexes.iter().map(row).collect()
}
