//! The rows of `information_schema`, out of descriptors and catalog rows.
//!
//! A view that is not in [`Catalogs::information_rows`] has none: it tells of
//! things that do not exist here. What the standard asks for and a database
//! without privileges cannot tell is NULL.

mod columns;
mod constraints;

use crate::Catalogs;
use crate::row::Row;
use crate::store::{Reader, ids};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Relation, RelationKind};
use pg_txn_port::Transaction;
use pg_types::{Datum, Oid, SqlResult};

/// The one database there is.
const DATABASE: &str = "postgres";

/// `YES` or `NO`.
fn yes(value: bool) -> &'static str {
    if value { "YES" } else { "NO" }
}

/// A row under construction, with the names that nearly all views begin with.
fn table_row(view: &Arc<Relation>, relation: &Relation) -> Row {
    Row::new(view)
        .set("table_catalog", DATABASE)
        .set("table_schema", relation.schema.as_str())
        .set("table_name", relation.name.as_str())
}

impl Catalogs {
    /// The rows of a view.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn information_rows(
        &self,
        tx: &mut Transaction,
        view: &Arc<Relation>,
    ) -> SqlResult<Vec<Row>> {
        match view.name.as_str() {
            "information_schema_catalog_name" => {
                Ok(alloc::vec![Row::new(view).set("catalog_name", DATABASE)])
            }
            "schemata" => self.schemata(tx, view),
            "tables" => self.of_relations(tx, table_of(view)),
            "views" => self.of_relations(tx, view_of(view)),
            "sequences" => self.of_relations(tx, sequence_of(view)),
            "columns" => self.information_columns(tx, view),
            "table_privileges" | "role_table_grants" => self.of_relations(tx, grants_of(view)),
            "enabled_roles" => self.roles(tx, view),
            "character_sets" => Ok(alloc::vec![
                Row::new(view)
                    .set("character_set_name", "UTF8")
                    .set("character_repertoire", "UCS")
                    .set("form_of_use", "UTF8")
                    .set("default_collate_catalog", DATABASE)
                    .set("default_collate_schema", "pg_catalog")
                    .set("default_collate_name", "C.UTF-8")
            ]),
            "table_constraints"
            | "key_column_usage"
            | "constraint_column_usage"
            | "constraint_table_usage"
            | "referential_constraints"
            | "check_constraints" => self.information_constraints(tx, view),
            _ => Ok(Vec::new()),
        }
    }

    /// All relations but indexes, by id.
    fn all_relations(&self, tx: &mut Transaction) -> SqlResult<Vec<Arc<Relation>>> {
        let classes = Reader::new(&self.system, tx)?.scan(ids::CLASS)?;
        let mut oids: Vec<Oid> = classes
            .iter()
            .filter(|c| c.char("relkind") != 'i')
            .map(|c| c.oid("oid"))
            .collect();
        oids.sort_unstable();
        let mut all = Vec::with_capacity(oids.len());
        for oid in oids {
            all.extend(self.by_oid(tx, oid)?);
        }
        Ok(all)
    }

    fn of_relations(
        &self,
        tx: &mut Transaction,
        row: impl Fn(&Relation) -> Vec<Row>,
    ) -> SqlResult<Vec<Row>> {
        let all = self.all_relations(tx)?;
        Ok(all.iter().flat_map(|r| row(r)).collect())
    }

    fn schemata(&self, tx: &mut Transaction, view: &Arc<Relation>) -> SqlResult<Vec<Row>> {
        let reader = Reader::new(&self.system, tx)?;
        let mut rows = Vec::new();
        for schema in reader.scan(ids::NAMESPACE)? {
            let key = [schema.get("nspowner").clone()];
            let owner = reader.one(ids::AUTHID_BY_OID, &key)?;
            rows.push(
                Row::new(view)
                    .set("catalog_name", DATABASE)
                    .set("schema_name", schema.text("nspname"))
                    .set("schema_owner", owner.as_ref().map(|o| o.text("rolname"))),
            );
        }
        Ok(rows)
    }

    fn roles(&self, tx: &mut Transaction, view: &Arc<Relation>) -> SqlResult<Vec<Row>> {
        let roles = Reader::new(&self.system, tx)?.scan(ids::AUTHID)?;
        let row = |role: &Row| Row::new(view).set("role_name", role.text("rolname"));
        Ok(roles.iter().map(row).collect())
    }
}

fn is_view(relation: &Relation) -> bool {
    matches!(relation.kind, RelationKind::View | RelationKind::Virtual)
}

fn table_of(view: &Arc<Relation>) -> impl Fn(&Relation) -> Vec<Row> {
    move |relation| {
        let kind = match relation.kind {
            RelationKind::Sequence => return Vec::new(),
            RelationKind::Table if relation.schema.starts_with("pg_temp") => "LOCAL TEMPORARY",
            RelationKind::Table => "BASE TABLE",
            RelationKind::View | RelationKind::Virtual => "VIEW",
        };
        let table = relation.kind == RelationKind::Table;
        alloc::vec![
            table_row(view, relation)
                .set("table_type", kind)
                .set("is_insertable_into", yes(table))
                .set("is_typed", "NO")
        ]
    }
}

fn view_of(view: &Arc<Relation>) -> impl Fn(&Relation) -> Vec<Row> {
    move |relation| {
        if !is_view(relation) {
            return Vec::new();
        }
        alloc::vec![
            table_row(view, relation)
                .set("view_definition", relation.view.as_deref())
                .set("check_option", "NONE")
                .set("is_updatable", "NO")
                .set("is_insertable_into", "NO")
                .set("is_trigger_updatable", "NO")
                .set("is_trigger_deletable", "NO")
                .set("is_trigger_insertable_into", "NO")
        ]
    }
}

fn sequence_of(view: &Arc<Relation>) -> impl Fn(&Relation) -> Vec<Row> {
    move |relation| {
        let Some(info) = &relation.sequence else {
            return Vec::new();
        };
        let text = |n: i64| Datum::text(n.to_string());
        alloc::vec![
            Row::new(view)
                .set("sequence_catalog", DATABASE)
                .set("sequence_schema", relation.schema.as_str())
                .set("sequence_name", relation.name.as_str())
                .set(
                    "data_type",
                    Datum::text(pg_types::format_type(info.type_oid, -1))
                )
                .set("numeric_precision", columns::precision(info.type_oid))
                .set("numeric_precision_radix", 2)
                .set("numeric_scale", 0)
                .set("start_value", text(info.start))
                .set("minimum_value", text(info.min))
                .set("maximum_value", text(info.max))
                .set("increment", text(info.increment))
                .set("cycle_option", yes(info.cycle))
        ]
    }
}

/// The role `postgres` may do everything.
fn grants_of(view: &Arc<Relation>) -> impl Fn(&Relation) -> Vec<Row> {
    const RIGHTS: [&str; 7] = [
        "INSERT",
        "SELECT",
        "UPDATE",
        "DELETE",
        "TRUNCATE",
        "REFERENCES",
        "TRIGGER",
    ];
    move |relation| {
        if relation.kind == RelationKind::Sequence {
            return Vec::new();
        }
        let row = |right: &&str| {
            table_row(view, relation)
                .set("grantor", "postgres")
                .set("grantee", "postgres")
                .set("privilege_type", *right)
                .set("is_grantable", "YES")
                .set("with_hierarchy", yes(*right == "SELECT"))
        };
        RIGHTS.iter().map(row).collect()
    }
}
