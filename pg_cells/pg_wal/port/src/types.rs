//! Positions and errors of the log.

/// A position in the log: bytes since its beginning, never used again. 0 stands
/// for "nothing".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl core::fmt::Display for Lsn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:X}/{:08X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl core::fmt::Debug for Lsn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Lsn({self})")
    }
}

/// Why the log could not do something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WalError {
    /// Retry later: no cell stands behind the port, or it was not opened.
    NotRunning,
    /// Stop: a write to the log failed. Until the next start nothing is durable
    /// any more, so nothing may be acknowledged.
    Failed,
    /// Retry: the superblock could not be written; the log goes on.
    NotWritten,
    /// Undo and retry: the log region is full, and no checkpoint has freed it.
    Full,
    /// Give up: the record is larger than the log takes.
    TooLarge,
    /// Retry or give up: there is no memory.
    OutOfMemory,
}

impl core::fmt::Display for WalError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            WalError::NotRunning => "the log is not running",
            WalError::Failed => "the log could not be written",
            WalError::NotWritten => "the superblock could not be written",
            WalError::Full => "the log is full",
            WalError::TooLarge => "the log record is too large",
            WalError::OutOfMemory => "out of memory",
        })
    }
}

/// What an acknowledged commit waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// Its record is durable: nothing acknowledged is ever lost.
    #[default]
    Flushed,
    /// No commit is acknowledged while one acknowledged more than a second earlier
    /// is not durable: a power cut costs the commits of one second at most, also on
    /// a disk that has become slow.
    Second,
    /// Nothing. The log is written every 50 ms without being asked, so a power cut
    /// costs what was committed since the write before the last began: 100 ms on
    /// a disk that keeps up, more on one that does not.
    Off,
}

/// What the log has done and holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WalStats {
    /// Records appended since the start.
    pub records: u64,
    /// Writes that made them durable.
    pub flushes: u64,
    /// Bytes of the region in use.
    pub used: u64,
    /// Bytes of the region.
    pub size: u64,
}
