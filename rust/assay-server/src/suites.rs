//! Test-suites and other long references that callers put here, by hash.

use assay_core::{Error, ErrorKind, Result};
use bytestring::ByteString;

use crate::digest::{self, Digest};
use crate::kept::Kept;
use crate::wire::Item;

/// At most so many bytes of them.
pub(crate) struct Suites {
    kept: Kept<Digest, ByteString>,
}

/// What was looked for under the hashes of some items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

impl Suites {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            kept: Kept::new(limit),
        }
    }

    /// Bytes of the longest that is kept.
    pub(crate) fn longest(&self) -> usize {
        self.kept.largest()
    }

    /// Keeps a text; returns its name.
    ///
    /// # Errors
    ///
    /// `TooLarge` when there is no room for texts of this length.
    pub(crate) fn put(&self, text: String) -> Result<String> {
        let (key, size) = (digest::of(text.as_bytes()), text.len());
        if self.kept.keep(key, text.into(), size) {
            return Ok(digest::name(&key));
        }
        let message = format!(
            "tests: {size} bytes; this server keeps at most {} of one (tests_cache_bytes)",
            self.longest()
        );
        Err(Error::new(ErrorKind::TooLarge, message))
    }

    /// Gives items that name their reference what they name. One that names what is not here, or has another beside it, is left
    /// as it is.
    pub(crate) fn fill(&self, items: &mut [Item]) -> Found {
        let mut found = Found::default();
        let naming =
            |item: &&mut Item| !item.reference_sha256.is_empty() && item.reference.is_none();
        for item in items.iter_mut().filter(naming) {
            let key = digest::parse(&item.reference_sha256);
            let text = key.and_then(|key| self.kept.get(&key, |text| Some(text.clone())));
            if text.is_some() {
                item.reference = text;
                item.reference_sha256 = ByteString::new();
                found.hits += 1;
            } else {
                found.misses += 1;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_get_what_they_name_and_only_that() {
        let suites = Suites::new(1 << 20);
        let name = suites.put("assert f(2) == 4".to_owned()).unwrap();
        let naming = |name: &str| Item {
            reference_sha256: name.to_owned().into(),
            ..Item::default()
        };
        let own = Item {
            reference: Some("4".into()),
            ..Item::default()
        };
        let both = Item {
            reference: Some("4".into()),
            ..naming(&name)
        };
        let other = naming(&digest::sha256(b"else"));
        let mut items = [
            naming(&name),
            own,
            both,
            other,
            naming("no hash"),
            naming(&name),
        ];
        let before = items.clone();
        let found = suites.fill(&mut items);
        assert_eq!(found, Found { hits: 2, misses: 2 });
        for place in [0, 5] {
            assert_eq!(items[place].reference.as_deref(), Some("assert f(2) == 4"));
            assert!(items[place].reference_sha256.is_empty());
        }
        assert_eq!(items[1..5], before[1..5]);
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let suites = Suites::new(8192);
        assert!(suites.put("x".repeat(suites.longest())).is_ok());
        let error = suites.put("x".repeat(suites.longest() + 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("tests_cache_bytes"), "{error}");
    }
}
