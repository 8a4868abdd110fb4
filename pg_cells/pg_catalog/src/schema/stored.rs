//! The catalogs that are kept in tables: names, ids, columns and indexes as in
//! PostgreSQL 15. `?` marks columns that may be NULL.
//!
//! Columns of type `anyarray` there are `bytea` here and hold values in storage
//! form. `pg_node_tree` holds SQL text.

use super::{Source::Stored, TableDef, table};

#[rustfmt::skip] // A table: one relation an entry.
pub(super) const STORED: &[TableDef] = &[
    table(2604, "pg_attrdef", Stored,
        "oid:oid adrelid:oid adnum:int2 adbin:pg_node_tree",
        &[
            "2656 pg_attrdef_adrelid_adnum_index unique adrelid adnum",
            "2657 pg_attrdef_oid_index primary oid",
        ]),
    table(1249, "pg_attribute", Stored,
        "attrelid:oid attname:name atttypid:oid attstattarget:int4 attlen:int2 attnum:int2 \
         attndims:int4 attcacheoff:int4 atttypmod:int4 attbyval:bool attalign:char \
         attstorage:char attcompression:char attnotnull:bool atthasdef:bool atthasmissing:bool \
         attidentity:char attgenerated:char attisdropped:bool attislocal:bool attinhcount:int4 \
         attcollation:oid attacl:_aclitem? attoptions:_text? attfdwoptions:_text? \
         attmissingval:bytea?",
        &[
            "2658 pg_attribute_relid_attnam_index unique attrelid attname",
            "2659 pg_attribute_relid_attnum_index primary attrelid attnum",
        ]),
    table(1260, "pg_authid", Stored,
        "oid:oid rolname:name rolsuper:bool rolinherit:bool rolcreaterole:bool \
         rolcreatedb:bool rolcanlogin:bool rolreplication:bool rolbypassrls:bool \
         rolconnlimit:int4 rolpassword:text? rolvaliduntil:timestamptz?",
        &[
            "2676 pg_authid_rolname_index unique rolname",
            "2677 pg_authid_oid_index primary oid",
        ]),
    table(1259, "pg_class", Stored,
        "oid:oid relname:name relnamespace:oid reltype:oid reloftype:oid relowner:oid \
         relam:oid relfilenode:oid reltablespace:oid relpages:int4 reltuples:float4 \
         relallvisible:int4 reltoastrelid:oid relhasindex:bool relisshared:bool \
         relpersistence:char relkind:char relnatts:int2 relchecks:int2 relhasrules:bool \
         relhastriggers:bool relhassubclass:bool relrowsecurity:bool relforcerowsecurity:bool \
         relispopulated:bool relreplident:char relispartition:bool relrewrite:oid \
         relfrozenxid:xid relminmxid:xid relacl:_aclitem? reloptions:_text? \
         relpartbound:pg_node_tree?",
        &[
            "2662 pg_class_oid_index primary oid",
            "2663 pg_class_relname_nsp_index unique relname relnamespace",
            "3455 pg_class_tblspc_relfilenode_index plain reltablespace relfilenode",
        ]),
    table(2606, "pg_constraint", Stored,
        "oid:oid conname:name connamespace:oid contype:char condeferrable:bool \
         condeferred:bool convalidated:bool conrelid:oid contypid:oid conindid:oid \
         conparentid:oid confrelid:oid confupdtype:char confdeltype:char confmatchtype:char \
         conislocal:bool coninhcount:int4 connoinherit:bool conkey:_int2? confkey:_int2? \
         conpfeqop:_oid? conppeqop:_oid? conffeqop:_oid? confdelsetcols:_int2? conexclop:_oid? \
         conbin:pg_node_tree?",
        &[
            "2579 pg_constraint_conparentid_index plain conparentid",
            "2664 pg_constraint_conname_nsp_index plain conname connamespace",
            "2665 pg_constraint_conrelid_contypid_conname_index unique conrelid contypid conname",
            "2666 pg_constraint_contypid_index plain contypid",
            "2667 pg_constraint_oid_index primary oid",
        ]),
    table(1262, "pg_database", Stored,
        "oid:oid datname:name datdba:oid encoding:int4 datlocprovider:char datistemplate:bool \
         datallowconn:bool datconnlimit:int4 datfrozenxid:xid datminmxid:xid dattablespace:oid \
         datcollate:text datctype:text daticulocale:text? datcollversion:text? \
         datacl:_aclitem?",
        &[
            "2671 pg_database_datname_index unique datname",
            "2672 pg_database_oid_index primary oid",
        ]),
    table(2608, "pg_depend", Stored,
        "classid:oid objid:oid objsubid:int4 refclassid:oid refobjid:oid refobjsubid:int4 \
         deptype:char",
        &[
            "2673 pg_depend_depender_index plain classid objid objsubid",
            "2674 pg_depend_reference_index plain refclassid refobjid refobjsubid",
        ]),
    table(2609, "pg_description", Stored,
        "objoid:oid classoid:oid objsubid:int4 description:text",
        &[
            "2675 pg_description_o_c_o_index primary objoid classoid objsubid",
        ]),
    table(2610, "pg_index", Stored,
        "indexrelid:oid indrelid:oid indnatts:int2 indnkeyatts:int2 indisunique:bool \
         indnullsnotdistinct:bool indisprimary:bool indisexclusion:bool indimmediate:bool \
         indisclustered:bool indisvalid:bool indcheckxmin:bool indisready:bool indislive:bool \
         indisreplident:bool indkey:int2vector indcollation:oidvector indclass:oidvector \
         indoption:int2vector indexprs:pg_node_tree? indpred:pg_node_tree?",
        &[
            "2678 pg_index_indrelid_index plain indrelid",
            "2679 pg_index_indexrelid_index primary indexrelid",
        ]),
    table(2615, "pg_namespace", Stored,
        "oid:oid nspname:name nspowner:oid nspacl:_aclitem?",
        &[
            "2684 pg_namespace_nspname_index unique nspname",
            "2685 pg_namespace_oid_index primary oid",
        ]),
    table(2618, "pg_rewrite", Stored,
        "oid:oid rulename:name ev_class:oid ev_type:char ev_enabled:char is_instead:bool \
         ev_qual:pg_node_tree ev_action:pg_node_tree",
        &[
            "2692 pg_rewrite_oid_index primary oid",
            "2693 pg_rewrite_rel_rulename_index unique ev_class rulename",
        ]),
    table(2224, "pg_sequence", Stored,
        "seqrelid:oid seqtypid:oid seqstart:int8 seqincrement:int8 seqmax:int8 seqmin:int8 \
         seqcache:int8 seqcycle:bool",
        &[
            "5002 pg_sequence_seqrelid_index primary seqrelid",
        ]),
    table(2396, "pg_shdescription", Stored,
        "objoid:oid classoid:oid description:text",
        &[
            "2397 pg_shdescription_o_c_index primary objoid classoid",
        ]),
    table(2619, "pg_statistic", Stored,
        "starelid:oid staattnum:int2 stainherit:bool stanullfrac:float4 stawidth:int4 \
         stadistinct:float4 stakind1:int2 stakind2:int2 stakind3:int2 stakind4:int2 \
         stakind5:int2 staop1:oid staop2:oid staop3:oid staop4:oid staop5:oid stacoll1:oid \
         stacoll2:oid stacoll3:oid stacoll4:oid stacoll5:oid stanumbers1:_float4? \
         stanumbers2:_float4? stanumbers3:_float4? stanumbers4:_float4? stanumbers5:_float4? \
         stavalues1:bytea? stavalues2:bytea? stavalues3:bytea? stavalues4:bytea? \
         stavalues5:bytea?",
        &[
            "2696 pg_statistic_relid_att_inh_index primary starelid staattnum stainherit",
        ]),
    table(1247, "pg_type", Stored,
        "oid:oid typname:name typnamespace:oid typowner:oid typlen:int2 typbyval:bool \
         typtype:char typcategory:char typispreferred:bool typisdefined:bool typdelim:char \
         typrelid:oid typsubscript:regproc typelem:oid typarray:oid typinput:regproc \
         typoutput:regproc typreceive:regproc typsend:regproc typmodin:regproc \
         typmodout:regproc typanalyze:regproc typalign:char typstorage:char typnotnull:bool \
         typbasetype:oid typtypmod:int4 typndims:int4 typcollation:oid \
         typdefaultbin:pg_node_tree? typdefault:text? typacl:_aclitem?",
        &[
            "2703 pg_type_oid_index primary oid",
            "2704 pg_type_typname_nsp_index unique typname typnamespace",
        ]),
];
