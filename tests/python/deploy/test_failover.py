"""Three servers, a load whose every result is checked, and servers that die, stop and come back.

Nothing may be lost, doubled or different, nothing may fail, and a server that comes back gets traffic again: through Envoy,
through grpcio's round_robin, and through assay's own client.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from assay.client._pb import reward_pb2, spec_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

# The load lasts until the test ends it.
SECONDS = "600"
RATE = "60"
RETRY = {
    "methodConfig": [
        {
            "name": [{"service": "assay.v1.RewardService"}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.05s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "loadBalancingConfig": [{"round_robin": {}}],
}


def kill_and_stop(servers: list[Any], until: Callable[..., None]) -> None:
    """One dies, comes back and gets traffic; then another stops, comes back and gets traffic."""
    for server, number in ((servers[0], signal.SIGKILL), (servers[1], signal.SIGTERM)):
        until("traffic before", lambda server=server: server.answered() > 3)
        server.end(number)
        time.sleep(0.3)
        server.start()
        until("traffic again", lambda server=server: server.answered() > 3)


def roll(servers: list[Any], until: Callable[..., None]) -> None:
    """Each stops and starts in turn, as in a rolling update: the next one when the last is back at work."""
    for server in servers:
        server.end(signal.SIGTERM)
        server.start()
        until("traffic again", lambda server=server: server.answered() > 3)


def check(report: dict[str, Any]) -> None:
    found = {key: report[key] for key in ("lost", "duplicated", "different", "unavailable", "failed", "shed")}
    assert found == {"lost": 0, "duplicated": 0, "different": 0, "unavailable": 0, "failed": {}, "shed": 0}, report
    assert report["ok"]
    assert report["answered"] == report["requests"] > 0
    assert report["items"] == 16 * report["requests"]


@pytest.mark.parametrize("event", [kill_and_stop, roll], ids=["kill and stop", "rolling restart"])
def test_behind_envoy(
    secured_servers: list[Any],
    envoy: str,
    load: Any,
    until: Any,
    event: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASSAY_TOKEN", "a-token-for-tests-of-deploy")
    running = load(envoy, "--rate", RATE, "--batch", "16", "--seconds", SECONDS, "--concurrency", "256")
    event(secured_servers, until)
    check(running.result())


@pytest.mark.parametrize("event", [kill_and_stop, roll], ids=["kill and stop", "rolling restart"])
def test_through_assays_client(servers: list[Any], load: Any, until: Any, event: Callable[..., None]) -> None:
    target = ",".join(server.address for server in servers)
    running = load(target, "--retry", "--rate", RATE, "--batch", "16", "--seconds", SECONDS, "--concurrency", "256")
    event(servers, until)
    check(running.result())


class RoundRobin(threading.Thread):
    """A grpcio client that knows the right results, as anyone would write it."""

    def __init__(self, target: str, stop: threading.Event) -> None:
        super().__init__()
        self.target, self.stop = target, stop
        self.right, self.wrong = 0, list[str]()

    def run(self) -> None:
        # A list of addresses is no authority: without this, grpcio sends one that the server's HTTP/2 refuses.
        options = [("grpc.service_config", json.dumps(RETRY)), ("grpc.default_authority", "rewards")]
        spec = spec_pb2.RewardSpec(components=[spec_pb2.Component(accuracy=spec_pb2.Accuracy())])
        with grpc.insecure_channel(self.target, options=options) as channel:
            call = channel.unary_unary(
                "/assay.v1.RewardService/Score",
                request_serializer=reward_pb2.ScoreRequest.SerializeToString,
                response_deserializer=reward_pb2.ScoreResponse.FromString,
            )
            number = 0
            while not self.stop.wait(0.02):
                first, number = number, number + 8
                items = [
                    reward_pb2.Item(id=str(n), text=f"It is {n + n % 2}.", reference=str(n))
                    for n in range(first, number)
                ]
                try:
                    response = call(reward_pb2.ScoreRequest(spec=spec, items=items), timeout=20)
                except grpc.RpcError as error:
                    self.wrong.append(str(error))
                    continue
                found = [(result.id, result.scored.total, result.answer) for result in response.results]
                expected = [(str(n), float(n % 2 == 0), str(n + n % 2)) for n in range(first, number)]
                if found == expected:
                    self.right += 1
                else:
                    self.wrong.append(f"{found} instead of {expected}")


@pytest.mark.parametrize("event", [kill_and_stop, roll], ids=["kill and stop", "rolling restart"])
def test_behind_round_robin(servers: list[Any], until: Any, event: Callable[..., None]) -> None:
    stop = threading.Event()
    target = "ipv4:" + ",".join(server.address for server in servers)
    clients = [RoundRobin(target, stop) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        event(servers, until)
    finally:
        stop.set()
        for client in clients:
            client.join(timeout=30)
    for client in clients:
        assert client.wrong == []
        assert client.right > 10
