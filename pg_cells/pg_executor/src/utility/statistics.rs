//! ANALYZE: what the planner wants to know of a table, from a sample of its
//! pages.
//!
//! The number of distinct values is estimated as PostgreSQL does, after Haas and
//! Stokes (IBM research report RJ 10025, 1998): `n d / (n - f1 + f1 n / N)` with
//! `n` rows in the sample, `d` values among them, `f1` of them seen once, and
//! `N` rows in all.

use super::with_env;
use crate::env::Env;
use crate::op::decode::Decoder;
use crate::pieces;
use crate::rows::datum_size;
use crate::sort_key::compare_typed;
use crate::store::{RowBatch, main};
use alloc::vec::Vec;
use core::cmp::Ordering;
use pg_catalog_port::{ColumnStatistics, TableStatistics};
use pg_executor_port::ExecContext;
use pg_executor_port::errors::heap_error;
use pg_plan::Relation;
use pg_types::{Datum, Oid, SqlResult};

/// Pages that are read at most.
const MOST_PAGES: u32 = 1000;
/// Rows of the sample at most.
const MOST_ROWS: usize = 30_000;
/// Common values and histogram bounds that are kept at most.
const TARGET: usize = 100;
/// Values longer than this, in bytes, are no statistics.
const LONGEST: usize = 1024;

/// Measures a table.
///
/// # Errors
/// As the layers below; 57014.
pub fn analyze(relation: &Relation, ctx: &mut ExecContext<'_>) -> SqlResult<TableStatistics> {
    with_env(ctx, |env| {
        let sample = Sample::read(relation, env)?;
        let mut columns = Vec::with_capacity(relation.desc.len());
        for (at, attr) in relation.desc.attrs().iter().enumerate() {
            columns.push(sample.column(at, attr.type_oid, env)?);
        }
        Ok(TableStatistics {
            rows: sample.total,
            pages: sample.pages,
            all_visible: pg_heap_port::count_all_visible(main(relation.file))
                .map_err(heap_error)?,
            columns,
        })
    })
}

struct Sample {
    pages: u32,
    /// Rows of the whole table, estimated.
    total: f64,
    rows: Vec<Vec<Datum>>,
}

impl Sample {
    /// Reads pages at equal distances.
    fn read(relation: &Relation, env: &mut Env<'_>) -> SqlResult<Self> {
        let pages = env.store.blocks(relation.file)?;
        let wanted = pages.min(MOST_PAGES);
        let mut decoder = Decoder::all(relation, false);
        let mut batch = RowBatch::new();
        let (mut rows, mut seen) = (Vec::new(), 0usize);
        // Every `keep`th row, so that all pages read have their say.
        let mut keep = 1;
        for i in 0..wanted {
            let block = (u64::from(i) * u64::from(pages) / u64::from(wanted)) as u32;
            env.store.scan_block(relation.file, block, &mut batch)?;
            for (tid, bytes) in batch.iter() {
                env.tick()?;
                seen += 1;
                if !usize::is_multiple_of(seen, keep) {
                    continue;
                }
                let mut row = Vec::new();
                decoder.decode(bytes, tid, &mut row)?;
                rows.push(row);
                if rows.len() > MOST_ROWS {
                    let mut at = 0usize;
                    rows.retain(|_| {
                        at += 1;
                        at.is_multiple_of(2)
                    });
                    keep *= 2;
                }
            }
        }
        let total = if wanted == 0 {
            0.0
        } else {
            seen as f64 * f64::from(pages) / f64::from(wanted)
        };
        Ok(Sample { pages, total, rows })
    }

    fn column(&self, at: usize, type_oid: Oid, env: &mut Env<'_>) -> SqlResult<ColumnStatistics> {
        let values = self.rows.iter().filter_map(|r| r.get(at));
        let mut known: Vec<&Datum> = values.filter(|v| !v.is_null()).collect();
        let (sampled, present) = (self.rows.len().max(1) as f64, known.len());
        let width = known.iter().map(|v| stored_width(v)).sum::<usize>() / present.max(1);
        let mut statistics = ColumnStatistics {
            null_fraction: (self.rows.len() - present) as f64 / sampled,
            width: i32::try_from(width).unwrap_or(i32::MAX),
            ..ColumnStatistics::default()
        };
        if present == 0 {
            return Ok(statistics);
        }
        pieces::sort(&mut known, env, |a, b| compare_typed(a, b, type_oid))?;
        let mut runs: Vec<(&Datum, usize)> = Vec::new();
        for value in known {
            match runs.last_mut() {
                Some((last, count)) if compare_typed(last, value, type_oid) == Ordering::Equal => {
                    *count += 1
                }
                _ => runs.push((value, 1)),
            }
        }
        statistics.distinct = self.distinct(&runs, present);
        fill_common(&mut statistics, &mut runs, present, sampled);
        fill_histogram(&mut statistics, &runs);
        Ok(statistics)
    }

    /// Distinct values; negative as a share of the rows.
    fn distinct(&self, runs: &[(&Datum, usize)], present: usize) -> f64 {
        let once = runs.iter().filter(|(_, count)| *count == 1).count() as f64;
        let (n, d) = (present as f64, runs.len() as f64);
        let rows = (self.total * n / self.rows.len().max(1) as f64).max(n);
        let estimate = if once == 0.0 {
            d
        } else if once == n {
            rows
        } else {
            (n * d / (n - once + once * n / rows)).clamp(d, rows)
        };
        // A tenth of the rows or more grows with the table.
        if estimate > rows * 0.1 {
            -estimate / self.total.max(1.0)
        } else {
            estimate
        }
    }
}

fn stored_width(value: &Datum) -> usize {
    match value {
        Datum::Text(s) => s.as_bytes().len() + 1,
        Datum::Int4(_) | Datum::Date(_) | Datum::Float4(_) | Datum::Oid(_) => 4,
        Datum::Bool(_) | Datum::Char(_) => 1,
        Datum::Int2(_) => 2,
        Datum::Array(_) | Datum::Record(_) | Datum::Bytea(_) => datum_size(value) - 24,
        Datum::Uuid(_) | Datum::Interval(_) => 16,
        _ => 8,
    }
}

/// Takes the values that are clearly more frequent than the average out of
/// `runs`.
fn fill_common(
    statistics: &mut ColumnStatistics,
    runs: &mut Vec<(&Datum, usize)>,
    present: usize,
    sampled: f64,
) {
    let few = runs.len() <= TARGET;
    let average = present as f64 / runs.len() as f64;
    let is_common = |count: usize| count > 1 && (few || count as f64 > average * 1.25);
    let mut common: Vec<(usize, usize)> = (0..runs.len())
        .filter(|&i| is_common(runs[i].1) && datum_size(runs[i].0) <= LONGEST)
        .map(|i| (i, runs[i].1))
        .collect();
    common.sort_by_key(|&(_, count)| core::cmp::Reverse(count));
    common.truncate(TARGET);
    let share = |&(i, count): &(usize, usize)| (runs[i].0.clone(), count as f64 / sampled);
    statistics.common = common.iter().map(share).collect();
    let mut taken: Vec<usize> = common.iter().map(|(i, _)| *i).collect();
    taken.sort_unstable();
    let mut at = 0;
    runs.retain(|_| {
        let keep = taken.binary_search(&at).is_err();
        at += 1;
        keep
    });
}

/// Bounds between which equally many of the remaining rows lie.
fn fill_histogram(statistics: &mut ColumnStatistics, runs: &[(&Datum, usize)]) {
    let rows: usize = runs.iter().map(|(_, count)| count).sum();
    let bounds = (TARGET + 1).min(runs.len());
    if bounds < 2 || runs.iter().any(|(value, _)| datum_size(value) > LONGEST) {
        return;
    }
    let (mut run, mut before) = (0, 0);
    for bound in 0..bounds {
        let row = bound * (rows - 1) / (bounds - 1);
        while before + runs[run].1 <= row {
            before += runs[run].1;
            run += 1;
        }
        statistics.histogram.push(runs[run].0.clone());
    }
}
