"""One SGLang server over HTTP: a connection pool, typed calls, and errors that say whether trying again can help."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from assay.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

PauseMode = Literal["retract", "abort", "in_place"]

# The server closes a connection that was idle for 5 s. Reusing one near that age could lose a request without a sign
# of whether it was taken, so older ones are dropped here first.
_IDLE_S = 2.0
_READY_TIMEOUT_S = 5.0


class ConnectionLostError(UnavailableError):
    """The request may or may not have run; nobody is waiting for its answer any more."""


class RefusedError(UnavailableError):
    """The server answered with an HTTP status other than 200.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server says about itself.

    Attributes:
        version: Release of SGLang, ``""`` if it does not say.
        model_paths: Folders or hub names that the server was given, the first most likely the model's: an update from
            disk makes its folder, which has no configuration, the "model path".
        weight_version: Label of the weights it serves; ``"default"`` after a start.
        tp_size: Tensor-parallel ranks.
        device: ``"cuda"``, ``"cpu"`` or another kind of device.
        max_prompt: Most tokens of a prompt, ``None`` if it does not say.
        deterministic: Whether sampling seeds are honoured.
    """

    version: str
    model_paths: tuple[str, ...]
    weight_version: str
    tp_size: int
    device: str
    max_prompt: int | None
    deterministic: bool


@dataclass(slots=True, eq=False)
class Target:
    """A server that takes weights: its connection, and what it said of itself when it was met."""

    client: SGLangClient
    info: ServerInfo


class SGLangClient:
    """Calls one SGLang server (or a router in front of several); safe to share between threads.

    Args:
        url: ``http://host:port`` or ``https://host:port``; a path prefix is kept.
        api_key: Sent as a bearer token when given.
        request_timeout_s: Seconds that one completion may take before the connection counts as lost.
        control_timeout_s: Seconds that one weight or pause call may take.

    Raises:
        InvalidInputError: ``url`` is not such an address.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        request_timeout_s: float = 3600.0,
        control_timeout_s: float = 600.0,
    ) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in {"http", "https"} or not parts.hostname or port == -1:
            raise InvalidInputError(f"sglang server {url!r} is not an address like http://127.0.0.1:30000")
        self.url = url.rstrip("/")
        self.host = parts.hostname
        self._port = port
        self._secure = parts.scheme == "https"
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {api_key}"} if api_key is not None else {}
        )
        self._request_timeout_s = request_timeout_s
        self._control_timeout_s = control_timeout_s
        self._closed = False
        # Of a release that does not say whether it is ready.
        self._has_started = False
        self._lock = threading.Lock()
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        self._busy: set[http.client.HTTPConnection] = set()

    # -- completions ---------------------------------------------------------------------------------------------

    def generate(self, request: Mapping[str, Any], *, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Runs one completion and returns the server's answer object.

        Raises:
            InvalidInputError: The server refuses the request as it stands (too long, unknown option).
            ConnectionLostError: No answer came back.
            RefusedError: The server cannot answer now.
        """
        try:
            answer = self.call("POST", "/generate", request, timeout_s=self._request_timeout_s, headers=headers)
        except RefusedError as error:
            # A duplicate id is ours to solve with a fresh one; every other 400 is about the request itself.
            if error.status in {400, 413, 422} and "Duplicate request ID" not in str(error):
                raise InvalidInputError(str(error)) from error
            raise
        if not isinstance(answer, dict):
            raise UnavailableError(
                f"{self.url}/generate answered with a {type(answer).__name__} instead of one completion"
            )
        return answer

    def abort(self, rid: str) -> None:
        """Asks the server to give up a request; it then answers with what it has. Silent if the server is away."""
        with suppress(UnavailableError):
            self.call("POST", "/abort_request", {"rid": rid}, timeout_s=_READY_TIMEOUT_S)

    def abort_all(self) -> None:
        """Gives up every request of the server. Silent if the server is away."""
        with suppress(UnavailableError):
            self.call("POST", "/abort_request", {"abort_all": True}, timeout_s=_READY_TIMEOUT_S)

    # -- state ---------------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether the server takes requests: ``GET /ready`` answers 200, which generates nothing and works while paused.

        Releases up to 0.5.17 have no ``/ready``. There ``/health`` says when a start is over, which it finds out by generating a
        token, and from then on a server that answers ``/model_info`` is ready.
        """
        try:
            self.call("GET", "/ready", timeout_s=_READY_TIMEOUT_S)
        except RefusedError as error:
            return error.status == 404 and self._ready_without_saying()
        except UnavailableError:
            self._has_started = False
            return False
        return True

    def _ready_without_saying(self) -> bool:
        path = "/model_info" if self._has_started else "/health"
        try:
            self.call("GET", path, timeout_s=_READY_TIMEOUT_S)
        except UnavailableError:
            return False
        self._has_started = True
        return True

    def weight_version(self) -> str:
        """Label of the weights that the server says it serves."""
        return str(self._object("GET", "/model_info").get("weight_version", "default"))

    def info(self) -> ServerInfo:
        """What the server says about itself."""
        model = self._object("GET", "/model_info")
        server = self._object("GET", "/server_info")
        longest = server.get("max_req_input_len")
        paths = (server.get("model_path"), model.get("tokenizer_path"), model.get("model_path"))
        return ServerInfo(
            version=str(server.get("version", "")),
            model_paths=tuple(str(path) for path in paths if path),
            weight_version=str(model.get("weight_version", "default")),
            tp_size=int(server.get("tp_size") or 1),
            device=str(server.get("device") or "cuda"),
            max_prompt=int(longest) if longest else None,
            deterministic=bool(server.get("enable_deterministic_inference", False)),
        )

    def pause(self, mode: PauseMode) -> None:
        """Stops sampling; see ``SyncOptions.pause`` for what happens to requests in flight."""
        self.control("/pause_generation", {"mode": mode})

    def resume(self) -> None:
        """Goes on sampling after ``pause``."""
        self.control("/continue_generation", {})

    def control(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Posts a control call and returns its answer.

        Raises:
            RefusedError: The server reports ``success: false`` or any status but 200; the message is the server's.
            ConnectionLostError: No answer came back.
        """
        answer = self._object("POST", path, body)
        if answer.get("success") is False:
            raise RefusedError(f"{self.url}{path}: {answer.get('message')}", 200)
        return answer

    # -- transport -----------------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Sends one request and decodes the JSON answer (``None`` for an answer that is not JSON)."""
        payload = None if body is None else json.dumps(body).encode()
        with self._connection(timeout_s or self._control_timeout_s) as connection:
            try:
                connection.request(method, self._prefix + path, payload, self._headers | dict(headers or {}))
                response = connection.getresponse()
                raw = response.read()
            except (OSError, http.client.HTTPException) as error:
                detail = str(error) or type(error).__name__
                raise ConnectionLostError(f"{self.url}{path}: connection lost ({detail})") from error
            status = response.status
        try:
            answer = json.loads(raw) if raw else None
        except ValueError:
            answer = None
        if status != 200:
            raise RefusedError(f"{self.url}{path}: HTTP {status}: {_message(answer, raw)}", status)
        return answer

    def close(self) -> None:
        """Breaks every connection and keeps none from now on."""
        self._closed = True
        self.interrupt()

    def interrupt(self) -> None:
        """Breaks every connection, so that threads waiting for an answer return with ``ConnectionLostError``."""
        with self._lock:
            busy, idle = list(self._busy), self._idle
            self._idle = []
        for _, connection in idle:
            connection.close()
        for connection in busy:  # closed by the thread that uses it
            if (sock := connection.sock) is not None:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _object(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self.call(method, path, body)
        return answer if isinstance(answer, dict) else {}

    @contextmanager
    def _connection(self, timeout_s: float) -> Generator[http.client.HTTPConnection]:
        connection = self._take() or self._open()
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        with self._lock:
            self._busy.add(connection)
        usable = False
        try:
            yield connection
            usable = connection.sock is not None
        finally:
            with self._lock:
                self._busy.discard(connection)
                usable = usable and not self._closed
                if usable:
                    self._idle.append((time.monotonic(), connection))
            if not usable:
                connection.close()

    def _take(self) -> http.client.HTTPConnection | None:
        """The connection used last, if it is young enough to be open on the other side too."""
        with self._lock:
            fresh = bool(self._idle) and time.monotonic() - self._idle[-1][0] < _IDLE_S
            if fresh:
                return self._idle.pop()[1]
            stale, self._idle = self._idle, []
        for _, connection in stale:
            connection.close()
        return None

    def _open(self) -> http.client.HTTPConnection:
        return (_KeepAliveTLS if self._secure else _KeepAlive)(self.host, self._port)


class _KeepAlive(http.client.HTTPConnection):
    """A completion may be silent for an hour; only TCP keep-alive then tells a busy server from a machine that is gone."""

    def connect(self) -> None:
        super().connect()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class _KeepAliveTLS(http.client.HTTPSConnection):
    """``_KeepAlive`` over TLS."""

    def connect(self) -> None:
        super().connect()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _message(answer: Any, raw: bytes) -> str:
    """The text of an error answer; SGLang and routers use several shapes."""
    found: Any = answer
    if isinstance(answer, dict):
        found = answer.get("error") or answer.get("message") or answer.get("detail") or answer
        if isinstance(found, dict):
            found = found.get("message", found)
    return str(found if found is not None else raw.decode("utf-8", "replace")).strip()[:2000]
