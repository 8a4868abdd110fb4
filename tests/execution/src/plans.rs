//! Plans built by hand.

use pg_plan::*;
use pg_types::{Attr, Datum, Oid, TupleDesc, oid};
use std::sync::Arc;

/// A plan of one node.
pub fn plan(node: Node, types: &[Oid]) -> Plan {
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

pub fn col(index: usize) -> Expr {
    Expr::Column {
        index,
        type_oid: oid::INT4,
    }
}

pub fn param(number: usize) -> Expr {
    Expr::Param {
        number,
        type_oid: oid::INT4,
    }
}

/// `a name b` by a function of two int4.
pub fn binary(name: &str, a: Expr, b: Expr, type_oid: Oid) -> Expr {
    let found = pg_builtins::functions_named(name)
        .into_iter()
        .find(|f| f.args == [oid::INT4, oid::INT4]);
    Expr::Call {
        function: found.expect("a function").oid,
        args: vec![a, b],
        type_oid,
    }
}

pub fn add(a: Expr, b: Expr) -> Expr {
    binary("int4pl", a, b, oid::INT4)
}

pub fn eq(a: Expr, b: Expr) -> Expr {
    binary("int4eq", a, b, oid::BOOL)
}

/// A table `t (a int unique, b int, c text)`, its files from `file` on.
pub fn table(file: u32) -> Arc<Relation> {
    let attrs = vec![
        Attr::new("a", oid::INT4, -1),
        Attr::new("b", oid::INT4, -1),
        Attr::new("c", oid::TEXT, -1),
    ];
    Arc::new(Relation {
        oid: file,
        file,
        name: "t".into(),
        schema: "public".into(),
        schema_oid: 2200,
        owner: 10,
        kind: RelationKind::Table,
        columns: vec![Column::default(); 3],
        desc: Arc::new(TupleDesc::new(attrs)),
        indexes: vec![index(file, file + 1, 1, true)],
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

/// An index on one int column, by its attribute number.
pub fn index(table: u32, file: u32, attribute: i16, unique: bool) -> Arc<Index> {
    Arc::new(Index {
        oid: file,
        name: format!("t_{attribute}_idx"),
        file,
        table,
        unique,
        nulls_not_distinct: false,
        primary: false,
        constraint: None,
        keys: vec![IndexColumn {
            attribute,
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
}

fn columns(values: Vec<Expr>) -> Vec<TargetColumn> {
    values
        .into_iter()
        .enumerate()
        .map(|(i, value)| TargetColumn {
            value,
            not_null: i == 0,
        })
        .collect()
}

/// INSERT of literal rows.
pub fn insert(relation: &Arc<Relation>, rows: &[(i32, i32, &str)]) -> Plan {
    let text = |s: &str| Expr::Const {
        value: Datum::text(s),
        type_oid: oid::TEXT,
    };
    let rows = rows
        .iter()
        .map(|(a, b, c)| vec![int(*a), int(*b), text(c)])
        .collect();
    let types = [oid::INT4, oid::INT4, oid::TEXT];
    insert_of(relation, plan(Node::Values(rows), &types), None)
}

/// INSERT of a plan's rows.
pub fn insert_of(relation: &Arc<Relation>, input: Plan, on_conflict: Option<OnConflict>) -> Plan {
    let text = Expr::Column {
        index: 2,
        type_oid: oid::TEXT,
    };
    let node = Node::Insert {
        relation: relation.clone(),
        input,
        values: columns(vec![col(0), col(1), text]),
        checks: vec![],
        index_exprs: vec![],
        on_conflict,
        reached: Vec::new(),
        returning: None,
    };
    plan(node, &[])
}

/// `SELECT a, b, c FROM t WHERE a = value`, through the index.
pub fn by_key(relation: &Arc<Relation>, value: Expr, row_id: bool) -> Plan {
    let scan = IndexScan {
        relation: relation.clone(),
        index: relation.indexes[0].clone(),
        equal: vec![value],
        any: None,
        lower: None,
        upper: None,
        direction: ScanDirection::Forward,
        columns: vec![0, 1, 2],
        row_id,
        filter: None,
        index_only: false,
    };
    let mut types = vec![oid::INT4, oid::INT4, oid::TEXT];
    types.extend(row_id.then_some(oid::TID));
    plan(Node::IndexScan(scan), &types)
}

/// `SELECT b FROM t WHERE a = $1`, through the index.
pub fn b_by_key(relation: &Arc<Relation>) -> Plan {
    let Node::IndexScan(mut scan) = *by_key(relation, param(1), false).node else {
        unreachable!()
    };
    scan.columns = vec![1];
    plan(Node::IndexScan(scan), &[oid::INT4])
}

/// `SELECT a, b, c FROM t`, page by page.
pub fn scan(relation: &Arc<Relation>) -> Plan {
    let node = Node::SeqScan {
        relation: relation.clone(),
        columns: vec![0, 1, 2],
        row_id: false,
        filter: None,
    };
    plan(node, &[oid::INT4, oid::INT4, oid::TEXT])
}

/// `UPDATE t SET a = ..., b = ... WHERE a = key`; `changed` are the places SET names.
pub fn update(relation: &Arc<Relation>, key: Expr, a: Expr, b: Expr, changed: Vec<usize>) -> Plan {
    let text = Expr::Column {
        index: 2,
        type_oid: oid::TEXT,
    };
    let node = Node::Update {
        relation: relation.clone(),
        input: by_key(relation, key.clone(), true),
        row_id: 3,
        values: columns(vec![a, b, text]),
        changed,
        recheck: Some(eq(col(0), key)),
        checks: vec![],
        index_exprs: vec![],
        reached: Vec::new(),
        returning: None,
    };
    plan(node, &[])
}

/// `DELETE FROM t WHERE a = key`.
pub fn delete(relation: &Arc<Relation>, key: Expr) -> Plan {
    let node = Node::Delete {
        relation: relation.clone(),
        input: by_key(relation, key.clone(), true),
        row_id: 3,
        recheck: Some(eq(col(0), key)),
        reached: Vec::new(),
        returning: None,
    };
    plan(node, &[])
}
