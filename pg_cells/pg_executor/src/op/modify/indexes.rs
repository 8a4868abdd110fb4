//! Keeping a table's indexes: [`IndexWriter`] computes the key of a row, for one
//! index.

use crate::env::Env;
use crate::expr::{Code, compile, compile_option};
use crate::op::Builder;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use pg_plan::{Index, IndexExprs, Relation};
use pg_types::{Datum, KeyOrder, Oid, SqlError, SqlResult, Tuple, TupleDesc, keycode, tuple};

/// Computes keys of one index.
pub struct IndexWriter {
    /// The index.
    pub index: Arc<Index>,
    columns: Vec<KeyColumn>,
    /// INCLUDE columns.
    included: Included,
    predicate: Option<Code>,
    /// Places of the table's columns that the entry depends on; `None` when
    /// expressions make that unknown.
    depends: Option<Vec<usize>>,
    /// The key's values.
    pub values: Vec<Datum>,
    /// The entry's bytes: the key, then the values that go with it.
    pub key: Vec<u8>,
    /// How many of them are the key.
    pub key_len: usize,
}

/// The columns that an entry has beside its key, which order nothing.
///
/// ```text
/// key | 1 | a row of them, as in the table
/// ```
/// Entries of indexes that are older than this end with the key.
pub struct Included {
    /// Their places in the table.
    places: Vec<usize>,
    /// As a row.
    desc: TupleDesc,
    row: Vec<Datum>,
}

/// What such a row begins with: less than all that is above a key.
const MARK: u8 = 1;

impl Included {
    /// Those of an index.
    #[must_use]
    pub fn of(relation: &Relation, index: &Index) -> Self {
        let places = index.included.iter();
        let places: Vec<usize> = places
            .filter_map(|number| usize::try_from(number - 1).ok())
            .filter(|at| *at < relation.desc.len())
            .collect();
        let attrs = places.iter().map(|at| relation.desc.attrs()[*at].clone());
        Included {
            desc: TupleDesc::new(attrs.collect()),
            places,
            row: Vec::new(),
        }
    }

    /// Which one a column of the table is.
    #[must_use]
    pub fn position(&self, column: usize) -> Option<usize> {
        self.places.iter().position(|at| *at == column)
    }

    /// Appends the values of a row of the table.
    fn append(&mut self, row: &[Datum], out: &mut Vec<u8>) {
        if self.places.is_empty() {
            return;
        }
        self.row.clear();
        let values = self.places.iter().map(|at| row.get(*at).cloned());
        self.row.extend(values.map(Option::unwrap_or_default));
        out.push(MARK);
        tuple::encode(out, &self.desc, &self.row);
    }

    /// Appends the values that follow a key to `out`; false when there are none.
    pub fn read(&mut self, behind: &[u8], out: &mut Vec<Datum>) -> bool {
        let Some((&MARK, row)) = behind.split_first() else {
            return false;
        };
        let decoded =
            Tuple::new(&self.desc, row).and_then(|tuple| tuple.decode_into(&mut self.row, &[]));
        out.append(&mut self.row);
        decoded.is_ok()
    }
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
        let included = Included::of(relation, index);
        depends.extend(&included.places);
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
            included,
            predicate,
            depends: if computed { None } else { Some(depends) },
            values: Vec::new(),
            key: Vec::new(),
            key_len: 0,
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

    /// The key's bytes alone.
    #[must_use]
    pub fn key_alone(&self) -> &[u8] {
        self.key.get(..self.key_len).unwrap_or_default()
    }

    /// Computes the entry of a row into `values` and `key`.
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
        self.key_len = self.key.len();
        self.included.append(row, &mut self.key);
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
