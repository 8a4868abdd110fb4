//! Maintenance: VACUUM, ANALYZE, CHECKPOINT, LOCK, REINDEX, TRUNCATE, COMMENT.

use crate::command::{command, ready};
use crate::cursor::Cursor;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_parser_port::{Command, CommentKind, ReindexKind, Statement};
use pg_plan::{TableLock, TableNames, Utility};
use pg_types::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

/// Parses one of them.
pub fn parse(c: &mut Cursor<'_>) -> Result<Option<Statement>, SqlError> {
    Ok(Some(if c.accept("vacuum") {
        command(vacuum(c)?)
    } else if c.accept("analyze") || c.accept("analyse") {
        command(analyze(c)?)
    } else if c.accept("checkpoint") {
        ready(Utility::Checkpoint)
    } else if c.accept("lock") {
        command(lock(c)?)
    } else if c.accept("reindex") {
        command(reindex(c)?)
    } else if c.accept("truncate") {
        command(truncate(c)?)
    } else if c.accept("comment on") {
        return comment(c).map(Some);
    } else {
        return Ok(None);
    }))
}

/// The words in parentheses with their switches.
fn switches(c: &mut Cursor<'_>) -> Result<Vec<(String, bool)>, SqlError> {
    if !c.symbol(&Token::LParen) {
        return Ok(Vec::new());
    }
    let list = c.list(|c| {
        let name = c.name()?;
        let on = if c.accept("on") || c.accept("true") {
            true
        } else {
            !(c.accept("off") || c.accept("false"))
        };
        if matches!(c.peek(), Some(Token::Number(..))) {
            let number = c.integer()?;
            return Ok((name, number != 0));
        }
        Ok((name, on))
    })?;
    c.expect_symbol(&Token::RParen)?;
    Ok(list)
}

fn tables(c: &mut Cursor<'_>) -> Result<TableNames, SqlError> {
    if c.done() {
        return Ok(Vec::new());
    }
    c.list(|c| Ok((c.qualified()?, c.columns()?)))
}

fn unrecognized(verb: &str, name: &str) -> SqlError {
    SqlError::new(
        SqlState::SYNTAX_ERROR,
        alloc::format!("unrecognized {verb} option \"{name}\""),
    )
}

fn vacuum(c: &mut Cursor<'_>) -> Result<Command, SqlError> {
    let (mut analyze, mut full, mut freeze, mut verbose) = (false, false, false, false);
    if c.peek() == Some(&Token::LParen) {
        for (name, on) in switches(c)? {
            match name.as_str() {
                "analyze" | "analyse" => analyze = on,
                "full" => full = on,
                "freeze" => freeze = on,
                "verbose" => verbose = on,
                // Hints about how, which change nothing of the result.
                "skip_locked"
                | "disable_page_skipping"
                | "index_cleanup"
                | "process_toast"
                | "truncate"
                | "parallel" => {}
                _ => return Err(unrecognized("VACUUM", &name)),
            }
        }
    } else {
        full = c.accept("full");
        freeze = c.accept("freeze");
        verbose = c.accept("verbose");
        analyze = c.accept("analyze") || c.accept("analyse");
    }
    Ok(Command::Vacuum {
        tables: tables(c)?,
        analyze,
        full,
        freeze,
        verbose,
    })
}

fn analyze(c: &mut Cursor<'_>) -> Result<Command, SqlError> {
    let mut verbose = c.accept("verbose");
    for (name, on) in switches(c)? {
        match name.as_str() {
            "verbose" => verbose = on,
            "skip_locked" => {}
            _ => return Err(unrecognized("ANALYZE", &name)),
        }
    }
    Ok(Command::Analyze {
        tables: tables(c)?,
        verbose,
    })
}

fn lock(c: &mut Cursor<'_>) -> Result<Command, SqlError> {
    c.accept("table");
    let tables = c.list(|c| {
        c.accept("only");
        let name = c.qualified()?;
        c.symbol(&Token::Mul);
        Ok(name)
    })?;
    let mut mode = TableLock::AccessExclusive;
    if c.accept("in") {
        mode = [
            ("access share", TableLock::AccessShare),
            ("row share", TableLock::RowShare),
            ("row exclusive", TableLock::RowExclusive),
            ("share update exclusive", TableLock::ShareUpdateExclusive),
            ("share row exclusive", TableLock::ShareRowExclusive),
            ("share", TableLock::Share),
            ("exclusive", TableLock::Exclusive),
            ("access exclusive", TableLock::AccessExclusive),
        ]
        .into_iter()
        .find(|(words, _)| c.accept(words))
        .map(|(_, mode)| mode)
        .ok_or_else(|| c.error())?;
        c.expect("mode")?;
    }
    Ok(Command::Lock {
        tables,
        mode,
        nowait: c.accept("nowait"),
    })
}

fn reindex(c: &mut Cursor<'_>) -> Result<Command, SqlError> {
    let mut concurrently = false;
    for (name, on) in switches(c)? {
        match name.as_str() {
            "concurrently" => concurrently = on,
            "verbose" => {}
            _ => return Err(unrecognized("REINDEX", &name)),
        }
    }
    let kind = [
        ("index", ReindexKind::Index),
        ("table", ReindexKind::Table),
        ("schema", ReindexKind::Schema),
        ("database", ReindexKind::Database),
    ]
    .into_iter()
    .find(|(word, _)| c.accept(word))
    .map(|(_, kind)| kind)
    .ok_or_else(|| c.error())?;
    concurrently |= c.accept("concurrently");
    let name = c.qualified()?;
    Ok(Command::Reindex {
        kind,
        name,
        concurrently,
    })
}

fn truncate(c: &mut Cursor<'_>) -> Result<Command, SqlError> {
    c.accept("table");
    let tables = c.list(|c| {
        c.accept("only");
        let name = c.qualified()?;
        c.symbol(&Token::Mul);
        Ok(name)
    })?;
    let restart_identity = c.accept("restart identity");
    if !restart_identity {
        c.accept("continue identity");
    }
    let cascade = c.accept("cascade");
    if !cascade {
        c.accept("restrict");
    }
    Ok(Command::Truncate {
        tables,
        restart_identity,
        cascade,
    })
}

fn comment(c: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let kind = if c.accept("table") || c.accept("view") || c.accept("index") || c.accept("sequence")
    {
        CommentKind::Relation
    } else if c.accept("column") {
        CommentKind::Column
    } else if c.accept("schema") {
        CommentKind::Schema
    } else if c.accept("database") {
        CommentKind::Database
    } else if c.accept("constraint") {
        CommentKind::Constraint
    } else {
        let what = c.name()?.to_uppercase();
        c.take_rest();
        return Ok(Statement::Unsupported(alloc::format!("COMMENT ON {what}")));
    };
    let name = c.dotted()?;
    let on = match kind {
        CommentKind::Constraint => {
            c.expect("on")?;
            Some(c.qualified()?)
        }
        _ => None,
    };
    c.expect("is")?;
    let text = if c.accept("null") {
        None
    } else {
        Some(c.string()?.to_string())
    };
    Ok(command(Command::Comment {
        kind,
        name,
        on,
        text: text.filter(|t| !t.is_empty()),
    }))
}
