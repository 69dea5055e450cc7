//! The tokenizers a server was started with.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::ServeError;

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

/// Lower-case hex SHA-256, the name of content on the wire.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn hex_is_lower_case_and_two_digits_a_byte() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }
}
