//! Numbers of transactions and commands.

/// A transaction's number. Numbers only grow; 64 bits never wrap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Xid(pub u64);

impl Xid {
    /// No transaction.
    pub const INVALID: Xid = Xid(0);
    /// The making of the database: committed since ever.
    pub const BOOTSTRAP: Xid = Xid(1);
    /// Stands for every transaction older than all snapshots: committed.
    pub const FROZEN: Xid = Xid(2);
    /// The first number that a transaction gets.
    pub const FIRST: Xid = Xid(3);
    /// Above every transaction.
    pub const MAX: Xid = Xid(u64::MAX);

    /// Whether it is a transaction's own number, whose end is in the commit log.
    #[inline]
    #[must_use]
    pub fn is_normal(self) -> bool {
        self >= Xid::FIRST
    }
}

impl core::fmt::Display for Xid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of a command within its transaction. A command sees what earlier
/// ones of its transaction did, and not what it does itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct CommandId(pub u32);

/// What became of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XidStatus {
    /// It runs.
    InProgress,
    /// What it did counts, and is durable.
    Committed,
    /// What it did never happened.
    Aborted,
}
