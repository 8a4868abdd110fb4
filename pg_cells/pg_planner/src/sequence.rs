//! Sequences: their parameters from options.

use crate::analyzer::Analyzer;
use alloc::format;
use alloc::string::String;
use pg_parser_port::{SequenceSpec, ast};
use pg_plan::{AlterSequence, CreateSequence, Ddl, QualifiedName, RelationKind, SequenceInfo};
use pg_types::{Oid, SqlError, SqlResult, SqlState, oid};

fn invalid(message: String) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// The range of a sequence's type.
fn range(type_oid: Oid) -> (i64, i64) {
    match type_oid {
        oid::INT2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        oid::INT4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

/// The parameters of a sequence, over what it had before.
pub fn info(
    type_oid: Oid,
    spec: &SequenceSpec,
    before: Option<&SequenceInfo>,
) -> SqlResult<SequenceInfo> {
    let (least, most) = range(type_oid);
    let increment = spec.increment.or(before.map(|b| b.increment)).unwrap_or(1);
    if increment == 0 {
        return Err(invalid("INCREMENT must not be zero".into()));
    }
    let turned =
        before.is_some_and(|b| (b.increment > 0) != (increment > 0) || b.type_oid != type_oid);
    let kept = before.filter(|_| !turned);
    let (lowest, highest) = if increment > 0 {
        (1, most)
    } else {
        (least, -1)
    };
    let min = spec.min.map_or_else(
        || kept.map_or(lowest, |b| b.min),
        |min| min.unwrap_or(lowest),
    );
    let max = spec.max.map_or_else(
        || kept.map_or(highest, |b| b.max),
        |max| max.unwrap_or(highest),
    );
    let name = pg_types::format_type(type_oid, -1);
    if min < least {
        return Err(invalid(format!(
            "MINVALUE ({min}) is out of range for sequence data type {name}"
        )));
    }
    if max > most {
        return Err(invalid(format!(
            "MAXVALUE ({max}) is out of range for sequence data type {name}"
        )));
    }
    if min >= max {
        return Err(invalid(format!(
            "MINVALUE ({min}) must be less than MAXVALUE ({max})"
        )));
    }
    let start = spec
        .start
        .or(before.map(|b| b.start))
        .unwrap_or(if increment > 0 { min } else { max });
    check_start(start, min, max)?;
    let cache = spec.cache.or(before.map(|b| b.cache)).unwrap_or(1);
    if cache < 1 {
        return Err(invalid(format!(
            "CACHE ({cache}) must be greater than zero"
        )));
    }
    let cycle = spec.cycle.or(before.map(|b| b.cycle)).unwrap_or(false);
    Ok(SequenceInfo {
        type_oid,
        start,
        increment,
        min,
        max,
        cache,
        cycle,
    })
}

fn check_start(start: i64, min: i64, max: i64) -> SqlResult<()> {
    if start < min {
        return Err(invalid(format!(
            "START value ({start}) cannot be less than MINVALUE ({min})"
        )));
    }
    if start > max {
        return Err(invalid(format!(
            "START value ({start}) cannot be greater than MAXVALUE ({max})"
        )));
    }
    Ok(())
}

/// Options as sqlparser has them, of identity columns.
pub fn spec_of(options: &[ast::SequenceOptions]) -> SqlResult<SequenceSpec> {
    let number = |expr: &ast::Expr| {
        let text = format!("{expr}").replace(' ', "");
        text.parse::<i64>()
            .map_err(|_| SqlError::new(SqlState::SYNTAX_ERROR, "sequence options take numbers"))
    };
    let mut spec = SequenceSpec::default();
    for option in options {
        match option {
            ast::SequenceOptions::IncrementBy(n, _) => spec.increment = Some(number(n)?),
            ast::SequenceOptions::MinValue(n) => {
                spec.min = Some(n.as_ref().map(number).transpose()?)
            }
            ast::SequenceOptions::MaxValue(n) => {
                spec.max = Some(n.as_ref().map(number).transpose()?)
            }
            ast::SequenceOptions::StartWith(n, _) => spec.start = Some(number(n)?),
            ast::SequenceOptions::Cache(n) => spec.cache = Some(number(n)?),
            ast::SequenceOptions::Cycle(no) => spec.cycle = Some(!no),
        }
    }
    Ok(spec)
}

impl Analyzer<'_> {
    fn sequence_type(&mut self, spec: &SequenceSpec) -> SqlResult<Option<Oid>> {
        let Some(data_type) = &spec.data_type else {
            return Ok(None);
        };
        match self.resolve_type(data_type)? {
            (found @ (oid::INT2 | oid::INT4 | oid::INT8), _) => Ok(Some(found)),
            _ => Err(invalid(
                "sequence type must be smallint, integer, or bigint".into(),
            )),
        }
    }

    /// OWNED BY: the table and the attribute number; `None` is NONE.
    fn owner(&mut self, spec: &SequenceSpec) -> SqlResult<Option<Option<(Oid, i16)>>> {
        let Some(name) = &spec.owned_by else {
            return Ok(None);
        };
        let (schema, table, column) = match name.as_slice() {
            [] => return Ok(Some(None)),
            [table, column] => (None, table, column),
            [schema, table, column] => (Some(schema.as_str()), table, column),
            _ => {
                return Err(
                    SqlError::new(SqlState::SYNTAX_ERROR, "invalid OWNED BY option")
                        .with_hint("Specify OWNED BY table.column or OWNED BY NONE."),
                );
            }
        };
        let relation = self.require(schema, table)?;
        let at = self.column_place(&relation, column)?;
        Ok(Some(Some((relation.oid, at as i16 + 1))))
    }

    /// CREATE SEQUENCE.
    pub fn create_sequence(
        &mut self,
        name: &QualifiedName,
        temporary: bool,
        if_not_exists: bool,
        spec: &SequenceSpec,
    ) -> SqlResult<Ddl> {
        let type_oid = self.sequence_type(spec)?.unwrap_or(oid::INT8);
        if spec.restart.is_some() {
            return Err(SqlError::new(
                SqlState::SYNTAX_ERROR,
                "RESTART is for ALTER SEQUENCE",
            ));
        }
        let owned_by = self.owner(spec)?.flatten();
        Ok(Ddl::CreateSequence(CreateSequence {
            name: name.clone(),
            temporary,
            if_not_exists,
            info: info(type_oid, spec, None)?,
            owned_by,
        }))
    }

    /// ALTER SEQUENCE.
    pub fn alter_sequence(
        &mut self,
        name: &QualifiedName,
        if_exists: bool,
        spec: &SequenceSpec,
    ) -> SqlResult<Ddl> {
        let sequence = match self.relation(name.schema.as_deref(), &name.name)? {
            Some(relation) => relation,
            None if if_exists => return Ok(crate::alter::nothing()),
            None => return Err(crate::error::no_table(&format!("{name}"))),
        };
        let before = match (&sequence.kind, &sequence.sequence) {
            (RelationKind::Sequence, Some(info)) => info.clone(),
            _ => {
                return Err(SqlError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("\"{}\" is not a sequence", sequence.name),
                ));
            }
        };
        let type_oid = self.sequence_type(spec)?.unwrap_or(before.type_oid);
        let info = info(type_oid, spec, Some(&before))?;
        let restart = spec.restart.map(|value| value.unwrap_or(info.start));
        let owned_by = self.owner(spec)?;
        Ok(Ddl::AlterSequence(AlterSequence {
            sequence,
            info,
            restart,
            owned_by,
        }))
    }
}
