//! The greedy search for an order of joins, over estimates alone.

use crate::analyzer::Analyzer;
use crate::join::join_rows;
use crate::order_joins::{Item, Mask};
use crate::path::{OPERATOR, ROW};
use alloc::vec::Vec;
use pg_plan::{Expr, JoinKind};
use pg_types::{SqlError, SqlResult};

/// An estimate while orders are compared.
#[derive(Clone, Copy)]
pub struct Estimate {
    pub mask: Mask,
    pub rows: f64,
    pub cost: f64,
}

/// With so few items every start is tried.
pub const ALL_STARTS: usize = 8;

impl Analyzer<'_> {
    /// The cheapest of the greedy orders.
    pub fn choose_order(&self, items: &[Item], loose: &[(Mask, Expr)]) -> SqlResult<Vec<usize>> {
        if items.len() <= 1 {
            return Ok((0..items.len()).collect());
        }
        let mut starts: Vec<usize> = (0..items.len())
            .filter(|at| items[*at].needs == 0)
            .collect();
        starts.sort_by(|a, b| items[*a].rows.total_cmp(&items[*b].rows));
        if items.len() > ALL_STARTS {
            starts.truncate(1);
        }
        let shares: Vec<f64> = loose.iter().map(|(_, c)| self.selectivity(c)).collect();
        let mut best: Option<(f64, Vec<usize>)> = None;
        for start in starts {
            if let Some((cost, order)) = self.greedy(items, loose, &shares, start)
                && best.as_ref().is_none_or(|(have, _)| cost < *have)
            {
                best = Some((cost, order));
            }
        }
        match best {
            Some((_, order)) => Ok(order),
            // Lateral items that need only what encloses the block.
            None if items.iter().all(|item| item.needs == 0) => Ok((0..items.len()).collect()),
            None => Err(SqlError::unsupported("this nesting of lateral items")),
        }
    }

    /// The order that starts with one item and always takes the cheapest next.
    pub fn greedy(
        &self,
        items: &[Item],
        loose: &[(Mask, Expr)],
        shares: &[f64],
        start: usize,
    ) -> Option<(f64, Vec<usize>)> {
        let mut order = alloc::vec![start];
        let mut now = Estimate {
            mask: items[start].mask,
            rows: items[start].rows,
            cost: items[start].cost,
        };
        while order.len() < items.len() {
            let mut best: Option<(bool, Estimate, usize)> = None;
            for (at, item) in items.iter().enumerate() {
                if order.contains(&at) || item.needs & !now.mask != 0 {
                    continue;
                }
                let (connected, next) = self.step(now, item, loose, shares);
                let better = best.as_ref().is_none_or(|(have, estimate, _)| {
                    (connected && !have)
                        || connected == *have
                            && next.cost + next.rows < estimate.cost + estimate.rows
                });
                if better {
                    best = Some((connected, next, at));
                }
            }
            let (_, next, at) = best?;
            now = next;
            order.push(at);
        }
        Some((now.cost, order))
    }

    /// Whether an item is connected with those joined so far, and what comes of joining it.
    pub fn step(
        &self,
        now: Estimate,
        item: &Item,
        loose: &[(Mask, Expr)],
        shares: &[f64],
    ) -> (bool, Estimate) {
        let mask = now.mask | item.mask;
        let mut share = 1.0;
        let mut joining: Vec<&Expr> = Vec::new();
        for ((used, condition), one) in loose.iter().zip(shares) {
            if used & !mask == 0 && used & !now.mask != 0 && used & item.mask != 0 {
                share *= one;
                joining.push(condition);
            }
        }
        let connected = !joining.is_empty() || item.needs != 0;
        let rows = join_rows(JoinKind::Inner, now.rows, item.rows, share);
        let hash = item.cost + (now.rows + item.rows) * OPERATOR * 2.0;
        let looped = item.cost + now.rows * item.rows * OPERATOR;
        let mut cost = if joining.is_empty() {
            looped
        } else {
            hash.min(looped)
        };
        if let (Some(leaf), false) = (item.leaf, joining.is_empty())
            && let Some(probe) = self.probe_cost(leaf, &joining)
        {
            cost = cost.min(now.rows * probe);
        }
        (
            connected,
            Estimate {
                mask,
                rows,
                cost: now.cost + cost + rows * ROW,
            },
        )
    }
}
