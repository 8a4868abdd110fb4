//! Reading sqllogictest scripts and judging answers, by the rules of
//! <https://sqlite.org/sqllogictest/doc/trunk/about.wiki>: values one a line, more
//! than the threshold as a count and an MD5 digest.

use md5::{Digest, Md5};

use super::sql::TextRow;

/// How a query's values are brought in order before they are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    /// As they came.
    None,
    /// Rows among each other.
    Rows,
    /// Values, whatever row they were in.
    Values,
}

/// A record of a script.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Record {
    /// A statement that must succeed, or must fail.
    Statement {
        /// The text.
        sql: String,
        /// Whether it must fail.
        fails: bool,
    },
    /// A query with its expected values.
    Query {
        /// The text.
        sql: String,
        /// The order they are compared in.
        sort: Sort,
        /// The lines after `----`.
        expected: Vec<String>,
    },
}

/// The records of a script. What is no record (directives, comments) is skipped.
pub(super) fn records(script: &str) -> Vec<Record> {
    let mut records = Vec::new();
    let mut lines = script.lines().peekable();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (["statement" | "query", ..], Some(kind)) = (words.as_slice(), words.get(1)) else {
            if words.first() == Some(&"halt") {
                break;
            }
            continue;
        };
        let mut block = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.trim().is_empty()) {
            block.push(line.to_string());
        }
        let end = block.iter().position(|line| line == "----");
        let expected = end.map_or(Vec::new(), |end| block.split_off(end)[1..].to_vec());
        let sql = block.join("\n");
        records.push(if words[0] == "statement" || *kind == "error" {
            let fails = *kind == "error";
            Record::Statement { sql, fails }
        } else {
            let sort = match words.get(2) {
                Some(&"rowsort") => Sort::Rows,
                Some(&"valuesort") => Sort::Values,
                _ => Sort::None,
            };
            Record::Query {
                sql,
                sort,
                expected,
            }
        });
    }
    records
}

/// Whether an answer is the expected one.
pub(super) fn agrees(rows: Vec<TextRow>, sort: Sort, expected: &[String]) -> bool {
    let mut rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| row.into_iter().map(shown).collect())
        .collect();
    if sort == Sort::Rows {
        rows.sort();
    }
    let mut values: Vec<String> = rows.into_iter().flatten().collect();
    if sort == Sort::Values {
        values.sort();
    }
    if let [line] = expected
        && let Some((count, digest)) = line.split_once(" values hashing to ")
    {
        return count.parse() == Ok(values.len()) && hash(&values) == digest.trim();
    }
    values.len() == expected.len() && values.iter().zip(expected).all(|(a, b)| same(a, b))
}

fn shown(value: Option<String>) -> String {
    match value {
        None => "NULL".into(),
        Some(text) if text.is_empty() => "(empty)".into(),
        Some(text) => text,
    }
}

/// But for the amount of blanks.
fn same(a: &str, b: &str) -> bool {
    a.split_whitespace().eq(b.split_whitespace())
}

fn hash(values: &[String]) -> String {
    let mut digest = Md5::new();
    for value in values {
        digest.update(value.as_bytes());
        digest.update(b"\n");
    }
    let bytes = digest.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "# text\nhash-threshold 8\n\nstatement ok\nCREATE TABLE t1(a)\n\n\
        statement error\nSELECT nonsense\n\nquery II rowsort x-1\nSELECT 1,\n2\n----\n1\n2\n\n\
        query I nosort\nSELECT 1 WHERE false\n----\n";

    #[test]
    fn scripts_are_read() {
        let records = records(SCRIPT);
        assert_eq!(records.len(), 4);
        let fails = matches!(&records[1], Record::Statement { fails: true, .. });
        assert!(fails);
        let Record::Query {
            sql,
            sort,
            expected,
        } = &records[2]
        else {
            panic!("{:?}", records[2]);
        };
        assert_eq!((sql.as_str(), *sort), ("SELECT 1,\n2", Sort::Rows));
        assert_eq!(expected, &["1", "2"]);
        assert!(matches!(&records[3], Record::Query { expected, .. } if expected.is_empty()));
    }

    fn rows(texts: &[&[&str]]) -> Vec<TextRow> {
        let row = |texts: &&[&str]| texts.iter().map(|t| Some(t.to_string())).collect();
        texts.iter().map(row).collect()
    }

    #[test]
    fn answers_are_judged() {
        let expected: Vec<String> = ["1", "9", "2", "8"].map(String::from).to_vec();
        let answer = || rows(&[&["2", "8"], &["1", "9"]]);
        assert!(agrees(answer(), Sort::Rows, &expected));
        assert!(!agrees(answer(), Sort::None, &expected));
        let expected: Vec<String> = ["1", "2", "8", "9"].map(String::from).to_vec();
        assert!(agrees(answer(), Sort::Values, &expected));
        assert!(agrees(vec![vec![None]], Sort::None, &["NULL".to_string()]));
        let empty = vec![vec![Some(String::new())]];
        assert!(agrees(empty, Sort::None, &["(empty)".to_string()]));
    }

    #[test]
    fn many_values_are_hashed() {
        // printf '1\n2\n3\n' | md5sum
        let line = "3 values hashing to c0710d6b4f15dfa88f600b0e6b624077".to_string();
        assert!(agrees(rows(&[&["3"], &["1"], &["2"]]), Sort::Rows, &[line]));
    }
}
