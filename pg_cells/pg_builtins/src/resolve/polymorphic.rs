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

/// What the known arguments say of each family.
struct Evidence {
    /// Of the `anyelement` family: the parameter and the element type it was given.
    elements: Vec<(Oid, Oid)>,
    /// Of the `anycompatible` family.
    compatible: Vec<Oid>,
}

impl Evidence {
    fn gather(declared: &[Oid], actual: &[Oid]) -> Evidence {
        let mut found = Evidence {
            elements: Vec::new(),
            compatible: Vec::new(),
        };
        for (d, a) in declared
            .iter()
            .zip(actual)
            .filter(|(_, a)| **a != oid::UNKNOWN)
        {
            match *d {
                oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => found.elements.push((*d, *a)),
                oid::ANYARRAY => found.elements.extend(element_of(*a).map(|e| (*d, e))),
                oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => found.compatible.push(*a),
                oid::ANYCOMPATIBLEARRAY => found.compatible.extend(element_of(*a)),
                _ => {}
            }
        }
        found
    }

    /// The one element type, if there is any. 42804 when there are several.
    fn element(&self) -> SqlResult<Option<Oid>> {
        let Some((_, first)) = self.elements.first() else {
            return Ok(None);
        };
        match self.elements.iter().find(|(_, e)| e != first) {
            Some((param, other)) => Err(disagree(*param, *first, *other)),
            None => Ok(Some(*first)),
        }
    }
}

/// Whether the actual types agree with each other for this signature; unknown ones agree with all.
pub(super) fn consistent(declared: &[Oid], actual: &[Oid]) -> bool {
    let found = Evidence::gather(declared, actual);
    let Ok(element) = found.element() else {
        return false;
    };
    // With an anynonarray in the signature the element itself may be no array.
    if declared.contains(&oid::ANYNONARRAY) && element.is_some_and(|e| element_of(e).is_some()) {
        return false;
    }
    let wants_array = declared.contains(&oid::ANYCOMPATIBLEARRAY);
    match common_type(&found.compatible, "anycompatible") {
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
    let found = Evidence::gather(declared, actual);
    let mut element = found.element()?;
    let simple = [
        oid::ANYELEMENT,
        oid::ANYARRAY,
        oid::ANYNONARRAY,
        oid::ANYENUM,
    ];
    if element.is_none() && declared.iter().chain([&ret]).any(|d| simple.contains(d)) {
        // Catalog columns of type anyarray (pg_stats) tell no element type.
        let pair = |(d, a): (&Oid, &Oid)| *d == oid::ANYARRAY && *a == oid::ANYARRAY;
        if !declared.iter().zip(actual).any(pair) {
            return Err(undetermined());
        }
        element = Some(oid::ANYELEMENT);
    }
    let element = element.unwrap_or(oid::TEXT);
    let compatible = match found.compatible.is_empty() {
        true => oid::TEXT,
        false => common_type(&found.compatible, "anycompatible")?,
    };
    let args = declared
        .iter()
        .zip(actual)
        .map(|(d, a)| match *d {
            oid::ANY => Ok(*a),
            // int2vector and oidvector stay what they are.
            oid::ANYARRAY if element_of(*a).is_some() => Ok(*a),
            oid::ANYCOMPATIBLEARRAY if element_of(*a) == Some(compatible) => Ok(*a),
            d => concrete(d, element, compatible),
        })
        .collect::<SqlResult<_>>()?;
    Ok(Polymorphic {
        args,
        ret: concrete(ret, element, compatible)?,
    })
}

/// What a declared type stands for.
fn concrete(declared: Oid, element: Oid, compatible: Oid) -> SqlResult<Oid> {
    let array = |e: Oid| {
        array_of(e).ok_or_else(|| {
            SqlError::new(
                SqlState::UNDEFINED_OBJECT,
                format!(
                    "could not find array type for data type {}",
                    describe_type(e)
                ),
            )
        })
    };
    match declared {
        oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => Ok(element),
        oid::ANYARRAY if element == oid::ANYELEMENT => Ok(oid::ANYARRAY),
        oid::ANYARRAY => array(element),
        oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => Ok(compatible),
        oid::ANYCOMPATIBLEARRAY => array(compatible),
        other => Ok(other),
    }
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
