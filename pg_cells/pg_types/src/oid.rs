//! Type ids with PostgreSQL's numbers.
//!
//! Only constants live here; what is known of each type is in [`crate::typeinfo`].

/// An object id. User objects start at [`FIRST_NORMAL`].
pub type Oid = u32;

/// No object.
pub const INVALID: Oid = 0;
/// The first id that user objects get.
pub const FIRST_NORMAL: Oid = 16384;

/// `bool`.
pub const BOOL: Oid = 16;
/// `bytea`.
pub const BYTEA: Oid = 17;
/// `char`.
pub const CHAR: Oid = 18;
/// `name`.
pub const NAME: Oid = 19;
/// `int8`.
pub const INT8: Oid = 20;
/// `int2`.
pub const INT2: Oid = 21;
/// `int2vector`.
pub const INT2VECTOR: Oid = 22;
/// `int4`.
pub const INT4: Oid = 23;
/// `regproc`.
pub const REGPROC: Oid = 24;
/// `text`.
pub const TEXT: Oid = 25;
/// `oid`.
pub const OID: Oid = 26;
/// `tid`.
pub const TID: Oid = 27;
/// `xid`.
pub const XID: Oid = 28;
/// `cid`.
pub const CID: Oid = 29;
/// `oidvector`.
pub const OIDVECTOR: Oid = 30;
/// `json`.
pub const JSON: Oid = 114;
/// `pg_node_tree`.
pub const PG_NODE_TREE: Oid = 194;
/// `_json`.
pub const JSON_ARRAY: Oid = 199;
/// `_xid8`.
pub const XID8_ARRAY: Oid = 271;
/// `float4`.
pub const FLOAT4: Oid = 700;
/// `float8`.
pub const FLOAT8: Oid = 701;
/// `unknown`.
pub const UNKNOWN: Oid = 705;
/// `_bool`.
pub const BOOL_ARRAY: Oid = 1000;
/// `_bytea`.
pub const BYTEA_ARRAY: Oid = 1001;
/// `_char`.
pub const CHAR_ARRAY: Oid = 1002;
/// `_name`.
pub const NAME_ARRAY: Oid = 1003;
/// `_int2`.
pub const INT2_ARRAY: Oid = 1005;
/// `_int2vector`.
pub const INT2VECTOR_ARRAY: Oid = 1006;
/// `_int4`.
pub const INT4_ARRAY: Oid = 1007;
/// `_regproc`.
pub const REGPROC_ARRAY: Oid = 1008;
/// `_text`.
pub const TEXT_ARRAY: Oid = 1009;
/// `_tid`.
pub const TID_ARRAY: Oid = 1010;
/// `_xid`.
pub const XID_ARRAY: Oid = 1011;
/// `_cid`.
pub const CID_ARRAY: Oid = 1012;
/// `_oidvector`.
pub const OIDVECTOR_ARRAY: Oid = 1013;
/// `_bpchar`.
pub const BPCHAR_ARRAY: Oid = 1014;
/// `_varchar`.
pub const VARCHAR_ARRAY: Oid = 1015;
/// `_int8`.
pub const INT8_ARRAY: Oid = 1016;
/// `_float4`.
pub const FLOAT4_ARRAY: Oid = 1021;
/// `_float8`.
pub const FLOAT8_ARRAY: Oid = 1022;
/// `_oid`.
pub const OID_ARRAY: Oid = 1028;
/// `aclitem`.
pub const ACLITEM: Oid = 1033;
/// `_aclitem`.
pub const ACLITEM_ARRAY: Oid = 1034;
/// `bpchar`.
pub const BPCHAR: Oid = 1042;
/// `varchar`.
pub const VARCHAR: Oid = 1043;
/// `date`.
pub const DATE: Oid = 1082;
/// `time`.
pub const TIME: Oid = 1083;
/// `timestamp`.
pub const TIMESTAMP: Oid = 1114;
/// `_timestamp`.
pub const TIMESTAMP_ARRAY: Oid = 1115;
/// `_date`.
pub const DATE_ARRAY: Oid = 1182;
/// `_time`.
pub const TIME_ARRAY: Oid = 1183;
/// `timestamptz`.
pub const TIMESTAMPTZ: Oid = 1184;
/// `_timestamptz`.
pub const TIMESTAMPTZ_ARRAY: Oid = 1185;
/// `interval`.
pub const INTERVAL: Oid = 1186;
/// `_interval`.
pub const INTERVAL_ARRAY: Oid = 1187;
/// `_numeric`.
pub const NUMERIC_ARRAY: Oid = 1231;
/// `_cstring`.
pub const CSTRING_ARRAY: Oid = 1263;
/// `numeric`.
pub const NUMERIC: Oid = 1700;
/// `refcursor`.
pub const REFCURSOR: Oid = 1790;
/// `_refcursor`.
pub const REFCURSOR_ARRAY: Oid = 2201;
/// `regprocedure`.
pub const REGPROCEDURE: Oid = 2202;
/// `regoper`.
pub const REGOPER: Oid = 2203;
/// `regoperator`.
pub const REGOPERATOR: Oid = 2204;
/// `regclass`.
pub const REGCLASS: Oid = 2205;
/// `regtype`.
pub const REGTYPE: Oid = 2206;
/// `_regprocedure`.
pub const REGPROCEDURE_ARRAY: Oid = 2207;
/// `_regoper`.
pub const REGOPER_ARRAY: Oid = 2208;
/// `_regoperator`.
pub const REGOPERATOR_ARRAY: Oid = 2209;
/// `_regclass`.
pub const REGCLASS_ARRAY: Oid = 2210;
/// `_regtype`.
pub const REGTYPE_ARRAY: Oid = 2211;
/// `record`.
pub const RECORD: Oid = 2249;
/// `cstring`.
pub const CSTRING: Oid = 2275;
/// `any`.
pub const ANY: Oid = 2276;
/// `anyarray`.
pub const ANYARRAY: Oid = 2277;
/// `void`.
pub const VOID: Oid = 2278;
/// `trigger`.
pub const TRIGGER: Oid = 2279;
/// `language_handler`.
pub const LANGUAGE_HANDLER: Oid = 2280;
/// `internal`.
pub const INTERNAL: Oid = 2281;
/// `anyelement`.
pub const ANYELEMENT: Oid = 2283;
/// `_record`.
pub const RECORD_ARRAY: Oid = 2287;
/// `anynonarray`.
pub const ANYNONARRAY: Oid = 2776;
/// `uuid`.
pub const UUID: Oid = 2950;
/// `_uuid`.
pub const UUID_ARRAY: Oid = 2951;
/// `pg_lsn`.
pub const PG_LSN: Oid = 3220;
/// `_pg_lsn`.
pub const PG_LSN_ARRAY: Oid = 3221;
/// `anyenum`.
pub const ANYENUM: Oid = 3500;
/// `regconfig`.
pub const REGCONFIG: Oid = 3734;
/// `_regconfig`.
pub const REGCONFIG_ARRAY: Oid = 3735;
/// `regdictionary`.
pub const REGDICTIONARY: Oid = 3769;
/// `_regdictionary`.
pub const REGDICTIONARY_ARRAY: Oid = 3770;
/// `jsonb`.
pub const JSONB: Oid = 3802;
/// `_jsonb`.
pub const JSONB_ARRAY: Oid = 3807;
/// `event_trigger`.
pub const EVENT_TRIGGER: Oid = 3838;
/// `regnamespace`.
pub const REGNAMESPACE: Oid = 4089;
/// `_regnamespace`.
pub const REGNAMESPACE_ARRAY: Oid = 4090;
/// `regrole`.
pub const REGROLE: Oid = 4096;
/// `_regrole`.
pub const REGROLE_ARRAY: Oid = 4097;
/// `regcollation`.
pub const REGCOLLATION: Oid = 4191;
/// `_regcollation`.
pub const REGCOLLATION_ARRAY: Oid = 4192;
/// `xid8`.
pub const XID8: Oid = 5069;
/// `anycompatible`.
pub const ANYCOMPATIBLE: Oid = 5077;
/// `anycompatiblearray`.
pub const ANYCOMPATIBLEARRAY: Oid = 5078;
/// `anycompatiblenonarray`.
pub const ANYCOMPATIBLENONARRAY: Oid = 5079;
