//! Definitions and names as PostgreSQL shows them.

use catalog_tests::*;
use pg_builtins::CatalogQuery;
use pg_catalog_port::CATALOG;
use pg_plan::{
    AlterTable, CommentTarget, ConstraintKind, CreateIndex, CreateView, Ddl, Expr, NewConstraint,
    NewIndexKey, TableChange,
};
use pg_types::{Datum, Str, oid};

fn text(datum: Datum) -> String {
    datum.as_str().unwrap_or("NULL").to_string()
}

fn regclass(name: &str) -> Datum {
    ask(CatalogQuery::RegFromName(oid::REGCLASS, name)).expect("an answer")
}

fn index_def(name: &str) -> String {
    text(call("pg_get_indexdef", &[regclass(name)]))
}

fn key(attribute: i16) -> NewIndexKey {
    NewIndexKey {
        attribute,
        expression: None,
        type_oid: if attribute == 1 { oid::INT4 } else { oid::TEXT },
        class: None,
        descending: false,
        nulls_first: false,
    }
}

fn column_expr(index: usize, type_oid: u32) -> Expr {
    Expr::Column { index, type_oid }
}

fn create_index(name: Option<&str>, keys: Vec<NewIndexKey>) -> CreateIndex {
    CreateIndex {
        name: name.map(Into::into),
        table: look_up("t").expect("the table"),
        unique: false,
        if_not_exists: false,
        nulls_not_distinct: false,
        keys,
        include: Vec::new(),
        concurrently: false,
        predicate: None,
        options: Vec::new(),
    }
}

#[test]
fn indexes_are_written_out() {
    let _alone = alone();
    let _db = Db::new();
    run(&create_simple("t")).unwrap();
    assert_eq!(
        index_def("t_pkey"),
        "CREATE UNIQUE INDEX t_pkey ON public.t USING btree (id)"
    );
    run(&Ddl::CreateIndex(create_index(None, vec![key(1), key(2)]))).unwrap();
    assert_eq!(
        index_def("t_id_v_idx"),
        "CREATE INDEX t_id_v_idx ON public.t USING btree (id, v)"
    );
    let mut computed = key(0);
    computed.expression = Some(("lower(v)".into(), column_expr(1, oid::TEXT)));
    computed.descending = true;
    computed.nulls_first = true;
    let mut def = create_index(Some("Odd"), vec![computed, key(1)]);
    def.unique = true;
    def.predicate = Some(("id > 0".into(), column_expr(0, oid::INT4)));
    run(&Ddl::CreateIndex(def)).unwrap();
    assert_eq!(
        index_def("\"Odd\""),
        "CREATE UNIQUE INDEX \"Odd\" ON public.t USING btree (lower(v) DESC, id) WHERE (id > 0)"
    );
    let args = [regclass("\"Odd\""), Datum::Int4(2), Datum::Bool(true)];
    assert_eq!(text(call("pg_get_indexdef", &args)), "id");
    let table = look_up("t").unwrap();
    let odd = table.indexes.iter().find(|i| i.name == "Odd").unwrap();
    assert_eq!(odd.keys[0].expression.as_deref(), Some("lower(v)"));
    assert_eq!(odd.keys[0].type_oid, oid::TEXT);
    assert!(odd.keys[0].descending && odd.keys[0].nulls_first);
    assert_eq!(odd.predicate.as_deref(), Some("id > 0"));
    // The name of the sequence is written by the path; an unknown name is NULL.
    assert_eq!(regclass("nothing"), Datum::Null);
}

#[test]
fn constraints_are_written_out() {
    let _alone = alone();
    let _db = Db::new();
    run(&create_simple("a")).unwrap();
    let check = constraint(ConstraintKind::Check {
        expression: "id > 0".into(),
        condition: column_expr(0, oid::INT4),
        columns: vec!["id".into()],
    });
    let mut fk = references("a_id", "a");
    let ConstraintKind::ForeignKey { on_delete, .. } = &mut fk.kind else {
        unreachable!()
    };
    *on_delete = 'c';
    let unique = constraint(ConstraintKind::Unique {
        columns: vec!["a_id".into(), "id".into()],
        nulls_not_distinct: false,
    });
    let columns = vec![column("id", oid::INT4), column("a_id", oid::INT4)];
    run(&create(
        "b",
        columns,
        vec![primary_key(&["id"]), unique, check, fk],
    ))
    .unwrap();
    let catalog = CATALOG.enter().unwrap();
    let b = look_up("b").unwrap();
    assert_eq!(b.checks[0].name, "b_id_check");
    let def = |oid: u32| text(call("pg_get_constraintdef", &[Datum::Oid(oid)]));
    assert_eq!(def(b.checks[0].oid), "CHECK ((id > 0))");
    assert_eq!(
        def(b.foreign_keys[0].oid),
        "FOREIGN KEY (a_id) REFERENCES a(id) ON DELETE CASCADE"
    );
    let names: Vec<&str> = b.indexes.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["b_pkey", "b_a_id_id_key"]);
    // Off the path names are qualified.
    let mut tx = begin();
    let query =
        CatalogQuery::Function("pg_get_constraintdef", &[Datum::Oid(b.foreign_keys[0].oid)]);
    let far = catalog.describe(&mut tx, &[], query).unwrap();
    assert_eq!(
        text(far),
        "FOREIGN KEY (a_id) REFERENCES public.a(id) ON DELETE CASCADE"
    );
}

#[test]
fn serial_defaults_name_their_sequence() {
    let _alone = alone();
    let _db = Db::new();
    run(&create("t", vec![serial("id")], vec![])).unwrap();
    let args = [Datum::text("t"), Datum::text("id")];
    assert_eq!(
        text(call("pg_get_serial_sequence", &args)),
        "public.t_id_seq"
    );
    let default = |path: &[Str]| {
        let table = look_up("t").unwrap();
        let stored = table.columns[0].default.clone().expect("a default");
        let args = [Datum::text(stored), Datum::Oid(table.oid)];
        let query = CatalogQuery::Function("pg_get_expr", &args);
        text(
            CATALOG
                .enter()
                .unwrap()
                .describe(&mut begin(), path, query)
                .unwrap(),
        )
    };
    assert_eq!(default(&path()), "nextval('t_id_seq'::regclass)");
    assert_eq!(default(&[]), "nextval('public.t_id_seq'::regclass)");
    let rename = Ddl::AlterTable(AlterTable {
        relation: look_up("t_id_seq").unwrap(),
        index: None,
        changes: vec![TableChange::Rename { to: "other".into() }],
    });
    run(&rename).unwrap();
    assert_eq!(default(&path()), "nextval('other'::regclass)");
    assert_eq!(
        look_up("t").unwrap().columns[0].sequence,
        look_up("other").map(|s| s.oid)
    );
    // As pg_dump writes it: by name.
    let set = |default: &str| {
        run(&Ddl::AlterTable(AlterTable {
            relation: look_up("t").unwrap(),
            index: None,
            changes: vec![TableChange::ColumnDefault {
                attribute: 1,
                default: Some(default.into()),
            }],
        }))
    };
    set("nextval('public.other'::regclass)").unwrap();
    assert_eq!(default(&path()), "nextval('other'::regclass)");
    set("nextval('other') + 1").unwrap();
    assert_eq!(default(&path()), "nextval('other'::regclass) + 1");
}

#[test]
fn renames_reach_what_names_columns() {
    let _alone = alone();
    let _db = Db::new();
    let check = NewConstraint {
        name: Some("positive".into()),
        ..constraint(ConstraintKind::Check {
            expression: "id > 0".into(),
            condition: column_expr(0, oid::INT4),
            columns: vec!["id".into()],
        })
    };
    let columns = vec![column("id", oid::INT4), column("v", oid::TEXT)];
    run(&create("t", columns, vec![primary_key(&["id"]), check])).unwrap();
    let change = |change| {
        run(&Ddl::AlterTable(AlterTable {
            relation: look_up("t").unwrap(),
            index: None,
            changes: vec![change],
        }))
    };
    change(TableChange::RenameColumn {
        attribute: 1,
        to: "Key".into(),
    })
    .unwrap();
    change(TableChange::RenameConstraint {
        name: "t_pkey".into(),
        to: "pk".into(),
    })
    .unwrap();
    let table = look_up("t").unwrap();
    assert_eq!(table.desc.find("Key"), Some(0));
    assert_eq!(table.checks[0].expression, "\"Key\" > 0");
    assert_eq!(table.indexes[0].name, "pk");
    assert_eq!(
        index_def("pk"),
        "CREATE UNIQUE INDEX pk ON public.t USING btree (\"Key\")"
    );
    change(TableChange::DropConstraint {
        name: "pk".into(),
        if_exists: false,
        cascade: false,
    })
    .unwrap();
    assert!(look_up("t").unwrap().indexes.is_empty());
    let error = change(TableChange::DropConstraint {
        name: "pk".into(),
        if_exists: false,
        cascade: false,
    })
    .unwrap_err();
    assert_eq!(
        error.message(),
        "constraint \"pk\" of relation \"t\" does not exist"
    );
}

#[test]
fn comments_and_views_are_kept() {
    let _alone = alone();
    let db = Db::new();
    run(&create_simple("t")).unwrap();
    let table = look_up("t").unwrap();
    let comment = |target: CommentTarget, text: Option<&str>| {
        run(&Ddl::Comment {
            target,
            text: text.map(Into::into),
        })
        .unwrap()
    };
    let column = CommentTarget::Column {
        relation: table.clone(),
        attribute: 2,
    };
    comment(CommentTarget::Relation(table.clone()), Some("first"));
    comment(CommentTarget::Relation(table.clone()), Some("a table"));
    comment(column.clone(), Some("a column"));
    let said =
        |column| text(ask(CatalogQuery::Description(table.oid, "pg_class", column)).unwrap());
    assert_eq!(
        (said(0).as_str(), said(2).as_str()),
        ("a table", "a column")
    );
    comment(column, None);
    assert_eq!(said(2), "NULL");
    run(&Ddl::CreateView(CreateView {
        name: name("w"),
        or_replace: false,
        temporary: false,
        columns: vec![("id".into(), oid::INT4, -1)],
        query: "SELECT t.id FROM t".into(),
        uses: vec![table.oid],
    }))
    .unwrap();
    let db = db.power_cut(3);
    assert_eq!(said(0), "a table");
    let view = look_up("w").unwrap();
    assert_eq!(view.view.as_deref(), Some("SELECT t.id FROM t"));
    let shown = text(call("pg_get_viewdef", &[Datum::Oid(view.oid)]));
    assert_eq!(shown, " SELECT t.id FROM t;");
    let name = ask(CatalogQuery::NameOfReg(oid::REGCLASS, view.oid)).unwrap();
    assert_eq!(text(name), "w");
    let visible = ask(CatalogQuery::IsVisible("pg_class", view.oid)).unwrap();
    assert_eq!(visible, Datum::Bool(true));
    assert_eq!(text(ask(CatalogQuery::UserById(10)).unwrap()), "postgres");
    let size = call("pg_total_relation_size", &[Datum::Oid(table.oid)]);
    assert!(matches!(size, Datum::Int8(8192..)), "{size:?}");
    drop(db);
}

#[test]
fn an_unknown_function_is_refused() {
    let _alone = alone();
    let _db = Db::new();
    let error = ask(CatalogQuery::Function("pg_nothing", &[])).unwrap_err();
    assert_eq!(error.code(), pg_types::SqlState::FEATURE_NOT_SUPPORTED);
}
