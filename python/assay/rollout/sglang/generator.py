"""The ``Generator`` whose completions come from SGLang servers."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np

from assay.errors import InvalidInputError, UnavailableError
from assay.rollout.sglang.fleet import Fleet, FleetOptions, Route
from assay.rollout.sglang.options import SyncOptions
from assay.rollout.sglang.samples import Sample, read_answer
from assay.rollout.types import RolloutGroup, SamplingParams, TokenIds

if TYPE_CHECKING:
    from assay.rollout.sglang.checksums import Comparison
    from assay.rollout.sglang.client import SGLangClient
    from assay.rollout.sglang.launch import LocalServer
    from assay.rollout.sglang.options import SyncReport
    from assay.rollout.types import NamedTensors

_ABORT_GRACE_S = 10.0
_POLL_S = 0.5
_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 5.0


@dataclass(slots=True, eq=False)
class _Group:
    """A prompt's samples, the route that has its prefix cached, and how many are still to come."""

    samples: list[Sample]
    left: int
    route: Route | None = None


@dataclass(slots=True, eq=False)
class _Run:
    """One call of ``generate``: its options, whether it is being cut short, and what is in flight."""

    sampling: SamplingParams
    seed: int
    key: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    cut: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    flying: dict[str, Route] = field(default_factory=dict[str, Route])


class SGLangGenerator:
    """Completes prompts through one or many SGLang servers, and keeps their weights in step with a learner's.

    Every completion is a request of its own (token ids in, token ids and log-probabilities out). A request that is
    lost is sent again under a new id after the server was asked to drop the old one, and only one answer counts, so
    no sample is ever there twice. One that comes back aborted is continued from where it stopped. Every token's weight
    version is known, and a token sampled by weights that a server should no longer have is thrown away.

    Two things differ from the local generator: the same seed gives the same completions only on servers started with
    ``--enable-deterministic-inference``, and a completion also ends with the end-of-sequence tokens that the model's
    own configuration names.

    Args:
        servers: Addresses (``"http://host:30000"``) or ``LocalServer`` objects, which ``close`` ends.
        router: Address of a router in front of ``servers``; completions then go through it.
        api_key: Bearer token of the servers.
        vocab_size: Read from the served model's ``config.json`` when left out.
        max_in_flight: Most requests in flight per server. Groups are begun as earlier ones are consumed, so a slow
            consumer holds the servers back instead of filling memory.
        max_retries: How often in a row one completion may fail without gaining a token.
        request_timeout_s: Seconds one request may take.
        ready_timeout_s: Seconds a server may take to come up or back.
        sync: How weights travel; see ``SyncOptions``.

    Raises:
        InvalidInputError: An argument is out of range.
        UnavailableError: A server does not come up.
    """

    def __init__(  # noqa: PLR0913 - the options of one public object, all by keyword
        self,
        servers: str | LocalServer | Sequence[str | LocalServer],
        *,
        router: str | None = None,
        api_key: str | None = None,
        vocab_size: int | None = None,
        max_in_flight: int = 256,
        max_retries: int = 3,
        request_timeout_s: float = 3600.0,
        ready_timeout_s: float = 600.0,
        sync: SyncOptions | None = None,
    ) -> None:
        if max_in_flight < 1:
            raise InvalidInputError(f"max_in_flight is {max_in_flight}: give at least 1")
        if max_retries < 0:
            raise InvalidInputError(f"max_retries is {max_retries}: give 0 or more")
        self._max_in_flight = max_in_flight
        self._max_retries = max_retries
        self._runs: set[_Run] = set()
        self._closed = False
        self.sync_reports: list[SyncReport] = []
        self._fleet = Fleet(
            [servers] if not isinstance(servers, Sequence) or isinstance(servers, str) else servers,
            FleetOptions(
                router=router,
                api_key=api_key,
                vocab_size=vocab_size,
                request_timeout_s=request_timeout_s,
                ready_timeout_s=ready_timeout_s,
            ),
            sync or SyncOptions(),
        )
        # Iterations of several threads share it: each has a limit of its own for what it begins.
        self._slots = threading.BoundedSemaphore(max_in_flight * len(self._fleet.routes))

    @property
    def weight_version(self) -> int:
        """Version given by the last ``update_weights``; 0 before the first."""
        return self._fleet.version

    def generate(
        self,
        prompts: Sequence[TokenIds],
        *,
        group_size: int,
        sampling: SamplingParams,
        seed: int,
        first_group_id: int = 0,
    ) -> Iterator[RolloutGroup]:
        """See ``Generator.generate``. Arguments are checked at once; requests are sent once iteration begins.

        Weights may be updated from another thread meanwhile. Leaving the iteration early aborts what is in flight.

        Raises:
            InvalidInputError: A prompt is empty, too long for the model, or has a token id outside the vocabulary.
            UnavailableError: No server can be reached, or the last weight update failed.
        """
        if group_size < 1:
            raise InvalidInputError(f"group_size is {group_size}: give at least 1")
        groups: list[list[Sample]] = []
        for number, prompt in enumerate(prompts):
            self._check(prompt, f"prompts[{number}]")
            groups.append([Sample(first_group_id + number, index, prompt) for index in range(group_size)])
        return self._begin(groups, sampling, seed)

    def resume(self, groups: Sequence[RolloutGroup], *, sampling: SamplingParams, seed: int) -> Iterator[RolloutGroup]:
        """Completes the rollouts of ``groups`` that ended with ``abort``; the others are handed through.

        What was sampled stays, with its log-probabilities and weight versions; ``sampling.max_new_tokens`` counts it.
        """
        samples: list[list[Sample]] = []
        for number, group in enumerate(groups):
            self._check(group.prompt_ids, f"groups[{number}].prompt_ids")
            samples.append([Sample.of(rollout) for rollout in group.rollouts])
        return self._begin(samples, sampling, seed)

    def abort(self) -> None:
        """Cuts short what is being generated: the iterations in progress yield all groups left, as far as they are.

        Unfinished rollouts have the finish reason ``abort`` and what was sampled of them; ``resume`` completes them.
        """
        for run in list(self._runs):
            self._cut(run)

    def update_weights(self, version: int, named_tensors: NamedTensors) -> None:
        """Pauses all servers, gives them new weights, checks that they have them, and lets them go on.

        ``sync_reports`` has one more entry afterwards. On a failure nothing can be generated until an update succeeds.

        Raises:
            UnavailableError: A server does not have the weights; the message says which and why.
        """
        self.sync_reports.append(self._fleet.push(version, named_tensors))

    def verify_weights(self, named_tensors: NamedTensors) -> Comparison:
        """Compares checksums of every server's weights with ``named_tensors()``.

        Raises:
            UnavailableError: A tensor differs, or nothing could be compared.
        """
        return self._fleet.verify(named_tensors)

    def close(self) -> None:
        """Aborts what is in flight and ends the servers it was given as ``LocalServer``. Twice is harmless."""
        if not self._closed:
            self._closed = True
            self.abort()
            self._fleet.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- one run -------------------------------------------------------------------------------------------------

    def _check(self, prompt: TokenIds, where: str) -> None:
        longest = self._fleet.max_prompt
        if prompt.ndim != 1 or not len(prompt):
            raise InvalidInputError(f"{where} has shape {prompt.shape}: give token ids of shape [length], length > 0")
        if longest is not None and len(prompt) > longest:
            raise InvalidInputError(f"{where} has {len(prompt)} tokens; the served model takes at most {longest}")
        # A token id outside the vocabulary ends the whole server, not just the request.
        low, high = int(prompt.min()), int(prompt.max())
        if not np.issubdtype(prompt.dtype, np.integer) or low < 0 or high >= self._fleet.vocab_size:
            raise InvalidInputError(
                f"{where} has a token id outside the vocabulary: {low} to {high}, allowed 0 to {self._fleet.vocab_size - 1}"
            )

    def _begin(self, groups: list[list[Sample]], sampling: SamplingParams, seed: int) -> Iterator[RolloutGroup]:
        if any(not 0 <= token < self._fleet.vocab_size for token in sampling.stop_token_ids):
            raise InvalidInputError(f"sampling.stop_token_ids {sampling.stop_token_ids} are not all in the vocabulary")
        waiting = deque(
            _Group(samples, sum(sample.finish is None for sample in samples)) for samples in groups if samples
        )
        return self._results(_Run(sampling, seed), waiting)

    def _results(self, run: _Run, waiting: deque[_Group]) -> Iterator[RolloutGroup]:
        limit = self._max_in_flight * len(self._fleet.routes)
        finished: queue.SimpleQueue[tuple[_Group, Future[None]]] = queue.SimpleQueue()
        pool = ThreadPoolExecutor(limit, thread_name_prefix="sglang")
        running: set[Future[None]] = set()
        # The groups begun and not yet consumed: enough to keep the servers busy while the consumer has one in hand.
        open_samples = 0
        self._runs.add(run)
        try:
            while waiting or open_samples:
                while waiting and (open_samples < 2 * limit or not open_samples):
                    group = waiting.popleft()
                    if not group.left:
                        yield self._record(group)
                        continue
                    for sample in (sample for sample in group.samples if sample.finish is None):
                        call = pool.submit(self._complete, run, group, sample)
                        running.add(call)
                        call.add_done_callback(lambda done, group=group: finished.put((group, done)))
                        open_samples += 1
                try:
                    group, call = finished.get(timeout=_POLL_S)
                except queue.Empty:
                    if run.cut.is_set():
                        self._cut(run)  # an abort may have come before the request it was for
                    continue
                running.discard(call)
                call.result()
                group.left -= 1
                open_samples -= 1
                if not group.left:
                    yield self._record(group)
        finally:
            self._runs.discard(run)
            self._stop(run, pool, running)

    def _record(self, group: _Group) -> RolloutGroup:
        version = self._fleet.version
        rollouts = [sample.rollout(version) for sample in group.samples]
        return RolloutGroup(rollouts[0].group_id, rollouts[0].prompt_ids, rollouts)

    def _complete(self, run: _Run, group: _Group, sample: Sample) -> None:
        """Asks until the sample is finished or the run is cut short."""
        fruitless = 0
        while sample.finish is None and not run.cut.is_set():
            if len(sample.token_ids) >= run.sampling.max_new_tokens:
                sample.finish = "length"
                return
            before = len(sample.token_ids)
            if not self._take_slot(run):
                return
            try:
                ordinal = self._fleet.enter()
                with self._fleet.route(group.route) as route:
                    group.route = route
                    failure = self._ask(run, route, sample, ordinal)
            finally:
                self._slots.release()
            if sample.finish is not None or len(sample.token_ids) > before:
                fruitless = 0
                continue
            if run.cut.is_set() or (failure is None and self._fleet.moved_on(ordinal)):
                continue  # aborted by us: for the consumer, or for new weights
            fruitless += 1
            if fruitless > self._max_retries:
                reason = failure or "the server keeps aborting it"
                raise UnavailableError(
                    f"completion {sample.index} of group {sample.group_id} failed {fruitless} times: {reason}"
                ) from failure
            if failure is not None:
                self._fleet.enter()  # a failed push explains the failure better than the lost connection does
                self._fleet.recover(route, run.cut)
            run.cut.wait(min(_BACKOFF_S * 2 ** (fruitless - 1), _LONGEST_BACKOFF_S))

    def _take_slot(self, run: _Run) -> bool:
        """Waits for room at the servers; whether there is any before the run is cut short."""
        while not run.cut.is_set():
            if self._slots.acquire(timeout=_POLL_S):
                return True
        return False

    def _ask(self, run: _Run, route: Route, sample: Sample, ordinal: int) -> UnavailableError | None:
        """Sends one request for the rest of a sample and appends what comes back; returns what went wrong."""
        # Routers that read a conversation's key out of the id drop a last `_t` and `_r` with digits: all completions of
        # a prompt go where its prefix is cached. The id also must not begin like another one, since SGLang aborts by
        # prefix; hence the fixed width.
        key = f"{run.key}-{sample.group_id}"
        rid = f"{key}_t{sample.index}_r{sample.requests:06d}"
        sample.requests += 1
        seed = _seed(run.seed, sample) if self._fleet.deterministic else None
        # A prefix that older weights computed must not serve newer ones, whatever is left in the server's cache.
        request = sample.request(
            run.sampling, rid=rid, routing_key=key, cache_key=self._fleet.cache_key(ordinal), seed=seed
        )
        with run.lock:
            run.flying[rid] = route
        try:
            if run.cut.is_set():
                return None
            body = route.client.generate(request, headers={"X-SMG-Routing-Key": key})
        except UnavailableError as error:
            # It may still be running there: nobody would read it, and it would take the place of its successor.
            _abort(route, rid)
            return error
        finally:
            with run.lock:
                del run.flying[rid]
        try:
            sample.extend(read_answer(body, route.client.url), partial(self._fleet.version_of, since=ordinal))
        except UnavailableError as error:
            return error
        return None

    def _cut(self, run: _Run) -> None:
        run.cut.set()
        with run.lock:
            flying = list(run.flying.items())
        for rid, route in flying:
            _abort(route, rid)

    def _stop(self, run: _Run, pool: ThreadPoolExecutor, running: set[Future[None]]) -> None:
        """Gives up what is in flight and waits until no thread is left."""
        pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + _ABORT_GRACE_S
        while (running := {call for call in running if not call.done()}) and time.monotonic() < deadline:
            self._cut(run)
            wait(running, timeout=_POLL_S)
        if running:
            with run.lock:
                clients: set[SGLangClient] = {route.client for route in run.flying.values()}
            for client in clients:
                client.interrupt()
        pool.shutdown(wait=True)


def _abort(route: Route, rid: str) -> None:
    for member in route.members:
        member.client.abort(rid)


def _seed(seed: int, sample: Sample) -> int:
    """A seed of its own for every completion of a run, the same for the same run seed."""
    sequence = np.random.SeedSequence([seed & 0xFFFFFFFF, sample.group_id, sample.index])
    return int(sequence.generate_state(1)[0]) >> 1
