//! The lock around the stack's state. After a fault under it, whoever comes
//! next repairs first ([`Stack::repair`]).

use super::Stack;
use sync::FaultLock;

/// The state of the stack behind its lock.
#[derive(Debug)]
pub struct StateLock(FaultLock<Stack>);

impl StateLock {
    /// A lock around a new stack.
    #[must_use]
    pub fn new(stack: Stack) -> Self {
        StateLock(FaultLock::new(stack))
    }

    /// Waits for the lock and calls `body` with the stack. Not re-entrant.
    pub fn with<R>(&self, body: impl FnOnce(&mut Stack) -> R) -> R {
        self.0.with(|stack, torn| {
            if torn {
                stack.repair();
            }
            body(stack)
        })
    }
}
