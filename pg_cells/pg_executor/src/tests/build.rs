//! Building plans by hand.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use pg_plan::*;
use pg_types::{Attr, Datum, Oid, TupleDesc, oid, tuple};

use crate::store::memory::MemoryStore;
use crate::store::{RowStore, Tid};

/// A function's id by its name and argument types.
pub fn function(name: &str, args: &[Oid]) -> Oid {
    let known = pg_builtins::functions_named(name);
    let found = known.into_iter().find(|f| f.args == args);
    found
        .unwrap_or_else(|| panic!("no function {name}({args:?})"))
        .oid
}

pub fn plan_of(node: Node, types: &[Oid]) -> Plan {
    let column = |type_oid: &Oid| OutputColumn {
        name: "c".into(),
        type_oid: *type_oid,
        typmod: -1,
        table: 0,
        attribute: 0,
    };
    Plan {
        node: Box::new(node),
        columns: types.iter().map(column).collect(),
        hidden: 0,
        rows: 0.0,
        startup_cost: 0.0,
        total_cost: 0.0,
        catalog_version: 0,
        wants_values: false,
        params: Vec::new(),
    }
}

pub fn int(v: i32) -> Expr {
    Expr::Const {
        value: Datum::Int4(v),
        type_oid: oid::INT4,
    }
}

pub fn null() -> Expr {
    Expr::Const {
        value: Datum::Null,
        type_oid: oid::INT4,
    }
}

pub fn boolean(v: Option<bool>) -> Expr {
    Expr::Const {
        value: v.into(),
        type_oid: oid::BOOL,
    }
}

pub fn string(v: &str) -> Expr {
    Expr::Const {
        value: Datum::text(v),
        type_oid: oid::TEXT,
    }
}

pub fn col(index: usize) -> Expr {
    Expr::Column {
        index,
        type_oid: oid::INT4,
    }
}

pub fn outer(index: usize) -> Expr {
    Expr::Outer {
        index,
        type_oid: oid::INT4,
    }
}

pub fn call(name: &str, args: Vec<Expr>, type_oid: Oid) -> Expr {
    let types: Vec<Oid> = args.iter().map(crate::expr::type_of).collect();
    Expr::Call {
        function: function(name, &types),
        args,
        type_oid,
    }
}

pub fn eq(a: Expr, b: Expr) -> Expr {
    call("int4eq", vec![a, b], oid::BOOL)
}

pub fn lt(a: Expr, b: Expr) -> Expr {
    call("int4lt", vec![a, b], oid::BOOL)
}

pub fn add(a: Expr, b: Expr) -> Expr {
    call("int4pl", vec![a, b], oid::INT4)
}

pub fn asc(expr: Expr) -> SortKey {
    SortKey {
        expr,
        descending: false,
        nulls_first: false,
    }
}

pub fn desc(expr: Expr) -> SortKey {
    SortKey {
        expr,
        descending: true,
        nulls_first: true,
    }
}

/// Literal rows; columns are int4 unless their first value says otherwise.
pub fn values(rows: Vec<Vec<Datum>>) -> Plan {
    let width = rows.first().map_or(0, Vec::len);
    let type_of = |i: usize| match rows.iter().map(|r| &r[i]).find(|d| !d.is_null()) {
        Some(d) => d.natural_type(),
        None => oid::INT4,
    };
    let types: Vec<Oid> = (0..width).map(type_of).collect();
    let constant = |(value, ty): (Datum, &Oid)| Expr::Const {
        value,
        type_oid: *ty,
    };
    let exprs = rows
        .into_iter()
        .map(|r| r.into_iter().zip(&types).map(constant).collect())
        .collect();
    plan_of(Node::Values(exprs), &types)
}

/// Rows of int4; `None` is NULL.
pub fn ints(rows: &[&[Option<i32>]]) -> Plan {
    values(
        rows.iter()
            .map(|r| r.iter().map(|v| Datum::from(*v)).collect())
            .collect(),
    )
}

/// One column with these numbers.
pub fn numbers(range: Range<i32>) -> Plan {
    values(range.map(|i| vec![Datum::Int4(i)]).collect())
}

pub fn project(input: Plan, exprs: Vec<Expr>) -> Plan {
    let types: Vec<Oid> = exprs.iter().map(crate::expr::type_of).collect();
    plan_of(Node::Project { input, exprs }, &types)
}

/// The value of an expression without columns.
pub fn evaluate(expr: Expr) -> Plan {
    project(plan_of(Node::Nothing { filter: None }, &[]), vec![expr])
}

/// A table of int4 columns `a`, `b` ... with an index on each column named in
/// `indexed` (unique where told).
pub fn table(columns: usize, indexed: &[(usize, bool)]) -> Arc<Relation> {
    let names = ["a", "b", "c", "d"];
    let desc = TupleDesc::new(
        names[..columns]
            .iter()
            .map(|n| Attr::new(*n, oid::INT4, -1))
            .collect(),
    );
    let index = |(i, (column, unique)): (usize, &(usize, bool))| {
        Arc::new(Index {
            oid: 100 + i as u32,
            name: alloc::format!("t_{}_idx", names[*column]),
            file: 200 + i as u32,
            table: 1,
            unique: *unique,
            nulls_not_distinct: false,
            primary: false,
            constraint: None,
            keys: vec![IndexColumn {
                attribute: *column as i16 + 1,
                expression: None,
                type_oid: oid::INT4,
                descending: false,
                nulls_first: false,
            }],
            predicate: None,
            valid: true,
            included: Vec::new(),
            constraint_oid: 0,
            deferral: Default::default(),
            counters: Default::default(),
        })
    };
    Arc::new(Relation {
        oid: 1,
        file: 10,
        name: "t".into(),
        schema: "public".into(),
        schema_oid: 2200,
        owner: 10,
        kind: RelationKind::Table,
        columns: vec![Column::default(); columns],
        desc: Arc::new(desc),
        indexes: indexed.iter().enumerate().map(index).collect(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        referenced_by: Vec::new(),
        view: None,
        sequence: None,
        reltuples: -1.0,
        relpages: 0,
        relallvisible: 0,
        counters: Default::default(),
    })
}

/// Puts rows into a table, with their index entries.
pub fn fill(store: &mut MemoryStore, relation: &Relation, rows: &[&[Option<i32>]]) -> Vec<Tid> {
    let mut tids = Vec::new();
    for row in rows {
        let row: Vec<Datum> = row.iter().map(|v| Datum::from(*v)).collect();
        let mut bytes = Vec::new();
        tuple::encode(&mut bytes, &relation.desc, &row);
        let tid = store.insert(relation.file, &bytes).unwrap();
        for index in &relation.indexes {
            let mut key = Vec::new();
            for column in &index.keys {
                let value = &row[column.attribute as usize - 1];
                let order = pg_types::KeyOrder {
                    desc: column.descending,
                    nulls_first: column.nulls_first,
                };
                pg_types::keycode::encode(&mut key, value, column.type_oid, order);
            }
            assert_eq!(
                store
                    .index_insert(index.file, relation.file, &key, tid, None)
                    .unwrap(),
                None
            );
        }
        tids.push(tid);
    }
    tids
}

/// A scan of all columns, then the row id if wanted.
pub fn scan(relation: &Arc<Relation>, row_id: bool, filter: Option<Expr>) -> Plan {
    let columns: Vec<usize> = (0..relation.desc.len()).collect();
    let mut types = vec![oid::INT4; columns.len()];
    types.extend(row_id.then_some(oid::TID));
    plan_of(
        Node::SeqScan {
            relation: relation.clone(),
            columns,
            row_id,
            filter,
        },
        &types,
    )
}
