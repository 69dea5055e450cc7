//! Requests, encoded once and straight from the caller's strings; a retry sends the same bytes again.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use assay_core::score::Item;
use prost::Message;
use prost::bytes::Bytes;

use crate::digest::{self, Digest};
use crate::pb;

/// Throughput peaks between 64 and 512 items and between 0.1 and 1 MB a request.
pub(super) const REQUEST_ITEMS: usize = 256;
pub(super) const REQUEST_BYTES: usize = 1 << 20;

// Field numbers of reward.proto, each with its wire type, all of them "length-delimited".
const REQUEST_ID: u8 = key(1);
const TOKENIZER: u8 = key(3);
const ITEMS: u8 = key(4);
const TEXT: u8 = key(2);
const TOKEN_IDS: u8 = key(3);
const REFERENCE: u8 = key(4);
const PROMPT: u8 = key(5);
const REFERENCE_SHA256: u8 = key(6);

const fn key(field: u8) -> u8 {
    field << 3 | 2
}

/// A `ScoreRequest` as bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Encoded {
    pub(super) bytes: Bytes,
    /// Which completions of the batch it carries.
    pub(super) rows: Range<usize>,
    /// The texts that `bytes` only names, each once, and how many items name one.
    pub(super) tests: Vec<Suite>,
    pub(super) naming: u64,
}

impl Encoded {
    /// The same request with every reference in it.
    pub(super) fn whole(&self) -> Bytes {
        // These are our own bytes; if they were not to be read, the server would say so.
        let Ok(mut message) = pb::ScoreRequest::decode(self.bytes.clone()) else {
            return self.bytes.clone();
        };
        for item in &mut message.items {
            let name = digest::parse(&std::mem::take(&mut item.reference_sha256));
            if let Some(suite) = self.tests.iter().find(|suite| Some(suite.digest) == name) {
                item.reference = Some(suite.text.to_string());
            }
        }
        message.encode_to_vec().into()
    }
}

/// One completion as it stands on the wire.
#[derive(Clone, Copy)]
enum Completion<'a> {
    Text(&'a str),
    Tokens(&'a [u32]),
}

impl Completion<'_> {
    fn len(self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Tokens(ids) => 4 * ids.len(),
        }
    }
}

/// One item before it is encoded.
#[derive(Clone, Copy)]
struct Row<'a> {
    completion: Completion<'a>,
    reference: Option<&'a str>,
    prompt: Option<&'a str>,
}

/// A shorter reference travels with its items: giving it to the server first would take longer.
const LONG_REFERENCE: usize = 16 << 10;

/// A test-suite, or another long reference, that travels once.
#[derive(Clone, Debug)]
pub(super) struct Suite {
    pub(super) digest: Digest,
    name: String,
    pub(super) text: Arc<str>,
}

/// The long references of a batch, by where they stand in memory: that of a group is one string, which is hashed once.
#[derive(Default)]
struct Long(HashMap<(usize, usize), Suite>);

impl Long {
    /// `None` for a reference that is not long. All texts live as long as this does.
    fn suite(&mut self, text: &str) -> Option<&Suite> {
        if text.len() < LONG_REFERENCE {
            return None;
        }
        let place = (text.as_ptr() as usize, text.len());
        Some(self.0.entry(place).or_insert_with(|| {
            let digest = digest::of(text.as_bytes());
            Suite {
                digest,
                name: digest::name(&digest),
                text: text.into(),
            }
        }))
    }
}

/// Cuts batches into requests under one spec.
#[derive(Debug)]
pub(super) struct Template {
    /// The fields before the items.
    head: Vec<u8>,
    pub(super) spec: pb::RewardSpec,
    pub(super) tokenizer_sha256: String,
    /// Whether a component looks at prompts; else they need not travel.
    pub(super) prompts: bool,
    /// Names of requests: a word of this client and a number.
    word: u64,
    next: AtomicU64,
}

impl Template {
    pub(super) fn new(spec: pb::RewardSpec, tokenizer_sha256: &str, prompts: bool) -> Self {
        let message = pb::ScoreRequest {
            spec_source: Some(pb::score_request::SpecSource::Spec(spec.clone())),
            ..pb::ScoreRequest::default()
        };
        let mut head = message.encode_to_vec();
        if !tokenizer_sha256.is_empty() {
            put(&mut head, TOKENIZER, tokenizer_sha256.as_bytes());
        }
        Self {
            head,
            spec,
            tokenizer_sha256: tokenizer_sha256.to_owned(),
            prompts,
            word: RandomState::new().hash_one(0),
            next: AtomicU64::new(0),
        }
    }

    /// The beginning of a request: its name, and what is the same for all. A request that is sent again has the same name, by
    /// which a server knows it.
    fn begin(&self, capacity: usize) -> Vec<u8> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut out = Vec::with_capacity(self.head.len() + 48 + capacity);
        put(
            &mut out,
            REQUEST_ID,
            format!("{:016x}-{number}", self.word).as_bytes(),
        );
        out.extend_from_slice(&self.head);
        out
    }

    /// A request for items that are messages already.
    pub(super) fn encoded(&self, items: &[pb::Item]) -> Bytes {
        let mut out = self.begin(0);
        for item in items {
            put(&mut out, ITEMS, &item.encode_to_vec());
        }
        out.into()
    }

    pub(super) fn texts(&self, items: &[Item<'_>]) -> Vec<Encoded> {
        self.requests(items.len(), |row| Row {
            completion: Completion::Text(items[row].completion),
            reference: items[row].reference,
            prompt: items[row].prompt.filter(|_| self.prompts),
        })
    }

    /// `offsets` has been checked: it cuts `token_ids` into as many completions as there are references. `prompts` may be
    /// empty.
    pub(super) fn tokens(
        &self,
        token_ids: &[u32],
        offsets: &[i64],
        references: &[Option<&str>],
        prompts: &[Option<&str>],
    ) -> Vec<Encoded> {
        self.requests(references.len(), |row| {
            let ids = &token_ids[offsets[row] as usize..offsets[row + 1] as usize];
            let prompt = prompts.get(row).copied().flatten();
            Row {
                completion: Completion::Tokens(ids),
                reference: references[row],
                prompt: prompt.filter(|_| self.prompts),
            }
        })
    }

    /// Requests of at least one item each.
    fn requests<'a>(&self, count: usize, item: impl Fn(usize) -> Row<'a>) -> Vec<Encoded> {
        let size = |row: usize| {
            let row = item(row);
            let texts = [row.reference, row.prompt].into_iter().flatten();
            row.completion.len() + texts.map(|text| text.len() + 8).sum::<usize>() + 16
        };
        let mut requests = Vec::new();
        let mut long = Long::default();
        let mut start = 0;
        while start < count {
            let mut end = start + 1;
            let mut bytes = size(start);
            while end < count && end - start < REQUEST_ITEMS && bytes + size(end) <= REQUEST_BYTES {
                bytes += size(end);
                end += 1;
            }
            let mut out = self.begin(bytes);
            let (mut tests, mut naming): (Vec<Suite>, _) = (Vec::new(), 0);
            for row in start..end {
                let row = item(row);
                let suite = row.reference.and_then(|text| long.suite(text));
                put_item(&mut out, row, suite);
                naming += u64::from(suite.is_some());
                if let Some(suite) = suite
                    && !tests.iter().any(|known| known.digest == suite.digest)
                {
                    tests.push(suite.clone());
                }
            }
            requests.push(Encoded {
                bytes: out.into(),
                rows: start..end,
                tests,
                naming,
            });
            start = end;
        }
        requests
    }
}

fn put_item(out: &mut Vec<u8>, row: Row<'_>, suite: Option<&Suite>) {
    let field = |len: usize| 1 + varint_len(len) + len;
    let reference = match suite {
        Some(suite) => (REFERENCE_SHA256, Some(suite.name.as_str())),
        None => (REFERENCE, row.reference),
    };
    let texts = [reference, (PROMPT, row.prompt)];
    let texts = texts.iter().filter_map(|&(key, text)| Some((key, text?)));
    let text_fields: usize = texts.clone().map(|(_, text)| field(text.len())).sum();
    out.push(ITEMS);
    put_varint(out, field(row.completion.len()) + text_fields);
    match row.completion {
        Completion::Text(text) => put(out, TEXT, text.as_bytes()),
        Completion::Tokens(ids) => {
            out.push(TOKEN_IDS);
            put_varint(out, 4 * ids.len());
            out.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
        }
    }
    for (key, text) in texts {
        put(out, key, text.as_bytes());
    }
}

fn put(out: &mut Vec<u8>, key: u8, value: &[u8]) {
    out.push(key);
    put_varint(out, value.len());
    out.extend_from_slice(value);
}

fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_len(value: usize) -> usize {
    (usize::BITS - value.leading_zeros()).max(1).div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(request: &Encoded) -> pb::ScoreRequest {
        pb::ScoreRequest::decode(request.bytes.clone()).unwrap()
    }

    fn template() -> Template {
        let spec = assay_core::spec::RewardSpec::from_json(r#""accuracy""#).unwrap();
        Template::new(crate::spec_to_wire(&spec).unwrap(), "abc", true)
    }

    #[test]
    fn what_is_written_here_is_what_prost_reads() {
        let long = "é".repeat(10_000);
        let items = [("", None), ("a", Some("")), (long.as_str(), Some("1/2"))].map(
            |(completion, reference)| Item {
                completion,
                reference,
                prompt: reference.map(|_| "2 + 2?"),
            },
        );
        let request = decoded(&template().texts(&items)[0]);
        assert_eq!(request.tokenizer_sha256, "abc");
        assert!(request.spec_source.is_some());
        for (read, item) in request.items.iter().zip(&items) {
            let text = pb::item::Completion::Text(item.completion.to_owned());
            assert_eq!(read.completion, Some(text));
            assert_eq!(read.reference.as_deref(), item.reference);
            assert_eq!(read.prompt.as_deref(), item.prompt);
        }
        let request =
            decoded(&template().tokens(&[1, 70_000, 3], &[0, 0, 3], &[None, Some("4")], &[])[0]);
        let ids = vec![1, 0, 0, 0, 112, 17, 1, 0, 3, 0, 0, 0];
        let tokens = pb::item::Completion::TokenIds(ids.into());
        assert_eq!(request.items[1].completion, Some(tokens));
        assert_eq!(request.items.len(), 2);
    }

    #[test]
    fn requests_cover_the_batch_in_order_and_stay_small() {
        let (small, large) = ("x".repeat(10), "y".repeat(REQUEST_BYTES));
        let items: Vec<Item<'_>> = (0..1000)
            .map(|row| Item {
                completion: if row % 400 == 0 { &large } else { &small },
                ..Item::default()
            })
            .collect();
        let requests = template().texts(&items);
        let mut next = 0;
        for request in &requests {
            assert_eq!(request.rows.start, next);
            assert_eq!(decoded(request).items.len(), request.rows.len());
            assert!(request.rows.len() <= REQUEST_ITEMS);
            next = request.rows.end;
        }
        assert_eq!(next, items.len());
        assert!(template().texts(&[]).is_empty());
    }

    #[test]
    fn a_long_reference_is_named_and_there_once_and_the_whole_request_has_it() {
        let (long, other) = ("t".repeat(LONG_REFERENCE), "u".repeat(LONG_REFERENCE + 1));
        // As in a group: the same string, and an equal one that stands elsewhere.
        let copy = long.clone();
        let references = [&long, &long, "4", &other, &copy].map(Some);
        let items = references.map(|reference| Item {
            completion: "a",
            reference,
            prompt: None,
        });
        let request = &template().texts(&items)[0];
        let texts: Vec<&str> = request.tests.iter().map(|suite| &*suite.text).collect();
        assert_eq!((texts, request.naming), (vec![&*long, &*other], 4));
        assert!(request.bytes.len() < LONG_REFERENCE);
        for (item, reference) in decoded(request).items.iter().zip(references) {
            let text = reference.unwrap();
            if text == "4" {
                assert_eq!(item.reference.as_deref(), Some("4"));
                assert!(item.reference_sha256.is_empty());
            } else {
                assert_eq!(item.reference, None);
                assert_eq!(item.reference_sha256, digest::sha256(text.as_bytes()));
            }
        }
        let whole = pb::ScoreRequest::decode(request.whole()).unwrap();
        assert_eq!(whole.request_id, decoded(request).request_id);
        for (item, reference) in whole.items.iter().zip(references) {
            assert_eq!(item.reference.as_deref(), reference);
            assert!(item.reference_sha256.is_empty());
        }
    }

    #[test]
    fn lengths_of_varints() {
        for value in [0, 1, 127, 128, 16_383, 16_384, usize::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value), "{value}");
        }
    }
}
