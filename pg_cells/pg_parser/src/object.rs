//! Objects without expressions: sequences and schemas, DROP, and the ALTERs that
//! only name things.

use crate::command::{command, ready};
use crate::cursor::Cursor;
use alloc::string::String;
use alloc::vec::Vec;
use pg_parser_port::{AlterAction, AlterObject, Command, ObjectKind, SequenceSpec, Statement};
use pg_plan::{Ddl, Deferral, Drop, DropKind, QualifiedName, Utility};
use pg_types::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

/// Parses one of them.
pub fn parse(c: &mut Cursor<'_>) -> Result<Option<Statement>, SqlError> {
    if c.accept("create schema") {
        return schema(c).map(Some);
    }
    let prefixes = [
        ("create sequence", false),
        ("create temporary sequence", true),
        ("create temp sequence", true),
        ("create unlogged sequence", false),
    ];
    for (words, temporary) in prefixes {
        if c.accept(words) {
            let if_not_exists = c.accept("if not exists");
            let name = c.qualified()?;
            let spec = sequence(c)?;
            return Ok(Some(command(Command::CreateSequence {
                name,
                temporary,
                if_not_exists,
                spec,
            })));
        }
    }
    if c.accept("drop") {
        return drop(c).map(Some);
    }
    if c.sees("alter") && !c.sees("alter table") {
        return alter(c).map(Some);
    }
    if c.sees("alter table") {
        return alter_table(c);
    }
    Ok(None)
}

fn schema(c: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let if_not_exists = c.accept("if not exists");
    let mut owner = None;
    let name = if c.accept("authorization") {
        let name = c.name()?;
        owner = Some(name.clone());
        name
    } else {
        let name = c.name()?;
        if c.accept("authorization") {
            owner = Some(c.name()?);
        }
        name
    };
    if !c.done() {
        return Err(SqlError::unsupported("CREATE SCHEMA with elements"));
    }
    Ok(ready(Utility::Ddl(Ddl::CreateSchema {
        name,
        if_not_exists,
        owner,
    })))
}

/// The options of CREATE and ALTER SEQUENCE, in any order.
fn sequence(c: &mut Cursor<'_>) -> Result<SequenceSpec, SqlError> {
    let mut spec = SequenceSpec::default();
    while !c.done() {
        if c.accept("as") {
            let tokens = c.rest();
            let name = &tokens[..tokens.len().min(1)];
            spec.data_type = Some(crate::dialect::parse_with(c.text, name, |p| {
                p.parse_data_type()
            })?);
            c.next()?;
        } else if c.accept("increment") {
            c.accept("by");
            spec.increment = Some(c.integer()?);
        } else if c.accept("minvalue") {
            spec.min = Some(Some(c.integer()?));
        } else if c.accept("no minvalue") {
            spec.min = Some(None);
        } else if c.accept("maxvalue") {
            spec.max = Some(Some(c.integer()?));
        } else if c.accept("no maxvalue") {
            spec.max = Some(None);
        } else if c.accept("start") {
            c.accept("with");
            spec.start = Some(c.integer()?);
        } else if c.accept("restart") {
            let with = c.accept("with");
            let number = with || matches!(c.peek(), Some(Token::Number(..) | Token::Minus));
            spec.restart = Some(if number { Some(c.integer()?) } else { None });
        } else if c.accept("cache") {
            spec.cache = Some(c.integer()?);
        } else if c.accept("cycle") {
            spec.cycle = Some(true);
        } else if c.accept("no cycle") {
            spec.cycle = Some(false);
        } else if c.accept("owned by") {
            spec.owned_by = Some(if c.accept("none") {
                Vec::new()
            } else {
                c.dotted()?
            });
        } else {
            return Err(c.error());
        }
    }
    Ok(spec)
}

fn drop(c: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let kinds = [
        ("table", DropKind::Table),
        ("index", DropKind::Index),
        ("view", DropKind::View),
        ("sequence", DropKind::Sequence),
        ("schema", DropKind::Schema),
    ];
    let kind = kinds
        .into_iter()
        .find(|(word, _)| c.accept(word))
        .map(|(_, kind)| kind)
        .ok_or_else(|| c.error())?;
    if kind == DropKind::Index {
        c.accept("concurrently");
    }
    let if_exists = c.accept("if exists");
    let names = c.list(Cursor::qualified)?;
    let cascade = c.accept("cascade");
    if !cascade {
        c.accept("restrict");
    }
    Ok(ready(Utility::Ddl(Ddl::Drop(Drop {
        kind,
        names,
        if_exists,
        cascade,
    }))))
}

fn alter(c: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    c.expect("alter")?;
    let kinds = [
        ("index", ObjectKind::Index),
        ("view", ObjectKind::View),
        ("sequence", ObjectKind::Sequence),
        ("schema", ObjectKind::Schema),
    ];
    let kind = kinds
        .into_iter()
        .find(|(word, _)| c.accept(word))
        .map(|(_, kind)| kind)
        .ok_or_else(|| c.error())?;
    let if_exists = c.accept("if exists");
    let name = c.qualified()?;
    if let Some(action) = action(c)? {
        return Ok(alter_command(kind, name, if_exists, action));
    }
    if kind == ObjectKind::Sequence {
        let spec = sequence(c)?;
        return Ok(command(Command::AlterSequence {
            name,
            if_exists,
            spec,
        }));
    }
    if kind == ObjectKind::View && c.sees("alter") {
        c.take_rest();
        return Ok(Statement::Unsupported("ALTER VIEW ... ALTER COLUMN".into()));
    }
    Err(c.error())
}

fn alter_command(
    kind: ObjectKind,
    name: QualifiedName,
    if_exists: bool,
    action: AlterAction,
) -> Statement {
    command(Command::Alter {
        object: AlterObject { kind, name },
        if_exists,
        action,
    })
}

/// The actions all kinds share.
fn action(c: &mut Cursor<'_>) -> Result<Option<AlterAction>, SqlError> {
    Ok(Some(if c.accept("rename to") {
        AlterAction::Rename(c.name()?)
    } else if c.sees("rename") && !c.sees("rename constraint") {
        c.expect("rename")?;
        c.accept("column");
        let from = c.name()?;
        c.expect("to")?;
        AlterAction::RenameColumn(from, c.name()?)
    } else if c.accept("owner to") {
        AlterAction::Owner(c.name()?)
    } else if c.accept("set schema") {
        AlterAction::Schema(c.name()?)
    } else if c.sees("set") && matches!(c.rest().get(1).map(|t| &t.token), Some(Token::LParen)) {
        c.accept("set");
        AlterAction::Options(options(c, true)?)
    } else if c.sees("reset") && matches!(c.rest().get(1).map(|t| &t.token), Some(Token::LParen)) {
        c.accept("reset");
        AlterAction::Options(options(c, false)?)
    } else {
        return Ok(None);
    }))
}

fn options(c: &mut Cursor<'_>, values: bool) -> Result<Vec<(String, Option<String>)>, SqlError> {
    c.expect_symbol(&Token::LParen)?;
    let list = c.list(|c| {
        let name = c.dotted()?.join(".");
        if !values {
            return Ok((name, None));
        }
        if !c.symbol(&Token::Eq) {
            return Ok((name, Some("true".into())));
        }
        let value = match c.next()? {
            Token::Word(w) => w.value.to_lowercase(),
            Token::Number(n, _) | Token::SingleQuotedString(n) => n.clone(),
            _ => return Err(c.error()),
        };
        Ok((name, Some(value)))
    })?;
    c.expect_symbol(&Token::RParen)?;
    Ok(list)
}

/// DEFERRABLE and INITIALLY, in either order.
fn deferral(c: &mut Cursor<'_>) -> Result<Deferral, SqlError> {
    let (mut deferrable, mut deferred) = (None, None);
    while !c.done() {
        if deferrable.is_none() && c.accept("not deferrable") {
            deferrable = Some(false);
        } else if deferrable.is_none() && c.accept("deferrable") {
            deferrable = Some(true);
        } else if deferred.is_none() && c.accept("initially deferred") {
            deferred = Some(true);
        } else if deferred.is_none() && c.accept("initially immediate") {
            deferred = Some(false);
        } else {
            return Err(c.error());
        }
    }
    let deferred = deferred.unwrap_or(false);
    if deferred && deferrable == Some(false) {
        return Err(SqlError::new(
            SqlState::SYNTAX_ERROR,
            "constraint declared INITIALLY DEFERRED must be DEFERRABLE",
        ));
    }
    Ok(Deferral {
        deferrable: deferrable.unwrap_or(deferred),
        deferred,
    })
}

/// ALTER TABLE where a single action suffices; the rest is sqlparser's.
fn alter_table(c: &mut Cursor<'_>) -> Result<Option<Statement>, SqlError> {
    let mut ahead = Cursor::new(c.text, c.rest());
    ahead.expect("alter table")?;
    let if_exists = ahead.accept("if exists");
    ahead.accept("only");
    let name = ahead.qualified()?;
    if ahead.sees("set tablespace")
        || ahead.sees("set access")
        || ahead.sees("inherit")
        || ahead.sees("no inherit")
    {
        c.take_rest();
        return Ok(Some(Statement::Unsupported(
            "this form of ALTER TABLE".into(),
        )));
    }
    if ahead.sees("cluster") || ahead.sees("set without") {
        return Err(SqlError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "this form of ALTER TABLE is not supported",
        ));
    }
    if ahead.accept("alter constraint") {
        let action = AlterAction::Constraint(ahead.name()?, deferral(&mut ahead)?);
        ahead.end()?;
        c.take_rest();
        return Ok(Some(alter_command(
            ObjectKind::Table,
            name,
            if_exists,
            action,
        )));
    }
    match action(&mut ahead)? {
        Some(action) if ahead.done() => {
            c.take_rest();
            Ok(Some(alter_command(
                ObjectKind::Table,
                name,
                if_exists,
                action,
            )))
        }
        _ => Ok(None),
    }
}
