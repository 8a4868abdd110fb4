//! Functions, aggregates, operators and casts, out of `pg_builtins`.

use crate::row::{Row, oidvector};
use crate::schema::{PG_CATALOG, POSTGRES};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_builtins::{CastContext, CastMethod, Function, Volatility};
use pg_plan::Relation;
use pg_types::oid::{self, Oid};
use pg_types::{Datum, typeinfo};

/// The languages in which built-in functions are written.
const INTERNAL: Oid = 12;

/// `pg_proc`.
pub fn procs(table: &Arc<Relation>) -> Vec<Row> {
    let rows = pg_builtins::functions().iter().map(|f| proc(table, f));
    rows.collect()
}

fn proc(table: &Arc<Relation>, f: &Function) -> Row {
    let mut args: Vec<Oid> = f.args.to_vec();
    let mut variadic = 0;
    if let (true, Some(last)) = (f.variadic, args.last_mut()) {
        variadic = *last;
        *last = typeinfo::array_of(*last).unwrap_or(*last);
    }
    let volatility = match f.volatility {
        Volatility::Immutable => 'i',
        Volatility::Stable => 's',
        Volatility::Volatile => 'v',
    };
    let set = f.returns_set();
    let mut row = Row::new(table)
        .set_oid("oid", f.oid)
        .set("proname", f.name)
        .set_oid("pronamespace", PG_CATALOG)
        .set_oid("proowner", POSTGRES)
        .set_oid("prolang", INTERNAL)
        .set("procost", Datum::Float4(1.0))
        .set("prorows", Datum::Float4(if set { 1000.0 } else { 0.0 }))
        .set_oid("provariadic", variadic)
        .set("prokind", Datum::Char(f.kind()))
        .set("proisstrict", f.strict)
        .set("proretset", set)
        .set_char("provolatile", volatility)
        .set_char("proparallel", 's')
        .set("pronargs", args.len() as i16)
        .set_oid("prorettype", f.ret)
        .set("proargtypes", oidvector(&args))
        .set("prosrc", f.name);
    if !f.columns.is_empty() {
        add_columns(&mut row, f, &args);
    }
    row
}

/// Names, types and modes of a function with OUT columns.
fn add_columns(row: &mut Row, f: &Function, args: &[Oid]) {
    let (mut types, mut modes, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for arg in args {
        types.push(Datum::Oid(*arg));
        modes.push(Datum::Char(b'i'));
        names.push(Datum::text(""));
    }
    for (name, kind) in f.columns {
        types.push(Datum::Oid(*kind));
        modes.push(Datum::Char(b'o'));
        names.push(Datum::text(*name));
    }
    row.put("proallargtypes", Datum::array(oid::OID, types));
    row.put("proargmodes", Datum::array(oid::CHAR, modes));
    row.put("proargnames", Datum::array(oid::TEXT, names));
}

/// `pg_aggregate`. How they work inside is not told.
pub fn aggregates(table: &Arc<Relation>) -> Vec<Row> {
    let all = pg_builtins::functions().iter().filter(|f| f.is_aggregate());
    let row = |f: &Function| {
        Row::new(table)
            .set_oid("aggfnoid", f.oid)
            .set_char("aggkind", 'n')
            .set_oid("aggtranstype", oid::INTERNAL)
            .set_char("aggfinalmodify", 'r')
            .set_char("aggmfinalmodify", 'r')
    };
    all.map(row).collect()
}

/// `pg_operator`.
pub fn operators(table: &Arc<Relation>) -> Vec<Row> {
    let row = |o: &pg_builtins::Operator| {
        Row::new(table)
            .set_oid("oid", o.oid)
            .set("oprname", o.name)
            .set_oid("oprnamespace", PG_CATALOG)
            .set_oid("oprowner", POSTGRES)
            .set_char("oprkind", if o.left == 0 { 'l' } else { 'b' })
            .set("oprcanmerge", o.name == "=")
            .set("oprcanhash", o.name == "=")
            .set_oid("oprleft", o.left)
            .set_oid("oprright", o.right)
            .set_oid("oprresult", o.ret)
            .set_oid("oprcom", o.commutator)
            .set_oid("oprnegate", o.negator)
            .set_oid("oprcode", o.func)
    };
    pg_builtins::operators().iter().map(row).collect()
}

/// `pg_cast`.
pub fn casts(table: &Arc<Relation>) -> Vec<Row> {
    let row = |c: &pg_builtins::Cast| {
        let context = match c.context {
            CastContext::Implicit => 'i',
            CastContext::Assignment => 'a',
            CastContext::Explicit => 'e',
        };
        let (function, method) = match c.method {
            CastMethod::Function(f) => (f, 'f'),
            CastMethod::Relabel => (0, 'b'),
            CastMethod::InOut | CastMethod::Elements => (0, 'i'),
        };
        Row::new(table)
            .set_oid("oid", c.oid)
            .set_oid("castsource", c.from)
            .set_oid("casttarget", c.to)
            .set_oid("castfunc", function)
            .set_char("castcontext", context)
            .set_char("castmethod", method)
    };
    pg_builtins::casts().iter().map(row).collect()
}
