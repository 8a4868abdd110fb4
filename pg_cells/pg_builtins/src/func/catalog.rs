//! Functions over the catalog: definitions, comments, sizes, visibility, privileges.
//!
//! Most are passed through by name: the catalog (or the executor around it) answers
//! [`CatalogQuery::Function`], and refuses with 0A000 what it does not know.

use super::args::{arg, int, text};
use crate::context::{Call, CatalogQuery};
use crate::function::{Function, SetIter, f, set};
use alloc::boxed::Box;
use alloc::vec::Vec;
use pg_types::oid::*;
use pg_types::{Datum, SqlResult};

macro_rules! pass {
    ($($name:ident;)*) => {
        $(fn $name(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
            call.ctx.catalog(CatalogQuery::Function(stringify!($name), args))
        })*
    };
}

/// Set-returning ones: the catalog answers with an array of rows.
macro_rules! pass_sets {
    ($($name:ident;)*) => {
        $(fn $name(args: &[Datum], call: &Call<'_>) -> SqlResult<SetIter> {
            rows(call.ctx.catalog(CatalogQuery::Function(stringify!($name), args))?)
        })*
    };
}

fn rows(answer: Datum) -> SqlResult<SetIter> {
    let rows: Vec<Datum> = match answer {
        Datum::Array(a) => a.items.clone(),
        _ => Vec::new(),
    };
    Ok(Box::new(rows.into_iter().map(Ok)))
}

pass! {
    pg_get_expr; pg_get_indexdef; pg_get_constraintdef; pg_get_viewdef; pg_get_functiondef;
    pg_get_function_arguments; pg_get_function_identity_arguments; pg_get_function_result;
    pg_get_function_arg_default; pg_get_function_sqlbody; pg_get_ruledef; pg_get_triggerdef;
    pg_get_partkeydef; pg_get_partition_constraintdef; pg_get_serial_sequence;
    pg_get_statisticsobjdef; pg_get_statisticsobjdef_columns;
    pg_get_statisticsobjdef_expressions; pg_relation_size; pg_table_size; pg_indexes_size;
    pg_total_relation_size; pg_database_size; pg_tablespace_size; pg_relation_filenode;
    pg_relation_filepath; pg_filenode_relation; pg_tablespace_location;
    pg_index_column_has_property; pg_index_has_property; pg_indexam_has_property;
    pg_relation_is_updatable; pg_column_is_updatable; pg_sequence_last_value;
    pg_sequence_parameters; pg_describe_object; pg_identify_object;
    pg_identify_object_as_address; pg_advisory_lock; pg_advisory_lock_shared; pg_advisory_unlock;
    pg_advisory_unlock_all; pg_advisory_unlock_shared; pg_advisory_xact_lock;
    pg_advisory_xact_lock_shared; pg_try_advisory_lock; pg_try_advisory_lock_shared;
    pg_try_advisory_xact_lock; pg_try_advisory_xact_lock_shared; pg_cancel_backend;
    pg_terminate_backend; pg_reload_conf; pg_current_wal_lsn; pg_current_wal_insert_lsn;
    pg_current_wal_flush_lsn; pg_last_wal_receive_lsn; pg_last_wal_replay_lsn;
    pg_is_wal_replay_paused; pg_wal_lsn_diff; pg_switch_wal; pg_stat_get_numscans;
    pg_stat_get_tuples_returned; pg_stat_get_tuples_fetched; pg_stat_get_tuples_inserted;
    pg_stat_get_tuples_updated; pg_stat_get_tuples_deleted; pg_stat_get_live_tuples;
    pg_stat_get_dead_tuples; pg_stat_reset; pg_stat_get_backend_pid; pg_stat_clear_snapshot;
    pg_my_temp_schema; pg_is_other_temp_schema; pg_export_snapshot; pg_xact_status;
    pg_blocking_pids; pg_safe_snapshot_blocking_pids; pg_replication_origin_oid; acldefault;
    current_query; pg_get_object_address;
}

pass_sets! {
    aclexplode; pg_partition_ancestors; pg_partition_tree; pg_listening_channels;
    pg_show_all_settings; pg_lock_status; pg_stat_get_activity; pg_get_keywords;
    pg_timezone_names; pg_timezone_abbrevs; pg_available_extensions;
    pg_event_trigger_ddl_commands; pg_get_publication_tables; pg_prepared_statement; pg_cursor;
    pg_stat_get_wal_senders; pg_tablespace_databases; pg_get_backend_memory_contexts;
    pg_prepared_xact;
}

macro_rules! visibility {
    ($($name:ident $catalog:literal;)*) => {
        $(fn $name(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
            call.ctx.catalog(CatalogQuery::IsVisible($catalog, int(args, 0)? as Oid))
        })*
    };
}

visibility! {
    pg_table_is_visible "pg_class";
    pg_type_is_visible "pg_type";
    pg_function_is_visible "pg_proc";
    pg_operator_is_visible "pg_operator";
    pg_opclass_is_visible "pg_opclass";
    pg_conversion_is_visible "pg_conversion";
    pg_statistics_obj_is_visible "pg_statistic_ext";
    pg_ts_parser_is_visible "pg_ts_parser";
    pg_ts_dict_is_visible "pg_ts_dict";
    pg_ts_config_is_visible "pg_ts_config";
    pg_ts_template_is_visible "pg_ts_template";
    pg_collation_is_visible "pg_collation";
    pg_opfamily_is_visible "pg_opfamily";
}

fn partition_root(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    call.ctx
        .catalog(CatalogQuery::Function("pg_partition_root", args))
}

fn replica_identity(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    call.ctx.catalog(CatalogQuery::Function(
        "pg_get_replica_identity_index",
        args,
    ))
}

/// `age(xid)`: how many transactions ago.
fn xid_age(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    call.ctx.catalog(CatalogQuery::Function("age", args))
}

fn user_by_id(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let id = int(args, 0)? as Oid;
    match call.ctx.catalog(CatalogQuery::UserById(id))? {
        Datum::Null => Ok(Datum::text(alloc::format!("unknown (OID={id})"))),
        name => Ok(name),
    }
}

/// `obj_description(object [, catalog])` and `shobj_description`.
fn object_comment(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    let catalog = if args.len() > 1 { text(args, 1)? } else { "" };
    call.ctx
        .catalog(CatalogQuery::Description(int(args, 0)? as Oid, catalog, 0))
}

fn column_comment(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    call.ctx.catalog(CatalogQuery::Description(
        int(args, 0)? as Oid,
        "pg_class",
        int(args, 1)? as i32,
    ))
}

/// `to_regclass` and its kin: NULL when there is no such object.
fn to_reg(args: &[Datum], call: &Call<'_>, ty: Oid) -> SqlResult<Datum> {
    let name = text(args, 0)?;
    if ty == REGTYPE {
        return crate::system::type_from_name(name, call.ctx);
    }
    call.ctx.catalog(CatalogQuery::RegFromName(ty, name))
}

macro_rules! to_reg {
    ($($name:ident $ty:ident;)*) => {
        $(fn $name(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
            to_reg(args, call, $ty)
        })*
    };
}

to_reg! {
    to_regclass REGCLASS;
    to_regtype REGTYPE;
    to_regproc REGPROC;
    to_regprocedure REGPROCEDURE;
    to_regoper REGOPER;
    to_regoperator REGOPERATOR;
    to_regnamespace REGNAMESPACE;
    to_regrole REGROLE;
    to_regcollation REGCOLLATION;
}

/// A text as regclass; unlike `to_regclass` it must exist.
fn text_to_regclass(args: &[Datum], call: &Call<'_>) -> SqlResult<Datum> {
    crate::coercion::input_value(REGCLASS, -1, text(args, 0)?, call.ctx)
}

/// `pg_options_to_table(text[])`: `name=value` pairs as rows.
fn pg_options_to_table(args: &[Datum], _: &Call<'_>) -> SqlResult<SetIter> {
    let Datum::Array(options) = arg(args, 0) else {
        return Ok(Box::new(core::iter::empty()));
    };
    let row = |d: &Datum| {
        let option = d.as_str().unwrap_or("");
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = if option.contains('=') {
            Datum::text(value)
        } else {
            Datum::Null
        };
        Ok(Datum::record(
            alloc::vec![TEXT, TEXT],
            alloc::vec![Datum::text(name), value],
        ))
    };
    let rows: Vec<SqlResult<Datum>> = options.items.iter().map(row).collect();
    Ok(Box::new(rows.into_iter()))
}

#[rustfmt::skip] // A table: one function a line.
pub(super) const TABLE: &[Function] = &[
    f(2079, "pg_table_is_visible", &[OID], BOOL, pg_table_is_visible).stable(),
    f(2080, "pg_type_is_visible", &[OID], BOOL, pg_type_is_visible).stable(),
    f(2081, "pg_function_is_visible", &[OID], BOOL, pg_function_is_visible).stable(),
    f(2082, "pg_operator_is_visible", &[OID], BOOL, pg_operator_is_visible).stable(),
    f(2083, "pg_opclass_is_visible", &[OID], BOOL, pg_opclass_is_visible).stable(),
    f(2093, "pg_conversion_is_visible", &[OID], BOOL, pg_conversion_is_visible).stable(),
    f(3403, "pg_statistics_obj_is_visible", &[OID], BOOL, pg_statistics_obj_is_visible).stable(),
    f(3756, "pg_ts_parser_is_visible", &[OID], BOOL, pg_ts_parser_is_visible).stable(),
    f(3757, "pg_ts_dict_is_visible", &[OID], BOOL, pg_ts_dict_is_visible).stable(),
    f(3758, "pg_ts_config_is_visible", &[OID], BOOL, pg_ts_config_is_visible).stable(),
    f(3768, "pg_ts_template_is_visible", &[OID], BOOL, pg_ts_template_is_visible).stable(),
    f(3815, "pg_collation_is_visible", &[OID], BOOL, pg_collation_is_visible).stable(),
    f(3829, "pg_opfamily_is_visible", &[OID], BOOL, pg_opfamily_is_visible).stable(),
    f(3424, "pg_partition_root", &[REGCLASS], REGCLASS, partition_root),
    f(6120, "pg_get_replica_identity_index", &[REGCLASS], REGCLASS, replica_identity).stable(),
    f(1181, "age", &[XID], INT4, xid_age).stable(),
    f(1642, "pg_get_userbyid", &[OID], NAME, user_by_id).stable(),
    f(1215, "obj_description", &[OID, NAME], TEXT, object_comment).stable(),
    f(1348, "obj_description", &[OID], TEXT, object_comment).stable(),
    f(1993, "shobj_description", &[OID, NAME], TEXT, object_comment).stable(),
    f(1216, "col_description", &[OID, INT4], TEXT, column_comment).stable(),
    f(1079, "regclass", &[TEXT], REGCLASS, text_to_regclass).stable(),
    f(3476, "to_regoperator", &[TEXT], REGOPERATOR, to_regoperator).stable(),
    f(3479, "to_regprocedure", &[TEXT], REGPROCEDURE, to_regprocedure).stable(),
    f(3492, "to_regoper", &[TEXT], REGOPER, to_regoper).stable(),
    f(3493, "to_regtype", &[TEXT], REGTYPE, to_regtype).stable(),
    f(3494, "to_regproc", &[TEXT], REGPROC, to_regproc).stable(),
    f(3495, "to_regclass", &[TEXT], REGCLASS, to_regclass).stable(),
    f(4086, "to_regnamespace", &[TEXT], REGNAMESPACE, to_regnamespace).stable(),
    f(4093, "to_regrole", &[TEXT], REGROLE, to_regrole).stable(),
    f(4195, "to_regcollation", &[TEXT], REGCOLLATION, to_regcollation).stable(),
    f(1716, "pg_get_expr", &[PG_NODE_TREE, OID], TEXT, pg_get_expr).stable(),
    f(2509, "pg_get_expr", &[PG_NODE_TREE, OID, BOOL], TEXT, pg_get_expr).stable(),
    f(1643, "pg_get_indexdef", &[OID], TEXT, pg_get_indexdef).stable(),
    f(2507, "pg_get_indexdef", &[OID, INT4, BOOL], TEXT, pg_get_indexdef).stable(),
    f(1387, "pg_get_constraintdef", &[OID], TEXT, pg_get_constraintdef).stable(),
    f(2508, "pg_get_constraintdef", &[OID, BOOL], TEXT, pg_get_constraintdef).stable(),
    f(1640, "pg_get_viewdef", &[TEXT], TEXT, pg_get_viewdef).stable(),
    f(1641, "pg_get_viewdef", &[OID], TEXT, pg_get_viewdef).stable(),
    f(2505, "pg_get_viewdef", &[TEXT, BOOL], TEXT, pg_get_viewdef).stable(),
    f(2506, "pg_get_viewdef", &[OID, BOOL], TEXT, pg_get_viewdef).stable(),
    f(3159, "pg_get_viewdef", &[OID, INT4], TEXT, pg_get_viewdef).stable(),
    f(2098, "pg_get_functiondef", &[OID], TEXT, pg_get_functiondef).stable(),
    f(2162, "pg_get_function_arguments", &[OID], TEXT, pg_get_function_arguments).stable(),
    f(2232, "pg_get_function_identity_arguments", &[OID], TEXT, pg_get_function_identity_arguments).stable(),
    f(2165, "pg_get_function_result", &[OID], TEXT, pg_get_function_result).stable(),
    f(3808, "pg_get_function_arg_default", &[OID, INT4], TEXT, pg_get_function_arg_default).stable(),
    f(6197, "pg_get_function_sqlbody", &[OID], TEXT, pg_get_function_sqlbody).stable(),
    f(1573, "pg_get_ruledef", &[OID], TEXT, pg_get_ruledef).stable(),
    f(2504, "pg_get_ruledef", &[OID, BOOL], TEXT, pg_get_ruledef).stable(),
    f(1662, "pg_get_triggerdef", &[OID], TEXT, pg_get_triggerdef).stable(),
    f(2730, "pg_get_triggerdef", &[OID, BOOL], TEXT, pg_get_triggerdef).stable(),
    f(3352, "pg_get_partkeydef", &[OID], TEXT, pg_get_partkeydef).stable(),
    f(3408, "pg_get_partition_constraintdef", &[OID], TEXT, pg_get_partition_constraintdef).stable(),
    f(1665, "pg_get_serial_sequence", &[TEXT, TEXT], TEXT, pg_get_serial_sequence).stable(),
    f(3415, "pg_get_statisticsobjdef", &[OID], TEXT, pg_get_statisticsobjdef).stable(),
    f(6174, "pg_get_statisticsobjdef_columns", &[OID], TEXT, pg_get_statisticsobjdef_columns).stable(),
    f(6173, "pg_get_statisticsobjdef_expressions", &[OID], TEXT_ARRAY, pg_get_statisticsobjdef_expressions).stable(),
    f(2325, "pg_relation_size", &[REGCLASS], INT8, pg_relation_size).volatile(),
    f(2332, "pg_relation_size", &[REGCLASS, TEXT], INT8, pg_relation_size).volatile(),
    f(2997, "pg_table_size", &[REGCLASS], INT8, pg_table_size).volatile(),
    f(2998, "pg_indexes_size", &[REGCLASS], INT8, pg_indexes_size).volatile(),
    f(2286, "pg_total_relation_size", &[REGCLASS], INT8, pg_total_relation_size).volatile(),
    f(2168, "pg_database_size", &[NAME], INT8, pg_database_size).volatile(),
    f(2324, "pg_database_size", &[OID], INT8, pg_database_size).volatile(),
    f(2322, "pg_tablespace_size", &[OID], INT8, pg_tablespace_size).volatile(),
    f(2323, "pg_tablespace_size", &[NAME], INT8, pg_tablespace_size).volatile(),
    f(2999, "pg_relation_filenode", &[REGCLASS], OID, pg_relation_filenode).stable(),
    f(3034, "pg_relation_filepath", &[REGCLASS], TEXT, pg_relation_filepath).stable(),
    f(3454, "pg_filenode_relation", &[OID, OID], REGCLASS, pg_filenode_relation).stable(),
    f(3778, "pg_tablespace_location", &[OID], TEXT, pg_tablespace_location).stable(),
    f(638, "pg_index_column_has_property", &[REGCLASS, INT4, TEXT], BOOL, pg_index_column_has_property).stable(),
    f(637, "pg_index_has_property", &[REGCLASS, TEXT], BOOL, pg_index_has_property).stable(),
    f(636, "pg_indexam_has_property", &[OID, TEXT], BOOL, pg_indexam_has_property).stable(),
    f(3842, "pg_relation_is_updatable", &[REGCLASS, BOOL], INT4, pg_relation_is_updatable).stable(),
    f(3843, "pg_column_is_updatable", &[REGCLASS, INT2, BOOL], BOOL, pg_column_is_updatable).stable(),
    f(4032, "pg_sequence_last_value", &[REGCLASS], INT8, pg_sequence_last_value).volatile(),
    f(3078, "pg_sequence_parameters", &[OID], RECORD, pg_sequence_parameters).stable(),
    f(3537, "pg_describe_object", &[OID, OID, INT4], TEXT, pg_describe_object).stable(),
    f(3839, "pg_identify_object", &[OID, OID, INT4], RECORD, pg_identify_object).stable(),
    f(3382, "pg_identify_object_as_address", &[OID, OID, INT4], RECORD, pg_identify_object_as_address).stable(),
    f(2880, "pg_advisory_lock", &[INT8], VOID, pg_advisory_lock).volatile(),
    f(2886, "pg_advisory_lock", &[INT4, INT4], VOID, pg_advisory_lock).volatile(),
    f(2881, "pg_advisory_lock_shared", &[INT8], VOID, pg_advisory_lock_shared).volatile(),
    f(2887, "pg_advisory_lock_shared", &[INT4, INT4], VOID, pg_advisory_lock_shared).volatile(),
    f(2884, "pg_advisory_unlock", &[INT8], BOOL, pg_advisory_unlock).volatile(),
    f(2890, "pg_advisory_unlock", &[INT4, INT4], BOOL, pg_advisory_unlock).volatile(),
    f(2892, "pg_advisory_unlock_all", &[], VOID, pg_advisory_unlock_all).volatile(),
    f(2885, "pg_advisory_unlock_shared", &[INT8], BOOL, pg_advisory_unlock_shared).volatile(),
    f(2891, "pg_advisory_unlock_shared", &[INT4, INT4], BOOL, pg_advisory_unlock_shared).volatile(),
    f(3089, "pg_advisory_xact_lock", &[INT8], VOID, pg_advisory_xact_lock).volatile(),
    f(3093, "pg_advisory_xact_lock", &[INT4, INT4], VOID, pg_advisory_xact_lock).volatile(),
    f(3090, "pg_advisory_xact_lock_shared", &[INT8], VOID, pg_advisory_xact_lock_shared).volatile(),
    f(3094, "pg_advisory_xact_lock_shared", &[INT4, INT4], VOID, pg_advisory_xact_lock_shared).volatile(),
    f(2882, "pg_try_advisory_lock", &[INT8], BOOL, pg_try_advisory_lock).volatile(),
    f(2888, "pg_try_advisory_lock", &[INT4, INT4], BOOL, pg_try_advisory_lock).volatile(),
    f(2883, "pg_try_advisory_lock_shared", &[INT8], BOOL, pg_try_advisory_lock_shared).volatile(),
    f(2889, "pg_try_advisory_lock_shared", &[INT4, INT4], BOOL, pg_try_advisory_lock_shared).volatile(),
    f(3091, "pg_try_advisory_xact_lock", &[INT8], BOOL, pg_try_advisory_xact_lock).volatile(),
    f(3095, "pg_try_advisory_xact_lock", &[INT4, INT4], BOOL, pg_try_advisory_xact_lock).volatile(),
    f(3092, "pg_try_advisory_xact_lock_shared", &[INT8], BOOL, pg_try_advisory_xact_lock_shared).volatile(),
    f(3096, "pg_try_advisory_xact_lock_shared", &[INT4, INT4], BOOL, pg_try_advisory_xact_lock_shared).volatile(),
    f(2171, "pg_cancel_backend", &[INT4], BOOL, pg_cancel_backend).volatile(),
    f(2096, "pg_terminate_backend", &[INT4, INT8], BOOL, pg_terminate_backend).volatile(),
    // Its timeout has a default.
    f(8060, "pg_terminate_backend", &[INT4], BOOL, pg_terminate_backend).volatile(),
    f(2621, "pg_reload_conf", &[], BOOL, pg_reload_conf).volatile(),
    f(2849, "pg_current_wal_lsn", &[], PG_LSN, pg_current_wal_lsn).volatile(),
    f(2852, "pg_current_wal_insert_lsn", &[], PG_LSN, pg_current_wal_insert_lsn).volatile(),
    f(3330, "pg_current_wal_flush_lsn", &[], PG_LSN, pg_current_wal_flush_lsn).volatile(),
    f(3820, "pg_last_wal_receive_lsn", &[], PG_LSN, pg_last_wal_receive_lsn).volatile(),
    f(3821, "pg_last_wal_replay_lsn", &[], PG_LSN, pg_last_wal_replay_lsn).volatile(),
    f(3073, "pg_is_wal_replay_paused", &[], BOOL, pg_is_wal_replay_paused).volatile(),
    f(3165, "pg_wal_lsn_diff", &[PG_LSN, PG_LSN], NUMERIC, pg_wal_lsn_diff),
    f(2848, "pg_switch_wal", &[], PG_LSN, pg_switch_wal).volatile(),
    f(1928, "pg_stat_get_numscans", &[OID], INT8, pg_stat_get_numscans).stable(),
    f(1929, "pg_stat_get_tuples_returned", &[OID], INT8, pg_stat_get_tuples_returned).stable(),
    f(1930, "pg_stat_get_tuples_fetched", &[OID], INT8, pg_stat_get_tuples_fetched).stable(),
    f(1931, "pg_stat_get_tuples_inserted", &[OID], INT8, pg_stat_get_tuples_inserted).stable(),
    f(1932, "pg_stat_get_tuples_updated", &[OID], INT8, pg_stat_get_tuples_updated).stable(),
    f(1933, "pg_stat_get_tuples_deleted", &[OID], INT8, pg_stat_get_tuples_deleted).stable(),
    f(2878, "pg_stat_get_live_tuples", &[OID], INT8, pg_stat_get_live_tuples).stable(),
    f(2879, "pg_stat_get_dead_tuples", &[OID], INT8, pg_stat_get_dead_tuples).stable(),
    f(2274, "pg_stat_reset", &[], VOID, pg_stat_reset).lenient().volatile(),
    f(1937, "pg_stat_get_backend_pid", &[INT4], INT4, pg_stat_get_backend_pid).stable(),
    f(2230, "pg_stat_clear_snapshot", &[], VOID, pg_stat_clear_snapshot).lenient().volatile(),
    f(2854, "pg_my_temp_schema", &[], OID, pg_my_temp_schema).stable(),
    f(2855, "pg_is_other_temp_schema", &[OID], BOOL, pg_is_other_temp_schema).stable(),
    f(3809, "pg_export_snapshot", &[], TEXT, pg_export_snapshot).volatile(),
    f(5066, "pg_xact_status", &[XID8], TEXT, pg_xact_status).volatile(),
    f(2561, "pg_blocking_pids", &[INT4], INT4_ARRAY, pg_blocking_pids).volatile(),
    f(3376, "pg_safe_snapshot_blocking_pids", &[INT4], INT4_ARRAY, pg_safe_snapshot_blocking_pids).volatile(),
    f(6005, "pg_replication_origin_oid", &[TEXT], OID, pg_replication_origin_oid).stable(),
    f(3943, "acldefault", &[CHAR, OID], ACLITEM_ARRAY, acldefault),
    f(817, "current_query", &[], TEXT, current_query).lenient().volatile(),
    f(3954, "pg_get_object_address", &[TEXT, TEXT_ARRAY, TEXT_ARRAY], RECORD, pg_get_object_address).stable(),
    set(1689, "aclexplode", &[ACLITEM_ARRAY], RECORD, aclexplode).stable().columns(&[("grantor", OID), ("grantee", OID), ("privilege_type", TEXT), ("is_grantable", BOOL)]),
    set(2289, "pg_options_to_table", &[TEXT_ARRAY], RECORD, pg_options_to_table).stable().columns(&[("option_name", TEXT), ("option_value", TEXT)]),
    set(3425, "pg_partition_ancestors", &[REGCLASS], REGCLASS, pg_partition_ancestors).volatile().columns(&[("relid", REGCLASS)]),
    set(3423, "pg_partition_tree", &[REGCLASS], RECORD, pg_partition_tree).volatile().columns(&[("relid", REGCLASS), ("parentrelid", REGCLASS), ("isleaf", BOOL), ("level", INT4)]),
    set(3035, "pg_listening_channels", &[], TEXT, pg_listening_channels).stable(),
    set(2084, "pg_show_all_settings", &[], RECORD, pg_show_all_settings).stable().columns(&[("name", TEXT), ("setting", TEXT), ("unit", TEXT), ("category", TEXT), ("short_desc", TEXT), ("extra_desc", TEXT), ("context", TEXT), ("vartype", TEXT), ("source", TEXT), ("min_val", TEXT), ("max_val", TEXT), ("enumvals", TEXT_ARRAY), ("boot_val", TEXT), ("reset_val", TEXT), ("sourcefile", TEXT), ("sourceline", INT4), ("pending_restart", BOOL)]),
    set(1371, "pg_lock_status", &[], RECORD, pg_lock_status).volatile().columns(&[("locktype", TEXT), ("database", OID), ("relation", OID), ("page", INT4), ("tuple", INT2), ("virtualxid", TEXT), ("transactionid", XID), ("classid", OID), ("objid", OID), ("objsubid", INT2), ("virtualtransaction", TEXT), ("pid", INT4), ("mode", TEXT), ("granted", BOOL), ("fastpath", BOOL), ("waitstart", TIMESTAMPTZ)]),
    set(2022, "pg_stat_get_activity", &[INT4], RECORD, pg_stat_get_activity).lenient().stable().columns(&[("datid", OID), ("pid", INT4), ("usesysid", OID), ("application_name", TEXT), ("state", TEXT), ("query", TEXT), ("wait_event_type", TEXT), ("wait_event", TEXT), ("xact_start", TIMESTAMPTZ), ("query_start", TIMESTAMPTZ), ("backend_start", TIMESTAMPTZ), ("state_change", TIMESTAMPTZ), ("client_addr", TEXT), ("client_hostname", TEXT), ("client_port", INT4), ("backend_xid", XID), ("backend_xmin", XID), ("backend_type", TEXT), ("ssl", BOOL), ("sslversion", TEXT), ("sslcipher", TEXT), ("sslbits", INT4), ("ssl_client_dn", TEXT), ("ssl_client_serial", NUMERIC), ("ssl_issuer_dn", TEXT), ("gss_auth", BOOL), ("gss_princ", TEXT), ("gss_enc", BOOL), ("leader_pid", INT4), ("query_id", INT8)]),
    set(1686, "pg_get_keywords", &[], RECORD, pg_get_keywords).stable().columns(&[("word", TEXT), ("catcode", CHAR), ("barelabel", BOOL), ("catdesc", TEXT), ("baredesc", TEXT)]),
    set(2856, "pg_timezone_names", &[], RECORD, pg_timezone_names).stable().columns(&[("name", TEXT), ("abbrev", TEXT), ("utc_offset", INTERVAL), ("is_dst", BOOL)]),
    set(2599, "pg_timezone_abbrevs", &[], RECORD, pg_timezone_abbrevs).stable().columns(&[("abbrev", TEXT), ("utc_offset", INTERVAL), ("is_dst", BOOL)]),
    set(3082, "pg_available_extensions", &[], RECORD, pg_available_extensions).stable().columns(&[("name", NAME), ("default_version", TEXT), ("comment", TEXT)]),
    set(4568, "pg_event_trigger_ddl_commands", &[], RECORD, pg_event_trigger_ddl_commands).stable().columns(&[("classid", OID), ("objid", OID), ("objsubid", INT4), ("command_tag", TEXT), ("object_type", TEXT), ("schema_name", TEXT), ("object_identity", TEXT), ("in_extension", BOOL), ("command", TEXT)]),
    set(6119, "pg_get_publication_tables", &[TEXT], RECORD, pg_get_publication_tables).stable().columns(&[("relid", OID), ("attrs", INT2VECTOR), ("qual", PG_NODE_TREE)]),
    set(2510, "pg_prepared_statement", &[], RECORD, pg_prepared_statement).stable().columns(&[("name", TEXT), ("statement", TEXT), ("prepare_time", TIMESTAMPTZ), ("parameter_types", REGTYPE_ARRAY), ("from_sql", BOOL), ("generic_plans", INT8), ("custom_plans", INT8)]),
    set(2511, "pg_cursor", &[], RECORD, pg_cursor).stable().columns(&[("name", TEXT), ("statement", TEXT), ("is_holdable", BOOL), ("is_binary", BOOL), ("is_scrollable", BOOL), ("creation_time", TIMESTAMPTZ)]),
    set(3099, "pg_stat_get_wal_senders", &[], RECORD, pg_stat_get_wal_senders).lenient().stable().columns(&[("pid", INT4), ("state", TEXT), ("sent_lsn", PG_LSN), ("write_lsn", PG_LSN), ("flush_lsn", PG_LSN), ("replay_lsn", PG_LSN), ("write_lag", INTERVAL), ("flush_lag", INTERVAL), ("replay_lag", INTERVAL), ("sync_priority", INT4), ("sync_state", TEXT), ("reply_time", TIMESTAMPTZ)]),
    set(2556, "pg_tablespace_databases", &[OID], OID, pg_tablespace_databases).stable(),
    set(2282, "pg_get_backend_memory_contexts", &[], RECORD, pg_get_backend_memory_contexts).volatile().columns(&[("name", TEXT), ("ident", TEXT), ("parent", TEXT), ("level", INT4), ("total_bytes", INT8), ("total_nblocks", INT8), ("free_bytes", INT8), ("free_chunks", INT8), ("used_bytes", INT8)]),
    set(1065, "pg_prepared_xact", &[], RECORD, pg_prepared_xact).volatile().columns(&[("transaction", XID), ("gid", TEXT), ("prepared", TIMESTAMPTZ), ("ownerid", OID), ("dbid", OID)]),
];
