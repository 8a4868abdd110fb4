//! The dialect: sqlparser's PostgreSQL, and how its parser is run.

use crate::fault;
use crate::text::{Text, Tok};
use pg_types::SqlError;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// The dialect.
#[allow(non_upper_case_globals)] // Reads as the unit struct it is.
pub const Pg: PostgreSqlDialect = PostgreSqlDialect {};

/// How deeply a statement may be nested. Each level of parentheses takes one to
/// two counts and up to eight KiB of stack.
const DEPTH: usize = 100;

/// Runs sqlparser over `tokens`, which must be used up.
pub fn parse_with<T>(
    text: &Text<'_>,
    tokens: &[Tok],
    parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, SqlError> {
    let mut parser = Parser::new(&Pg)
        .with_recursion_limit(DEPTH)
        .with_tokens_with_locations(tokens.to_vec());
    let parsed = parse(&mut parser).map_err(|e| fault::parse(text, tokens, &e))?;
    let next = parser.peek_token_ref();
    if next.token == Token::EOF {
        Ok(parsed)
    } else {
        Err(fault::near(text, next))
    }
}
