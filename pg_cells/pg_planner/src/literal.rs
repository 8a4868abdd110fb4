//! Literals: numbers, texts, typed texts, intervals, parameters.

use crate::analyzer::Analyzer;
use crate::coerce::{constant, null, unknown};
use alloc::format;
use alloc::string::{String, ToString};
use pg_parser_port::ast::{self, Value};
use pg_plan::Expr;
use pg_types::{Datum, Numeric, SqlError, SqlResult, SqlState, oid};

/// Largest parameter number, that of the protocol.
const MAX_PARAMS: usize = 65535;

impl Analyzer<'_> {
    /// A literal.
    pub fn literal(&mut self, value: &Value) -> SqlResult<Expr> {
        Ok(match value {
            Value::Number(digits, _) => number(digits)?,
            Value::SingleQuotedString(s)
            | Value::EscapedStringLiteral(s)
            | Value::UnicodeStringLiteral(s)
            | Value::NationalStringLiteral(s) => unknown(s),
            Value::DollarQuotedString(s) => unknown(&s.value),
            Value::Boolean(b) => constant(Datum::Bool(*b), oid::BOOL),
            Value::Null => null(oid::UNKNOWN),
            Value::Placeholder(name) => self.parameter(name)?,
            Value::SingleQuotedByteStringLiteral(_) | Value::HexStringLiteral(_) => {
                return Err(SqlError::unsupported("the type bit"));
            }
            other => return Err(SqlError::unsupported(format!("the literal {other}"))),
        })
    }

    fn parameter(&mut self, name: &str) -> SqlResult<Expr> {
        let number: usize = name
            .strip_prefix('$')
            .and_then(|digits| digits.parse().ok())
            .filter(|n| (1..=MAX_PARAMS).contains(n))
            .ok_or_else(|| {
                SqlError::new(
                    SqlState::UNDEFINED_PARAMETER,
                    format!("there is no parameter {name}"),
                )
            })?;
        if self.params.len() < number {
            self.params.resize(number, oid::UNKNOWN);
        }
        Ok(Expr::Param {
            number,
            type_oid: self.params[number - 1],
        })
    }

    /// `type 'text'`.
    pub fn typed_string(&mut self, typed: &ast::TypedString) -> SqlResult<Expr> {
        let (to, typmod) = self.resolve_type(&typed.data_type)?;
        let text = text_of(&typed.value.value).ok_or_else(|| {
            SqlError::new(SqlState::SYNTAX_ERROR, "syntax error in a typed literal")
        })?;
        self.cast(unknown(&text), to, typmod)
    }

    /// `INTERVAL 'text' fields`.
    pub fn interval(&mut self, interval: &ast::Interval) -> SqlResult<Expr> {
        let ast::Expr::Value(value) = &*interval.value else {
            return Err(SqlError::new(
                SqlState::SYNTAX_ERROR,
                "syntax error in an interval literal",
            ));
        };
        let text = text_of(&value.value).ok_or_else(|| {
            SqlError::new(
                SqlState::SYNTAX_ERROR,
                "syntax error in an interval literal",
            )
        })?;
        let mut mask = 0x7fff;
        if let Some(first) = &interval.leading_field {
            mask = field(first)?;
            if let Some(last) = &interval.last_field {
                mask = range(mask, field(last)?);
            }
        }
        let precision = interval
            .fractional_seconds_precision
            .or(interval.leading_precision);
        let typmod = match (mask, precision) {
            (0x7fff, None) => -1,
            (mask, p) => (mask << 16) | p.map_or(0xffff, |p| p.min(6) as i32),
        };
        self.cast(unknown(&text), oid::INTERVAL, typmod)
    }
}

/// The text of a string literal.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::SingleQuotedString(s)
        | Value::EscapedStringLiteral(s)
        | Value::UnicodeStringLiteral(s) => Some(s.clone()),
        Value::DollarQuotedString(s) => Some(s.value.clone()),
        Value::Number(digits, _) => Some(digits.clone()),
        _ => None,
    }
}

/// A number: int4, int8 or numeric, whichever holds it first.
pub fn number(digits: &str) -> SqlResult<Expr> {
    let digits = digits.replace('_', "");
    if let Ok(n) = digits.parse::<i32>() {
        return Ok(constant(Datum::Int4(n), oid::INT4));
    }
    if let Ok(n) = digits.parse::<i64>() {
        return Ok(constant(Datum::Int8(n), oid::INT8));
    }
    Ok(constant(
        Datum::Numeric(Numeric::parse(&digits)?),
        oid::NUMERIC,
    ))
}

fn field(field: &ast::DateTimeField) -> SqlResult<i32> {
    use ast::DateTimeField as F;
    Ok(match field {
        F::Year => 0x0004,
        F::Month => 0x0002,
        F::Day => 0x0008,
        F::Hour => 0x0400,
        F::Minute => 0x0800,
        F::Second => 0x1000,
        other => {
            return Err(SqlError::new(
                SqlState::SYNTAX_ERROR,
                format!(
                    "syntax error at or near \"{}\"",
                    other.to_string().to_lowercase()
                ),
            ));
        }
    })
}

/// All fields from one to another.
fn range(first: i32, last: i32) -> i32 {
    const ORDER: [i32; 6] = [0x0004, 0x0002, 0x0008, 0x0400, 0x0800, 0x1000];
    let at = |f: i32| ORDER.iter().position(|o| *o == f).unwrap_or(0);
    ORDER[at(first)..=at(last).max(at(first))].iter().sum()
}
