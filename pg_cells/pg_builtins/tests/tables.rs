//! The tables agree with themselves, and with what clients ask for.

use pg_builtins::resolve::Coercion;
use pg_builtins::*;
use pg_types::oid;
use pg_types::typeinfo::type_info;
use std::collections::HashSet;

#[test]
fn ids_and_signatures_are_unique() {
    let mut ids = HashSet::new();
    let mut signatures = HashSet::new();
    for f in functions() {
        assert!(ids.insert(f.oid), "{f:?} repeats an id");
        assert!(
            signatures.insert((f.name, f.args, f.variadic)),
            "{f:?} repeats a signature"
        );
        assert!(
            !f.variadic || !f.args.is_empty(),
            "{f:?} has nothing to repeat"
        );
        assert_eq!(function_by_oid(f.oid).map(|g| g.oid), Some(f.oid));
        assert!(functions_named(f.name).any(|g| g.oid == f.oid));
    }
    assert!(
        functions().len() > 1200,
        "only {} functions",
        functions().len()
    );
}

#[test]
fn operators_have_functions_of_their_types() {
    for op in operators() {
        let f = function_by_oid(op.func).unwrap_or_else(|| panic!("{op:?} has no function"));
        assert_eq!(f.ret, op.ret, "{op:?} and {f:?}");
        let args: Vec<_> = [op.left, op.right]
            .into_iter()
            .filter(|t| *t != 0)
            .collect();
        assert_eq!(f.args.len(), args.len(), "{op:?} and {f:?}");
        for other in [op.commutator, op.negator].into_iter().filter(|o| *o != 0) {
            assert!(
                operator_by_oid(other).is_some(),
                "{op:?} names an operator that is not there"
            );
        }
        assert_eq!(
            operator_exact(op.name, op.left, op.right).map(|o| o.oid),
            Some(op.oid)
        );
    }
    assert!(
        operators().len() > 400,
        "only {} operators",
        operators().len()
    );
}

#[test]
fn casts_have_functions() {
    for cast in casts() {
        if let CastMethod::Function(f) = cast.method {
            let f = function_by_oid(f).unwrap_or_else(|| panic!("{cast:?} has no function"));
            assert_eq!(f.args.len(), 1, "{cast:?} by {f:?}");
        }
        assert!(type_info(cast.from).is_some() && type_info(cast.to).is_some());
    }
}

#[test]
fn every_type_compares() {
    let plain = |t: &pg_types::TypeInfo| {
        t.typtype == b'b'
            && t.category != b'A'
            && !matches!(
                t.oid,
                oid::JSON | oid::REFCURSOR | oid::ACLITEM | oid::PG_NODE_TREE | oid::INT2VECTOR
            )
            && !pg_types::typeinfo::is_reg(t.oid)
    };
    for t in pg_types::typeinfo::TYPES.iter().filter(|t| plain(t)) {
        let found = resolve_operator("=", t.oid, t.oid);
        assert!(found.is_ok(), "{} = {}: {:?}", t.name, t.name, found.err());
    }
}

#[test]
fn literals_take_the_type_of_the_other_side() {
    let r = resolve_operator("=", oid::INT4, oid::UNKNOWN).expect("int4 = unknown");
    assert_eq!(
        (r.op.oid, r.arg_types.as_slice()),
        (96, &[oid::INT4, oid::INT4][..])
    );
    assert_eq!(r.coercions, [Coercion::None, Coercion::Literal]);
    let r = resolve_operator("||", oid::UNKNOWN, oid::UNKNOWN).expect("unknown || unknown");
    assert_eq!(r.ret, oid::TEXT);
    let r = resolve_operator("=", oid::REGCLASS, oid::OID).expect("regclass = oid");
    assert_eq!(r.op.oid, 607);
    let r = resolve_operator("=", oid::NAME, oid::UNKNOWN).expect("name = unknown");
    assert_eq!(r.arg_types, [oid::NAME, oid::NAME]);
}

#[test]
fn common_types() {
    assert_eq!(common_type(&[oid::INT4, oid::INT8], "CASE"), Ok(oid::INT8));
    assert_eq!(
        common_type(&[oid::INT4, oid::UNKNOWN, oid::NUMERIC], "UNION"),
        Ok(oid::NUMERIC)
    );
    assert_eq!(
        common_type(&[oid::UNKNOWN, oid::UNKNOWN], "CASE"),
        Ok(oid::TEXT)
    );
    // Both convert to the other: the first stays. (CASE asks with its ELSE in front.)
    assert_eq!(
        common_type(&[oid::VARCHAR, oid::TEXT], "COALESCE"),
        Ok(oid::VARCHAR)
    );
    assert_eq!(
        common_type(&[oid::DATE, oid::TIMESTAMP], "CASE"),
        Ok(oid::TIMESTAMP)
    );
    let e = common_type(&[oid::INT4, oid::TEXT], "CASE").expect_err("no common type");
    assert_eq!(e.message(), "CASE types integer and text cannot be matched");
    assert_eq!(e.code(), pg_types::SqlState::DATATYPE_MISMATCH);
}

#[test]
fn clients_find_their_functions() {
    use oid::*;
    let wanted: &[(&str, &[pg_types::Oid])] = &[
        ("pg_table_is_visible", &[OID]),
        ("pg_get_expr", &[PG_NODE_TREE, OID]),
        ("pg_get_indexdef", &[OID, INT4, BOOL]),
        ("pg_get_constraintdef", &[OID, BOOL]),
        ("format_type", &[OID, INT4]),
        ("pg_collation_is_visible", &[OID]),
        ("acldefault", &[UNKNOWN, OID]),
        ("pg_get_serial_sequence", &[UNKNOWN, UNKNOWN]),
        ("col_description", &[OID, INT2]),
        ("set_config", &[NAME, UNKNOWN, BOOL]),
        ("obj_description", &[OID, UNKNOWN]),
        ("pg_get_userbyid", &[OID]),
        ("pg_options_to_table", &[TEXT_ARRAY]),
        ("current_schemas", &[BOOL]),
        ("pg_relation_is_publishable", &[UNKNOWN]),
        ("pg_partition_ancestors", &[UNKNOWN]),
        ("pg_get_triggerdef", &[OID, BOOL]),
        ("pg_get_function_result", &[OID]),
        ("pg_get_function_arguments", &[OID]),
        ("pg_get_function_sqlbody", &[OID]),
        ("pg_get_viewdef", &[OID]),
        ("pg_get_partkeydef", &[OID]),
        ("pg_get_statisticsobjdef_columns", &[OID]),
        ("setval", &[UNKNOWN, INT4, BOOL]),
        ("nextval", &[UNKNOWN]),
        ("pg_encoding_to_char", &[INT4]),
        ("to_regtype", &[UNKNOWN]),
        ("generate_subscripts", &[INT2VECTOR, INT4]),
        ("generate_series", &[INT4, INT4]),
        ("unnest", &[INT2VECTOR]),
        ("array_agg", &[NAME]),
        ("string_agg", &[TEXT, UNKNOWN]),
        ("json_build_object", &[UNKNOWN, INT4]),
        ("array_remove", &[TEXT_ARRAY, UNKNOWN]),
        ("array_position", &[INT2VECTOR, INT2]),
        ("array_upper", &[INT2_ARRAY, INT4]),
        ("pg_table_size", &[OID]),
        ("pg_size_pretty", &[INT8]),
        ("array_to_string", &[NAME_ARRAY, UNKNOWN]),
        ("bool_and", &[BOOL]),
        ("min", &[INT2]),
        ("pg_is_in_recovery", &[]),
    ];
    for (name, args) in wanted {
        let found = resolve::resolve_function(name, args);
        assert!(found.is_ok(), "{name}: {:?}", found.err());
    }
}

#[test]
fn window_functions_are_known() {
    let r = resolve_function("lag", &[oid::INT4, oid::INT4, oid::UNKNOWN]).expect("lag");
    assert!(r.func.is_window());
    assert_eq!(r.ret, oid::INT4);
}
