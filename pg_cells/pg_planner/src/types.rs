//! Type names: sqlparser's data types to type ids and modifiers.

use crate::analyzer::{Analyzer, parts};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_catalog_port::UserTypeKind;
use pg_parser_port::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, IntervalFields, TimezoneInfo,
};
use pg_types::typeinfo::{array_of, type_by_name};
use pg_types::typename::{VARHDRSZ, numeric_typmod};
use pg_types::{Oid, SqlError, SqlResult, SqlState, oid};

/// A type with its modifier, -1 for none.
pub type Typed = (Oid, i32);

fn length(name: &str, length: &Option<CharacterLength>, default: Option<i32>) -> SqlResult<i32> {
    match length {
        None => Ok(default.map_or(-1, |n| n + VARHDRSZ)),
        Some(CharacterLength::IntegerLength { length, .. }) => limited(name, *length, 10_485_760),
        Some(CharacterLength::Max) => Err(SqlError::unsupported(format!("{name}(max)"))),
    }
}

fn limited(name: &str, length: u64, most: u64) -> SqlResult<i32> {
    if length == 0 {
        return Err(invalid(format!(
            "length for type {name} must be at least 1"
        )));
    }
    if length > most {
        return Err(invalid(format!(
            "length for type {name} cannot exceed {most}"
        )));
    }
    i32::try_from(length)
        .map(|n| n + VARHDRSZ)
        .map_err(|_| SqlError::out_of_range("integer"))
}

fn invalid(message: String) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn exact(info: &ExactNumberInfo) -> SqlResult<i32> {
    let (precision, scale) = match *info {
        ExactNumberInfo::None => return Ok(-1),
        ExactNumberInfo::Precision(p) => (p, 0),
        ExactNumberInfo::PrecisionAndScale(p, s) => (p, s),
    };
    if !(1..=1000).contains(&precision) {
        return Err(invalid(format!(
            "NUMERIC precision {precision} must be between 1 and 1000"
        )));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(invalid(format!(
            "NUMERIC scale {scale} must be between -1000 and 1000"
        )));
    }
    Ok(numeric_typmod(precision as i32, scale as i32))
}

fn float(info: &ExactNumberInfo) -> SqlResult<Typed> {
    match *info {
        ExactNumberInfo::None => Ok((oid::FLOAT8, -1)),
        ExactNumberInfo::Precision(0) => Err(invalid(
            "precision for type float must be at least 1 bit".to_string(),
        )),
        ExactNumberInfo::Precision(p) if p < 25 => Ok((oid::FLOAT4, -1)),
        ExactNumberInfo::Precision(p) if p < 54 => Ok((oid::FLOAT8, -1)),
        _ => Err(invalid(
            "precision for type float must be less than 54 bits".to_string(),
        )),
    }
}

fn precision(p: Option<u64>) -> i32 {
    p.map_or(-1, |p| p.min(6) as i32)
}

fn interval_typmod(fields: &Option<IntervalFields>, precision: Option<u64>) -> i32 {
    let mask = match fields {
        None => 0x7fff,
        Some(IntervalFields::Year) => 0x0004,
        Some(IntervalFields::Month) => 0x0002,
        Some(IntervalFields::Day) => 0x0008,
        Some(IntervalFields::Hour) => 0x0400,
        Some(IntervalFields::Minute) => 0x0800,
        Some(IntervalFields::Second) => 0x1000,
        Some(IntervalFields::YearToMonth) => 0x0006,
        Some(IntervalFields::DayToHour) => 0x0408,
        Some(IntervalFields::DayToMinute) => 0x0c08,
        Some(IntervalFields::DayToSecond) => 0x1c08,
        Some(IntervalFields::HourToMinute) => 0x0c00,
        Some(IntervalFields::HourToSecond) => 0x1c00,
        Some(IntervalFields::MinuteToSecond) => 0x1800,
    };
    match (fields, precision) {
        (None, None) => -1,
        (_, p) => (mask << 16) | p.map_or(0xffff, |p| p.min(6) as i32),
    }
}

impl Analyzer<'_> {
    /// The type a name in SQL means.
    pub fn resolve_type(&mut self, data_type: &DataType) -> SqlResult<Typed> {
        use DataType as D;
        Ok(match data_type {
            D::Character(n) | D::Char(n) => (oid::BPCHAR, length("char", n, Some(1))?),
            D::CharacterVarying(n) | D::CharVarying(n) | D::Varchar(n) => {
                (oid::VARCHAR, length("varchar", n, None)?)
            }
            D::Uuid => (oid::UUID, -1),
            D::Numeric(info) | D::Decimal(info) | D::Dec(info) => (oid::NUMERIC, exact(info)?),
            D::Float(info) => float(info)?,
            D::Int2(None) | D::SmallInt(None) => (oid::INT2, -1),
            D::Int(None) | D::Int4(None) | D::Integer(None) => (oid::INT4, -1),
            D::Int8(None) | D::BigInt(None) => (oid::INT8, -1),
            D::Float4 | D::Real => (oid::FLOAT4, -1),
            D::Float8 | D::DoublePrecision | D::Double(ExactNumberInfo::None) => (oid::FLOAT8, -1),
            D::Bool | D::Boolean => (oid::BOOL, -1),
            D::Date => (oid::DATE, -1),
            D::Time(p, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                (oid::TIME, precision(*p))
            }
            D::Time(..) => return Err(SqlError::unsupported("time with time zone")),
            D::Timestamp(p, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                (oid::TIMESTAMP, precision(*p))
            }
            D::Timestamp(p, _) => (oid::TIMESTAMPTZ, precision(*p)),
            D::Interval { fields, precision } => {
                (oid::INTERVAL, interval_typmod(fields, *precision))
            }
            D::JSON => (oid::JSON, -1),
            D::JSONB => (oid::JSONB, -1),
            D::Regclass => (oid::REGCLASS, -1),
            D::Text => (oid::TEXT, -1),
            D::Bytea => (oid::BYTEA, -1),
            D::Bit(_) | D::BitVarying(_) | D::VarBit(_) => {
                return Err(SqlError::unsupported("the type bit"));
            }
            D::Array(
                ArrayElemTypeDef::SquareBracket(element, _)
                | ArrayElemTypeDef::Qualified(element, _),
            ) => {
                let (element, typmod) = self.resolve_type(element)?;
                // Further dimensions make no other type.
                if pg_types::typeinfo::element_of(element).is_some() {
                    return Ok((element, typmod));
                }
                (
                    array_of(element)
                        .ok_or_else(|| SqlError::unsupported("an array over this type"))?,
                    typmod,
                )
            }
            D::Custom(name, modifiers) => {
                let parts = parts(name)?;
                return self.named_type(&parts, modifiers);
            }
            other => {
                let name = other.to_string().to_lowercase();
                return self.named_type(&[name], &[]);
            }
        })
    }

    fn named_type(&mut self, parts: &[String], modifiers: &[String]) -> SqlResult<Typed> {
        let (schema, name) = match parts {
            [name] => (None, name.as_str()),
            [schema, name] => (Some(schema.as_str()), name.as_str()),
            _ => return Err(no_type(&parts.join("."))),
        };
        if (schema.is_none() || schema == Some("pg_catalog"))
            && let Some(found) = builtin(name, modifiers)?
        {
            return Ok(found);
        }
        match self.ctx.catalog.user_type(&self.path, schema, name)? {
            Some(found) => match found.kind {
                UserTypeKind::Domain { .. } => Err(SqlError::unsupported("a domain")),
                UserTypeKind::Enum(_) | UserTypeKind::Composite(_) => Ok((found.oid, -1)),
            },
            None => Err(no_type(&parts.join("."))),
        }
    }
}

fn no_type(name: &str) -> SqlError {
    SqlError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("type \"{name}\" does not exist"),
    )
}

/// A built-in type by its catalog name or an alias that sqlparser does not know.
fn builtin(name: &str, modifiers: &[String]) -> SqlResult<Option<Typed>> {
    let numbers: Vec<i32> = modifiers.iter().filter_map(|m| m.parse().ok()).collect();
    if numbers.len() != modifiers.len() {
        return Err(SqlError::new(
            SqlState::SYNTAX_ERROR,
            "type modifiers must be numbers",
        ));
    }
    let name = match name {
        "integer" | "int" => "int4",
        "smallint" => "int2",
        "bigint" => "int8",
        "boolean" => "bool",
        "real" => "float4",
        "float" => "float8",
        "decimal" | "dec" => "numeric",
        "character" => "bpchar",
        "timetz" => return Err(SqlError::unsupported("time with time zone")),
        name => name,
    };
    let Some(info) = type_by_name(name) else {
        return Ok(None);
    };
    let typmod = match (info.oid, numbers.as_slice()) {
        (_, []) => -1,
        (oid::BPCHAR | oid::VARCHAR, [n]) if *n > 0 => n + VARHDRSZ,
        (oid::NUMERIC, [p]) => numeric_typmod(*p, 0),
        (oid::NUMERIC, [p, s]) => numeric_typmod(*p, *s),
        (oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::TIME, [p]) => (*p).min(6),
        _ => {
            return Err(SqlError::new(
                SqlState::SYNTAX_ERROR,
                format!("type modifier is not allowed for type \"{name}\""),
            ));
        }
    };
    Ok(Some((info.oid, typmod)))
}

/// `serial` and its kin: the integer type.
pub fn serial(data_type: &DataType) -> Option<Oid> {
    let DataType::Custom(name, modifiers) = data_type else {
        return None;
    };
    if !modifiers.is_empty() || name.0.len() != 1 {
        return None;
    }
    match name.to_string().to_lowercase().as_str() {
        "serial" | "serial4" => Some(oid::INT4),
        "bigserial" | "serial8" => Some(oid::INT8),
        "smallserial" | "serial2" => Some(oid::INT2),
        _ => None,
    }
}
