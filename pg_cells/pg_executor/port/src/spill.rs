//! Space for what queries cannot keep in memory: [`SpillStore`] as operators see
//! it, and [`DiskSpill`], the temporary files of `pg_temp`.

use crate::errors::temp_error;
use alloc::boxed::Box;
use pg_temp_port::TempFile;
use pg_types::SqlError;

/// Makes files for what does not fit into memory.
pub trait SpillStore {
    /// An empty file, gone when dropped.
    ///
    /// # Errors
    /// 57P03 when there is nobody to ask.
    fn create(&self) -> Result<Box<dyn SpillFile>, SqlError>;
}

/// A temporary file. Its code is a port crate's.
pub trait SpillFile: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// 53100 when the disk is full.
    fn append(&mut self, bytes: &[u8]) -> Result<(), SqlError>;

    /// Reads at most `bytes.len()` bytes from `offset` on; gives how many there
    /// were.
    ///
    /// # Errors
    /// 58030 when the device fails.
    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> Result<usize, SqlError>;

    /// Ends appending: memory for it is given back.
    ///
    /// # Errors
    /// As [`SpillFile::append`].
    fn finish(&mut self) -> Result<(), SqlError>;

    /// What lies before `offset` is not read again.
    fn forget_before(&mut self, offset: u64);

    /// Nothing is read for a while: memory for it is given back.
    fn rest(&mut self);
}

/// Temporary files on the disk.
#[derive(Clone, Copy, Debug)]
pub struct DiskSpill;

impl SpillStore for DiskSpill {
    fn create(&self) -> Result<Box<dyn SpillFile>, SqlError> {
        let file = TempFile::create().map_err(temp_error)?;
        Ok(Box::new(file))
    }
}

impl SpillFile for TempFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), SqlError> {
        TempFile::append(self, bytes).map_err(temp_error)
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> Result<usize, SqlError> {
        TempFile::read_at(self, offset, bytes).map_err(temp_error)
    }

    fn finish(&mut self) -> Result<(), SqlError> {
        TempFile::finish(self).map_err(temp_error)
    }

    fn forget_before(&mut self, offset: u64) {
        TempFile::forget_before(self, offset);
    }

    fn rest(&mut self) {
        TempFile::rest(self);
    }
}
