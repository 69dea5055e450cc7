"""Starts an SGLang server on this machine, keeps its log, starts it again when it dies, and ends all of it."""

from __future__ import annotations

import atexit
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assay import _guarded
from assay.errors import InvalidInputError, UnavailableError
from assay.rollout.sglang.client import SGLangClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_POLL_S = 0.2
_LOG_TAIL_BYTES = 2000
_PORTS = range(20000, 32768)

# SGLang on a CPU without AMX: torch's own attention and sampler. `--sleep-on-idle` because its scheduler otherwise
# burns a core while it waits, and PASSIVE because OpenMP threads that spin on shared cores stall each other.
_CPU_ARGUMENTS = (
    *("--device", "cpu", "--attention-backend", "torch_native", "--sampling-backend", "pytorch"),
    *("--disable-overlap-schedule", "--sleep-on-idle"),
)
_CPU_ENVIRONMENT = {"SGLANG_USE_CPU_ENGINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
_KERNELS = Path(__file__).with_name("kernels")
_PROBE = (
    "from importlib.util import find_spec\n"
    "print('sglang' if find_spec('sglang') else '-', 'kernels' if find_spec('sgl_kernel') else '-')"
)
_PROBE_TIMEOUT_S = 60.0


def default_device() -> str:
    """``"cuda"`` on a machine with an NVIDIA driver, else ``"cpu"``; asks no library."""
    return "cuda" if Path("/proc/driver/nvidia/version").exists() else "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """How to start a server.

    Attributes:
        model_path: Folder (Hugging Face layout) or hub name of the model.
        host: Address to listen on.
        port: Port to listen on; 0 picks a free one below those that systems hand out by themselves.
        device: ``"cuda"``, or ``"cpu"`` for SGLang's torch-native path.
        dtype: ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        tp_size: Tensor-parallel ranks.
        python: Interpreter that has ``sglang``; a separate environment is safest, since SGLang pins its torch.
        arguments: More arguments of ``sglang.launch_server``; a later one overrides an earlier one.
        environment: Variables set for the server on top of this process's own.
        log_directory: Where ``server-PORT.log`` is appended to; a temporary folder by default.
        ready_timeout_s: Seconds a start may take.
        max_restarts: How often a server that died is started again before that counts as a failure.
    """

    model_path: str
    host: str = "127.0.0.1"
    port: int = 0
    device: str = "cuda"
    dtype: str = "auto"
    tp_size: int = 1
    python: str = sys.executable
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    log_directory: Path | None = None
    ready_timeout_s: float = 600.0
    max_restarts: int = 3

    def __post_init__(self) -> None:
        if self.device not in {"cuda", "cpu"}:
            raise InvalidInputError(f"launch.device is {self.device!r}: give 'cuda' or 'cpu'")
        if not 0 <= self.port < 65536:
            raise InvalidInputError(f"launch.port is {self.port}: give 0 (any free port) to 65535")
        if self.tp_size < 1:
            raise InvalidInputError(f"launch.tp_size is {self.tp_size}: give at least 1")

    def command(self, port: int, label: str) -> list[str]:
        """The command line that starts the server on ``port``, with ``label`` for the weights it starts with."""
        return [
            *(self.python, "-m", "sglang.launch_server", "--model-path", self.model_path),
            *("--host", self.host, "--port", str(port), "--tp", str(self.tp_size), "--dtype", self.dtype),
            *("--weight-version", label),
            *(_CPU_ARGUMENTS if self.device == "cpu" else ()),
            *self.arguments,
        ]


class LocalServer:
    """A supervised SGLang server: started on construction, started again when it dies, ended by ``close``.

    The server runs in a process group of its own, because its scheduler and detokenizer are separate processes and
    SIGTERM to the first takes it a minute; ``close`` kills the group. If this process is killed, the group ends too.

    Attributes:
        url: Its address; the same over restarts.
        log: Its log file, appended to over restarts.
        restarts: How often it was started again.

    Raises:
        UnavailableError: The interpreter is not there, or has no ``sglang``.
    """

    def __init__(self, options: LaunchOptions) -> None:
        self.options = options
        self._environment = _environment(options)
        port = options.port or _free_port(options.host)
        host = "127.0.0.1" if options.host == "0.0.0.0" else options.host  # noqa: S104 - compared, not bound
        self.url = f"http://{host}:{port}"
        directory = options.log_directory or Path(tempfile.mkdtemp(prefix="assay-sglang-"))
        directory.mkdir(parents=True, exist_ok=True)
        self.log = directory / f"server-{port}.log"
        self.restarts = 0
        self._label = f"start-{uuid.uuid4().hex[:8]}"
        self._met = False
        self._command = options.command(port, self._label)
        self._client = SGLangClient(self.url)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._failure: str | None = None
        self._process = self._start()
        self._watcher = threading.Thread(target=self._watch, name=f"sglang-{port}", daemon=True)
        self._watcher.start()
        atexit.register(self.close)

    @property
    def pid(self) -> int:
        """Process id of the group's leader; changes with a restart."""
        return self._process.pid

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Waits until the server answers ``/ready``, through restarts if need be.

        Raises:
            UnavailableError: It did not within ``timeout_s`` (default: ``ready_timeout_s``), or died too often. The
                message ends with the last lines of its log.
        """
        deadline = time.monotonic() + (self.options.ready_timeout_s if timeout_s is None else timeout_s)
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise UnavailableError(f"sglang at {self.url} is not ready; see {self.log}:\n{self.tail()}")
            self._closing.wait(_POLL_S)

    def is_ready(self) -> bool:
        """Whether the server answers now.

        Raises:
            UnavailableError: It will not any more: it died too often, or was closed.
        """
        if self._failure is not None:
            raise UnavailableError(self._failure)
        if self._process.poll() is not None or not self._client.ready():
            return False
        # While a server restarts, another program may have taken its port: weights must not go there.
        self._met = self._met or self._client.weight_version() == self._label
        return self._met

    def tail(self) -> str:
        """The end of its log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _LOG_TAIL_BYTES))
            return log.read().decode("utf-8", "replace").strip()

    @property
    def failure(self) -> str | None:
        """Why there will be no server any more, or ``None`` while there is one or one is coming."""
        return self._failure

    def kill(self) -> None:
        """Kills the running server; the supervisor starts it again unless ``close`` was called."""
        if self._process.poll() is None:
            _guarded.kill_group(self._process)

    def close(self) -> None:
        """Ends the server and its supervisor. Calling it twice is harmless."""
        with self._lock:
            self._closing.set()
            self._failure = f"sglang at {self.url} was closed"
        self._client.close()
        # Also when the leader died by itself: the supervisor, which would have killed the rest, looks no more.
        _guarded.kill_group(self._process)
        self._process.wait()
        atexit.unregister(self.close)

    def _start(self) -> subprocess.Popen[bytes]:
        self._met = False
        with self.log.open("ab") as log:
            return _guarded.start(self._command, stdout=log, stderr=subprocess.STDOUT, environment=self._environment)

    def _watch(self) -> None:
        while not self._closing.wait(_POLL_S):
            status = self._process.poll()
            if status is None:
                continue
            # The leader is gone, but its children may not be: they hold the port and the memory.
            _guarded.kill_group(self._process)
            with self._lock:
                if self._closing.is_set():
                    return
                if self.restarts >= self.options.max_restarts:
                    self._failure = (
                        f"sglang at {self.url} ended {self.restarts + 1} times, last with status {status}; "
                        f"see {self.log}:\n{self.tail()}"
                    )
                    return
                self.restarts += 1
                self._process = self._start()


def serve(options: LaunchOptions, announce: Callable[[LocalServer], None]) -> None:
    """Launches a server and keeps it up until interrupted (Ctrl-C) or it died too often.

    Args:
        options: How to start it.
        announce: Called once, when it is ready.

    Raises:
        UnavailableError: It did not come up, or died more than ``max_restarts`` times.
    """
    server = LocalServer(options)
    try:
        server.wait_ready()
        announce(server)
        while server.failure is None:
            time.sleep(_POLL_S)
        raise UnavailableError(server.failure)
    finally:
        server.close()


def _environment(options: LaunchOptions) -> dict[str, str]:
    """The server's variables, after looking whether its interpreter can start one at all.

    Raises:
        UnavailableError: It cannot; the message says what to install where.
    """
    defaults = _CPU_ENVIRONMENT if options.device == "cpu" else {}
    environment = {**os.environ, **defaults, **options.environment}
    try:
        probe = subprocess.run(  # noqa: S603 - the interpreter is the operator's own
            [options.python, "-c", _PROBE],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{options.python} cannot be run as a Python interpreter: {error}") from error
    found = probe.stdout.split()
    if not found:
        raise UnavailableError(f"{options.python} is not a Python interpreter that works: {probe.stderr.strip()}")
    if found[0] != "sglang":
        raise UnavailableError(
            f"{options.python} has no sglang: run `{options.python} -m pip install sglang`, or name the interpreter of an "
            "environment that has it (python = ... under [generator.launch], --python of assay rollout-server)"
        )
    if options.device == "cpu" and found[1] != "kernels":
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{_KERNELS}{os.pathsep}{inherited}" if inherited else str(_KERNELS)
    return environment


def _free_port(host: str) -> int:
    # Outside the range from which systems choose ports for whoever asks for any, or a restart could find its port gone.
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((host, port))
            return port
    raise UnavailableError(f"no port from {_PORTS.start} to {_PORTS.stop - 1} is free on {host}")
