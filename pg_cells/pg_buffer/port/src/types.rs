//! Addresses of pages, and what can go wrong.

use pg_wal_port::WalError;

/// A file of pages: relation number * 4 + fork.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(pub u32);

/// Which of a relation's files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Fork {
    /// Its rows or entries.
    Main = 0,
    /// The map of free space.
    FreeSpace = 1,
    /// The map of pages visible to all.
    Visibility = 2,
}

impl FileId {
    /// The space map of the disk; not a relation's.
    pub const SPACE_MAP: FileId = FileId(0);

    /// The file of a relation (numbers 1 to 2^30 - 1).
    #[must_use]
    pub const fn new(relation: u32, fork: Fork) -> Self {
        FileId(relation << 2 | fork as u32)
    }

    /// The relation's number.
    #[must_use]
    pub const fn relation(self) -> u32 {
        self.0 >> 2
    }
}

/// The address of a page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PageId {
    /// Its file.
    pub file: FileId,
    /// Its number in the file, from 0.
    pub block: u32,
}

impl PageId {
    /// The page `block` of `file`.
    #[inline]
    #[must_use]
    pub const fn new(file: FileId, block: u32) -> Self {
        PageId { file, block }
    }

    /// As one number: the file in the upper half.
    #[inline]
    #[must_use]
    pub const fn pack(self) -> u64 {
        (self.file.0 as u64) << 32 | self.block as u64
    }

    /// From [`PageId::pack`]'s number.
    #[inline]
    #[must_use]
    pub const fn unpack(packed: u64) -> Self {
        PageId {
            file: FileId((packed >> 32) as u32),
            block: packed as u32,
        }
    }
}

/// Why the buffer pool could not do something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BufferError {
    /// The device failed to read or write the page.
    Io {
        /// Which.
        page: PageId,
    },
    /// The page's bytes are not what was once written, or make no sense to who
    /// changes them.
    Corrupt {
        /// Which.
        page: PageId,
    },
    /// There is no such page (any more).
    NoSuchPage {
        /// Which.
        page: PageId,
    },
    /// The file exists already.
    FileExists {
        /// Which.
        file: FileId,
    },
    /// No free extent is left.
    DiskFull,
    /// No frame could be freed, or no memory is left.
    OutOfMemory,
    /// One mini-transaction changes too many pages or bytes.
    TooLarge,
    /// The pool is shutting down, or the log has failed: nothing can be changed
    /// any more.
    Stopped,
    /// No cell stands behind the port, or the database was not opened.
    NotRunning,
}

impl From<WalError> for BufferError {
    fn from(error: WalError) -> Self {
        match error {
            WalError::NotRunning => BufferError::NotRunning,
            WalError::Failed => BufferError::Stopped,
            WalError::NotWritten => BufferError::Io {
                page: PageId::unpack(0),
            },
            WalError::Full => BufferError::DiskFull,
            WalError::TooLarge => BufferError::TooLarge,
            WalError::OutOfMemory => BufferError::OutOfMemory,
        }
    }
}

impl From<port::PortError> for BufferError {
    fn from(_: port::PortError) -> Self {
        BufferError::NotRunning
    }
}

impl From<memory::OutOfMemory> for BufferError {
    fn from(_: memory::OutOfMemory) -> Self {
        BufferError::OutOfMemory
    }
}

impl core::fmt::Display for PageId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let PageId { file, block } = self;
        write!(f, "page {block} of file {}.{}", file.0 >> 2, file.0 & 3)
    }
}

impl core::fmt::Display for BufferError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            BufferError::Io { page } => write!(f, "{page} could not be read or written"),
            BufferError::Corrupt { page } => write!(f, "{page} is damaged"),
            BufferError::NoSuchPage { page } => write!(f, "{page} does not exist"),
            BufferError::FileExists { file } => write!(f, "file {} exists already", file.0),
            BufferError::DiskFull => f.write_str("the disk is full"),
            BufferError::OutOfMemory => f.write_str("out of buffers or memory"),
            BufferError::TooLarge => f.write_str("too many changes at once"),
            BufferError::Stopped => f.write_str("storage has stopped"),
            BufferError::NotRunning => f.write_str("storage is not running"),
        }
    }
}

/// What the pool has done and holds, for people and tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BufferStats {
    /// Frames in the pool.
    pub frames: u64,
    /// Frames that hold changes not written yet.
    pub dirty: u64,
    /// Times that a page was wanted and in memory.
    pub hits: u64,
    /// Pages read from the disk.
    pub reads: u64,
    /// Those among them that were read before somebody waited for them.
    pub read_ahead: u64,
    /// Pages written to the disk.
    pub writes: u64,
    /// Requests that wrote them: neighbours go together.
    pub write_requests: u64,
    /// Frames given to another page.
    pub evictions: u64,
    /// Pages whose checksum did not fit when read.
    pub corrupt: u64,
    /// Checkpoints completed.
    pub checkpoints: u64,
    /// Starts of storage after a failure of the log or of a flush.
    pub restarts: u64,
    /// Pages that checkpoints wrote.
    pub checkpoint_pages: u64,
    /// Requests that wrote them.
    pub checkpoint_requests: u64,
    /// Extents in all, and free ones.
    pub extents: u64,
    /// Extents that belong to no file.
    pub free_extents: u64,
    /// Those of the free ones that are lent, for temporary files.
    pub lent_extents: u64,
}
