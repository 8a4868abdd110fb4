//! `information_schema.columns`, and what the standard says of types.

use super::{DATABASE, table_row, yes};
use crate::Catalogs;
use crate::describe::defs::Writer;
use crate::row::Row;
use crate::store::Reader;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Relation, RelationKind};
use pg_txn_port::Transaction;
use pg_types::oid::{self, Oid};
use pg_types::typename::{VARHDRSZ, numeric_precision_scale};
use pg_types::{Attr, Datum, SqlResult, format_type, type_info, typeinfo};

/// Bytes of a text without limit, as PostgreSQL reports it.
const MAX_OCTETS: i32 = 1 << 30;

/// Binary digits of a number; none for other types and numeric.
pub fn precision(type_oid: Oid) -> Option<i32> {
    Some(match type_oid {
        oid::INT2 => 16,
        oid::INT4 => 32,
        oid::INT8 => 64,
        oid::FLOAT4 => 24,
        oid::FLOAT8 => 53,
        _ => return None,
    })
}

/// Sets the columns that tell of a type.
fn set_type(row: Row, attr: &Attr) -> Row {
    let (kind, typmod) = (attr.type_oid, attr.typmod);
    let info = type_info(kind);
    let name = match info {
        Some(_) if typeinfo::element_of(kind).is_some() => "ARRAY".to_string(),
        Some(_) => format_type(kind, -1),
        None => "USER-DEFINED".to_string(),
    };
    // As SQL spells it; alone it is the internal name.
    let name = if kind == oid::BPCHAR {
        String::from("character")
    } else {
        name
    };
    let mut row = row
        .set("data_type", Datum::text(name))
        .set("udt_catalog", DATABASE)
        .set("udt_schema", "pg_catalog")
        .set("udt_name", info.map(|t| t.name));
    match kind {
        oid::VARCHAR | oid::BPCHAR | oid::TEXT => {
            let limit = (kind != oid::TEXT && typmod >= VARHDRSZ).then(|| typmod - VARHDRSZ);
            let octets = limit.map_or(MAX_OCTETS, |n| n.saturating_mul(4).min(MAX_OCTETS));
            row.put("character_maximum_length", limit);
            row.put("character_octet_length", octets);
        }
        oid::NUMERIC => {
            let digits = numeric_precision_scale(typmod);
            row.put("numeric_precision", digits.map(|(p, _)| p));
            row.put("numeric_precision_radix", 10);
            row.put("numeric_scale", digits.map(|(_, s)| s));
        }
        oid::DATE => row.put("datetime_precision", 0),
        oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL => {
            let digits = if typmod < 0 { 6 } else { typmod & 0xffff };
            row.put("datetime_precision", digits.min(6));
        }
        _ => {
            row.put("numeric_precision", precision(kind));
            let number = precision(kind).is_some();
            row.put("numeric_precision_radix", number.then_some(2));
            let whole = matches!(kind, oid::INT2 | oid::INT4 | oid::INT8);
            row.put("numeric_scale", whole.then_some(0));
        }
    }
    row
}

impl Catalogs {
    /// `information_schema.columns`.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn information_columns(
        &self,
        tx: &mut Transaction,
        view: &Arc<Relation>,
    ) -> SqlResult<Vec<Row>> {
        let mut rows = Vec::new();
        for relation in self.all_relations(tx)? {
            if relation.kind == RelationKind::Sequence {
                continue;
            }
            for (place, attr) in relation.desc.attrs().iter().enumerate() {
                if !attr.dropped {
                    rows.push(self.column_row(tx, view, &relation, place, attr)?);
                }
            }
        }
        Ok(rows)
    }

    fn column_row(
        &self,
        tx: &mut Transaction,
        view: &Arc<Relation>,
        relation: &Relation,
        place: usize,
        attr: &Attr,
    ) -> SqlResult<Row> {
        let number = place as i32 + 1;
        let mut row = table_row(view, relation)
            .set("column_name", attr.name.clone())
            .set("ordinal_position", number)
            .set("is_nullable", yes(!attr.not_null))
            .set("dtd_identifier", Datum::text(number.to_string()))
            .set("is_self_referencing", "NO")
            .set("is_identity", "NO")
            .set("identity_cycle", "NO")
            .set("is_generated", "NEVER")
            .set("is_updatable", yes(relation.kind == RelationKind::Table));
        row = set_type(row, attr);
        let Some(column) = relation.columns.get(place) else {
            return Ok(row);
        };
        if let Some(default) = &column.default {
            let reader = Reader::new(&self.system, tx)?;
            let writer = Writer {
                reader: &reader,
                path: &[],
            };
            row.put("column_default", Datum::text(writer.expression(default)?));
        }
        let (Some(identity), Some(sequence)) = (column.identity, column.sequence) else {
            return Ok(row);
        };
        row.put("is_identity", "YES");
        let kind = if identity == 'a' {
            "ALWAYS"
        } else {
            "BY DEFAULT"
        };
        row.put("identity_generation", kind);
        let sequence = self.by_oid(tx, sequence)?;
        if let Some(info) = sequence.as_ref().and_then(|s| s.sequence.as_ref()) {
            let text = |n: i64| Datum::text(n.to_string());
            row.put("identity_start", text(info.start));
            row.put("identity_increment", text(info.increment));
            row.put("identity_maximum", text(info.max));
            row.put("identity_minimum", text(info.min));
            row.put("identity_cycle", yes(info.cycle));
        }
        Ok(row)
    }
}
