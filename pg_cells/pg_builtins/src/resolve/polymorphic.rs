//! Polymorphic pseudo-types: `anyelement`, `anyarray` and the `anycompatible` family.

use super::common::common_type;
use super::describe::describe_type;
use alloc::format;
use alloc::vec::Vec;
use pg_types::oid::{self, Oid};
use pg_types::typeinfo::{array_of, element_of};
use pg_types::{SqlError, SqlResult, SqlState};

/// True for pseudo-types whose meaning comes from the actual arguments.
pub fn is_polymorphic(t: Oid) -> bool {
    matches!(
        t,
        oid::ANYELEMENT
            | oid::ANYARRAY
            | oid::ANYNONARRAY
            | oid::ANYENUM
            | oid::ANYCOMPATIBLE
            | oid::ANYCOMPATIBLEARRAY
            | oid::ANYCOMPATIBLENONARRAY
    )
}

/// Whether a polymorphic parameter can take an argument of this type at all.
pub(super) fn accepts(param: Oid, actual: Oid) -> bool {
    match param {
        oid::ANYARRAY | oid::ANYCOMPATIBLEARRAY => {
            actual == oid::UNKNOWN || actual == oid::ANYARRAY || element_of(actual).is_some()
        }
        oid::ANYNONARRAY | oid::ANYCOMPATIBLENONARRAY => element_of(actual).is_none(),
        oid::ANYENUM => actual == oid::UNKNOWN || actual >= oid::FIRST_NORMAL,
        _ => true,
    }
}

/// Whether the actual types agree with each other for this signature; unknown ones agree with all.
pub(super) fn consistent(declared: &[Oid], actual: &[Oid]) -> bool {
    let mut element: Option<Oid> = None;
    let mut compatible: Vec<Oid> = Vec::new();
    for (d, a) in declared.iter().zip(actual) {
        if *a == oid::UNKNOWN {
            continue;
        }
        let seen = match *d {
            oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => *a,
            oid::ANYARRAY => match element_of(*a) {
                Some(e) => e,
                None => continue,
            },
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => {
                compatible.push(*a);
                continue;
            }
            oid::ANYCOMPATIBLEARRAY => {
                compatible.extend(element_of(*a));
                continue;
            }
            _ => continue,
        };
        if *element.get_or_insert(seen) != seen {
            return false;
        }
    }
    // With an anynonarray in the signature the element itself may be no array.
    let scalar = declared.iter().any(|d| matches!(*d, oid::ANYNONARRAY));
    if scalar && element.is_some_and(|e| element_of(e).is_some()) {
        return false;
    }
    let wants_array = declared.contains(&oid::ANYCOMPATIBLEARRAY);
    match common_type(&compatible, "anycompatible") {
        Ok(t) => !(wants_array && element_of(t).is_some()),
        Err(_) => false,
    }
}

/// Concrete argument types and result type of a polymorphic call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polymorphic {
    /// For each argument.
    pub args: Vec<Oid>,
    /// Of the result.
    pub ret: Oid,
}

/// Replaces polymorphic types in a signature by what the actual types make them.
///
/// Errors: 42804 when arguments of one family disagree or nothing tells the type.
pub fn solve(declared: &[Oid], ret: Oid, actual: &[Oid]) -> SqlResult<Polymorphic> {
    let mut element: Option<Oid> = None;
    let mut compatible: Vec<Oid> = Vec::new();
    for (d, a) in declared.iter().zip(actual) {
        if *a == oid::UNKNOWN {
            continue;
        }
        let seen = match *d {
            oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => *a,
            oid::ANYARRAY => match element_of(*a) {
                Some(e) => e,
                None => continue,
            },
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => {
                compatible.push(*a);
                continue;
            }
            oid::ANYCOMPATIBLEARRAY => {
                compatible.extend(element_of(*a));
                continue;
            }
            _ => continue,
        };
        match element {
            Some(e) if e != seen => return Err(disagree(*d, e, seen)),
            _ => element = Some(seen),
        }
    }
    let wants = |family: &[Oid]| declared.iter().chain([&ret]).any(|d| family.contains(d));
    if element.is_none()
        && wants(&[
            oid::ANYELEMENT,
            oid::ANYARRAY,
            oid::ANYNONARRAY,
            oid::ANYENUM,
        ])
    {
        // Catalog columns of type anyarray (pg_stats) tell no element type.
        let pair = |(d, a): (&Oid, &Oid)| *d == oid::ANYARRAY && *a == oid::ANYARRAY;
        if declared.iter().zip(actual).any(pair) {
            element = Some(oid::ANYELEMENT);
        }
        if element.is_none() {
            return Err(undetermined());
        }
    }
    let compatible = match compatible.is_empty() {
        true => oid::TEXT,
        false => common_type(&compatible, "anycompatible")?,
    };
    let concrete = |d: Oid| -> SqlResult<Oid> {
        let missing = |e: Oid| {
            SqlError::new(
                SqlState::UNDEFINED_OBJECT,
                format!(
                    "could not find array type for data type {}",
                    describe_type(e)
                ),
            )
        };
        let element = element.unwrap_or(oid::TEXT);
        match d {
            oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => Ok(element),
            oid::ANYARRAY if element == oid::ANYELEMENT => Ok(oid::ANYARRAY),
            oid::ANYARRAY => array_of(element).ok_or_else(|| missing(element)),
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => Ok(compatible),
            oid::ANYCOMPATIBLEARRAY => array_of(compatible).ok_or_else(|| missing(compatible)),
            other => Ok(other),
        }
    };
    let args = declared
        .iter()
        .zip(actual)
        .map(|(d, a)| match *d {
            oid::ANY => Ok(*a),
            // int2vector and oidvector stay what they are.
            oid::ANYARRAY if element_of(*a).is_some() => Ok(*a),
            oid::ANYCOMPATIBLEARRAY if element_of(*a) == Some(compatible) => Ok(*a),
            d => concrete(d),
        })
        .collect::<SqlResult<_>>()?;
    Ok(Polymorphic {
        args,
        ret: concrete(ret)?,
    })
}

fn disagree(param: Oid, first: Oid, second: Oid) -> SqlError {
    let (message, a, b) = if param == oid::ANYARRAY {
        (
            "arguments declared \"anyarray\" are not all alike",
            first,
            second,
        )
    } else {
        (
            "arguments declared \"anyelement\" are not all alike",
            first,
            second,
        )
    };
    SqlError::new(SqlState::DATATYPE_MISMATCH, message).with_detail(format!(
        "{} versus {}",
        describe_type(a),
        describe_type(b)
    ))
}

fn undetermined() -> SqlError {
    SqlError::new(
        SqlState::DATATYPE_MISMATCH,
        "could not determine polymorphic type because input has type unknown",
    )
}
