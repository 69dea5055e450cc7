"""Batches as requests of a good size, and responses as columns."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.client._pb import reward_pb2, spec_pb2
from assay.errors import AssayError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

# Throughput peaks between 64 and 512 items and between 0.1 and 1 MB a request.
_REQUEST_ITEMS = 256
_REQUEST_BYTES = 1 << 20

_STATUS_OF_CODE = {
    reward_pb2.ERROR_CODE_UNDECIDED: "undecided",
    reward_pb2.ERROR_CODE_LIMIT: "limit",
    reward_pb2.ERROR_CODE_INVALID_REFERENCE: "invalid_reference",
}


class Request(NamedTuple):
    """A request, and how many items it carries."""

    message: reward_pb2.ScoreRequest
    items: int


@dataclass(slots=True)
class Columns:
    """Results of `n` items, in order, field by field as in `Scores`."""

    total: NDArray[np.float64]
    components: dict[str, NDArray[np.float64]]
    status: list[str] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)


def file_sha256(path: str | Path) -> str:
    """Lower-case hex SHA-256 of a file."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidInputError(f"tokenizer {path}: {error.strerror}") from error


def check_tokens(token_ids: NDArray[np.uint32], offsets: NDArray[np.int64]) -> None:
    """Raises `InvalidInputError` unless `offsets` cuts `token_ids` into completions."""
    if token_ids.dtype != np.uint32 or token_ids.ndim != 1:
        raise InvalidInputError(f"token_ids: {token_ids.ndim}-d {token_ids.dtype}; give a 1-d uint32 array")
    if offsets.dtype != np.int64 or offsets.ndim != 1 or len(offsets) == 0:
        raise InvalidInputError(f"offsets: {offsets.ndim}-d {offsets.dtype}; give a 1-d int64 array, one longer than n")
    if offsets[0] != 0 or offsets[-1] != len(token_ids) or bool(np.any(np.diff(offsets) < 0)):
        raise InvalidInputError(f"offsets: must rise from 0 to {len(token_ids)}, the number of token_ids")


def check_texts(name: str, values: Sequence[str | None], *, optional: bool) -> None:
    """Raises `InvalidInputError` unless `values` is a sequence of texts, or of texts and None."""
    if isinstance(values, str):
        raise InvalidInputError(f"{name} must be a list, got str; pass [{name}]")
    for index, value in enumerate(values):
        if not isinstance(value, str) and not (optional and value is None):
            expected = "str or None" if optional else "str"
            raise InvalidInputError(f"{name}[{index}] must be {expected}, got {type(value).__name__}")


def text_items(
    completions: Sequence[str], references: Sequence[str | None], prompts: Sequence[str | None] | None
) -> Iterator[tuple[reward_pb2.Item, int]]:
    """The items of a batch of texts, each with its size in bytes, nearly."""
    for index, completion in enumerate(completions):
        reference = references[index]
        prompt = None if prompts is None else prompts[index]
        item = reward_pb2.Item(text=_utf8(completion), reference=_utf8(reference), prompt=_utf8(prompt))
        yield item, len(completion) + len(reference or "") + len(prompt or "")


def _utf8(text: str | None) -> str | None:
    """`text` with each lone surrogate, which has no UTF-8, as U+FFFD, as the in-process scorer reads it."""
    if text is None or text.isascii():
        return text
    return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)


def token_items(
    token_ids: NDArray[np.uint32], offsets: NDArray[np.int64], references: Sequence[str | None]
) -> Iterator[tuple[reward_pb2.Item, int]]:
    """The items of a batch of token ids, each with its size in bytes, nearly."""
    packed = np.ascontiguousarray(token_ids, dtype="<u4").tobytes()
    for index, (start, end) in enumerate(itertools.pairwise(offsets.tolist())):
        reference = references[index]
        item = reward_pb2.Item(token_ids=packed[4 * start : 4 * end], reference=reference)
        yield item, 4 * (end - start) + len(reference or "")


def requests(
    items: Iterable[tuple[reward_pb2.Item, int]], spec: spec_pb2.RewardSpec, tokenizer_sha256: str
) -> Iterator[Request]:
    """Cuts a batch into requests, each of at least one item."""
    chunk: list[reward_pb2.Item] = []
    chunk_bytes = 0
    for item, size in items:
        if chunk and (len(chunk) >= _REQUEST_ITEMS or chunk_bytes + size > _REQUEST_BYTES):
            yield _request(chunk, spec, tokenizer_sha256)
            chunk, chunk_bytes = [], 0
        chunk.append(item)
        chunk_bytes += size
    if chunk:
        yield _request(chunk, spec, tokenizer_sha256)


def _request(items: list[reward_pb2.Item], spec: spec_pb2.RewardSpec, tokenizer_sha256: str) -> Request:
    message = reward_pb2.ScoreRequest(spec=spec, tokenizer_sha256=tokenizer_sha256, items=items)
    return Request(message, len(items))


def columns(responses: Sequence[reward_pb2.ScoreResponse], sent: Sequence[int], names: Sequence[str]) -> Columns:
    """Joins responses, in the order of their requests.

    Args:
        responses: one for each request.
        sent: items of each request.
        names: component names of the spec, in order.

    Raises:
        AssayError: a response does not answer its request.
    """
    count = sum(sent)
    total = np.full(count, np.nan)
    values = [np.full(count, np.nan) for _ in names]
    result = Columns(total, dict(zip(names, values, strict=True)))
    row = 0
    for response, items in zip(responses, sent, strict=True):
        if list(response.components) != list(names) or len(response.results) != items:
            raise AssayError("the reward server's response does not fit the request: client and server versions differ")
        for item in response.results:
            _read(item, row, result)
            for component in item.components:
                values[component.component][row] = component.value
            row += 1
    return result


def _read(item: reward_pb2.ItemResult, row: int, result: Columns) -> None:
    """Writes what has no component. An outcome that this version does not know is `unavailable`, never a number."""
    if item.WhichOneof("outcome") == "scored":
        scored = item.scored
        result.total[row] = scored.total
        result.status.append("scored")
        result.reasons.append(scored.reason if scored.HasField("reason") else None)
    else:
        error = item.error
        result.status.append(_STATUS_OF_CODE.get(error.code, "unavailable"))
        result.reasons.append(error.reason if error.HasField("reason") else None)
    result.answers.append(item.answer if item.HasField("answer") else None)
