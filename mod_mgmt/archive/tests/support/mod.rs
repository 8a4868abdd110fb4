//! What the loader does with an archive; the tests and the fuzz target
//! (`mod_mgmt/fuzz`) share it.

use cell_archive::write::public_key;
use cell_archive::{Archive, SymbolTable};

/// Signs what the tests write.
pub const SECRET: [u8; 32] = [7; 32];

/// Reads all that an archive says, wherever it says something, also of one whose
/// signature is wrong. True if it may be loaded.
pub fn attempt(bytes: &[u8], random: u64) -> bool {
    let _ = SymbolTable::parse(bytes).map(|table| {
        let _ = table.find("name");
        table.covering(random).map(|s| s.name.len())
    });
    let Ok(archive) = Archive::parse(bytes) else {
        return false;
    };
    let mut all_intact = true;
    for entry in archive.entries() {
        all_intact &= entry.is_intact();
        let _ = (entry.name.len(), entry.version.len());
        for used in entry.uses() {
            let _ = (used.name.len(), used.fingerprint);
        }
        let found = archive.find(entry.kind, entry.name);
        assert!(found.is_some(), "what is listed is found");
    }
    archive.verify(&public_key(&SECRET)).is_ok() && all_intact
}
