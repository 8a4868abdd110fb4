//! The views of `pg_catalog` that are queries.

use super::{ViewDef, view};

#[rustfmt::skip] // A table: one view an entry.
pub(super) const VIEWS: &[ViewDef] = &[
    view(12000, "pg_roles",
        "rolname:name rolsuper:bool rolinherit:bool rolcreaterole:bool rolcreatedb:bool \
         rolcanlogin:bool rolreplication:bool rolconnlimit:int4 rolpassword:text \
         rolvaliduntil:timestamptz rolbypassrls:bool rolconfig:_text oid:oid",
        "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, \
         rolreplication, rolconnlimit, '********'::text AS rolpassword, rolvaliduntil, \
         rolbypassrls, NULL::text[] AS rolconfig, oid FROM pg_catalog.pg_authid"),
    view(12005, "pg_shadow",
        "usename:name usesysid:oid usecreatedb:bool usesuper:bool userepl:bool \
         usebypassrls:bool passwd:text valuntil:timestamptz useconfig:_text",
        "SELECT rolname AS usename, oid AS usesysid, rolcreatedb AS usecreatedb, \
         rolsuper AS usesuper, rolreplication AS userepl, rolbypassrls AS usebypassrls, \
         rolpassword AS passwd, rolvaliduntil AS valuntil, NULL::text[] AS useconfig \
         FROM pg_catalog.pg_authid WHERE rolcanlogin"),
    view(12010, "pg_group",
        "groname:name grosysid:oid grolist:_oid",
        "SELECT rolname AS groname, oid AS grosysid, ARRAY(SELECT m.member \
         FROM pg_catalog.pg_auth_members m WHERE m.roleid = a.oid) AS grolist \
         FROM pg_catalog.pg_authid a WHERE NOT rolcanlogin"),
    view(12014, "pg_user",
        "usename:name usesysid:oid usecreatedb:bool usesuper:bool userepl:bool \
         usebypassrls:bool passwd:text valuntil:timestamptz useconfig:_text",
        "SELECT rolname AS usename, oid AS usesysid, rolcreatedb AS usecreatedb, \
         rolsuper AS usesuper, rolreplication AS userepl, rolbypassrls AS usebypassrls, \
         '********'::text AS passwd, rolvaliduntil AS valuntil, NULL::text[] AS useconfig \
         FROM pg_catalog.pg_authid WHERE rolcanlogin"),
    view(12018, "pg_policies",
        "schemaname:name tablename:name policyname:name permissive:text roles:_name cmd:text \
         qual:text with_check:text",
        "SELECT n.nspname AS schemaname, c.relname AS tablename, p.polname AS policyname, \
         CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END AS permissive, \
         NULL::name[] AS roles, p.polcmd::text AS cmd, \
         pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS qual, \
         pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS with_check \
         FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"),
    view(12023, "pg_rules",
        "schemaname:name tablename:name rulename:name definition:text",
        "SELECT n.nspname AS schemaname, c.relname AS tablename, r.rulename, \
         pg_catalog.pg_get_ruledef(r.oid) AS definition \
         FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE r.rulename <> '_RETURN'"),
    view(12028, "pg_views",
        "schemaname:name viewname:name viewowner:name definition:text",
        "SELECT n.nspname AS schemaname, c.relname AS viewname, \
         pg_catalog.pg_get_userbyid(c.relowner) AS viewowner, \
         pg_catalog.pg_get_viewdef(c.oid) AS definition \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'v'"),
    view(12033, "pg_tables",
        "schemaname:name tablename:name tableowner:name tablespace:name hasindexes:bool \
         hasrules:bool hastriggers:bool rowsecurity:bool",
        "SELECT n.nspname AS schemaname, c.relname AS tablename, \
         pg_catalog.pg_get_userbyid(c.relowner) AS tableowner, NULL::name AS tablespace, \
         c.relhasindex AS hasindexes, c.relhasrules AS hasrules, \
         c.relhastriggers AS hastriggers, c.relrowsecurity AS rowsecurity \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p')"),
    view(12038, "pg_matviews",
        "schemaname:name matviewname:name matviewowner:name tablespace:name hasindexes:bool \
         ispopulated:bool definition:text",
        "SELECT n.nspname AS schemaname, c.relname AS matviewname, \
         pg_catalog.pg_get_userbyid(c.relowner) AS matviewowner, NULL::name AS tablespace, \
         c.relhasindex AS hasindexes, c.relispopulated AS ispopulated, \
         pg_catalog.pg_get_viewdef(c.oid) AS definition \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'm'"),
    view(12043, "pg_indexes",
        "schemaname:name tablename:name indexname:name tablespace:name indexdef:text",
        "SELECT n.nspname AS schemaname, c.relname AS tablename, i.relname AS indexname, \
         NULL::name AS tablespace, pg_catalog.pg_get_indexdef(i.oid) AS indexdef \
         FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indrelid \
         JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'm', 'p') AND i.relkind IN ('i', 'I')"),
    view(12048, "pg_sequences",
        "schemaname:name sequencename:name sequenceowner:name data_type:regtype \
         start_value:int8 min_value:int8 max_value:int8 increment_by:int8 cycle:bool \
         cache_size:int8 last_value:int8",
        "SELECT n.nspname AS schemaname, c.relname AS sequencename, \
         pg_catalog.pg_get_userbyid(c.relowner) AS sequenceowner, \
         s.seqtypid::regtype AS data_type, s.seqstart AS start_value, s.seqmin AS min_value, \
         s.seqmax AS max_value, s.seqincrement AS increment_by, s.seqcycle AS cycle, \
         s.seqcache AS cache_size, pg_catalog.pg_sequence_last_value(c.oid) AS last_value \
         FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"),
];
