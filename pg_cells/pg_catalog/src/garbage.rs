//! Giving back files that nobody uses any more.

use crate::Catalogs;
use crate::bootstrap::begin;
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
        if SHARED.take_suspicion() {
            self.look_for_orphans();
        }
        version
    }

    /// Storage has started anew under the running system: what the log has lost may
    /// have left files.
    #[cold]
    fn look_for_orphans(&self) {
        let removed = begin().and_then(|mut tx| self.remove_orphans(&mut tx));
        if removed.is_err() {
            SHARED.suspect();
        }
    }

    /// Removes files of users that no relation has: a crash came before or after
    /// their transaction. Others may run beside it: they say so before a file of theirs
    /// exists, and until their rows show.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn remove_orphans(&self, tx: &mut Transaction) -> SqlResult<usize> {
        let files = pg_buffer_port::files().sql()?;
        let mut used: BTreeSet<u32> = SHARED.files_under_way().into_iter().collect();
        tx.start_command().sql()?;
        for class in Reader::new(&self.system, tx)?.scan(ids::CLASS)? {
            used.insert(class.oid("relfilenode"));
        }
        let mut orphans = BTreeSet::new();
        for (file, _) in files {
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
