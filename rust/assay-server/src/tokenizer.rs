//! The tokenizers a server was started with.

use std::path::Path;

use crate::ServeError;
use crate::digest::sha256;

/// One `tokenizer.json`.
pub(crate) struct Tokenizer {
    /// The path it was configured under.
    pub(crate) name: String,
    /// Lower-case hex SHA-256 of `json`.
    pub(crate) sha256: String,
    /// The bytes of the file.
    pub(crate) json: Vec<u8>,
}

impl Tokenizer {
    pub(crate) fn load(path: &Path) -> Result<Self, ServeError> {
        let json = std::fs::read(path).map_err(|error| {
            ServeError::Config(format!("tokenizer {}: {error}", path.display()))
        })?;
        Ok(Self {
            name: path.display().to_string(),
            sha256: sha256(&json),
            json,
        })
    }
}

/// Checks that a scorer can be made with the bytes.
pub(crate) fn check_tokenizer(json: &[u8]) -> assay_core::Result<()> {
    let spec = assay_core::spec::RewardSpec::from_json(r#""accuracy""#)?;
    assay_core::score::Scorer::new(spec)?.with_tokenizer(json)?;
    Ok(())
}
