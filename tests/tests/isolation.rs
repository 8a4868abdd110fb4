//! Promise: what commits at SERIALIZABLE has a serial order, also while the cells
//! that see to it are replaced.

use isolation::history::{End, check};
use isolation::workload::{Plan, free};
use system_tests::Guest;

const CELLS: [&str; 4] = ["pg_txn", "pg_heap", "pg_btree", "pg_executor"];

#[test]
fn serializable_histories_have_a_serial_order_while_cells_are_swapped() {
    let guest = Guest::boot();
    let plan = Plan {
        level: "SERIALIZABLE",
        keys: 4,
        ops: 4,
    };
    let history = free(guest.port(), plan, 4, (800, 12), |round| {
        let cell = CELLS[round as usize % CELLS.len()];
        guest.shell(&format!("swap {cell}"));
    });
    assert_eq!(check(&history), []);
    let committed = history.iter().filter(|t| t.end == End::Committed).count();
    assert!(committed > 50, "{committed} of {} committed", history.len());
}
