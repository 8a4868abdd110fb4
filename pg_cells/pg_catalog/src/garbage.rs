//! Giving back files that nobody uses any more.

use crate::Catalogs;
use crate::error::OrSql;
use crate::store::{Reader, ids};
use alloc::collections::BTreeSet;
use pg_buffer_port::{FileId, Fork, MiniTx};
use pg_catalog_port::SHARED;
use pg_txn_port::Transaction;
use pg_types::SqlResult;
use pg_types::oid::FIRST_NORMAL;

/// Removes all files of a relation number.
///
/// # Errors
/// Failures of the storage.
pub fn remove(file: u32) -> SqlResult<()> {
    for fork in [Fork::Main, Fork::FreeSpace, Fork::Visibility] {
        let mut mtx = MiniTx::begin(0);
        pg_buffer_port::drop_file(&mut mtx, FileId::new(file, fork)).sql()?;
    }
    Ok(())
}

/// Removes the files of dropped relations and of undone creations. A failure
/// leaves them to the next start.
#[cold]
fn collect() {
    for file in SHARED.take_garbage() {
        let _ = remove(file);
    }
}

impl Catalogs {
    /// The version that `tx` sees. What ended transactions have left is removed
    /// on the way.
    #[inline]
    pub fn current(&self, tx: &Transaction) -> u64 {
        let version = SHARED.version(tx);
        if SHARED.has_garbage() {
            collect();
        }
        version
    }

    /// Removes files of users that no relation has: a crash came before or after
    /// their transaction. Nothing else may run.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn remove_orphans(&self, tx: &mut Transaction) -> SqlResult<usize> {
        let mut used = BTreeSet::new();
        for class in Reader::new(&self.system, tx)?.scan(ids::CLASS)? {
            used.insert(class.oid("relfilenode"));
        }
        let mut orphans = BTreeSet::new();
        for (file, _) in pg_buffer_port::files().sql()? {
            let relation = file.relation();
            if relation >= FIRST_NORMAL && !used.contains(&relation) {
                orphans.insert(relation);
            }
        }
        for file in &orphans {
            remove(*file)?;
        }
        Ok(orphans.len())
    }
}
