"""`connect` and `RemoteScorer`."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from assay import _native
from assay._inputs import Completion, FastTokenizer, check_prompts, optional_texts, scores, texts, tokenizer_json
from assay.errors import InvalidInputError
from assay.spec import RewardSpec, SpecLike, canonical_json

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from assay.scores import Scores


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


def connect(
    target: str | Sequence[str],
    spec: SpecLike,
    *,
    tokenizer: str | os.PathLike[str] | FastTokenizer | None = None,
    timeout: float = 60.0,
) -> RemoteScorer:
    """Scores on the reward server at `target`; the result has the interface of `assay.Scorer` and scores alike.

    No server is contacted before the first call.

    Args:
        target: `HOST:PORT`, a list of them, or a gRPC target as in `dns:///rewards:50051` or
            `ipv4:10.0.0.1:50051,10.0.0.2:50051`. All addresses of a name are used, and requests take turns among them.
        spec: whatever `assay.Scorer` takes.
        tokenizer: the tokenizer that token ids belong to, as `assay.Scorer` takes it.
        timeout: seconds that each call may take, all its requests together; positive.

    Raises:
        InvalidSpecError: the spec is wrong.
        InvalidInputError: the target is none, the timeout is not positive or the tokenizer cannot be read.
    """
    return RemoteScorer(target, spec, tokenizer=tokenizer, timeout=timeout)


class RemoteScorer:
    """Scores on reward servers. Safe to share between threads, to pickle, and to use after a fork.

    A batch travels in requests of up to 256 items, several at a time, and comes back in order. A request that finds no server
    is sent to another one, and again for a while; scoring is pure, so that changes nothing.

    Every method raises `UnavailableError` when no server answers, `DeadlineError` when the call takes longer than
    `timeout`, `LimitError` when the server finds it too large, and `InvalidInputError` or `InvalidSpecError` when it
    finds it wrong. No failure is ever returned as a reward.
    """

    def __init__(
        self,
        target: str | Sequence[str],
        spec: SpecLike,
        *,
        tokenizer: str | os.PathLike[str] | FastTokenizer | None = None,
        timeout: float = 60.0,
    ) -> None:
        """As `connect`."""
        if not timeout > 0:
            raise InvalidInputError(f"timeout: {timeout} is not a positive number of seconds")
        self._spec_json = canonical_json(spec)
        self._target = target if isinstance(target, str) else ",".join(target)
        self._tokenizer_json = None if tokenizer is None else tokenizer_json(tokenizer)
        self._timeout = timeout
        self._connect()

    def _connect(self) -> None:
        self._native = _native.RemoteScorer(self._target, self._spec_json, self._tokenizer_json, self._timeout)

    @property
    def spec(self) -> RewardSpec:
        """The spec, with every option filled in."""
        return RewardSpec.of(self._spec_json)

    @property
    def target(self) -> str:
        """Where the servers are."""
        return self._target

    @property
    def timeout(self) -> float:
        """Seconds that each call may take."""
        return self._timeout

    def __repr__(self) -> str:
        """The target and the components."""
        return f"RemoteScorer({self.target!r}, components={[component.name for component in self.spec.components]})"

    def score(
        self,
        completions: Sequence[Completion],
        references: Sequence[str | None],
        prompts: Sequence[Any] | None = None,
    ) -> Scores:
        """Scores texts or chat messages; see `assay.Scorer.score`.

        Args:
            completions: what the model wrote, `n` of them.
            references: what the dataset knows, `n` texts or None.
            prompts: `n` prompts; no present kind of component looks at them, so they do not travel.
        """
        check_prompts(prompts, completions)
        return scores(self._native.score(texts(completions), optional_texts(references)))

    def score_tokens(
        self, token_ids: NDArray[np.uint32], offsets: NDArray[np.int64], references: Sequence[str | None]
    ) -> Scores:
        """Scores token ids; see `assay.Scorer.score_tokens`.

        Args:
            token_ids: all completions one after the other, uint32.
            offsets: where each begins, and the end of the last, int64, `n + 1` of them.
            references: what the dataset knows, `n` texts or None.
        """
        return scores(self._native.score_tokens(token_ids, offsets, optional_texts(references)))

    async def ascore(
        self,
        completions: Sequence[Completion],
        references: Sequence[str | None],
        prompts: Sequence[Any] | None = None,
    ) -> Scores:
        """`score` for asyncio. Cancelling the task cancels the requests."""
        check_prompts(prompts, completions)
        written, known = texts(completions), optional_texts(references)
        return await _finished(lambda done: self._native.start(written, known, done))

    async def ascore_tokens(
        self, token_ids: NDArray[np.uint32], offsets: NDArray[np.int64], references: Sequence[str | None]
    ) -> Scores:
        """`score_tokens` for asyncio. Cancelling the task cancels the requests."""
        known = optional_texts(references)
        return await _finished(lambda done: self._native.start_tokens(token_ids, offsets, known, done))

    def server_info(self) -> ServerInfo:
        """Asks a server what it is and can do."""
        version, kinds, max_message_bytes, max_items, tokenizers, threads = self._native.server_info()
        return ServerInfo(version, tuple(kinds), max_message_bytes, max_items, dict(tokenizers), threads)

    def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        self._native.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connections."""
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """What it was made of; connections stay in their process."""
        return {name: value for name, value in self.__dict__.items() if name != "_native"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Makes it anew."""
        self.__dict__.update(state)
        self._connect()


async def _finished(start: Callable[[Callable[[], object]], _native.Call]) -> Scores:
    """Waits for a call without a thread of its own."""
    loop = asyncio.get_running_loop()
    finished = asyncio.Event()

    def wake() -> None:
        # The loop may be closed by the time a cancelled call ends; then nobody waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(finished.set)

    call = start(wake)
    try:
        await finished.wait()
    except asyncio.CancelledError:
        call.cancel()
        raise
    return scores(call.result())
