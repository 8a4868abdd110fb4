//! The signing key. A development key is made once and kept below `target/`;
//! `MITOS_SIGNING_KEY` names the file of another one (64 hexadecimal digits).

use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::object::hex;
use crate::paths::Paths;

/// The secret half, and the public half as the loader reads it.
pub struct Keys {
    /// ed25519 secret key.
    pub secret: [u8; 32],
    /// Public key, 64 hexadecimal digits: the value of `MITOS_PUBLIC_KEY`.
    pub public: String,
}

impl Keys {
    /// Reads the key, or makes one.
    pub fn load(paths: &Paths) -> Result<Self> {
        let given = std::env::var_os("MITOS_SIGNING_KEY").map(PathBuf::from);
        let is_given = given.is_some();
        let path = given.unwrap_or_else(|| paths.target().join("keys/signing.key"));
        if !is_given && !path.exists() {
            create(&path)?;
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the signing key {}", path.display()))?;
        let secret = cell_archive::public_key_from_hex(text.trim())
            .with_context(|| format!("{} does not hold 64 hexadecimal digits", path.display()))?;
        let public = hex(&cell_archive::write::public_key(&secret));
        Ok(Self { secret, public })
    }
}

fn create(path: &std::path::Path) -> Result<()> {
    let mut secret = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut secret)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    std::io::Write::write_all(&mut file, format!("{}\n", hex(&secret)).as_bytes())?;
    Ok(())
}
