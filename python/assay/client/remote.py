"""`connect` and `RemoteScorer`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from assay.client import _batch
from assay.client._channel import Connection, grpc_module
from assay.client._errors import translate
from assay.client._pb import reward_pb2
from assay.client._spec import spec_message
from assay.errors import AssayError, InvalidInputError
from assay.spec import RewardSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from assay.scores import Scores

# Requests in flight for one batch: enough to keep the cores of a few servers busy while answers travel.
_WINDOW = 16


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a reward server is and can do.

    Attributes:
        version: version of the server; servers of one version score alike, bit for bit.
        component_kinds: kinds that a spec may use there.
        max_message_bytes: largest message in either direction.
        max_items: most items of one request.
        tokenizers: SHA-256 of each `tokenizer.json` that token ids may belong to, and the name it is loaded under.
        threads: threads that score.
    """

    version: str
    component_kinds: tuple[str, ...]
    max_message_bytes: int
    max_items: int
    tokenizers: Mapping[str, str]
    threads: int


def connect(target: str, spec: Any, *, tokenizer: str | Path | None = None, timeout: float = 60.0) -> RemoteScorer:
    """Scores on the reward server at `target`; the result has the interface of `assay.Scorer` and scores alike.

    No server is contacted before the first call.

    Args:
        target: `HOST:PORT`, or any gRPC target, as in `dns:///rewards:50051` or `ipv4:10.0.0.1:50051,10.0.0.2:50051`.
            With several addresses, requests take turns among them.
        spec: whatever `assay.Scorer` takes.
        tokenizer: the `tokenizer.json` that token ids belong to. The server has to hold the same file.
        timeout: seconds that each call may take, all its requests together; positive.

    Raises:
        InvalidSpecError: the spec is wrong.
        InvalidInputError: the target is empty, the timeout is not positive or the tokenizer cannot be read.
    """
    return RemoteScorer(target, spec, tokenizer=tokenizer, timeout=timeout)


class RemoteScorer:
    """Scores on a reward server. Safe to share between threads, to pickle, and to use after a fork.

    Every method raises `UnavailableError` when no server answers, `DeadlineError` when the call takes longer than
    `timeout`, `LimitError` when the server finds it too large, and `InvalidInputError` or `InvalidSpecError` when it
    finds it wrong. No failure is ever returned as a reward.
    """

    def __init__(self, target: str, spec: Any, *, tokenizer: str | Path | None = None, timeout: float = 60.0) -> None:
        if not target:
            raise InvalidInputError("target: give HOST:PORT of a reward server")
        if not timeout > 0:
            raise InvalidInputError(f"timeout: {timeout} is not a positive number of seconds")
        self.spec = RewardSpec.of(spec)
        self.timeout = timeout
        self._names = tuple(component.name for component in self.spec.components)
        self._tokenizer_sha256 = "" if tokenizer is None else _batch.file_sha256(tokenizer)
        self._connection = Connection(target)

    @property
    def target(self) -> str:
        """Where the server is."""
        return self._connection.target

    def __repr__(self) -> str:
        return f"RemoteScorer({self.target!r}, components={list(self._names)})"

    def score(
        self,
        completions: Sequence[str],
        references: Sequence[str | None],
        prompts: Sequence[str | None] | None = None,
    ) -> Scores:
        """Scores texts; see `assay.Scorer.score`.

        Args:
            completions: what the model wrote, `n` texts.
            references: what the dataset knows, `n` texts or None.
            prompts: the prompts, `n` texts or None.
        """
        return self._score(self._text_requests(completions, references, prompts))

    def score_tokens(
        self, token_ids: NDArray[np.uint32], offsets: NDArray[np.int64], references: Sequence[str | None]
    ) -> Scores:
        """Scores token ids; see `assay.Scorer.score_tokens`.

        Args:
            token_ids: all completions one after the other, uint32.
            offsets: where each begins, and the end of the last, int64, `n + 1` of them.
            references: what the dataset knows, `n` texts or None.
        """
        return self._score(self._token_requests(token_ids, offsets, references))

    async def ascore(
        self,
        completions: Sequence[str],
        references: Sequence[str | None],
        prompts: Sequence[str | None] | None = None,
    ) -> Scores:
        """`score` for asyncio. Cancelling the task cancels the requests."""
        return await self._ascore(self._text_requests(completions, references, prompts))

    async def ascore_tokens(
        self, token_ids: NDArray[np.uint32], offsets: NDArray[np.int64], references: Sequence[str | None]
    ) -> Scores:
        """`score_tokens` for asyncio. Cancelling the task cancels the requests."""
        return await self._ascore(self._token_requests(token_ids, offsets, references))

    def server_info(self) -> ServerInfo:
        """Asks the server what it is and can do."""
        call = self._connection.methods().get_server_info
        info = self._guarded(lambda: call(reward_pb2.GetServerInfoRequest(), timeout=self.timeout))
        return ServerInfo(
            version=info.version,
            component_kinds=tuple(info.component_kinds),
            max_message_bytes=info.limits.max_message_bytes,
            max_items=info.limits.max_items,
            tokenizers={tokenizer.sha256: tokenizer.name for tokenizer in info.tokenizers},
            threads=info.threads,
        )

    def close(self) -> None:
        """Closes the connection; a later call opens a new one."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _text_requests(
        self,
        completions: Sequence[str],
        references: Sequence[str | None],
        prompts: Sequence[str | None] | None,
    ) -> Iterator[_batch.Request]:
        _batch.check_texts("completions", completions, optional=False)
        _batch.check_texts("references", references, optional=True)
        _batch.check_texts("prompts", prompts or (), optional=True)
        _same_length(len(completions), references=references, prompts=prompts)
        return self._requests(_batch.text_items(completions, references, prompts))

    def _token_requests(
        self, token_ids: NDArray[np.uint32], offsets: NDArray[np.int64], references: Sequence[str | None]
    ) -> Iterator[_batch.Request]:
        _batch.check_tokens(token_ids, offsets)
        _same_length(len(offsets) - 1, references=references)
        if not self._tokenizer_sha256:
            raise InvalidInputError("score_tokens: give connect() the tokenizer= that the ids belong to")
        return self._requests(_batch.token_items(token_ids, offsets, references))

    def _requests(self, items: Iterable[tuple[reward_pb2.Item, int]]) -> Iterator[_batch.Request]:
        return _batch.requests(items, spec_message(self.spec.to_dict()), self._tokenizer_sha256)

    def _score(self, requests: Iterable[_batch.Request]) -> Scores:
        score = self._connection.methods().score
        deadline = time.monotonic() + self.timeout
        pending: deque[Any] = deque()
        responses: list[reward_pb2.ScoreResponse] = []
        sent: list[int] = []
        try:
            for request in requests:
                if len(pending) == _WINDOW:
                    responses.append(self._guarded(pending[0].result))
                    pending.popleft()
                pending.append(score.future(request.message, timeout=max(deadline - time.monotonic(), 0.0)))
                sent.append(request.items)
            while pending:
                responses.append(self._guarded(pending[0].result))
                pending.popleft()
        finally:
            # Left over only when something was raised; the server need not finish what nobody will read.
            for future in pending:
                future.cancel()
        return self._scores(responses, sent)

    async def _ascore(self, requests: Iterable[_batch.Request]) -> Scores:
        score = self._connection.methods().score
        deadline = time.monotonic() + self.timeout
        pending: deque[Any] = deque()
        responses: list[reward_pb2.ScoreResponse] = []
        sent: list[int] = []
        try:
            for request in requests:
                if len(pending) == _WINDOW:
                    responses.append(await self._result(pending[0]))
                    pending.popleft()
                pending.append(score.future(request.message, timeout=max(deadline - time.monotonic(), 0.0)))
                sent.append(request.items)
            while pending:
                responses.append(await self._result(pending[0]))
                pending.popleft()
        finally:
            for future in pending:
                future.cancel()
        return self._scores(responses, sent)

    async def _result(self, call: Any) -> Any:
        """Waits for a call without a thread of its own."""
        loop = asyncio.get_running_loop()
        finished = asyncio.Event()

        def wake(_: Any) -> None:
            # The loop may be closed by the time a cancelled call ends; then nobody waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(finished.set)

        call.add_done_callback(wake)
        await finished.wait()
        return self._guarded(call.result)

    def _scores(self, responses: Sequence[reward_pb2.ScoreResponse], sent: Sequence[int]) -> Scores:
        from assay.scores import Scores

        columns = _batch.columns(responses, sent, self._names)
        return Scores(columns.total, columns.components, columns.status, columns.reasons, columns.answers)

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except grpc_module().RpcError as error:
            raise self._translated(error) from None

    def _translated(self, error: Any) -> AssayError:
        return translate(error, self.target, self.timeout)


def _same_length(count: int, **others: Sequence[Any] | None) -> None:
    for name, values in others.items():
        if values is not None and len(values) != count:
            raise InvalidInputError(f"{name}: {len(values)} for {count} completions; give one for each")
