"""What a server makes of messages that no client of assay sends."""

import random
from typing import Any

import grpc
import pytest

import assay
from assay.client._pb import reward_pb2, spec_pb2

SPEC = spec_pb2.RewardSpec(components=[spec_pb2.Component(accuracy=spec_pb2.Accuracy())])
ITEMS = [reward_pb2.Item(id=str(index), text=f"It is {index}.", reference="4") for index in range(8)]
REQUEST = reward_pb2.ScoreRequest(spec=SPEC, items=ITEMS).SerializeToString()
OPEN = reward_pb2.ScoreStreamRequest(open=reward_pb2.StreamOpen(spec=SPEC)).SerializeToString()
REFUSED = {grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT}


def bare(channel: grpc.Channel) -> tuple[Any, Any]:
    """`Score` and `ScoreStream` on bytes."""
    service = "/assay.v1.RewardService"
    return (
        channel.unary_unary(f"{service}/Score", None, reward_pb2.ScoreResponse.FromString),
        channel.stream_stream(f"{service}/ScoreStream", None, reward_pb2.ScoreStreamResponse.FromString),
    )


def mangled() -> list[bytes]:
    """Cut, changed and random messages, always the same ones."""
    chance = random.Random(7)
    cut = [REQUEST[: chance.randrange(1, len(REQUEST))] for _ in range(60)]
    changed = []
    for _ in range(60):
        message = bytearray(REQUEST)
        for _ in range(chance.randrange(1, 6)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        changed.append(bytes(message))
    return cut + changed + [chance.randbytes(chance.randrange(1, 400)) for _ in range(60)]


def code(call: Any) -> grpc.StatusCode | None:
    """What a call is refused with."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    return None


def test_bytes_that_are_no_message(server: Any) -> None:
    with grpc.insecure_channel(server.address) as channel:
        score, stream = bare(channel)
        codes: list[grpc.StatusCode | None] = []
        for message in mangled():
            codes.append(code(lambda message=message: score(message, timeout=30)))
            for first in ([], [OPEN]):
                messages = [*first, message]
                codes.append(code(lambda messages=messages: list(stream(iter(messages), timeout=30))))
        # What still is a message may be scored, or name a spec or tokenizer that nobody knows.
        assert set(codes) <= {*REFUSED, None, grpc.StatusCode.FAILED_PRECONDITION}
        assert len(codes) - codes.count(None) > 200
        assert [result.id for result in score(REQUEST, timeout=30).results] == [item.id for item in ITEMS]


@pytest.mark.parametrize(("text", "reference"), [(b"\xff\xfe", b"4"), (b"4", b"\xc3(")])
def test_text_that_is_not_utf_8(server: Any, text: bytes, reference: bytes) -> None:
    item = b"\x12" + bytes([len(text)]) + text + b"\x22" + bytes([len(reference)]) + reference
    message = reward_pb2.ScoreRequest(spec=SPEC).SerializeToString() + b"\x22" + bytes([len(item)]) + item
    with grpc.insecure_channel(server.address) as channel:
        score, _ = bare(channel)
        with pytest.raises(grpc.RpcError) as raised:
            score(message, timeout=30)
    assert raised.value.code() in REFUSED
    assert assay.connect(server.address, "accuracy").score(["4"], ["4"]).total.tolist() == [1.0]


def test_a_million_items_are_too_many(server: Any) -> None:
    # Two bytes each: an item without anything.
    message = reward_pb2.ScoreRequest(spec=SPEC).SerializeToString() + b"\x22\x00" * 1_000_000
    with grpc.insecure_channel(server.address) as channel:
        score, _ = bare(channel)
        with pytest.raises(grpc.RpcError) as raised:
            score(message, timeout=60)
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "at most" in (raised.value.details() or "")
