//! The door of the parser: SQL text to statements.
//!
//! Statements are sqlparser's trees where a grammar is needed (queries, data
//! changes, CREATE TABLE ...), and [`Command`] for what PostgreSQL spells its own
//! way. Names are folded but not looked up: that is the planner's work.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod statement;

pub use pg_plan::{Literal, Normalized};
pub use sqlparser::ast;

/// The first part of the table's name in `FOR NO KEY UPDATE OF name`, as which the
/// grammar, which has two strengths of row locks, reads the other two. No name
/// starts like this.
pub const NO_KEY_UPDATE: &str = "\u{1}NO KEY UPDATE";
/// The same in `FOR KEY SHARE`.
pub const KEY_SHARE: &str = "\u{1}KEY SHARE";
/// Begins a name that carries what the grammar has no place for: in ON CONFLICT's
/// target the text of an expression, before a foreign key's columns those that ON
/// DELETE SET NULL or SET DEFAULT changes (each with the mark before it).
pub const MARK: char = '\u{1}';
/// Begins the name in ON CONFLICT's target that carries the text of its condition.
pub const MARK_CONDITION: &str = "\u{1}?";
pub use statement::{
    AlterAction, AlterObject, Command, CommentKind, CopyCommand, ObjectKind, Parsed, ReindexKind,
    SequenceSpec, Statement,
};

use alloc::vec::Vec;
use pg_types::SqlError;
use port::{Component, Port};

/// What the parser does. Stateless: a call never waits.
pub trait Parser: Component {
    /// Parses a text of any number of statements separated by semicolons. Empty
    /// statements are left out.
    ///
    /// # Errors
    /// 42601 with PostgreSQL's wording and the position, 54001 when the text is
    /// nested too deeply.
    fn parse(&self, sql: &str) -> Result<Vec<Parsed>, SqlError>;

    /// Parses one scalar expression, as stored for defaults and checks.
    ///
    /// # Errors
    /// As [`Parser::parse`].
    fn parse_expr(&self, sql: &str) -> Result<ast::Expr, SqlError>;

    /// Lifts the literals out of a single SELECT, INSERT, UPDATE or DELETE, so
    /// that a session can cache its plan under the key. False when the text is
    /// something else or a literal might mean more than its value; what is in
    /// `out` is then worth nothing. Its memory is used again.
    fn normalize(&self, sql: &str, out: &mut Normalized) -> bool;
}

/// The parser's door.
pub static PARSER: Port<dyn Parser> = Port::new("pg_parser");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &PARSER;

/// The port crate has no tasks, and nothing in statics but the door.
pub static MOVES: port::Moves = port::Moves::doors_only();
