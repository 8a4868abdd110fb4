//! What VACUUM and ANALYZE measured: sizes in `pg_class`, columns in
//! `pg_statistic`.
//!
//! A column's commonest values are slot 1 there, its histogram slot 2. Where
//! PostgreSQL has arrays of the column's type, values are kept one after another
//! in storage form, in a `bytea`.

use crate::Catalogs;
use crate::error::OrSql;
use crate::row::Row;
use crate::store::{self, Reader, ids, relation};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_catalog_port::{ColumnStatistics, SHARED, TableStatistics};
use pg_txn_port::Transaction;
use pg_types::oid::FIRST_NORMAL;
use pg_types::tuple::{put_value, take_value};
use pg_types::{Datum, Oid, SqlResult, oid};

/// Kinds of slots.
const COMMON: i16 = 1;
const HISTOGRAM: i16 = 2;
/// Most bytes of a slot's values: all of a row must fit a page.
const MAX_VALUES: usize = 2500;

impl Catalogs {
    /// See [`pg_catalog_port::Catalog::update_statistics`].
    ///
    /// # Errors
    /// As there.
    pub fn store_statistics(
        &self,
        tx: &mut Transaction,
        relation: Oid,
        statistics: &TableStatistics,
    ) -> SqlResult<()> {
        // Built-in relations have fixed descriptors.
        if relation < FIRST_NORMAL {
            return Ok(());
        }
        let Some(table) = self.by_oid(tx, relation)? else {
            return Ok(());
        };
        SHARED.announce(tx).sql()?;
        let reader = Reader::new(&self.system, tx)?;
        if let Some(old) = reader.one(ids::CLASS_BY_OID, &[Datum::Oid(relation)])? {
            let new = old
                .clone()
                .set("relpages", statistics.pages as i32)
                .set("reltuples", Datum::Float4(statistics.rows as f32))
                .set("relallvisible", statistics.all_visible as i32);
            store::update(tx, &old, &new)?;
        }
        if !statistics.columns.is_empty() {
            for old in reader.find(ids::STATISTIC_BY_COLUMN, &[Datum::Oid(relation)])? {
                store::delete(tx, &old)?;
            }
        }
        for (place, column) in statistics.columns.iter().enumerate() {
            if table.desc.attrs().get(place).is_some_and(|a| !a.dropped) {
                let row = self.statistics_row(relation, place as i16 + 1, column)?;
                store::insert(tx, &row)?;
            }
        }
        tx.start_command().sql()?;
        SHARED.announce(tx).sql()
    }

    fn statistics_row(&self, table: Oid, number: i16, column: &ColumnStatistics) -> SqlResult<Row> {
        let mut row = Row::new(relation(&self.system, ids::STATISTIC)?)
            .set_oid("starelid", table)
            .set("staattnum", number)
            .set("stanullfrac", Datum::Float4(column.null_fraction as f32))
            .set("stawidth", column.width)
            .set("stadistinct", Datum::Float4(column.distinct as f32));
        let (bytes, kept) = pack(column.common.iter().map(|(value, _)| value));
        if kept > 0 {
            let shares = column.common[..kept].iter();
            let shares = shares.map(|(_, share)| Datum::Float4(*share as f32));
            row.put("stakind1", COMMON);
            row.put("stanumbers1", Datum::array(oid::FLOAT4, shares.collect()));
            row.put("stavalues1", Datum::bytea(&bytes));
        }
        let (bytes, kept) = pack(thinned(&column.histogram).iter());
        if kept > 1 {
            row.put("stakind2", HISTOGRAM);
            row.put("stavalues2", Datum::bytea(&bytes));
        }
        Ok(row)
    }

    /// See [`pg_catalog_port::Catalog::statistics`].
    ///
    /// # Errors
    /// As there.
    pub fn load_statistics(
        &self,
        tx: &mut Transaction,
        relation: Oid,
    ) -> SqlResult<Option<Arc<TableStatistics>>> {
        if relation < FIRST_NORMAL {
            return Ok(None);
        }
        let version = self.current(tx);
        if let Some(known) = self.cache.statistics(version, relation) {
            return Ok(known);
        }
        let known = self.read_statistics(tx, relation)?.map(Arc::new);
        self.cache.put_statistics(version, relation, &known);
        Ok(known)
    }

    fn read_statistics(
        &self,
        tx: &mut Transaction,
        oid: Oid,
    ) -> SqlResult<Option<TableStatistics>> {
        let Some(table) = self.by_oid(tx, oid)? else {
            return Ok(None);
        };
        let reader = Reader::new(&self.system, tx)?;
        let key = [Datum::Oid(oid)];
        let Some(class) = reader.one(ids::CLASS_BY_OID, &key)? else {
            return Ok(None);
        };
        let rows = reader.find(ids::STATISTIC_BY_COLUMN, &key)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut columns = alloc::vec![ColumnStatistics::default(); table.desc.len()];
        for row in rows {
            let place = (row.int("staattnum") - 1) as usize;
            if let Some(attr) = table.desc.attrs().get(place) {
                columns[place] = column(&row, attr.type_oid);
            }
        }
        Ok(Some(TableStatistics {
            rows: class.float("reltuples"),
            pages: class.int("relpages") as u32,
            all_visible: class.int("relallvisible") as u32,
            columns,
        }))
    }
}

/// As many values as fit, one after another.
fn pack<'v>(values: impl Iterator<Item = &'v Datum>) -> (Vec<u8>, usize) {
    let (mut bytes, mut kept) = (Vec::new(), 0);
    for value in values {
        let before = bytes.len();
        put_value(&mut bytes, value);
        if bytes.len() > MAX_VALUES {
            bytes.truncate(before);
            break;
        }
        kept += 1;
    }
    (bytes, kept)
}

/// Bounds of a histogram that fit: every second, every fourth ..., both ends
/// included.
fn thinned(histogram: &[Datum]) -> Vec<Datum> {
    let mut bounds = histogram.to_vec();
    while bounds.len() > 2 && pack(bounds.iter()).1 < bounds.len() {
        let last = bounds.len() - 1;
        let kept = bounds.iter().enumerate();
        let kept = kept.filter(|(at, _)| at % 2 == 0 || *at == last);
        bounds = kept.map(|(_, bound)| bound.clone()).collect();
    }
    bounds
}

fn unpack(value: &Datum, type_oid: Oid) -> Vec<Datum> {
    let Datum::Bytea(bytes) = value else {
        return Vec::new();
    };
    let (mut rest, mut values) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        match take_value(&mut rest, type_oid) {
            Ok(value) => values.push(value),
            Err(_) => return Vec::new(),
        }
    }
    values
}

fn column(row: &Row, type_oid: Oid) -> ColumnStatistics {
    let shares = row.get("stanumbers1").as_array();
    let shares = shares.map_or(&[][..], |a| &a.items);
    let share = |d: &Datum| match d {
        Datum::Float4(v) => f64::from(*v),
        _ => 0.0,
    };
    let common = unpack(row.get("stavalues1"), type_oid);
    ColumnStatistics {
        null_fraction: row.float("stanullfrac"),
        distinct: row.float("stadistinct"),
        width: row.int("stawidth") as i32,
        common: common.into_iter().zip(shares.iter().map(share)).collect(),
        histogram: unpack(row.get("stavalues2"), type_oid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let values = [Datum::text("a"), Datum::text("longer than that")];
        let (bytes, kept) = pack(values.iter());
        assert_eq!(kept, 2);
        assert_eq!(unpack(&Datum::bytea(&bytes), oid::TEXT), values);
    }

    #[test]
    fn a_histogram_is_thinned_until_it_fits() {
        let long = |i: usize| Datum::text(alloc::format!("{i:0100}"));
        let histogram: Vec<Datum> = (0..101).map(long).collect();
        let bounds = thinned(&histogram);
        assert!(bounds.len() > 2 && pack(bounds.iter()).1 == bounds.len());
        assert_eq!(bounds.first(), histogram.first());
        assert_eq!(bounds.last(), histogram.last());
    }
}
