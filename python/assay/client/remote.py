"""`connect` and `RemoteScorer`."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from assay import _native
from assay._inputs import (
    Completion,
    FastTokenizer,
    check_prompts,
    optional_texts,
    prompt_texts,
    scores,
    texts,
    tokenizer_json,
)
from assay.client.options import Connection
from assay.client.stream import astream, stream
from assay.client.trace import current
from assay.errors import InvalidInputError, UnavailableError
from assay.spec import RewardSpec, SpecLike, asks_outside, canonical_json

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from assay.client.stream import Start
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
        reward_models: endpoints that a `reward_model` component may name.
        plugins: functions that a `plugin` component may name.
        spec_schema_sha256: servers with the same one know the same specs.
        sandbox: how programs are run; `"none"` says that the server runs no code.
    """

    version: str
    component_kinds: tuple[str, ...]
    max_message_bytes: int
    max_items: int
    tokenizers: Mapping[str, str]
    threads: int
    reward_models: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    spec_schema_sha256: str = ""
    sandbox: str = "none"


def connect(  # noqa: PLR0913 - one parameter an option
    target: str | Sequence[str],
    spec: SpecLike,
    *,
    tokenizer: str | os.PathLike[str] | FastTokenizer | None = None,
    timeout: float = 60.0,
    tls: bool = False,
    ca: str | os.PathLike[str] | None = None,
    certificate: str | os.PathLike[str] | None = None,
    key: str | os.PathLike[str] | None = None,
    server_name: str | None = None,
    token: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    tenant: str | None = None,
    channels: int = 2,
    balance: Literal["round_robin", "least_outstanding"] = "round_robin",
    fallback: Literal["local"] | None = None,
    trace: bool = False,
) -> RemoteScorer:
    """Scores on the reward server at `target`; the result has the interface of `assay.Scorer` and scores alike.

    No server is contacted before the first call.

    Args:
        target: `HOST:PORT`, a list of them, or a gRPC target as in `dns:///rewards:50051` or
            `ipv4:10.0.0.1:50051,10.0.0.2:50051`. All addresses of a name are used, and looked up again every 30 s.
        spec: whatever `assay.Scorer` takes.
        tokenizer: the tokenizer that token ids belong to, as `assay.Scorer` takes it.
        timeout: seconds that each call may take, all its requests together; positive.
        tls: speak TLS; any of the next four says so too.
        ca: PEM file of the authorities that servers' certificates lead to; by default those of this machine.
        certificate: PEM file of this client's certificate, for servers that want one.
        key: PEM file of its private key.
        server_name: the name in the servers' certificates; by default the host of the target.
        token: bearer token; by default the environment variable ASSAY_TOKEN, where it is set. It is pickled with the scorer;
            `token_file` and the variable are read anew in each process.
        token_file: a file that holds it.
        tenant: who the work is for.
        channels: connections to each server, 1 to 64.
        balance: which server gets the next request: in turn, or the one with the fewest unanswered requests of this client.
        fallback: `"local"` scores in this process, with a warning, while no server answers: the same scores, on this machine's
            cores. What reward models and plug-ins of the server would say is `unavailable` then. Streams do not fall back.
        trace: begin a trace for each call that is made outside of an OpenTelemetry span; inside of one, a call belongs to it.

    Raises:
        InvalidSpecError: the spec is wrong.
        InvalidInputError: the target is none, the timeout is not positive, a file cannot be read, or options do not go together.
    """
    connection = Connection(
        tls=tls,
        ca=ca,
        certificate=certificate,
        key=key,
        server_name=server_name,
        token=token,
        token_file=token_file,
        tenant=tenant,
        channels=channels,
        balance=balance,
        trace=trace,
    )
    return RemoteScorer(target, spec, tokenizer=tokenizer, timeout=timeout, connection=connection, fallback=fallback)


class RemoteScorer:
    """Scores on reward servers. Safe to share between threads, to pickle, and to use after a fork.

    A batch travels in requests of up to 256 items, several at a time, and comes back in order. A request that finds no server
    is sent to another one, and again for a while; scoring is pure, so that changes nothing. A reference of 16 KiB or more, as a
    test-suite, travels to each server once; parts of `score_stream` carry theirs.

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
        connection: Connection | None = None,
        fallback: Literal["local"] | None = None,
    ) -> None:
        """As `connect`, with the options of connections in one."""
        if not timeout > 0:
            raise InvalidInputError(f"timeout: {timeout} is not a positive number of seconds")
        self._spec_json = canonical_json(spec)
        self._target = target if isinstance(target, str) else ",".join(target)
        self._tokenizer_json = None if tokenizer is None else tokenizer_json(tokenizer)
        self._timeout = timeout
        self._connection = connection or Connection()
        if fallback not in (None, "local"):
            raise InvalidInputError(f"fallback: {fallback!r} is neither None nor 'local'")
        self._fallback = fallback
        self._connect()

    def _connect(self) -> None:
        self._needs_prompts = asks_outside(self._spec_json)
        self._native = _native.RemoteScorer(
            self._target, self._spec_json, self._tokenizer_json, self._timeout, self._connection.encoded()
        )

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
            prompts: `n` prompts, for `reward_model` and `plugin`; no other kind looks at them, and without one of these they
                do not travel.
        """
        check_prompts(prompts, completions)
        written, known, asked = texts(completions), optional_texts(references), self._asked(prompts)
        try:
            return scores(self._native.score(written, known, asked, current()))
        except UnavailableError as error:
            return scores(self._here(error).score(written, known, asked))

    def _here(self, error: UnavailableError) -> _native.Scorer:
        if self._fallback is None:
            raise error
        warnings.warn(f"scoring in this process: {error}", RuntimeWarning, stacklevel=3)
        return _native.Scorer(self._spec_json, self._tokenizer_json)

    def _asked(self, prompts: Sequence[Any] | None) -> list[str | None] | None:
        return prompt_texts(prompts) if self._needs_prompts else None

    def score_tokens(
        self,
        token_ids: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        references: Sequence[str | None],
        prompts: Sequence[Any] | None = None,
    ) -> Scores:
        """Scores token ids; see `assay.Scorer.score_tokens`.

        Args:
            token_ids: all completions one after the other, uint32.
            offsets: where each begins, and the end of the last, int64, `n + 1` of them.
            references: what the dataset knows, `n` texts or None.
            prompts: as for `score`.
        """
        check_prompts(prompts, references)
        known, asked = optional_texts(references), self._asked(prompts)
        try:
            return scores(self._native.score_tokens(token_ids, offsets, known, asked, current()))
        except UnavailableError as error:
            return scores(self._here(error).score_tokens(token_ids, offsets, known, asked))

    async def ascore(
        self,
        completions: Sequence[Completion],
        references: Sequence[str | None],
        prompts: Sequence[Any] | None = None,
    ) -> Scores:
        """`score` for asyncio. Cancelling the task cancels the requests."""
        check_prompts(prompts, completions)
        written, known, asked = texts(completions), optional_texts(references), self._asked(prompts)
        try:
            return await _finished(lambda done: self._native.start(written, known, done, asked, current()))
        except UnavailableError as error:
            here = self._here(error)
            return scores(await asyncio.to_thread(here.score, written, known, asked))

    async def ascore_tokens(
        self,
        token_ids: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        references: Sequence[str | None],
        prompts: Sequence[Any] | None = None,
    ) -> Scores:
        """`score_tokens` for asyncio. Cancelling the task cancels the requests."""
        check_prompts(prompts, references)
        known, asked = optional_texts(references), self._asked(prompts)
        try:
            return await _finished(
                lambda done: self._native.start_tokens(token_ids, offsets, known, done, asked, current())
            )
        except UnavailableError as error:
            here = self._here(error)
            return scores(await asyncio.to_thread(here.score_tokens, token_ids, offsets, known, asked))

    def score_stream(
        self,
        completions: Sequence[Completion],
        references: Sequence[str | None],
        prompts: Sequence[Any] | None = None,
        *,
        size: int = 64,
        window: int = 16,
    ) -> Iterator[tuple[range, Scores]]:
        """Scores texts, and gives each part of the batch when it is finished, in any order.

        For items that take long: the next step need not wait for the slowest. All parts share one stream, and each has the
        `timeout` of a call; a stream that breaks goes on with another server. Leaving the iterator gives up what is on its way.

        Args:
            completions: as for `score`.
            references: as for `score`.
            prompts: as for `score`.
            size: items of a part, at least 1.
            window: parts on their way at a time, at least 1.

        Yields:
            The rows of a part, and their scores.
        """
        return stream(self._parts(completions, references, prompts, size, window))

    def ascore_stream(
        self,
        completions: Sequence[Completion],
        references: Sequence[str | None],
        prompts: Sequence[Any] | None = None,
        *,
        size: int = 64,
        window: int = 16,
    ) -> AsyncIterator[tuple[range, Scores]]:
        """`score_stream` for asyncio."""
        return astream(self._parts(completions, references, prompts, size, window))

    def _parts(
        self,
        completions: Sequence[Completion],
        references: Sequence[str | None],
        prompts: Sequence[Any] | None,
        size: int,
        window: int,
    ) -> Start:
        if size < 1 or window < 1:
            raise InvalidInputError(f"size and window have to be at least 1, not {size} and {window}")
        check_prompts(prompts, completions)
        written, known, asked = texts(completions), optional_texts(references), self._asked(prompts)
        if len(written) != len(known):
            raise InvalidInputError(f"references has {len(known)} entries for {len(written)} completions")
        trace = current()
        return lambda: self._native.stream(written, known, size, window, prompts=asked, trace=trace)

    def server_info(self) -> ServerInfo:
        """Asks a server what it is and can do."""
        version, kinds, max_message_bytes, max_items, tokenizers, threads, outside, more = self._native.server_info()
        reward_models, plugins = map(tuple, outside)
        known = dict(tokenizers)
        return ServerInfo(
            version, tuple(kinds), max_message_bytes, max_items, known, threads, reward_models, plugins, *more
        )

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
