//! Requests as the server keeps them: the texts of an item are slices of the message that it came in.
//!
//! A batch of 256 items would otherwise be a thousand small strings, made on one thread and dropped on another.

use assay_core::{Error, ErrorKind};
use bytestring::ByteString;
use prost::bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message};
use tonic::Status;

use super::error::status;
use crate::pb;

/// [`pb::Item`] in other types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) id: ByteString,
    pub(crate) completion: Option<Completion>,
    pub(crate) reference: Option<ByteString>,
    pub(crate) prompt: Option<ByteString>,
    /// Empty, or what the reference is kept under.
    pub(crate) reference_sha256: ByteString,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    Text(ByteString),
    TokenIds(Bytes),
}

impl From<pb::Item> for Item {
    fn from(item: pb::Item) -> Self {
        use pb::item::Completion as Written;
        Self {
            id: item.id.into(),
            completion: item.completion.map(|completion| match completion {
                Written::Text(text) => Completion::Text(text.into()),
                Written::TokenIds(ids) => Completion::TokenIds(ids),
            }),
            reference: item.reference.map(ByteString::from),
            prompt: item.prompt.map(ByteString::from),
            reference_sha256: item.reference_sha256.into(),
        }
    }
}

/// [`pb::ScoreRequest`] with its items apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScoreRequest {
    /// Everything but the items.
    pub(crate) head: pb::ScoreRequest,
    pub(crate) items: Vec<Item>,
}

impl From<pb::ScoreRequest> for ScoreRequest {
    fn from(mut request: pb::ScoreRequest) -> Self {
        let items = std::mem::take(&mut request.items);
        Self {
            head: request,
            items: items.into_iter().map(Item::from).collect(),
        }
    }
}

/// `ScoreRequest.items`.
const ITEMS: u32 = 4;
// The fields of `Item`.
const ID: u32 = 1;
const TEXT: u32 = 2;
const TOKEN_IDS: u32 = 3;
const REFERENCE: u32 = 4;
const PROMPT: u32 = 5;
const REFERENCE_SHA256: u32 = 6;

impl ScoreRequest {
    /// Reads what [`pb::ScoreRequest::decode`] reads, and refuses what it refuses.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for bytes that are no such message, `RESOURCE_EXHAUSTED` for more items than that.
    pub(crate) fn decode(message: Bytes, max_items: usize) -> Result<Self, Status> {
        let (request, count) =
            Self::read(message, max_items).map_err(|error| unreadable("ScoreRequest", &error))?;
        if count > max_items {
            let message = format!("{count} items in one request: send at most {max_items}");
            return Err(status(&Error::new(ErrorKind::TooLarge, message)));
        }
        Ok(request)
    }

    /// With at most so many of the items, and how many there are.
    fn read(mut message: Bytes, max_items: usize) -> Result<(Self, usize), DecodeError> {
        let mut items = Vec::new();
        let mut count = 0;
        // The other fields as they came; prost knows what they mean.
        let mut head = Vec::new();
        while message.has_remaining() {
            let rest = message.clone();
            let (field, wire_type) = decode_key(&mut message)?;
            if field == ITEMS && wire_type == WireType::LengthDelimited {
                let part = part(&mut message)?;
                count += 1;
                // What is too much is counted and not kept.
                if count <= max_items {
                    items.push(item(part)?);
                }
            } else {
                skip_field(wire_type, field, &mut message, DecodeContext::default())?;
                head.extend_from_slice(&rest[..rest.len() - message.len()]);
            }
        }
        let head = pb::ScoreRequest::decode(head.as_slice())?;
        Ok((Self { head, items }, count))
    }
}

/// Reads one message of the caller of a stream.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for bytes that are no such message.
pub(crate) fn stream_request(message: Bytes) -> Result<pb::ScoreStreamRequest, Status> {
    pb::ScoreStreamRequest::decode(message)
        .map_err(|error| unreadable("ScoreStreamRequest", &error))
}

/// The status of bytes that are no message of this name.
pub(crate) fn unreadable(name: &str, error: &DecodeError) -> Status {
    status(&Error::input(format!("the bytes are no {name}: {error}")))
}

fn item(mut message: Bytes) -> Result<Item, DecodeError> {
    let mut item = Item::default();
    while message.has_remaining() {
        let (field, wire_type) = decode_key(&mut message)?;
        if !(ID..=REFERENCE_SHA256).contains(&field) {
            skip_field(wire_type, field, &mut message, DecodeContext::default())?;
            continue;
        }
        if wire_type != WireType::LengthDelimited {
            return Err(broken("an item has a field of another type"));
        }
        let value = part(&mut message)?;
        match field {
            ID => item.id = text(value)?,
            TEXT => item.completion = Some(Completion::Text(text(value)?)),
            TOKEN_IDS => item.completion = Some(Completion::TokenIds(value)),
            REFERENCE => item.reference = Some(text(value)?),
            PROMPT => item.prompt = Some(text(value)?),
            _ => item.reference_sha256 = text(value)?,
        }
    }
    Ok(item)
}

/// The next length and so many bytes.
fn part(message: &mut Bytes) -> Result<Bytes, DecodeError> {
    let length = decode_varint(message)?;
    if length > message.len() as u64 {
        return Err(broken("a field is longer than the message"));
    }
    Ok(message.split_to(length as usize))
}

fn text(value: Bytes) -> Result<ByteString, DecodeError> {
    ByteString::try_from(value).map_err(|_| broken("a string is not valid UTF-8"))
}

/// prost makes its errors itself; this one is of a message that cannot be read either.
fn broken(what: &'static str) -> DecodeError {
    #[expect(deprecated, reason = "there is no other way to make one")]
    DecodeError::new(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> pb::ScoreRequest {
        use pb::item::Completion as Written;
        let item = |id: &str, completion, reference: Option<&str>| pb::Item {
            id: id.to_owned(),
            completion,
            reference: reference.map(str::to_owned),
            prompt: reference.map(|_| "what is \u{221a}49?".to_owned()),
            reference_sha256: "0f".repeat(id.len()),
        };
        let spec = assay_core::spec::RewardSpec::from_json(r#"{"accuracy": 1.0, "format": 0.5}"#);
        pb::ScoreRequest {
            request_id: "r-1".to_owned(),
            spec_source: Some(pb::score_request::SpecSource::Spec(
                crate::spec_to_wire(&spec.unwrap()).unwrap(),
            )),
            tokenizer_sha256: "abc".to_owned(),
            items: vec![
                item(
                    "a",
                    Some(Written::Text("\\boxed{7} \u{2014} so".to_owned())),
                    Some("7"),
                ),
                item(
                    "",
                    Some(Written::TokenIds(Bytes::from_static(&[1, 0, 0, 0, 2]))),
                    None,
                ),
                item("\u{e9}", None, Some("")),
                pb::Item::default(),
            ],
        }
    }

    /// Whatever prost says of these bytes is said here, too.
    fn assert_as_prost(bytes: &[u8]) -> bool {
        let expected = pb::ScoreRequest::decode(bytes).map(ScoreRequest::from);
        let found = ScoreRequest::read(Bytes::copy_from_slice(bytes), usize::MAX);
        let found = found.map(|(request, _)| request);
        match (&found, &expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(_), Err(_)) => {}
            _ => panic!("{found:?}, not {expected:?}, of {bytes:?}"),
        }
        found.is_ok()
    }

    #[test]
    fn texts_are_slices_of_the_message() {
        let bytes = Bytes::from(some().encode_to_vec());
        let found = ScoreRequest::decode(bytes.clone(), 4).unwrap();
        assert_eq!(found, ScoreRequest::from(some()));
        let Some(Completion::Text(text)) = &found.items[0].completion else {
            panic!("no text")
        };
        assert!(bytes.as_ptr_range().contains(&text.as_bytes().as_ptr()));
    }

    #[test]
    fn broken_bytes_are_invalid_arguments() {
        let mut bytes = some().encode_to_vec();
        bytes.truncate(bytes.len() - 1);
        let status = ScoreRequest::decode(bytes.into(), 4).unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert!(status.message().contains("ScoreRequest"), "{status}");
    }

    #[test]
    fn more_items_than_allowed_are_counted_and_refused() {
        let status = ScoreRequest::decode(some().encode_to_vec().into(), 3).unwrap_err();
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert!(status.message().contains("4 items"), "{status}");
    }

    #[test]
    fn it_reads_what_prost_reads_and_refuses_what_prost_refuses() {
        let good = some().encode_to_vec();
        assert!(assert_as_prost(&good));
        for length in 0..good.len() {
            assert_as_prost(&good[..length]);
        }
        // Fields that this version does not know, twice the same field, groups, wrong types, lengths without an end.
        let head = |extra: &[u8]| [&good[..], extra].concat();
        for (extra, is_read) in [
            (&[0xf8, 0x01, 7][..], true),
            (&[0x0a, 1, b'x', 0x0a, 1, b'y'], true),
            (&[0x22, 2, 0x38, 9], true),
            (&[0x22, 3, 0x3b, 0x08, 1], false),
            (&[0x22, 4, 0x3b, 0x08, 1, 0x3c], true),
            (&[0x22, 2, 0x08, 1], false),
            (
                &[
                    0x22, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
                ],
                false,
            ),
            (&[0x20, 1], false),
            (&[0x00], false),
            (&[0x22, 3, 0x12, 1, 0xff], false),
        ] {
            assert_eq!(assert_as_prost(&head(extra)), is_read, "{extra:x?}");
        }
        let mut state = 1_u64;
        let mut random = |bound: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % bound
        };
        let mut read = 0;
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..=random(3) {
                let place = random(bytes.len());
                bytes[place] = random(256) as u8;
            }
            read += usize::from(assert_as_prost(&bytes));
        }
        assert!((1000..19_000).contains(&read), "{read}");
    }
}
