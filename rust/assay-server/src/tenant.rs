//! Who work is for.

use std::sync::Arc;

use http::{Extensions, HeaderMap};

use crate::guard::Peer;

/// A longer name is cut.
const LONGEST: usize = 128;

/// The tenant of a call: its `assay-tenant`, which is the name of the caller where that is known and otherwise what the caller
/// calls itself, or else the address it calls from.
pub(crate) fn of(extensions: &Extensions, headers: &HeaderMap) -> Arc<str> {
    if let Some(name) = headers
        .get("assay-tenant")
        .and_then(|name| name.to_str().ok())
        .filter(|name| !name.is_empty())
    {
        return named(name);
    }
    // Without the port: a caller has several connections.
    let address = extensions.get::<Peer>().and_then(|peer| peer.address);
    address.map_or_else(
        || "nobody".into(),
        |address| format!("peer {address}").into(),
    )
}

/// The tenant of this name, which may not be empty.
pub(crate) fn named(name: &str) -> Arc<str> {
    let end = name.floor_char_boundary(LONGEST);
    format!("tenant {}", &name[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(name: &str) -> Arc<str> {
        let mut headers = HeaderMap::new();
        headers.insert("assay-tenant", name.parse().unwrap());
        of(&Extensions::new(), &headers)
    }

    #[test]
    fn a_name_of_any_length() {
        assert_eq!(&*called("team-a"), "tenant team-a");
        assert_eq!(called(&"x".repeat(1000)).len(), "tenant ".len() + LONGEST);
        assert_eq!(&*called(""), "nobody");
    }
}
