//! SHA-256, the name of content on the wire: 64 lower-case hex digits.

use sha2::{Digest as _, Sha256};

/// What content is known by.
pub(crate) type Digest = [u8; 32];

pub(crate) fn of(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// The name of these bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    name(&of(bytes))
}

/// The digest that a name stands for, if it is one.
pub(crate) fn parse(name: &str) -> Option<Digest> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = name.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let pairs: &[[u8; 2]; 32] = pairs.try_into().ok()?;
    let mut digest = [0; 32];
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(digest)
}

/// The name of a digest.
pub(crate) fn name(digest: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_lower_case_and_two_digits_a_byte() {
        assert_eq!(name(&[0, 10, 255]), "000aff");
    }

    #[test]
    fn names_are_read_back_and_others_are_not_names() {
        let name = sha256(b"abc");
        assert_eq!(parse(&name), Some(of(b"abc")));
        let odd = [
            "",
            "ab",
            &name[1..],
            &name.to_uppercase(),
            &name.replace('b', "g"),
        ];
        for text in odd {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&format!("{name}00")), None);
        assert_eq!(parse(&"\u{e9}".repeat(32)), None);
    }
}
