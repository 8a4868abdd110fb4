//! Definitions as SQL: of indexes, constraints, defaults, views.

use super::names::qualified;
use super::visible::shown_relation;
use crate::load::{EXPR_SEPARATOR, schema_name};
use crate::row::Row;
use crate::store::{Reader, ids};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_builtins::quote_identifier;
use pg_types::{Datum, Oid, SqlResult, Str};

/// What definitions are written with.
pub struct Writer<'a> {
    /// The catalogs.
    pub reader: &'a Reader<'a>,
    /// The search path.
    pub path: &'a [Str],
}

impl Writer<'_> {
    fn class(&self, oid: Oid) -> SqlResult<Option<Row>> {
        self.reader.one(ids::CLASS_BY_OID, &[Datum::Oid(oid)])
    }

    /// A relation's name, short if `pretty`.
    fn relation(&self, oid: Oid, pretty: bool) -> SqlResult<String> {
        match self.class(oid)? {
            Some(class) if pretty => shown_relation(self.reader, self.path, &class),
            Some(class) => {
                let schema = schema_name(self.reader, class.oid("relnamespace"))?;
                Ok(qualified(&schema, class.text("relname")))
            }
            None => Ok(oid.to_string()),
        }
    }

    fn columns(&self, table: Oid, numbers: &[i64]) -> SqlResult<String> {
        let mut names = Vec::new();
        for number in numbers {
            let key = [Datum::Oid(table), Datum::Int2(*number as i16)];
            let row = self.reader.one(ids::ATTRIBUTE_BY_NUMBER, &key)?;
            names.push(row.map_or_else(String::new, |r| quote_identifier(r.text("attname"))));
        }
        Ok(names.join(", "))
    }

    /// `pg_get_indexdef`; with a column's number from one that key alone.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn index(&self, oid: Oid, column: i64, pretty: bool) -> SqlResult<Option<String>> {
        let Some(row) = self.reader.one(ids::INDEX_BY_OID, &[Datum::Oid(oid)])? else {
            return Ok(None);
        };
        let Some(class) = self.class(oid)? else {
            return Ok(None);
        };
        let keys = self.index_keys(&row, pretty)?;
        if column > 0 {
            let key = keys.get(column as usize - 1);
            return Ok(Some(key.map_or_else(String::new, |(key, _)| key.clone())));
        }
        let keys: Vec<String> = keys.into_iter().map(|(key, order)| key + order).collect();
        let mut text = format!(
            "CREATE {}INDEX {} ON {} USING btree ({})",
            if row.bool("indisunique") {
                "UNIQUE "
            } else {
                ""
            },
            quote_identifier(class.text("relname")),
            self.relation(row.oid("indrelid"), pretty)?,
            keys.join(", ")
        );
        text.push_str(&self.included(&row)?);
        if row.bool("indnullsnotdistinct") {
            text.push_str(" NULLS NOT DISTINCT");
        }
        if let Some(options) = class.get("reloptions").as_array() {
            let options: Vec<String> = options.items.iter().filter_map(option).collect();
            text.push_str(&format!(" WITH ({})", options.join(", ")));
        }
        if let Some(predicate) = row.get("indpred").as_str() {
            text.push_str(" WHERE ");
            text.push_str(&parenthesized(predicate, pretty));
        }
        Ok(Some(text))
    }

    /// ` INCLUDE (a, b)`, if an index has such columns.
    fn included(&self, index: &Row) -> SqlResult<String> {
        let all = index.ints("indkey");
        let keys = usize::try_from(index.int("indnkeyatts")).unwrap_or(0);
        match all.get(keys..) {
            None | Some([]) => Ok(String::new()),
            Some(more) => {
                let columns = self.columns(index.oid("indrelid"), more)?;
                Ok(format!(" INCLUDE ({columns})"))
            }
        }
    }

    /// The keys with what follows each of them.
    fn index_keys(&self, row: &Row, pretty: bool) -> SqlResult<Vec<(String, &'static str)>> {
        let table = row.oid("indrelid");
        let expressions = row.get("indexprs").as_str().unwrap_or("");
        let mut expressions = expressions.split(EXPR_SEPARATOR);
        let mut keys = Vec::new();
        for (number, option) in row.ints("indkey").iter().zip(row.ints("indoption")) {
            let key = match number {
                0 => computed_key(expressions.next().unwrap_or(""), pretty),
                n => self.columns(table, &[*n])?,
            };
            // Only what is not the default is said.
            let order = match option & 3 {
                1 => " DESC NULLS LAST",
                2 => " NULLS FIRST",
                3 => " DESC",
                _ => "",
            };
            keys.push((key, order));
        }
        Ok(keys)
    }

    /// `pg_get_constraintdef`.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn constraint(&self, oid: Oid, pretty: bool) -> SqlResult<Option<String>> {
        let Some(row) = self
            .reader
            .one(ids::CONSTRAINT_BY_OID, &[Datum::Oid(oid)])?
        else {
            return Ok(None);
        };
        let table = row.oid("conrelid");
        let columns = self.columns(table, &row.ints("conkey"))?;
        let mut text = match row.char("contype") {
            'p' | 'u' => {
                let key = [Datum::Oid(row.oid("conindid"))];
                let index = self.reader.one(ids::INDEX_BY_OID, &key)?;
                let same = index
                    .as_ref()
                    .is_some_and(|i| i.bool("indnullsnotdistinct"));
                let nulls = if same { " NULLS NOT DISTINCT" } else { "" };
                let included = index.map(|i| self.included(&i)).transpose()?;
                let word = match row.char("contype") {
                    'p' => "PRIMARY KEY",
                    _ => "UNIQUE",
                };
                format!("{word}{nulls} ({columns}){}", included.unwrap_or_default())
            }
            'c' => format!("CHECK ({})", parenthesized(row.text("conbin"), pretty)),
            'f' => self.foreign_key(&row, &columns)?,
            _ => return Ok(None),
        };
        if row.bool("condeferrable") {
            text.push_str(" DEFERRABLE");
        }
        if row.bool("condeferred") {
            text.push_str(" INITIALLY DEFERRED");
        }
        if !row.bool("convalidated") {
            text.push_str(" NOT VALID");
        }
        Ok(Some(text))
    }

    fn foreign_key(&self, row: &Row, columns: &str) -> SqlResult<String> {
        let other = row.oid("confrelid");
        let mut text = format!(
            "FOREIGN KEY ({columns}) REFERENCES {}({})",
            self.relation(other, true)?,
            self.columns(other, &row.ints("confkey"))?
        );
        if row.char("confmatchtype") == 'f' {
            text.push_str(" MATCH FULL");
        }
        for (what, action) in [("UPDATE", "confupdtype"), ("DELETE", "confdeltype")] {
            let action = match row.char(action) {
                'r' => "RESTRICT",
                'c' => "CASCADE",
                'n' => "SET NULL",
                'd' => "SET DEFAULT",
                _ => continue,
            };
            text.push_str(&format!(" ON {what} {action}"));
        }
        let set = row.ints("confdelsetcols");
        if !set.is_empty() {
            let columns = self.columns(row.oid("conrelid"), &set)?;
            text.push_str(&format!(" ({columns})"));
        }
        Ok(text)
    }

    /// `pg_get_expr`: the text as it was written, sequences by name.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn expression(&self, text: &str) -> SqlResult<String> {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(at) = rest.find("'::regclass") {
            let (before, tail) = rest.split_at(at);
            let start = before.rfind('\'').map_or(0, |s| s + 1);
            out.push_str(&before[..start]);
            match before[start..].parse::<Oid>() {
                Ok(oid) => out.push_str(&self.relation(oid, true)?.replace('\'', "''")),
                Err(_) => out.push_str(&before[start..]),
            }
            out.push_str("'::regclass");
            rest = &tail["'::regclass".len()..];
        }
        out.push_str(rest);
        Ok(out.replace(EXPR_SEPARATOR, ", "))
    }

    /// `pg_get_viewdef`.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn view(&self, oid: Oid) -> SqlResult<Option<String>> {
        if let Some(relation) = self.reader.system.by_oid(oid) {
            return Ok(relation.view.as_ref().map(|v| format!(" {v};")));
        }
        let rules = self
            .reader
            .find(ids::REWRITE_BY_RELATION, &[Datum::Oid(oid)])?;
        let rule = rules.iter().find(|r| r.text("rulename") == "_RETURN");
        Ok(rule.map(|r| {
            let text = r.text("ev_action").trim().trim_end_matches(';');
            format!(" {text};")
        }))
    }
}

/// `name=value` as `name='value'`.
fn option(option: &Datum) -> Option<String> {
    let (name, value) = option.as_str()?.split_once('=')?;
    Some(format!("{name}='{value}'"))
}

/// A call stands by itself as a key, other expressions in parentheses.
fn computed_key(text: &str, pretty: bool) -> String {
    let text = text.trim();
    if pg_plan::is_call(text) {
        text.to_string()
    } else if pretty {
        format!("({})", plainer(text))
    } else {
        format!("({text})")
    }
}

/// A condition as it is kept, in parentheses; `pretty` without those that nobody
/// needs.
fn parenthesized(text: &str, pretty: bool) -> String {
    let text = text.trim();
    if pretty {
        plainer(text)
    } else if pg_plan::encloses(text) {
        text.to_string()
    } else {
        format!("({text})")
    }
}

/// An expression without the parentheses around it and around the parts of its
/// chains of ANDs and ORs, where their precedence does not need them.
fn plainer(text: &str) -> String {
    let text = pg_plan::unparenthesized(text);
    let chained = |text: &str, word: &str| split_at_top(text, word).len() > 1;
    for (word, weaker) in [(" OR ", None), (" AND ", Some(" OR "))] {
        let parts = split_at_top(text, word);
        if parts.len() < 2 {
            continue;
        }
        let shown = parts.iter().map(|part| {
            let weak = weaker.is_some_and(|w| chained(pg_plan::unparenthesized(part), w));
            let shown = plainer(part);
            if weak { format!("({shown})") } else { shown }
        });
        return shown.collect::<Vec<_>>().join(word);
    }
    match text.strip_prefix("NOT ") {
        Some(rest) if pg_plan::encloses(rest) => {
            let inner = pg_plan::unparenthesized(rest);
            let chain = chained(inner, " AND ") || chained(inner, " OR ");
            let shown = plainer(inner);
            let shown = if chain { format!("({shown})") } else { shown };
            format!("NOT {shown}")
        }
        _ => text.to_string(),
    }
}

/// Splits at a word outside of parentheses and quotes.
fn split_at_top<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    let (mut depth, mut quote, mut start) = (0i32, None, 0);
    let mut parts = Vec::new();
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ' ') if depth == 0 && at >= start && text[at..].starts_with(word) => {
                parts.push(&text[start..at]);
                start = at + word.len();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_are_seen() {
        assert_eq!(computed_key("lower(a)", false), "lower(a)");
        assert_eq!(computed_key("(a || b)", false), "((a || b))");
        assert_eq!(computed_key("(a || b)", true), "(a || b)");
        assert_eq!(
            computed_key("(lower(a) || upper(b))", true),
            "(lower(a) || upper(b))"
        );
        assert_eq!(parenthesized("a > 1", false), "(a > 1)");
        assert_eq!(parenthesized("(a > 1)", false), "(a > 1)");
        let both = "((c > 10) AND (a IS NOT NULL) AND ((b = 1) OR (b = ' AND ')))";
        assert_eq!(parenthesized(both, false), both);
        assert_eq!(
            parenthesized(both, true),
            "c > 10 AND a IS NOT NULL AND (b = 1 OR b = ' AND ')"
        );
        assert_eq!(parenthesized("((b + c) > 10)", true), "(b + c) > 10");
        let either = "(((a > 0) AND (b < 1)) OR (NOT ((c = 1) AND (d = 2))))";
        assert_eq!(
            parenthesized(either, true),
            "a > 0 AND b < 1 OR NOT (c = 1 AND d = 2)"
        );
    }
}
