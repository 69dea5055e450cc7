//! Messages to bytes and back, with the status that a caller should see when they are not what they should be.

use std::marker::PhantomData;

use prost::Message;
use prost::bytes::{Buf, BufMut, Bytes};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::item::unreadable;

/// The codec of the generated code: as tonic's own, but bytes that cannot be read are `INVALID_ARGUMENT`. Whoever sent them is wrong,
/// and a server that calls that a bug of its own wakes people up for nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for MessageCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for MessageCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = Half<T>;
    type Decoder = Half<U>;

    fn encoder(&mut self) -> Half<T> {
        Half(PhantomData)
    }

    fn decoder(&mut self) -> Half<U> {
        Half(PhantomData)
    }
}

/// One direction of [`MessageCodec`].
#[derive(Debug)]
pub(crate) struct Half<T>(PhantomData<T>);

impl<T: Message> Encoder for Half<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(out)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl<T: Message + Default> Decoder for Half<T> {
    type Item = T;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<T>, Status> {
        let name = std::any::type_name::<T>();
        let name = name.rsplit("::").next().unwrap_or(name);
        T::decode(bytes).map(Some).map_err(|error| {
            if name.ends_with("Request") {
                unreadable(name, &error)
            } else {
                Status::internal(format!("the server's answer is no {name}: {error}"))
            }
        })
    }
}

/// Answers as messages, requests as the bytes they are: they are read elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestBytes<T>(PhantomData<T>);

impl<T> Default for RequestBytes<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Send + 'static> Codec for RequestBytes<T> {
    type Encode = T;
    type Decode = Bytes;
    type Encoder = Half<T>;
    type Decoder = BytesCodec;

    fn encoder(&mut self) -> Half<T> {
        Half(PhantomData)
    }

    fn decoder(&mut self) -> BytesCodec {
        BytesCodec
    }
}

/// Requests as the bytes they are, answers as messages: what a client needs that encodes once and sends again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerCodec<T>(PhantomData<T>);

impl<T> Default for AnswerCodec<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Default + Send + 'static> Codec for AnswerCodec<T> {
    type Encode = Bytes;
    type Decode = T;
    type Encoder = BytesCodec;
    type Decoder = Half<T>;

    fn encoder(&mut self) -> BytesCodec {
        BytesCodec
    }

    fn decoder(&mut self) -> Half<T> {
        Half(PhantomData)
    }
}

/// Messages as the bytes they are: they are read and written elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(item.len());
        out.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        // No copy: the buffer is cut.
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}
