"""Channels: made at the first call, one for each process, and never carried over a fork or a pickle.

asyncio shares the blocking channel, through the callbacks of its futures: the threads of `grpc.aio` hang every fork
that comes after its first use.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from assay.client._pb import reward_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE = "assay.v1.RewardService"

# Both ends default to 4 MiB; the advised request is below 8 MiB, and the server's own limit has the last word.
_MAX_MESSAGE_BYTES = 64 << 20

_SERVICE_CONFIG = json.dumps(
    {
        # The default, pick_first, sends everything to one address.
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{"service": SERVICE}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2.0,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        # A budget: once a fifth of the calls fail, retries stop, so that they cannot keep a sick server down.
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.2},
    }
)

_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # After a server comes back, traffic returns within a second and not after the default's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


def grpc_module() -> Any:
    """The module grpc, imported at the first use.

    A trainer that forks (a data loader does) after the first call needs grpc's fork handlers, and grpc reads the
    switch for them once, at its import.
    """
    if "grpc" not in sys.modules:
        os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "1")
    return importlib.import_module("grpc")


class Methods:
    """The methods of the service over one channel; each takes a message and `timeout=` in seconds."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.score = _method(channel, "Score", reward_pb2.ScoreRequest, reward_pb2.ScoreResponse)
        self.get_server_info = _method(
            channel, "GetServerInfo", reward_pb2.GetServerInfoRequest, reward_pb2.GetServerInfoResponse
        )


def _method(channel: Any, name: str, request: Any, response: Any) -> Any:
    return channel.unary_unary(
        f"/{SERVICE}/{name}", request_serializer=request.SerializeToString, response_deserializer=response.FromString
    )


class Connection:
    """The channel to one target. Safe to share between threads; pickles as its target alone."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._methods: Methods | None = None

    def __getstate__(self) -> Mapping[str, Any]:
        return {"target": self.target}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.target = state["target"]
        self._reset()

    def methods(self) -> Methods:
        """The methods over the channel of this process."""
        if self._process != os.getpid():
            # The sockets and threads of the parent's channel are the parent's; it is dropped, not closed. So is the
            # lock, which another thread of the parent may have held at the fork.
            self._reset()
        with self._lock:
            if self._methods is None:
                self._methods = Methods(grpc_module().insecure_channel(self.target, options=_OPTIONS))
            return self._methods

    def close(self) -> None:
        """Closes the channel; the next call makes a new one."""
        with self._lock:
            methods, self._methods = self._methods, None
        if methods is not None and self._process == os.getpid():
            methods.channel.close()
