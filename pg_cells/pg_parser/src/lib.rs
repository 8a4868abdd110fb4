//! SQL text to statements.
//!
//! - [`text`]: tokens with byte offsets, cutting a text into statements;
//! - [`fault`]: sqlparser's complaints in PostgreSQL's words;
//! - [`cursor`]: reading the commands that are parsed here;
//! - [`command`] and its parts: those commands, by concern;
//! - [`rewrite`], [`clauses`]: spellings sqlparser does not know, put into ones it does;
//! - [`normalize`]: the fingerprint of hot statements, with [`words`].
//!
//! Nothing here knows of tables or types.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod clauses;
mod command;
mod copy;
mod cursor;
mod dialect;
mod fault;
mod maintain;
mod normalize;
mod object;
mod rewrite;
mod session;
mod text;
mod words;

use alloc::boxed::Box;
use alloc::vec::Vec;
use pg_parser_port::{Normalized, PARSER, Parsed, Parser, Statement, ast};
use pg_types::{SqlError, SqlState};
use port::{Birth, BirthError, Cell, Component, CrashKind};
use text::Text;

/// The cell.
pub static CELL: Cell = Cell {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&pg_parser_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    birth.provide(&PARSER, Box::new(PgParser) as Box<dyn Parser>);
    Ok(())
}

/// The provider; it has no state.
struct PgParser;

impl Component for PgParser {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Parser for PgParser {
    fn parse(&self, sql: &str) -> Result<Vec<Parsed>, SqlError> {
        let text = Text::tokenize(sql)?;
        let mut out = Vec::new();
        for range in text.statements() {
            let tokens = &text.tokens()[range];
            let (start, end) = text.extent(tokens);
            out.push(Parsed {
                statement: statement(&text, tokens)?,
                start,
                end,
            });
        }
        Ok(out)
    }

    fn parse_expr(&self, sql: &str) -> Result<ast::Expr, SqlError> {
        let text = Text::tokenize(sql)?;
        let tokens = text.tokens();
        dialect::parse_with(&text, tokens, |parser| parser.parse_expr())
    }

    fn normalize(&self, sql: &str, out: &mut Normalized) -> bool {
        normalize::normalize(sql, out).is_some()
    }
}

/// One statement from its tokens.
fn statement(text: &Text<'_>, tokens: &[text::Tok]) -> Result<Statement, SqlError> {
    match command::parse(text, tokens)? {
        Some(statement) => Ok(statement),
        None => sql(text, tokens),
    }
}

/// A statement of sqlparser's.
fn sql(text: &Text<'_>, tokens: &[text::Tok]) -> Result<Statement, SqlError> {
    let tokens = rewrite::rewrite(text, tokens);
    let statement = dialect::parse_with(text, &tokens, |parser| parser.parse_statement())?;
    match statement {
        ast::Statement::Query(_)
        | ast::Statement::Insert(_)
        | ast::Statement::Update(_)
        | ast::Statement::Delete(_)
        | ast::Statement::Merge(_)
        | ast::Statement::CreateTable(_)
        | ast::Statement::CreateView(_)
        | ast::Statement::CreateIndex(_)
        | ast::Statement::AlterTable(_) => Ok(Statement::Sql(Box::new(statement))),
        // Grammar of other dialects that sqlparser takes along.
        _ => match tokens.first() {
            Some(first) => Err(fault::near(text, first)),
            None => Err(SqlError::new(
                SqlState::SYNTAX_ERROR,
                "syntax error at end of input",
            )),
        },
    }
}
