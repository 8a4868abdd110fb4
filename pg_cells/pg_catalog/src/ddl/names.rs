//! Names that the catalog chooses: `t_a_key`, `t_pkey`, `t_id_seq`.

use super::Change;
use crate::lookup::class_named;
use crate::store::ids;
use alloc::format;
use alloc::string::{String, ToString};
use pg_types::{Datum, Oid, SqlResult};

/// Most bytes of a name.
pub const NAME_LEN: usize = 63;

/// The longest start of a text that has at most `len` bytes.
fn clip(text: &str, len: usize) -> &str {
    let mut end = len.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `first_second_label`, the longer part cut until it fits.
#[must_use]
pub fn object_name(first: &str, second: Option<&str>, label: &str) -> String {
    let tail = if label.is_empty() { 0 } else { label.len() + 1 };
    let middle = usize::from(second.is_some());
    let room = NAME_LEN.saturating_sub(tail + middle);
    let (mut a, mut b) = (first.len(), second.map_or(0, str::len));
    while a + b > room {
        if a > b {
            a -= 1;
        } else {
            b -= 1;
        }
    }
    let mut name = clip(first, a).to_string();
    if let Some(second) = second {
        name.push('_');
        name.push_str(clip(second, b));
    }
    if !label.is_empty() {
        name.push('_');
        name.push_str(label);
    }
    name
}

/// The columns' part of a name: joined, within the length of a name.
#[must_use]
pub fn columns_part<'n>(columns: impl Iterator<Item = &'n str>) -> String {
    let mut part = String::new();
    for column in columns {
        if !part.is_empty() {
            part.push('_');
        }
        part.push_str(column);
        if part.len() >= NAME_LEN {
            break;
        }
    }
    clip(&part, NAME_LEN).to_string()
}

impl Change<'_> {
    /// A name that no relation of the schema has; with `constraint` no
    /// constraint either.
    pub fn choose_name(
        &mut self,
        schema: Oid,
        first: &str,
        second: Option<&str>,
        label: &str,
        constraint: bool,
    ) -> SqlResult<String> {
        let reader = self.reader()?;
        let mut pass = 0;
        loop {
            let label = match pass {
                0 => label.to_string(),
                n => format!("{label}{n}"),
            };
            let name = object_name(first, second, &label);
            let taken = class_named(&reader, schema, &name)?.is_some()
                || constraint && {
                    let key = [Datum::text(name.as_str()), Datum::Oid(schema)];
                    reader.one(ids::CONSTRAINT_BY_NAME, &key)?.is_some()
                };
            if !taken {
                return Ok(name);
            }
            pass += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_and_cut() {
        assert_eq!(object_name("t", Some("a"), "key"), "t_a_key");
        assert_eq!(object_name("t", None, "pkey"), "t_pkey");
        let long = "x".repeat(80);
        let name = object_name(&long, Some("a"), "key");
        assert_eq!(name.len(), NAME_LEN);
        assert!(name.ends_with("_a_key"));
        let both = object_name(&long, Some(&long), "key");
        assert_eq!(both.len(), NAME_LEN);
        assert_eq!(columns_part(["a", "b"].into_iter()), "a_b");
        // Never within a character.
        assert_eq!(clip("aé", 2), "a");
    }
}
