//! The catalogs whose rows are made on demand: from the tables of `pg_builtins`,
//! or none as long as users cannot create such objects.

use super::{TableDef, fixed};

#[rustfmt::skip] // A table: one relation an entry.
pub(super) const FIXED: &[TableDef] = &[
    fixed(2600, "pg_aggregate",
        "aggfnoid:regproc aggkind:char aggnumdirectargs:int2 aggtransfn:regproc \
         aggfinalfn:regproc aggcombinefn:regproc aggserialfn:regproc aggdeserialfn:regproc \
         aggmtransfn:regproc aggminvtransfn:regproc aggmfinalfn:regproc aggfinalextra:bool \
         aggmfinalextra:bool aggfinalmodify:char aggmfinalmodify:char aggsortop:oid \
         aggtranstype:oid aggtransspace:int4 aggmtranstype:oid aggmtransspace:int4 \
         agginitval:text? aggminitval:text?"),
    fixed(2601, "pg_am",
        "oid:oid amname:name amhandler:regproc amtype:char"),
    fixed(2602, "pg_amop",
        "oid:oid amopfamily:oid amoplefttype:oid amoprighttype:oid amopstrategy:int2 \
         amoppurpose:char amopopr:oid amopmethod:oid amopsortfamily:oid"),
    fixed(2603, "pg_amproc",
        "oid:oid amprocfamily:oid amproclefttype:oid amprocrighttype:oid amprocnum:int2 \
         amproc:regproc"),
    fixed(1261, "pg_auth_members",
        "roleid:oid member:oid grantor:oid admin_option:bool"),
    fixed(2605, "pg_cast",
        "oid:oid castsource:oid casttarget:oid castfunc:oid castcontext:char castmethod:char"),
    fixed(3456, "pg_collation",
        "oid:oid collname:name collnamespace:oid collowner:oid collprovider:char \
         collisdeterministic:bool collencoding:int4 collcollate:text? collctype:text? \
         colliculocale:text? collversion:text?"),
    fixed(2607, "pg_conversion",
        "oid:oid conname:name connamespace:oid conowner:oid conforencoding:int4 \
         contoencoding:int4 conproc:regproc condefault:bool"),
    fixed(2964, "pg_db_role_setting",
        "setdatabase:oid setrole:oid setconfig:_text?"),
    fixed(826, "pg_default_acl",
        "oid:oid defaclrole:oid defaclnamespace:oid defaclobjtype:char defaclacl:_aclitem"),
    fixed(3501, "pg_enum",
        "oid:oid enumtypid:oid enumsortorder:float4 enumlabel:name"),
    fixed(3466, "pg_event_trigger",
        "oid:oid evtname:name evtevent:name evtowner:oid evtfoid:oid evtenabled:char \
         evttags:_text?"),
    fixed(3079, "pg_extension",
        "oid:oid extname:name extowner:oid extnamespace:oid extrelocatable:bool \
         extversion:text extconfig:_oid? extcondition:_text?"),
    fixed(2328, "pg_foreign_data_wrapper",
        "oid:oid fdwname:name fdwowner:oid fdwhandler:oid fdwvalidator:oid fdwacl:_aclitem? \
         fdwoptions:_text?"),
    fixed(1417, "pg_foreign_server",
        "oid:oid srvname:name srvowner:oid srvfdw:oid srvtype:text? srvversion:text? \
         srvacl:_aclitem? srvoptions:_text?"),
    fixed(3118, "pg_foreign_table",
        "ftrelid:oid ftserver:oid ftoptions:_text?"),
    fixed(2611, "pg_inherits",
        "inhrelid:oid inhparent:oid inhseqno:int4 inhdetachpending:bool"),
    fixed(3394, "pg_init_privs",
        "objoid:oid classoid:oid objsubid:int4 privtype:char initprivs:_aclitem"),
    fixed(2612, "pg_language",
        "oid:oid lanname:name lanowner:oid lanispl:bool lanpltrusted:bool lanplcallfoid:oid \
         laninline:oid lanvalidator:oid lanacl:_aclitem?"),
    fixed(2613, "pg_largeobject",
        "loid:oid pageno:int4 data:bytea"),
    fixed(2995, "pg_largeobject_metadata",
        "oid:oid lomowner:oid lomacl:_aclitem?"),
    fixed(2616, "pg_opclass",
        "oid:oid opcmethod:oid opcname:name opcnamespace:oid opcowner:oid opcfamily:oid \
         opcintype:oid opcdefault:bool opckeytype:oid"),
    fixed(2617, "pg_operator",
        "oid:oid oprname:name oprnamespace:oid oprowner:oid oprkind:char oprcanmerge:bool \
         oprcanhash:bool oprleft:oid oprright:oid oprresult:oid oprcom:oid oprnegate:oid \
         oprcode:regproc oprrest:regproc oprjoin:regproc"),
    fixed(2753, "pg_opfamily",
        "oid:oid opfmethod:oid opfname:name opfnamespace:oid opfowner:oid"),
    fixed(6243, "pg_parameter_acl",
        "oid:oid parname:text paracl:_aclitem?"),
    fixed(3350, "pg_partitioned_table",
        "partrelid:oid partstrat:char partnatts:int2 partdefid:oid partattrs:int2vector \
         partclass:oidvector partcollation:oidvector partexprs:pg_node_tree?"),
    fixed(3256, "pg_policy",
        "oid:oid polname:name polrelid:oid polcmd:char polpermissive:bool polroles:_oid \
         polqual:pg_node_tree? polwithcheck:pg_node_tree?"),
    fixed(1255, "pg_proc",
        "oid:oid proname:name pronamespace:oid proowner:oid prolang:oid procost:float4 \
         prorows:float4 provariadic:oid prosupport:regproc prokind:char prosecdef:bool \
         proleakproof:bool proisstrict:bool proretset:bool provolatile:char proparallel:char \
         pronargs:int2 pronargdefaults:int2 prorettype:oid proargtypes:oidvector \
         proallargtypes:_oid? proargmodes:_char? proargnames:_text? \
         proargdefaults:pg_node_tree? protrftypes:_oid? prosrc:text probin:text? \
         prosqlbody:pg_node_tree? proconfig:_text? proacl:_aclitem?"),
    fixed(6104, "pg_publication",
        "oid:oid pubname:name pubowner:oid puballtables:bool pubinsert:bool pubupdate:bool \
         pubdelete:bool pubtruncate:bool pubviaroot:bool"),
    fixed(6237, "pg_publication_namespace",
        "oid:oid pnpubid:oid pnnspid:oid"),
    fixed(6106, "pg_publication_rel",
        "oid:oid prpubid:oid prrelid:oid prqual:pg_node_tree? prattrs:int2vector?"),
    fixed(3541, "pg_range",
        "rngtypid:oid rngsubtype:oid rngmultitypid:oid rngcollation:oid rngsubopc:oid \
         rngcanonical:regproc rngsubdiff:regproc"),
    fixed(6000, "pg_replication_origin",
        "roident:oid roname:text"),
    fixed(3596, "pg_seclabel",
        "objoid:oid classoid:oid objsubid:int4 provider:text label:text"),
    fixed(1214, "pg_shdepend",
        "dbid:oid classid:oid objid:oid objsubid:int4 refclassid:oid refobjid:oid deptype:char"),
    fixed(3592, "pg_shseclabel",
        "objoid:oid classoid:oid provider:text label:text"),
    fixed(3381, "pg_statistic_ext",
        "oid:oid stxrelid:oid stxname:name stxnamespace:oid stxowner:oid stxstattarget:int4 \
         stxkeys:int2vector stxkind:_char stxexprs:pg_node_tree?"),
    fixed(3429, "pg_statistic_ext_data",
        "stxoid:oid stxdinherit:bool stxdndistinct:bytea? stxddependencies:bytea? \
         stxdmcv:bytea? stxdexpr:bytea?"),
    fixed(6100, "pg_subscription",
        "oid:oid subdbid:oid subskiplsn:pg_lsn subname:name subowner:oid subenabled:bool \
         subbinary:bool substream:bool subtwophasestate:char subdisableonerr:bool \
         subconninfo:text subslotname:name? subsynccommit:text subpublications:_text"),
    fixed(6102, "pg_subscription_rel",
        "srsubid:oid srrelid:oid srsubstate:char srsublsn:pg_lsn?"),
    fixed(1213, "pg_tablespace",
        "oid:oid spcname:name spcowner:oid spcacl:_aclitem? spcoptions:_text?"),
    fixed(3576, "pg_transform",
        "oid:oid trftype:oid trflang:oid trffromsql:regproc trftosql:regproc"),
    fixed(2620, "pg_trigger",
        "oid:oid tgrelid:oid tgparentid:oid tgname:name tgfoid:oid tgtype:int2 tgenabled:char \
         tgisinternal:bool tgconstrrelid:oid tgconstrindid:oid tgconstraint:oid \
         tgdeferrable:bool tginitdeferred:bool tgnargs:int2 tgattr:int2vector tgargs:bytea \
         tgqual:pg_node_tree? tgoldtable:name? tgnewtable:name?"),
    fixed(3602, "pg_ts_config",
        "oid:oid cfgname:name cfgnamespace:oid cfgowner:oid cfgparser:oid"),
    fixed(3603, "pg_ts_config_map",
        "mapcfg:oid maptokentype:int4 mapseqno:int4 mapdict:oid"),
    fixed(3600, "pg_ts_dict",
        "oid:oid dictname:name dictnamespace:oid dictowner:oid dicttemplate:oid \
         dictinitoption:text?"),
    fixed(3601, "pg_ts_parser",
        "oid:oid prsname:name prsnamespace:oid prsstart:regproc prstoken:regproc \
         prsend:regproc prsheadline:regproc prslextype:regproc"),
    fixed(3764, "pg_ts_template",
        "oid:oid tmplname:name tmplnamespace:oid tmplinit:regproc tmpllexize:regproc"),
    fixed(1418, "pg_user_mapping",
        "oid:oid umuser:oid umserver:oid umoptions:_text?"),
];
