"""The servers of one generator: which of them can be asked, which weights they hold, and how they are brought back."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import InvalidInputError, UnavailableError
from assay.rollout.sglang.client import SGLangClient, Target
from assay.rollout.sglang.launch import LocalServer

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from assay.rollout.sglang.checksums import Comparison
    from assay.rollout.sglang.options import SyncOptions, SyncReport
    from assay.rollout.sglang.sync import WeightSync
    from assay.rollout.types import NamedTensors

_LOG = logging.getLogger(__name__)
_POLL_S = 0.2


class StaleWeightsError(UnavailableError):
    """A server answered with weights other than those it was last given."""


@dataclass(slots=True, eq=False)
class Member(Target):
    """A server that holds weights; ``local`` is its supervisor, if this process started it."""

    local: LocalServer | None


@dataclass(slots=True, eq=False)
class Route:
    """An address that takes completions (a server, or a router in front of several) and the servers behind it."""

    client: SGLangClient
    members: list[Member]
    outstanding: int = 0
    healthy: bool = True
    recovery: threading.Lock = field(default_factory=threading.Lock)
    attempts: int = 0
    loss: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """How servers are reached.

    Attributes:
        router: Address of a router; completions go there, weights straight to the servers behind it.
        api_key: Bearer token of the servers.
        vocab_size: Token ids must be below it; read from the model's ``config.json`` when left out.
        request_timeout_s: Seconds one completion may take.
        ready_timeout_s: Seconds a server may take to come up or back.
    """

    router: str | None = None
    api_key: str | None = None
    vocab_size: int | None = None
    request_timeout_s: float = 3600.0
    ready_timeout_s: float = 600.0


class Fleet:
    """Servers that hold the same weights. Safe to use from many threads.

    Versions: every push gets a label that no other push and no fresh server has, so an answer's label says exactly
    which weights sampled a token. What a server held when it was met counts as version 0 until the first push; after
    that, only tokens whose request was on its way before a push may carry the weights before it.
    """

    def __init__(self, servers: Sequence[str | LocalServer], options: FleetOptions, sync: SyncOptions) -> None:
        if not servers:
            raise InvalidInputError("servers is empty: give at least one address or LocalServer")
        self._options = options
        self._sync_options = sync
        self._run = uuid.uuid4().hex[:8]
        self._sync: WeightSync | None = None
        self._sync_lock = threading.Lock()
        self._state = threading.Condition()
        self._syncing = False
        self._closed = False
        self._failure: str | None = None
        self._label: str | None = None
        self.version = 0
        self.ordinal = 0
        self.deterministic = True
        self.max_prompt: int | None = None
        self._model_paths: tuple[str, ...] = ()
        self._clients: list[SGLangClient] = []
        try:
            self.members = [self._meet(server) for server in servers]
            if options.router is None:
                self.routes = [Route(member.client, [member]) for member in self.members]
            else:
                self.routes = [Route(self._client(options.router), list(self.members))]
            self.vocab_size = options.vocab_size or _vocab_size(self._model_paths)
        except BaseException:
            self._disconnect()
            raise
        self._locals = [member.local for member in self.members if member.local is not None]
        self._labels = {member.info.weight_version: (0, 0) for member in self.members}

    # -- asking --------------------------------------------------------------------------------------------------

    def enter(self) -> int:
        """Waits while weights are on their way, and returns how many pushes there were.

        Raises:
            UnavailableError: The last push failed, or the generator was closed.
        """
        with self._state:
            self._state.wait_for(lambda: not self._syncing)
            if self._failure is not None:
                raise UnavailableError(self._failure)
            return self.ordinal

    def moved_on(self, ordinal: int) -> bool:
        """Whether a push began or ended since ``enter`` returned ``ordinal``."""
        with self._state:
            return self._syncing or self.ordinal != ordinal

    def cache_key(self, ordinal: int) -> str:
        """Names the weights after push number ``ordinal``, for prefix caches."""
        return f"{self._run}-{ordinal}"

    @contextmanager
    def route(self, before: Route | None) -> Generator[Route]:
        """The route to use now: the one used ``before`` while it is well (it has the prompt cached), else the idlest."""
        with self._state:
            well = [route for route in self.routes if route.healthy] or self.routes
            chosen = before if before in well else min(well, key=lambda route: route.outstanding)
            chosen.outstanding += 1
        try:
            yield chosen
        finally:
            with self._state:
                chosen.outstanding -= 1

    def version_of(self, label: str, since: int) -> int:
        """The version that an answer's label means, for a request that was sent after push number ``since``.

        Raises:
            StaleWeightsError: The label is not one of a push since then: the server lost its weights.
        """
        with self._state:
            ordinal, version = self._labels.get(label, (-1, 0))
        if ordinal < since:
            raise StaleWeightsError(
                f"answer sampled by weights {label!r}, which are not those of version {self.version}"
            )
        return version

    def recover(self, route: Route, stop: threading.Event) -> None:
        """Brings the servers of a route back, with their weights; returns at once if others can be asked meanwhile.

        Args:
            route: The route that failed.
            stop: Set when nobody needs it any more; recovery then ends where it is.

        Raises:
            UnavailableError: They do not come back and no other route is left.
        """
        with self._state:
            route.healthy = False
            others = any(other.healthy for other in self.routes)
            attempts = route.attempts
        while not route.recovery.acquire(timeout=0 if others else _POLL_S):
            if others or stop.is_set():
                return
        try:
            if route.healthy:
                return
            if route.attempts != attempts:
                raise UnavailableError(route.loss)  # what the one before us found, who waited for all of us
            route.attempts += 1
            with self._sync_lock:
                for member in route.members:
                    self._restore(member, stop)
            route.healthy = True
        except UnavailableError as error:
            self._lose(route, error)
        finally:
            route.recovery.release()

    def _lose(self, route: Route, error: UnavailableError) -> None:
        with self._state:
            route.loss = str(error)
            if self.routes == [route] or self._failure is not None:
                raise error
            self.routes = [other for other in self.routes if other is not route]
            self.members = [member for member in self.members if member not in route.members]
        _LOG.warning("goes on without %s: %s", route.client.url, error)

    # -- weights -------------------------------------------------------------------------------------------------

    def push(self, version: int, named_tensors: NamedTensors) -> SyncReport:
        """Gives all servers new weights; nothing new is sampled meanwhile.

        Raises:
            UnavailableError: A server does not have them. Until a push succeeds, nothing can be generated.
        """
        with self._sync_lock:
            with self._state:
                if self._closed:
                    raise UnavailableError(self._failure)
                ordinal = self.ordinal + 1
                label = f"{version}@{self._run}-{len(self._labels)}"
                self._labels[label] = (ordinal, version)
                self._syncing = True
            failure = f"the push of version {version} was interrupted"
            try:
                for member in self.members:
                    self._wait_ready(member.client, member.local)
                report = self._weight_sync().push(self.members, version, label, named_tensors)
                failure = None
            except UnavailableError as error:
                failure = str(error)
                raise
            finally:
                with self._state:
                    self._syncing = False
                    self._failure = self._failure if self._closed else failure
                    if failure is None:
                        self.ordinal, self.version, self._label = ordinal, version, label
                    self._state.notify_all()
            return report

    def verify(self, named_tensors: NamedTensors) -> Comparison:
        """Compares the servers' weights with the learner's; see ``WeightSync.verify``."""
        with self._sync_lock:
            return self._weight_sync().verify(self.members, named_tensors)

    def close(self) -> None:
        """Wakes everyone who waits, and ends the servers that this process started."""
        with self._state:
            self._closed = True
            self._failure = "the generator was closed"
            self._state.notify_all()
        for client in self._clients:
            client.interrupt()
        with self._sync_lock:
            if self._sync is not None:
                self._sync.close()
                self._sync = None
        self._disconnect()
        for local in self._locals:
            local.close()

    # -- servers -------------------------------------------------------------------------------------------------

    def _client(self, url: str) -> SGLangClient:
        options = self._options
        client = SGLangClient(url, api_key=options.api_key, request_timeout_s=options.request_timeout_s)
        self._clients.append(client)
        return client

    def _disconnect(self) -> None:
        for client in self._clients:
            client.close()

    def _meet(self, server: str | LocalServer) -> Member:
        local = server if isinstance(server, LocalServer) else None
        client = self._client(server if isinstance(server, str) else server.url)
        self._wait_ready(client, local)
        info = client.info()
        self.deterministic = self.deterministic and info.deterministic
        self._model_paths += info.model_paths
        if info.max_prompt is not None:
            self.max_prompt = min(info.max_prompt, self.max_prompt or info.max_prompt)
        return Member(client, info, local)

    def _wait_ready(self, client: SGLangClient, local: LocalServer | None, stop: threading.Event | None = None) -> None:
        deadline = time.monotonic() + self._options.ready_timeout_s
        while not (client.ready() if local is None else local.is_ready()):
            if self._failure is not None:
                raise UnavailableError(self._failure)
            if stop is not None and stop.is_set():
                return
            if time.monotonic() > deadline:
                log = "" if local is None else f"; see {local.log}:\n{local.tail()}"
                raise UnavailableError(f"sglang at {client.url} does not answer /ready{log}")
            time.sleep(_POLL_S)

    def _restore(self, member: Member, stop: threading.Event) -> None:
        self._wait_ready(member.client, member.local, stop)
        if stop.is_set():
            return  # who asks next finds out how it stands
        found = member.client.weight_version()
        if found == (self._label or member.info.weight_version):
            return
        if self._label is None:
            raise UnavailableError(
                f"{member.client.url} came back with weights {found!r}, not {member.info.weight_version!r}"
            )
        _LOG.warning(
            "%s lost its weights (it serves %r); giving it version %d again", member.client.url, found, self.version
        )
        self._weight_sync().restore(member, self._label)

    def _weight_sync(self) -> WeightSync:
        if self._sync is None:
            # Brings in torch, which generation alone does not need.
            from assay.rollout.sglang.sync import WeightSync

            self._sync = WeightSync(self._sync_options)
        return self._sync


def _vocab_size(model_paths: Sequence[str]) -> int:
    for path in model_paths:
        try:
            found = json.loads((Path(path) / "config.json").read_text(encoding="utf-8"))
            size = found.get("vocab_size") or found.get("text_config", {}).get("vocab_size")
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(size, int):
            return size
    raise InvalidInputError(
        f"cannot read the vocabulary size of the served model {next(iter(model_paths), '')!r} here: give vocab_size "
        "(a server does not survive a token id beyond its vocabulary)"
    )
