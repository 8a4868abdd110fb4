//! Which statements are parsed here, by their first words.

use crate::cursor::Cursor;
use crate::text::{Text, Tok};
use crate::{copy, maintain, object, session};
use alloc::boxed::Box;
use alloc::string::ToString;
use pg_parser_port::{Command, Statement};
use pg_plan::Utility;
use pg_types::SqlError;

/// A command without names to look up.
pub fn ready(utility: Utility) -> Statement {
    command(Command::Ready(utility))
}

/// A command.
pub fn command(command: Command) -> Statement {
    Statement::Command(Box::new(command))
}

/// Statements PostgreSQL knows and this system does not offer, by first words.
const UNSUPPORTED: &[&str] = &[
    "alter aggregate",
    "alter collation",
    "alter conversion",
    "alter database",
    "alter default privileges",
    "alter domain",
    "alter event trigger",
    "alter extension",
    "alter foreign",
    "alter function",
    "alter group",
    "alter language",
    "alter large object",
    "alter materialized view",
    "alter operator",
    "alter policy",
    "alter procedure",
    "alter publication",
    "alter role",
    "alter routine",
    "alter rule",
    "alter server",
    "alter statistics",
    "alter subscription",
    "alter system",
    "alter tablespace",
    "alter text search",
    "alter trigger",
    "alter type",
    "alter user",
    "call",
    "cluster",
    "create access method",
    "create aggregate",
    "create cast",
    "create collation",
    "create conversion",
    "create database",
    "create domain",
    "create event trigger",
    "create extension",
    "create foreign",
    "create function",
    "create group",
    "create language",
    "create materialized view",
    "create operator",
    "create or replace function",
    "create or replace procedure",
    "create or replace rule",
    "create or replace trigger",
    "create or replace aggregate",
    "create or replace language",
    "create constraint trigger",
    "create policy",
    "create procedure",
    "create publication",
    "create recursive view",
    "create role",
    "create rule",
    "create server",
    "create statistics",
    "create subscription",
    "create tablespace",
    "create text search",
    "create transform",
    "create trigger",
    "create trusted language",
    "create type",
    "create user",
    "do",
    "drop access method",
    "drop aggregate",
    "drop cast",
    "drop collation",
    "drop conversion",
    "drop database",
    "drop domain",
    "drop event trigger",
    "drop extension",
    "drop foreign",
    "drop function",
    "drop group",
    "drop language",
    "drop materialized view",
    "drop operator",
    "drop owned",
    "drop policy",
    "drop procedure",
    "drop publication",
    "drop role",
    "drop routine",
    "drop rule",
    "drop server",
    "drop statistics",
    "drop subscription",
    "drop tablespace",
    "drop text search",
    "drop transform",
    "drop trigger",
    "drop type",
    "drop user",
    "grant",
    "import foreign schema",
    "listen",
    "load",
    "merge",
    "notify",
    "prepare transaction",
    "commit prepared",
    "rollback prepared",
    "reassign owned",
    "refresh materialized view",
    "revoke",
    "security label",
    "unlisten",
];

/// Parses a command; `None` when the statement is sqlparser's.
pub fn parse<'a>(text: &'a Text<'a>, tokens: &'a [Tok]) -> Result<Option<Statement>, SqlError> {
    let mut cursor = Cursor::new(text, tokens);
    if cursor.sees_query() {
        let unsupported = partitions(&cursor).map(ToString::to_string);
        return Ok(unsupported.map(Statement::Unsupported));
    }
    if let Some(words) = UNSUPPORTED.iter().find(|words| cursor.sees(words)) {
        return Ok(Some(Statement::Unsupported(words.to_uppercase())));
    }
    if let Some(what) = partitions(&cursor) {
        return Ok(Some(Statement::Unsupported(what.to_string())));
    }
    let statement = session::parse(&mut cursor)?;
    let statement = match statement {
        Some(statement) => Some(statement),
        None => maintain::parse(&mut cursor)?,
    };
    let statement = match statement {
        Some(statement) => Some(statement),
        None => object::parse(&mut cursor)?,
    };
    let statement = match statement {
        Some(statement) => Some(statement),
        None => copy::parse(&mut cursor)?,
    };
    if statement.is_some() {
        cursor.end()?;
    }
    Ok(statement)
}

/// Statements about partitions, and other spellings sqlparser does not take.
fn partitions(cursor: &Cursor<'_>) -> Option<&'static str> {
    use sqlparser::tokenizer::Token;
    let word = |token: &Tok, word: &str| matches!(&token.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word));
    let pair = |first: &str, second: &str| {
        cursor
            .rest()
            .windows(2)
            .any(|two| word(&two[0], first) && word(&two[1], second))
    };
    if cursor.sees("alter") {
        if pair("attach", "partition") {
            return Some("ATTACH PARTITION");
        }
        if pair("detach", "partition") {
            return Some("DETACH PARTITION");
        }
        if pair("row", "level") {
            return Some("ROW LEVEL SECURITY");
        }
        if pair("disable", "trigger") || pair("enable", "trigger") {
            return Some("ENABLE and DISABLE TRIGGER");
        }
        if pair("replica", "identity") {
            return Some("REPLICA IDENTITY");
        }
    }
    if cursor.sees("create table") && pair("partition", "of") {
        return Some("PARTITION OF");
    }
    if cursor.sees("insert") && (pair("overriding", "system") || pair("overriding", "user")) {
        return Some("OVERRIDING");
    }
    None
}
