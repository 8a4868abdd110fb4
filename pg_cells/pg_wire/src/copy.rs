//! COPY: data in either direction.

use crate::ready::start_plan;
use crate::run::{Tag, Target, with_context};
use crate::{fail, reply, simple, transaction, violation};
use alloc::string::String;
use pg_executor_port::errors::port_error;
use pg_executor_port::{CopySink, EXECUTOR};
use pg_plan::{Copy, CopyFormat, CopySource};
use pg_types::{SqlError, SqlState};
use pg_wire_port::{CopyState, Out, Phase, Session, Step};

/// Begins COPY: TO runs to its end, FROM waits for data.
pub fn begin(session: &mut Session, copy: &Copy, target: Target<'_>) -> Result<Tag, SqlError> {
    let binary = copy.options.format == CopyFormat::Binary;
    match &copy.source {
        CopySource::To(plan) => {
            start_plan(session, plan)?;
            let mut handle = EXECUTOR.enter().map_err(port_error)?.copy_out(copy)?;
            reply::copy_response(session, b'H', handle.columns(), binary);
            let rows = {
                let (eval, parts) = crate::eval::split_for_executor(session)?;
                let views = crate::views::Views(&eval);
                let mut context = crate::run::context(parts.tx, &[], &eval, &views, parts.work);
                handle.run(&mut context, &mut Sink(parts.out))?
            };
            session.out.empty(b'c');
            Ok(Tag::Rows("COPY ", rows))
        }
        CopySource::From { insert, .. } => {
            session.effects = true;
            start_plan(session, insert)?;
            let handle = EXECUTOR.enter().map_err(port_error)?.copy_in(copy)?;
            reply::copy_response(session, b'G', handle.columns(), binary);
            session.copy = Some(CopyState {
                handle,
                extended: target.extended,
                rest: String::new(),
                failed: false,
            });
            session.phase = Phase::CopyIn;
            Ok(Tag::Later)
        }
    }
}

/// Each piece is a CopyData.
struct Sink<'a>(&'a mut Out);

impl CopySink for Sink<'_> {
    fn data(&mut self, bytes: &[u8]) -> Result<(), SqlError> {
        self.0.begin(b'd');
        self.0.bytes().extend_from_slice(bytes);
        self.0.end();
        self.0.flush_if_full();
        Ok(())
    }
}

/// Handles a message while COPY FROM waits for data.
pub fn step(session: &mut Session, tag: u8, body: &[u8]) -> Step {
    session.effects = true;
    match tag {
        b'd' => match feed(session, body) {
            Ok(()) => Step::Continue,
            Err(error) => give_up(session, &error),
        },
        b'c' => match finish(session) {
            Ok(tag) => done(session, &tag),
            Err(error) => give_up(session, &error),
        },
        b'f' => {
            let reason = body.split(|b| *b == 0).next().unwrap_or_default();
            let reason = String::from_utf8_lossy(reason);
            let error = SqlError::new(
                SqlState::QUERY_CANCELED,
                alloc::format!("COPY from stdin failed: {reason}"),
            );
            give_up(session, &error)
        }
        // Clients send these without looking.
        b'H' | b'S' => Step::Continue,
        b'X' => Step::Close,
        _ => violation(
            session,
            &alloc::format!("unexpected message type 0x{tag:02X} during COPY from stdin"),
        ),
    }
}

fn feed(session: &mut Session, body: &[u8]) -> Result<(), SqlError> {
    let Some(copy) = &mut session.copy else {
        return Err(SqlError::internal("there is no COPY"));
    };
    if !copy.handle.push(body) {
        return Ok(());
    }
    let Some(mut copy) = session.copy.take() else {
        return Ok(());
    };
    let worked = with_context(session, &[], |context| copy.handle.work(context));
    session.copy = Some(copy);
    worked
}

fn finish(session: &mut Session) -> Result<Tag, SqlError> {
    let Some(mut copy) = session.copy.take() else {
        return Err(SqlError::internal("there is no COPY"));
    };
    let rows = with_context(session, &[], |context| copy.handle.finish(context));
    session.copy = Some(copy);
    Ok(Tag::Rows("COPY ", rows?))
}

/// All data is in: on with what the query's text still has.
fn done(session: &mut Session, tag: &Tag) -> Step {
    session.phase = Phase::Ready;
    let Some(copy) = session.copy.take() else {
        return Step::Close;
    };
    if copy.extended {
        tag.send(&mut session.out);
        return Step::Flush;
    }
    let result = match copy.rest.is_empty() {
        true => transaction::finish(session).map(|()| tag.send(&mut session.out)),
        false => {
            tag.send(&mut session.out);
            simple::rest(session, &copy.rest)
        }
    };
    simple::end(session, result)
}

/// The data was not to be had, or was bad.
fn give_up(session: &mut Session, error: &SqlError) -> Step {
    session.phase = Phase::Ready;
    let extended = session.copy.take().is_some_and(|c| c.extended);
    if extended {
        fail(session, error);
        session.skip = true;
        return Step::Flush;
    }
    simple::end(session, Err(error.clone()))
}
