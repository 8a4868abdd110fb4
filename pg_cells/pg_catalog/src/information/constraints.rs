//! Views over `pg_constraint`. NOT NULL counts as a check, as the standard
//! has it.

use super::{DATABASE, yes};
use crate::Catalogs;
use crate::row::Row;
use crate::store::{Reader, ids};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::Relation;
use pg_txn_port::Transaction;
use pg_types::{Datum, Oid, SqlResult};

/// A constraint, whatever its kind.
struct Constraint {
    row: Row,
    table: Arc<Relation>,
}

impl Constraint {
    fn name(&self) -> &str {
        self.row.text("conname")
    }

    fn kind(&self) -> char {
        self.row.char("contype")
    }

    /// A row with the constraint's name.
    fn named(&self, view: &Arc<Relation>) -> Row {
        Row::new(view)
            .set("constraint_catalog", DATABASE)
            .set("constraint_schema", self.table.schema.as_str())
            .set("constraint_name", self.name())
    }

    /// The same with a table's.
    fn of(&self, view: &Arc<Relation>, table: &Relation) -> Row {
        self.named(view)
            .set("table_catalog", DATABASE)
            .set("table_schema", table.schema.as_str())
            .set("table_name", table.name.as_str())
    }
}

/// The name of a column.
fn column(table: &Relation, number: i64) -> Datum {
    let attr = table.desc.attrs().get(number as usize - 1);
    attr.map_or(Datum::Null, |a| Datum::Text(a.name.clone()))
}

impl Catalogs {
    /// The rows of one of the views.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn information_constraints(
        &self,
        tx: &mut Transaction,
        view: &Arc<Relation>,
    ) -> SqlResult<Vec<Row>> {
        let mut all = Vec::new();
        for row in Reader::new(&self.system, tx)?.scan(ids::CONSTRAINT)? {
            if let Some(table) = self.by_oid(tx, row.oid("conrelid"))? {
                all.push(Constraint { row, table });
            }
        }
        let mut rows = Vec::new();
        match view.name.as_str() {
            "table_constraints" => {
                rows.extend(all.iter().map(|c| table_constraint(view, c)));
                self.not_nulls(tx, view, &mut rows)?;
            }
            "check_constraints" => {
                let checks = all.iter().filter(|c| c.kind() == 'c');
                rows.extend(checks.map(|c| {
                    let clause = format!("(({}))", c.row.text("conbin"));
                    c.named(view).set("check_clause", Datum::text(clause))
                }));
                self.not_nulls(tx, view, &mut rows)?;
            }
            "key_column_usage" => {
                for c in all.iter().filter(|c| c.kind() != 'c') {
                    self.key_columns(tx, view, c, &mut rows)?;
                }
            }
            "constraint_column_usage" | "constraint_table_usage" => {
                for c in &all {
                    self.used(tx, view, c, &mut rows)?;
                }
            }
            _ => {
                for c in all.iter().filter(|c| c.kind() == 'f') {
                    rows.push(self.referential(tx, view, c)?);
                }
            }
        }
        Ok(rows)
    }

    /// NOT NULL columns of users, as checks.
    fn not_nulls(
        &self,
        tx: &mut Transaction,
        view: &Arc<Relation>,
        rows: &mut Vec<Row>,
    ) -> SqlResult<()> {
        for table in self.all_relations(tx)? {
            if table.oid < pg_types::oid::FIRST_NORMAL || table.sequence.is_some() {
                continue;
            }
            for (place, attr) in table.desc.attrs().iter().enumerate() {
                if !attr.not_null || attr.dropped {
                    continue;
                }
                let (schema, oid, number) = (table.schema_oid, table.oid, place + 1);
                let name = format!("{schema}_{oid}_{number}_not_null");
                let row = Row::new(view)
                    .set("constraint_catalog", DATABASE)
                    .set("constraint_schema", table.schema.as_str())
                    .set("constraint_name", Datum::text(name));
                rows.push(if view.name == "check_constraints" {
                    let clause = format!("{} IS NOT NULL", attr.name);
                    row.set("check_clause", Datum::text(clause))
                } else {
                    row.set("table_catalog", DATABASE)
                        .set("table_schema", table.schema.as_str())
                        .set("table_name", table.name.as_str())
                        .set("constraint_type", "CHECK")
                        .set("is_deferrable", "NO")
                        .set("initially_deferred", "NO")
                        .set("enforced", "YES")
                });
            }
        }
        Ok(())
    }

    fn key_columns(
        &self,
        tx: &mut Transaction,
        view: &Arc<Relation>,
        c: &Constraint,
        rows: &mut Vec<Row>,
    ) -> SqlResult<()> {
        let theirs = c.row.ints("confkey");
        let index = self.keys_of_index(tx, c.row.oid("conindid"))?;
        for (place, number) in c.row.ints("conkey").into_iter().enumerate() {
            let position = theirs.get(place).and_then(|theirs| {
                let at = index.iter().position(|k| k == theirs)?;
                Some(at as i32 + 1)
            });
            rows.push(
                c.of(view, &c.table)
                    .set("column_name", column(&c.table, number))
                    .set("ordinal_position", place as i32 + 1)
                    .set("position_in_unique_constraint", position),
            );
        }
        Ok(())
    }

    fn keys_of_index(&self, tx: &mut Transaction, index: Oid) -> SqlResult<Vec<i64>> {
        let reader = Reader::new(&self.system, tx)?;
        let row = reader.one(ids::INDEX_BY_OID, &[Datum::Oid(index)])?;
        Ok(row.map(|r| r.ints("indkey")).unwrap_or_default())
    }

    /// What a constraint looks at: for a foreign key the other table.
    fn used(
        &self,
        tx: &mut Transaction,
        view: &Arc<Relation>,
        c: &Constraint,
        rows: &mut Vec<Row>,
    ) -> SqlResult<()> {
        let other = match c.kind() {
            'f' => self.by_oid(tx, c.row.oid("confrelid"))?,
            _ => Some(Arc::clone(&c.table)),
        };
        let Some(table) = other else {
            return Ok(());
        };
        if view.name == "constraint_table_usage" {
            // Checks concern rows, not the table as a whole.
            if c.kind() != 'c' {
                rows.push(c.of(view, &table));
            }
            return Ok(());
        }
        let key = if c.kind() == 'f' { "confkey" } else { "conkey" };
        for number in c.row.ints(key) {
            rows.push(
                c.of(view, &table)
                    .set("column_name", column(&table, number)),
            );
        }
        Ok(())
    }

    fn referential(
        &self,
        tx: &mut Transaction,
        view: &Arc<Relation>,
        c: &Constraint,
    ) -> SqlResult<Row> {
        let other = self.by_oid(tx, c.row.oid("confrelid"))?;
        let index = c.row.oid("conindid");
        let unique = other.as_ref().and_then(|t| {
            let index = t.indexes.iter().find(|i| i.oid == index)?;
            index.constraint.clone()
        });
        let schema = other.as_ref().map(|t| t.schema.clone());
        let known = unique.as_ref().map(|_| DATABASE);
        let full = c.row.char("confmatchtype") == 'f';
        Ok(c.named(view)
            .set("unique_constraint_catalog", known)
            .set(
                "unique_constraint_schema",
                text(unique.as_ref().and(schema)),
            )
            .set("unique_constraint_name", text(unique))
            .set("match_option", if full { "FULL" } else { "NONE" })
            .set("update_rule", rule(c.row.char("confupdtype")))
            .set("delete_rule", rule(c.row.char("confdeltype"))))
    }
}

fn text(value: Option<String>) -> Datum {
    value.map_or(Datum::Null, Datum::text)
}

fn rule(action: char) -> &'static str {
    match action {
        'c' => "CASCADE",
        'n' => "SET NULL",
        'd' => "SET DEFAULT",
        'r' => "RESTRICT",
        _ => "NO ACTION",
    }
}

fn table_constraint(view: &Arc<Relation>, c: &Constraint) -> Row {
    let kind = match c.kind() {
        'p' => "PRIMARY KEY",
        'u' => "UNIQUE",
        'f' => "FOREIGN KEY",
        _ => "CHECK",
    };
    let unique = c.kind() == 'u';
    c.of(view, &c.table)
        .set("constraint_type", kind)
        .set("is_deferrable", yes(c.row.bool("condeferrable")))
        .set("initially_deferred", yes(c.row.bool("condeferred")))
        .set("enforced", "YES")
        .set("nulls_distinct", unique.then_some("YES"))
}
