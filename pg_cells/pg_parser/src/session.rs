//! Commands of the session: SET, transactions, prepared statements, cursors,
//! EXPLAIN.

use crate::command::{command, ready};
use crate::cursor::Cursor;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_parser_port::{Command, Statement};
use pg_plan::{
    Discard, ExplainFormat, ExplainOptions, FetchDirection, IsolationLevel, TransactionCommand,
    TransactionModes, Utility,
};
use pg_types::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

/// Parses one of them.
pub fn parse(c: &mut Cursor<'_>) -> Result<Option<Statement>, SqlError> {
    if let Some(done) = transaction(c)? {
        return Ok(Some(ready(Utility::Transaction(done))));
    }
    let utility = if c.accept("set constraints") {
        set_constraints(c)?
    } else if c.accept("set") {
        return set(c).map(Some);
    } else if c.accept("show") {
        Utility::Show {
            name: parameter(c)?,
        }
    } else if c.accept("reset") {
        Utility::Reset {
            name: parameter(c)?,
        }
    } else if c.accept("discard") {
        Utility::Discard(discard(c)?)
    } else if c.accept("deallocate") {
        c.accept("prepare");
        let name = if c.accept("all") {
            None
        } else {
            Some(c.name()?)
        };
        Utility::Deallocate { name }
    } else if c.accept("close") {
        let name = if c.accept("all") {
            None
        } else {
            Some(c.name()?)
        };
        Utility::Close { name }
    } else if c.sees("fetch") || c.sees("move") {
        fetch(c)?
    } else if c.accept("execute") {
        execute(c)?
    } else if c.accept("prepare") {
        return prepare(c).map(Some);
    } else if c.accept("declare") {
        return declare(c).map(Some);
    } else if c.accept("explain") {
        return explain(c).map(Some);
    } else {
        return Ok(None);
    };
    Ok(Some(ready(utility)))
}

fn transaction(c: &mut Cursor<'_>) -> Result<Option<TransactionCommand>, SqlError> {
    let filler = |c: &mut Cursor<'_>| {
        let _ = c.accept("work") || c.accept("transaction");
    };
    let chain = |c: &mut Cursor<'_>| {
        if c.accept("and no chain") {
            return Ok(false);
        }
        if c.sees("and") {
            c.expect("and chain")?;
            return Ok(true);
        }
        Ok::<_, SqlError>(false)
    };
    Ok(Some(if c.accept("begin") {
        filler(c);
        TransactionCommand::Begin {
            start: false,
            modes: modes(c)?,
        }
    } else if c.accept("start transaction") {
        TransactionCommand::Begin {
            start: true,
            modes: modes(c)?,
        }
    } else if c.accept("commit") || c.accept("end") {
        filler(c);
        TransactionCommand::Commit { chain: chain(c)? }
    } else if c.accept("rollback") || c.accept("abort") {
        filler(c);
        if c.accept("to") {
            c.accept("savepoint");
            TransactionCommand::RollbackTo(c.name()?)
        } else {
            TransactionCommand::Rollback { chain: chain(c)? }
        }
    } else if c.accept("savepoint") {
        TransactionCommand::Savepoint(c.name()?)
    } else if c.accept("release") {
        c.accept("savepoint");
        TransactionCommand::Release(c.name()?)
    } else {
        return Ok(None);
    }))
}

fn modes(c: &mut Cursor<'_>) -> Result<TransactionModes, SqlError> {
    let mut modes = TransactionModes::default();
    while !c.done() {
        c.symbol(&Token::Comma);
        if c.accept("isolation level") {
            modes.isolation = Some(if c.accept("read uncommitted") {
                IsolationLevel::ReadUncommitted
            } else if c.accept("read committed") {
                IsolationLevel::ReadCommitted
            } else if c.accept("repeatable read") {
                IsolationLevel::RepeatableRead
            } else {
                c.expect("serializable")?;
                IsolationLevel::Serializable
            });
        } else if c.accept("read only") {
            modes.read_only = Some(true);
        } else if c.accept("read write") {
            modes.read_only = Some(false);
        } else if c.accept("not deferrable") {
            modes.deferrable = Some(false);
        } else {
            c.expect("deferrable")?;
            modes.deferrable = Some(true);
        }
    }
    Ok(modes)
}

/// The parameter of SHOW and RESET; `None` is ALL.
fn parameter(c: &mut Cursor<'_>) -> Result<Option<String>, SqlError> {
    if c.accept("all") {
        return Ok(None);
    }
    if c.accept("time zone") {
        return Ok(Some("timezone".to_string()));
    }
    if c.accept("transaction isolation level") {
        return Ok(Some("transaction_isolation".to_string()));
    }
    if c.accept("session authorization") {
        return Ok(Some("session_authorization".to_string()));
    }
    Ok(Some(c.dotted()?.join(".").to_lowercase()))
}

fn set(c: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let local = c.accept("local");
    let session = !local && !c.sees("session authorization") && c.accept("session");
    if c.accept("characteristics as transaction") {
        return Ok(ready(Utility::SetTransaction {
            session: true,
            modes: modes(c)?,
        }));
    }
    if !session && c.accept("transaction") {
        if c.sees("snapshot") {
            return Ok(Statement::Unsupported(
                "SET TRANSACTION SNAPSHOT".to_string(),
            ));
        }
        return Ok(ready(Utility::SetTransaction {
            session: false,
            modes: modes(c)?,
        }));
    }
    let name = if c.accept("time zone") {
        let value = if c.accept("local") || c.accept("default") {
            None
        } else {
            Some(zone(c)?)
        };
        return Ok(ready(Utility::Set {
            name: "timezone".to_string(),
            value,
            local,
        }));
    } else if c.accept("names") {
        "client_encoding".to_string()
    } else if c.accept("session authorization") {
        "session_authorization".to_string()
    } else if c.accept("role") {
        "role".to_string()
    } else {
        let name = c.dotted()?.join(".").to_lowercase();
        if !c.symbol(&Token::Eq) {
            c.expect("to")?;
        }
        name
    };
    let value = if c.done() && name == "client_encoding" || c.accept("default") {
        None
    } else {
        let quote = matches!(
            name.as_str(),
            "search_path" | "temp_tablespaces" | "session_preload_libraries"
        );
        Some(c.list(|c| value(c, quote))?.join(", "))
    };
    Ok(ready(Utility::Set { name, value, local }))
}

fn set_constraints(c: &mut Cursor<'_>) -> Result<Utility, SqlError> {
    let names = match c.accept("all") {
        true => None,
        false => Some(c.list(Cursor::qualified)?),
    };
    let deferred = c.accept("deferred");
    if !deferred {
        c.expect("immediate")?;
    }
    Ok(Utility::SetConstraints { names, deferred })
}

/// SET TIME ZONE's value: a name, a number, an interval.
fn zone(c: &mut Cursor<'_>) -> Result<String, SqlError> {
    c.accept("interval");
    let zone = value(c, false)?;
    if c.accept("hour") {
        c.expect("to minute")?;
    }
    Ok(zone)
}

/// One value of SET, as text.
fn value(c: &mut Cursor<'_>, quote: bool) -> Result<String, SqlError> {
    if matches!(
        c.peek(),
        Some(Token::Minus | Token::Plus | Token::Number(..))
    ) {
        let minus = c.symbol(&Token::Minus);
        c.symbol(&Token::Plus);
        return match c.next()? {
            Token::Number(number, _) if minus => Ok(alloc::format!("-{number}")),
            Token::Number(number, _) => Ok(number.clone()),
            _ => Err(c.error()),
        };
    }
    let text = match c.peek() {
        Some(Token::Word(_)) => c.name()?,
        _ => c.string()?,
    };
    let plain = text.starts_with(|ch: char| ch.is_ascii_lowercase() || ch == '_')
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if quote && !plain {
        Ok(alloc::format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Ok(text)
    }
}

fn discard(c: &mut Cursor<'_>) -> Result<Discard, SqlError> {
    Ok(if c.accept("all") {
        Discard::All
    } else if c.accept("plans") {
        Discard::Plans
    } else if c.accept("sequences") {
        Discard::Sequences
    } else if c.accept("temp") {
        Discard::Temp
    } else {
        c.expect("temporary")?;
        Discard::Temp
    })
}

fn fetch(c: &mut Cursor<'_>) -> Result<Utility, SqlError> {
    let move_only = c.accept("move");
    if !move_only {
        c.expect("fetch")?;
    }
    let count = |c: &mut Cursor<'_>| {
        if c.accept("all") {
            return Ok(i64::MAX);
        }
        match c.peek() {
            Some(Token::Number(..) | Token::Minus | Token::Plus) => c.integer(),
            _ => Ok(1),
        }
    };
    let direction = if c.accept("next") {
        FetchDirection::Forward(1)
    } else if c.accept("prior") {
        FetchDirection::Backward(1)
    } else if c.accept("first") {
        FetchDirection::Absolute(1)
    } else if c.accept("last") {
        FetchDirection::Absolute(-1)
    } else if c.accept("absolute") {
        FetchDirection::Absolute(c.integer()?)
    } else if c.accept("relative") {
        FetchDirection::Relative(c.integer()?)
    } else if c.accept("forward") {
        FetchDirection::Forward(count(c)?)
    } else if c.accept("backward") {
        FetchDirection::Backward(count(c)?)
    } else {
        FetchDirection::Forward(count(c)?)
    };
    let _ = c.accept("from") || c.accept("in");
    Ok(Utility::Fetch {
        name: c.name()?,
        direction,
        move_only,
    })
}

fn execute(c: &mut Cursor<'_>) -> Result<Utility, SqlError> {
    let name = c.name()?;
    let mut args = Vec::new();
    if c.symbol(&Token::LParen) {
        let inner = c.balanced()?;
        let mut depth = 0;
        let mut start = 0;
        for (at, token) in inner.iter().enumerate() {
            match token.token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket => depth -= 1,
                Token::Comma if depth == 0 => {
                    args.push(c.text.slice(&inner[start..at]).to_string());
                    start = at + 1;
                }
                _ => {}
            }
        }
        args.push(c.text.slice(&inner[start..]).to_string());
    }
    Ok(Utility::Execute { name, args })
}

fn prepare(c: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let name = c.name()?;
    let mut types = Vec::new();
    if c.symbol(&Token::LParen) {
        let inner = c.balanced()?;
        types = crate::dialect::parse_with(c.text, inner, |p| {
            p.parse_comma_separated(sqlparser::parser::Parser::parse_data_type)
        })?;
    }
    c.expect("as")?;
    let rest = c.take_rest();
    crate::statement(c.text, rest)?;
    let sql = c.text.slice(rest).to_string();
    Ok(command(Command::Prepare { name, types, sql }))
}

fn declare(c: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let name = c.name()?;
    let (mut binary, mut scroll) = (false, None);
    while !c.sees("cursor") {
        if c.accept("binary") {
            binary = true;
        } else if c.accept("no scroll") {
            scroll = Some(false);
        } else if c.accept("scroll") {
            scroll = Some(true);
        } else if !(c.accept("insensitive") || c.accept("asensitive")) {
            return Err(c.error());
        }
    }
    c.expect("cursor")?;
    let hold = c.accept("with hold");
    if !hold {
        c.accept("without hold");
    }
    c.expect("for")?;
    let query = crate::statement(c.text, c.take_rest())?;
    Ok(command(Command::Declare {
        name,
        query,
        hold,
        scroll,
        binary,
    }))
}

fn explain(c: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let mut options = ExplainOptions::default();
    let parenthesized = c.peek() == Some(&Token::LParen)
        && c.rest().get(1).is_some_and(|t| match &t.token {
            Token::Word(w) => !["select", "with", "values", "table"]
                .contains(&w.value.to_ascii_lowercase().as_str()),
            _ => false,
        });
    if parenthesized {
        c.symbol(&Token::LParen);
        c.list(|c| explain_option(c, &mut options))?;
        c.expect_symbol(&Token::RParen)?;
    } else {
        options.analyze = c.accept("analyze") || c.accept("analyse");
        options.verbose = c.accept("verbose");
    }
    let statement = crate::statement(c.text, c.take_rest())?;
    Ok(command(Command::Explain { options, statement }))
}

fn explain_option(c: &mut Cursor<'_>, options: &mut ExplainOptions) -> Result<(), SqlError> {
    let name = c.name()?;
    let word = match c.peek() {
        Some(Token::Comma | Token::RParen) | None => None,
        Some(Token::Number(..)) => Some(c.integer()?.to_string()),
        Some(Token::Word(_)) => Some(c.name()?),
        _ => Some(c.string()?),
    };
    if name == "format" {
        options.format = match word.as_deref() {
            Some("text") => ExplainFormat::Text,
            Some("json") => ExplainFormat::Json,
            other => {
                return Err(SqlError::unsupported(alloc::format!(
                    "EXPLAIN format \"{}\"",
                    other.unwrap_or("")
                )));
            }
        };
        return Ok(());
    }
    let on = match word.as_deref() {
        None | Some("on" | "true" | "1") => true,
        Some("off" | "false" | "0") => false,
        Some(_) => {
            return Err(SqlError::new(
                SqlState::SYNTAX_ERROR,
                alloc::format!("{name} requires a Boolean value"),
            ));
        }
    };
    match name.as_str() {
        "analyze" | "analyse" => options.analyze = on,
        "verbose" => options.verbose = on,
        "costs" => options.costs = on,
        "buffers" => options.buffers = on,
        "timing" => options.timing = on,
        "summary" => options.summary = Some(on),
        "settings" | "wal" if !on => {}
        _ => {
            return Err(SqlError::new(
                SqlState::SYNTAX_ERROR,
                alloc::format!("unrecognized EXPLAIN option \"{name}\""),
            ));
        }
    }
    Ok(())
}
