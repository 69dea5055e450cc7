"""How weights travel to servers, and what a sync reports. Importing this pulls in no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

    from assay.rollout.sglang.client import PauseMode

SyncPath = Literal["auto", "shared_memory", "value", "disk", "distributed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """How weights travel.

    Attributes:
        path: ``shared_memory`` (servers on this machine), ``value`` (inside the request; small models anywhere),
            ``disk`` (a folder that both sides see), ``distributed`` (broadcast over gloo or NCCL), or ``auto``:
            shared memory if every server is on this machine, else value.
        pause: What happens to requests in flight: ``retract`` (their cache is dropped and computed again under the new
            weights; sampled tokens stay), ``abort`` (they come back unfinished and are sent again to be continued), or
            ``in_place`` (they go on with the cache of the old weights, so their further log-probabilities only come
            close to what the new weights alone would give).
        bucket_bytes: Most bytes copied and sent at once (a tensor at least); ``value`` and bringing back a server after
            ``distributed`` send at most 64 MiB at once.
        verify: Compare checksums of the servers' weights after the ``first`` sync, ``always`` or ``never``.
        keep: Keep a copy of what was sent (one model in host memory; on disk for ``disk``), so that a server that
            restarts is brought back to it. Without it a restarted server ends the run.
        directory: Where ``disk`` writes; a temporary folder by default.
        backend: ``gloo`` (CPU) or ``nccl`` (GPU), for ``distributed``.
        master_address: Address of this machine as the servers see it, for ``distributed``.
        master_port: Port to listen on, for ``distributed``; 0 picks a free one.
        group_timeout_s: Seconds a broadcast or a join may take, for ``distributed``.
    """

    path: SyncPath = "auto"
    pause: PauseMode = "retract"
    bucket_bytes: int = 512 * 2**20
    verify: Literal["first", "always", "never"] = "first"
    keep: bool = True
    directory: Path | None = None
    backend: Literal["gloo", "nccl"] = "gloo"
    master_address: str = "127.0.0.1"
    master_port: int = 0
    group_timeout_s: float = 300.0

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("path", self.path, {"auto", "shared_memory", "value", "disk", "distributed"}),
            ("pause", self.pause, {"retract", "abort", "in_place"}),
            ("verify", self.verify, {"first", "always", "never"}),
            ("backend", self.backend, {"gloo", "nccl"}),
        ):
            if value not in allowed:
                raise InvalidInputError(f"sync.{name} is {value!r}: give one of {', '.join(sorted(allowed))}")
        if self.bucket_bytes < 1:
            raise InvalidInputError(f"sync.bucket_bytes is {self.bucket_bytes}: give at least 1")


@dataclass(frozen=True, slots=True)
class SyncReport:
    """One sync that succeeded. Times are seconds of wall clock; they overlap nothing.

    Attributes:
        version: Version of the weights.
        path: How they travelled.
        servers: How many servers took them.
        tensors: Tensors sent to each.
        bytes: Bytes sent to each.
        pause_s: Until every server had stopped sampling.
        transfer_s: Sending, loading and labelling.
        verify_s: Comparing checksums; 0 if that was not done.
        resume_s: Until every server sampled again.
        verified: Tensors per server whose checksum was compared and equal; 0 if that was not done.
        unverified: Tensors per server whose checksum could not be derived from the learner's weights.
    """

    version: int
    path: str
    servers: int
    tensors: int
    bytes: int
    pause_s: float
    transfer_s: float
    verify_s: float
    resume_s: float
    verified: int
    unverified: int

    @property
    def total_s(self) -> float:
        """Seconds during which nothing was sampled."""
        return self.pause_s + self.transfer_s + self.verify_s + self.resume_s
