//! The files of a table's maps: made by the first vacuum that has something to
//! note, as long as the map's part that is in use, removed with the table.
//!
//! Both grow and shrink under the lock of a vacuum, so one at a time.

use pg_buffer_port::{BufferError, FileId, MiniTx, PageId, read_page};
use pg_heap_port::HeapError;

/// How many pages the map has; none when there is no such file.
pub fn blocks(map: FileId) -> Result<u32, HeapError> {
    match pg_buffer_port::blocks(map) {
        Ok(blocks) => Ok(blocks),
        Err(BufferError::NoSuchPage { .. }) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Makes the map `pages` pages long, if it is shorter. New pages are zero.
pub fn lengthen(map: FileId, pages: u32) -> Result<(), HeapError> {
    let mut have = match pg_buffer_port::blocks(map) {
        Ok(have) => have,
        Err(BufferError::NoSuchPage { .. }) => {
            let mut mtx = MiniTx::begin(0);
            match pg_buffer_port::create_file(&mut mtx, map) {
                Ok(()) | Err(BufferError::FileExists { .. }) => 0,
                Err(error) => return Err(error.into()),
            }
        }
        Err(error) => return Err(error.into()),
    };
    while have < pages {
        MiniTx::begin(0).extend(map)?;
        have += 1;
    }
    Ok(())
}

/// Cuts the map to `pages` pages, if it is longer.
pub fn cut(map: FileId, pages: u32) -> Result<(), HeapError> {
    if blocks(map)? > pages {
        pg_buffer_port::truncate(&mut MiniTx::begin(0), map, pages)?;
    }
    Ok(())
}

/// Removes pages of the map from the first damaged one on: what they said is lost,
/// and vacuum finds it anew.
pub fn mend(map: FileId) -> Result<(), HeapError> {
    for block in 0..blocks(map)? {
        match read_page(PageId::new(map, block)) {
            Err(BufferError::Corrupt { .. }) => return cut(map, block),
            Err(BufferError::NoSuchPage { .. }) => break,
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
    }
    Ok(())
}
