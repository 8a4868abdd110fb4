//! Keeping a table's indexes: [`IndexWriter`] computes the key of a row, for one
//! index.

use crate::env::Env;
use crate::expr::{Code, compile, compile_option};
use crate::op::Builder;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Index, IndexExprs, Relation};
use pg_types::{Datum, KeyOrder, Oid, SqlError, SqlResult, keycode};

/// Computes keys of one index.
pub struct IndexWriter {
    /// The index.
    pub index: Arc<Index>,
    columns: Vec<KeyColumn>,
    predicate: Option<Code>,
    /// Places of the table's columns that the entry depends on; `None` when
    /// expressions make that unknown.
    depends: Option<Vec<usize>>,
    /// The key's values.
    pub values: Vec<Datum>,
    /// The key's bytes.
    pub key: Vec<u8>,
}

struct KeyColumn {
    source: Source,
    type_oid: Oid,
    order: KeyOrder,
}

enum Source {
    Column(usize),
    Expression(Code),
}

/// Whether a row has an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// It has none: the index's condition is not true.
    None,
    /// It has one that may repeat: the index is not unique, or NULLs make it
    /// different from all others.
    Plain,
    /// It must be the only one.
    Unique,
}

impl IndexWriter {
    /// For an index of a table.
    ///
    /// # Errors
    /// XX000 when the plan lacks the index's expressions.
    pub fn compile(
        relation: &Relation,
        index: &Arc<Index>,
        exprs: Option<&IndexExprs>,
        builder: &mut Builder,
    ) -> SqlResult<Self> {
        let mut columns = Vec::with_capacity(index.keys.len());
        let mut depends = Vec::new();
        for (i, key) in index.keys.iter().enumerate() {
            let expr = exprs.and_then(|e| e.keys.get(i)).and_then(Option::as_ref);
            let source = match (usize::try_from(key.attribute - 1), expr) {
                (Ok(at), _) if at < relation.desc.len() => {
                    depends.push(at);
                    Source::Column(at)
                }
                (_, Some(expr)) => Source::Expression(compile(expr, builder)?),
                _ => return Err(missing(index)),
            };
            let order = KeyOrder {
                desc: key.descending,
                nulls_first: key.nulls_first,
            };
            columns.push(KeyColumn {
                source,
                type_oid: key.type_oid,
                order,
            });
        }
        let predicate = compile_option(exprs.and_then(|e| e.predicate.as_ref()), builder)?;
        if predicate.is_none() && index.predicate.is_some() {
            return Err(missing(index));
        }
        let computed = predicate.is_some()
            || columns
                .iter()
                .any(|c| matches!(c.source, Source::Expression(_)));
        Ok(IndexWriter {
            index: index.clone(),
            columns,
            predicate,
            depends: if computed { None } else { Some(depends) },
            values: Vec::new(),
            key: Vec::new(),
        })
    }

    /// All indexes of a table.
    ///
    /// # Errors
    /// As [`IndexWriter::compile`].
    pub fn compile_all(
        relation: &Relation,
        exprs: &[IndexExprs],
        builder: &mut Builder,
    ) -> SqlResult<Vec<Self>> {
        let of = |index: &Index| exprs.iter().find(|e| e.index == index.oid);
        relation
            .indexes
            .iter()
            .map(|i| IndexWriter::compile(relation, i, of(i), builder))
            .collect()
    }

    /// Whether a change of these columns can change the entry.
    #[must_use]
    pub fn touched_by(&self, changed: &[usize]) -> bool {
        match &self.depends {
            Some(columns) => columns.iter().any(|c| changed.contains(c)),
            None => true,
        }
    }

    /// Computes the key of a row into `values` and `key`.
    ///
    /// # Errors
    /// As its expressions.
    pub fn compute(&mut self, row: &[Datum], env: &mut Env<'_>) -> SqlResult<Entry> {
        self.key.clear();
        self.values.clear();
        if let Some(predicate) = &mut self.predicate
            && !predicate.is_true(row, env)?
        {
            return Ok(Entry::None);
        }
        let mut null = false;
        for column in &mut self.columns {
            let value = match &mut column.source {
                Source::Column(at) => row.get(*at).cloned().unwrap_or_default(),
                Source::Expression(code) => code.eval(row, env)?,
            };
            null |= value.is_null();
            keycode::encode(&mut self.key, &value, column.type_oid, column.order);
            self.values.push(value);
        }
        Ok(
            if self.index.unique && (!null || self.index.nulls_not_distinct) {
                Entry::Unique
            } else {
                Entry::Plain
            },
        )
    }
}

fn missing(index: &Index) -> SqlError {
    SqlError::internal(format!(
        "the plan lacks the expressions of index \"{}\"",
        index.name
    ))
}
