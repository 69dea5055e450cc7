//! The bearer tokens that a server knows. Only their SHA-256 is kept, and it is compared in constant time.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A shorter token could be guessed.
const SHORTEST: usize = 16;
const LONGEST: usize = 1024;
const LONGEST_NAME: usize = 64;

/// Some tokens and whom they stand for.
#[derive(Default)]
pub(crate) struct Tokens(Vec<Token>);

/// Somebody who may call, and is called something or nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) name: Option<Arc<str>>,
}

struct Token {
    sha256: [u8; 32],
    name: Option<Arc<str>>,
}

impl Tokens {
    /// Reads lines of `TOKEN` or `NAME:TOKEN`; empty ones and those that begin with `#` are passed over.
    ///
    /// # Errors
    ///
    /// One line that names the number of the wrong line and never says what is in it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let token = Token::parse(line).map_err(|what| format!("line {}: {what}", index + 1))?;
            if tokens
                .iter()
                .any(|known: &Token| known.sha256 == token.sha256)
            {
                return Err(format!(
                    "line {}: the token stands above already",
                    index + 1
                ));
            }
            tokens.push(token);
        }
        if tokens.is_empty() {
            return Err("no token in it".to_owned());
        }
        Ok(Self(tokens))
    }

    /// Whom a token stands for.
    pub(crate) fn find(&self, token: &[u8]) -> Option<Holder> {
        let sha256: [u8; 32] = Sha256::digest(token).into();
        // All are looked at, so that the time tells nothing about which.
        let mut found = None;
        for known in &self.0 {
            if known.sha256.ct_eq(&sha256).into() {
                found = Some(Holder {
                    name: known.name.clone(),
                });
            }
        }
        found
    }
}

impl Token {
    fn parse(line: &str) -> Result<Self, String> {
        let (name, token) = match line.split_once(':') {
            Some((name, token)) => (Some(name.trim()), token.trim()),
            None => (None, line),
        };
        let wrong_name = |name: &str| {
            name.is_empty()
                || name.len() > LONGEST_NAME
                || !name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        if name.is_some_and(wrong_name) {
            return Err(format!(
                "a name has 1 to {LONGEST_NAME} letters, digits, `.`, `_` and `-`"
            ));
        }
        if !(SHORTEST..=LONGEST).contains(&token.len())
            || !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(format!(
                "a token has {SHORTEST} to {LONGEST} visible ASCII characters; `openssl rand -hex 32` makes one"
            ));
        }
        Ok(Self {
            sha256: Sha256::digest(token).into(),
            name: name.map(Arc::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0123456789abcdef0123";
    const B: &str = "fedcba9876543210fedc";

    #[test]
    fn names_and_tokens_are_read() {
        let tokens = Tokens::parse(&format!("# who\n\nteam-a:{A}\r\n {B} \n")).unwrap();
        let found = |text: &str| tokens.find(text.as_bytes()).map(|holder| holder.name);
        assert_eq!(found(A), Some(Some("team-a".into())));
        assert_eq!(found(B), Some(None));
        for wrong in [
            "",
            "team-a",
            &A[1..],
            &format!("{A}0"),
            &format!("team-a:{A}"),
        ] {
            assert_eq!(tokens.find(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn an_error_names_the_line_and_not_the_token() {
        let secret = "sëcret-sëcret-sëcret";
        let rows = [
            ("", "no token"),
            ("# only words\n", "no token"),
            ("short", "line 1"),
            (secret, "line 1"),
            ("two words in it, no", "line 1"),
            (&format!("{A}\n:{B}"), "line 2"),
            (&format!("sp ace:{B}"), "line 1"),
            (&format!("a:{A}\nb:{A}"), "line 2"),
        ];
        for (text, expected) in rows {
            let error = Tokens::parse(text).err().unwrap();
            assert!(error.contains(expected), "{error}");
            for hidden in [A, B, "short", "secret", "words"] {
                assert!(!error.contains(hidden), "{error}");
            }
        }
    }
}
