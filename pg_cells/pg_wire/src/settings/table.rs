//! The parameters there are: PostgreSQL 15's names, defaults and kinds. Those
//! that change nothing here are accepted, so that clients and dumps which set
//! them work.

use core::cmp::Ordering;

/// What values a parameter takes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// on, off.
    Bool,
    /// A whole number in a unit (empty, `ms`, `kB`, `8kB`, `s`, `min`, `B`), from, to.
    Int(&'static str, i64, i64),
    /// Any number, from, to.
    Real(f64, f64),
    /// One of these.
    Enum(&'static [&'static str]),
    /// Any text.
    Text,
}

/// Who may change a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Context {
    /// Any session.
    User,
    /// The same; privileged in PostgreSQL.
    Superuser,
    /// Nobody: it tells what the server is.
    Internal,
    /// Nobody while the server runs.
    Postmaster,
    /// Nobody by SET.
    Sighup,
}

impl Context {
    /// As `pg_settings` shows it.
    pub fn name(self) -> &'static str {
        match self {
            Context::User => "user",
            Context::Superuser => "superuser",
            Context::Internal => "internal",
            Context::Postmaster => "postmaster",
            Context::Sighup => "sighup",
        }
    }
}

/// A parameter.
pub struct Setting {
    /// Its name, as it is shown.
    pub name: &'static str,
    /// Its value when nobody sets it.
    pub default: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Who may change it.
    pub context: Context,
    /// The client is told of changes.
    pub reported: bool,
}

const fn s(name: &'static str, default: &'static str, kind: Kind) -> Setting {
    Setting {
        name,
        default,
        kind,
        context: Context::User,
        reported: false,
    }
}

impl Setting {
    const fn reported(mut self) -> Setting {
        self.reported = true;
        self
    }

    const fn by(mut self, context: Context) -> Setting {
        self.context = context;
        self
    }
}

use Context::{Internal, Postmaster, Sighup, Superuser};
use Kind::{Bool, Enum, Int, Real, Text};

const INT: i64 = 2_147_483_647;
const MS: Kind = Int("ms", 0, INT);
const COST: Kind = Real(0.0, f64::MAX);
const LEVELS: Kind = Enum(&[
    "debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "info", "notice", "warning",
    "error", "fatal", "panic",
]);
const ISOLATION: Kind = Enum(&[
    "serializable",
    "repeatable read",
    "read committed",
    "read uncommitted",
]);

/// All of them, by name without regard to case.
#[rustfmt::skip]
pub static SETTINGS: &[Setting] = &[
    s("allow_system_table_mods", "off", Bool).by(Superuser),
    s("application_name", "", Text).reported(),
    s("array_nulls", "on", Bool),
    s("autovacuum", "on", Bool).by(Sighup),
    s("autovacuum_analyze_scale_factor", "0.1", Real(0.0, 100.0)).by(Sighup),
    s("autovacuum_analyze_threshold", "50", Int("", 0, INT)).by(Sighup),
    s("autovacuum_naptime", "60", Int("s", 1, 2_147_483)).by(Sighup),
    s("autovacuum_vacuum_cost_delay", "2", Real(-1.0, 100.0)).by(Sighup),
    s("autovacuum_vacuum_insert_scale_factor", "0.2", Real(0.0, 100.0)).by(Sighup),
    s("autovacuum_vacuum_insert_threshold", "1000", Int("", -1, INT)).by(Sighup),
    s("autovacuum_vacuum_scale_factor", "0.2", Real(0.0, 100.0)).by(Sighup),
    s("autovacuum_vacuum_threshold", "50", Int("", 0, INT)).by(Sighup),
    s("backslash_quote", "safe_encoding", Enum(&["safe_encoding", "on", "off"])),
    s("block_size", "8192", Int("", 8192, 8192)).by(Internal),
    s("bytea_output", "hex", Enum(&["hex", "escape"])),
    s("check_function_bodies", "on", Bool),
    s("checkpoint_timeout", "60", Int("s", 30, 86400)).by(Sighup),
    s("client_encoding", "UTF8", Text).reported(),
    s("client_min_messages", "notice", LEVELS),
    s("commit_delay", "0", Int("", 0, 100_000)).by(Superuser),
    s("constraint_exclusion", "partition", Enum(&["partition", "on", "off"])),
    s("cpu_index_tuple_cost", "0.005", COST),
    s("cpu_operator_cost", "0.0025", COST),
    s("cpu_tuple_cost", "0.01", COST),
    s("cursor_tuple_fraction", "0.1", Real(0.0, 1.0)),
    s("data_checksums", "on", Bool).by(Internal),
    s("DateStyle", "ISO, MDY", Text).reported(),
    s("deadlock_timeout", "1000", Int("ms", 1, INT)).by(Superuser),
    s("debug_assertions", "off", Bool).by(Internal),
    s("default_statistics_target", "100", Int("", 1, 10_000)),
    s("default_table_access_method", "heap", Enum(&["heap"])),
    s("default_tablespace", "", Text),
    s("default_text_search_config", "pg_catalog.simple", Text),
    s("default_toast_compression", "pglz", Enum(&["pglz", "lz4"])),
    s("default_transaction_deferrable", "off", Bool),
    s("default_transaction_isolation", "read committed", ISOLATION),
    s("default_transaction_read_only", "off", Bool).reported(),
    s("effective_cache_size", "524288", Int("8kB", 1, INT)),
    s("effective_io_concurrency", "1", Int("", 0, 1000)),
    s("enable_bitmapscan", "on", Bool),
    s("enable_hashagg", "on", Bool),
    s("enable_hashjoin", "on", Bool),
    s("enable_incremental_sort", "on", Bool),
    s("enable_indexonlyscan", "on", Bool),
    s("enable_indexscan", "on", Bool),
    s("enable_material", "on", Bool),
    s("enable_memoize", "on", Bool),
    s("enable_mergejoin", "on", Bool),
    s("enable_nestloop", "on", Bool),
    s("enable_parallel_append", "on", Bool),
    s("enable_parallel_hash", "on", Bool),
    s("enable_partition_pruning", "on", Bool),
    s("enable_seqscan", "on", Bool),
    s("enable_sort", "on", Bool),
    s("enable_tidscan", "on", Bool),
    s("escape_string_warning", "on", Bool),
    s("extra_float_digits", "1", Int("", -15, 3)),
    s("from_collapse_limit", "8", Int("", 1, INT)),
    s("fsync", "on", Bool).by(Sighup),
    s("full_page_writes", "on", Bool).by(Sighup),
    s("geqo", "on", Bool),
    s("hash_mem_multiplier", "2", Real(1.0, 1000.0)),
    s("idle_in_transaction_session_timeout", "0", MS),
    s("idle_session_timeout", "0", MS),
    s("in_hot_standby", "off", Bool).by(Internal).reported(),
    s("integer_datetimes", "on", Bool).by(Internal).reported(),
    s("IntervalStyle", "postgres", Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"])).reported(),
    s("is_superuser", "on", Bool).by(Internal).reported(),
    s("jit", "off", Bool),
    s("join_collapse_limit", "8", Int("", 1, INT)),
    s("lc_collate", "C", Text).by(Internal),
    s("lc_ctype", "C", Text).by(Internal),
    s("lc_messages", "C", Text).by(Superuser),
    s("lc_monetary", "C", Text),
    s("lc_numeric", "C", Text),
    s("lc_time", "C", Text),
    s("listen_addresses", "*", Text).by(Postmaster),
    s("lo_compat_privileges", "off", Bool).by(Superuser),
    s("lock_timeout", "0", MS),
    s("log_min_duration_statement", "-1", Int("ms", -1, INT)).by(Superuser),
    s("log_min_messages", "warning", LEVELS).by(Superuser),
    s("log_statement", "none", Enum(&["none", "ddl", "mod", "all"])).by(Superuser),
    s("maintenance_work_mem", "65536", Int("kB", 1024, INT)),
    s("max_connections", "100", Int("", 1, 262_143)).by(Postmaster),
    s("max_identifier_length", "63", Int("", 63, 63)).by(Internal),
    s("max_index_keys", "32", Int("", 32, 32)).by(Internal),
    s("max_locks_per_transaction", "64", Int("", 10, INT)).by(Postmaster),
    s("max_parallel_workers", "8", Int("", 0, 1024)),
    s("max_parallel_workers_per_gather", "0", Int("", 0, 1024)),
    s("max_prepared_transactions", "0", Int("", 0, 262_143)).by(Postmaster),
    s("max_stack_depth", "2048", Int("kB", 100, INT)).by(Superuser),
    s("min_parallel_table_scan_size", "1024", Int("8kB", 0, INT)),
    s("parallel_setup_cost", "1000", COST),
    s("parallel_tuple_cost", "0.1", COST),
    s("password_encryption", "scram-sha-256", Enum(&["md5", "scram-sha-256"])),
    s("plan_cache_mode", "auto", Enum(&["auto", "force_generic_plan", "force_custom_plan"])),
    s("port", "5432", Int("", 1, 65535)).by(Postmaster),
    s("quote_all_identifiers", "off", Bool),
    s("random_page_cost", "4", COST),
    s("role", "none", Text),
    s("row_security", "on", Bool),
    s("search_path", "\"$user\", public", Text),
    s("segment_size", "131072", Int("8kB", 131_072, 131_072)).by(Internal),
    s("seq_page_cost", "1", COST),
    s("server_encoding", "UTF8", Text).by(Internal).reported(),
    s("server_version", pg_builtins::SERVER_VERSION, Text).by(Internal).reported(),
    s("server_version_num", pg_builtins::SERVER_VERSION_NUM, Text).by(Internal),
    s("session_authorization", "postgres", Text).by(Internal).reported(),
    s("session_replication_role", "origin", Enum(&["origin", "replica", "local"])).by(Superuser),
    s("shared_buffers", "16384", Int("8kB", 16, INT)).by(Postmaster),
    s("ssl", "off", Bool).by(Sighup),
    s("standard_conforming_strings", "on", Bool).reported(),
    s("statement_timeout", "0", MS),
    s("synchronize_seqscans", "on", Bool),
    s("synchronous_commit", "on", Enum(&["local", "remote_write", "remote_apply", "on", "off", "second"])),
    s("tcp_keepalives_idle", "0", Int("s", 0, INT)),
    s("temp_buffers", "1024", Int("8kB", 100, INT)),
    s("temp_tablespaces", "", Text),
    s("TimeZone", "UTC", Text).reported(),
    s("timezone_abbreviations", "Default", Text),
    s("track_activities", "on", Bool).by(Superuser),
    s("track_counts", "on", Bool).by(Superuser),
    s("track_io_timing", "off", Bool).by(Superuser),
    s("transaction_deferrable", "off", Bool),
    s("transaction_isolation", "read committed", ISOLATION),
    s("transaction_read_only", "off", Bool),
    s("transform_null_equals", "off", Bool),
    s("vacuum_cost_delay", "0", Real(0.0, 100.0)),
    s("vacuum_freeze_min_age", "50000000", Int("", 0, 1_000_000_000)),
    s("wal_block_size", "8192", Int("", 8192, 8192)).by(Internal),
    s("wal_level", "replica", Enum(&["minimal", "replica", "logical"])).by(Postmaster),
    s("wal_segment_size", "16777216", Int("B", 1_048_576, 1_073_741_824)).by(Internal),
    s("work_mem", "4096", Int("kB", 64, INT)),
    s("xmlbinary", "base64", Enum(&["base64", "hex"])),
    s("xmloption", "content", Enum(&["content", "document"])),
];

/// A parameter by name, without regard to case.
pub fn find(name: &str) -> Option<&'static Setting> {
    let found = SETTINGS.binary_search_by(|s| compare(s.name.as_bytes(), name.as_bytes()));
    found.ok().and_then(|at| SETTINGS.get(at))
}

/// Compares names without regard to case. A connection looks up dozens.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x.to_ascii_lowercase(), y.to_ascii_lowercase());
        if x != y {
            return x.cmp(&y);
        }
    }
    a.len().cmp(&b.len())
}

/// Whether a plan depends on a parameter: on where names are looked up, and on
/// how constants are read and written. What does not is named here; for a
/// parameter of an application's own (with a dot) only functions ask, when the
/// plan runs.
pub fn plans_depend_on(name: &str) -> bool {
    let no_part = [
        "application_name",
        "client_encoding",
        "client_min_messages",
        "deadlock_timeout",
        "default_transaction_deferrable",
        "default_transaction_isolation",
        "default_transaction_read_only",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "lock_timeout",
        "statement_timeout",
        "synchronous_commit",
        "work_mem",
    ];
    !name.contains('.') && !no_part.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_defaults_are_values() {
        for pair in SETTINGS.windows(2) {
            let names = pair.iter().map(|s| s.name.to_ascii_lowercase());
            let names: Vec<String> = names.collect();
            assert!(names[0] < names[1], "{names:?}");
        }
        for setting in SETTINGS {
            let value = super::super::value::check(setting, setting.default);
            assert_eq!(value.as_deref(), Ok(setting.default), "{}", setting.name);
            let upper = setting.name.to_ascii_uppercase();
            assert!(find(&upper).is_some_and(|s| s.name == setting.name));
        }
        assert!(find("").is_none() && find("zzz").is_none() && find("enable").is_none());
    }
}
