//! A disk that keeps requests waiting until it is told otherwise: for tests of who
//! waits for whom, without a clock.

use crate::{SimDisk, finish, lock};
use nvme_port::{Op, Request};

/// The requests that are kept waiting.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    /// Which ones.
    op: Option<Op>,
    kept: Vec<Request>,
}

impl Hold {
    /// Keeps the request if it is one of those; else gives it back.
    pub(crate) fn keep(&mut self, request: Request) -> Option<Request> {
        if self.op != Some(request.op) {
            return Some(request);
        }
        self.kept.push(request);
        None
    }
}

impl SimDisk {
    /// From now on keeps requests of this kind waiting.
    pub fn hold(&self, op: Op) {
        lock(&self.inner).hold.op = Some(op);
    }

    /// How many it keeps waiting.
    #[must_use]
    pub fn held(&self) -> usize {
        lock(&self.inner).hold.kept.len()
    }

    /// Does what it has kept waiting, and keeps no more.
    pub fn release(&self) {
        let kept = {
            let mut inner = lock(&self.inner);
            inner.hold.op = None;
            core::mem::take(&mut inner.hold.kept)
        };
        for request in kept {
            finish(&self.inner, request);
        }
    }
}
