"""Where completions come from: the ``[generator]`` table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.data import StrictModel
from assay.recipe.schema.base import Above0, Count, Positive


class LocalGeneration(StrictModel):
    """assay's own engine: on the learner's weights, or in a process of its own when a stage's ``pipeline`` overlaps."""

    kind: Literal["local"] = "local"
    process: bool = False
    """In a process of its own, with a copy of the weights, even where no stage needs one to overlap with training."""
    threads: Count = 0
    """Torch threads of that process; 0 is as many as ``runtime.threads``."""


class LaunchConfig(StrictModel):
    """SGLang servers that the run starts on its own machine, supervises, and ends."""

    servers: Positive = 1
    """How many, each with its own copy of the model."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """``auto`` is cuda on a machine that has one, else SGLang's torch-native path on the CPU."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """``auto`` is what the learner computes in."""
    tp_size: Positive = 1
    """GPUs that share one copy of the model."""
    first_gpu: Count = 0
    """The first server takes GPUs from here on, the next one those after it."""
    python: str | None = None
    """An interpreter that has ``sglang``; by default the one that runs assay."""
    arguments: list[str] = Field(default_factory=list[str])
    """More arguments of ``sglang.launch_server``; they win over those set here."""
    environment: dict[str, str] = Field(default_factory=dict[str, str])
    """Variables of the servers' processes, on top of this one's."""
    max_restarts: Count = 3
    """How often a server that died is started again before the run ends."""


class SyncConfig(StrictModel):
    """How weights reach the servers; ``docs/sglang.md`` compares the ways."""

    path: Literal["auto", "shared_memory", "value", "disk", "distributed"] = "auto"
    """``auto`` is shared memory if all servers are on this machine, else inside the request."""
    pause: Literal["retract", "abort", "in_place"] = "retract"
    """What happens to completions in flight."""
    bucket_mib: Positive = 512
    """Most MiB that are copied and sent at once."""
    verify: Literal["first", "always", "never"] = "first"
    """When the servers' weights are compared with the learner's, by checksum."""
    keep: bool = True
    """Keep a copy of what was sent, so that a server that restarts can be brought back to it."""
    directory: str | None = None
    """Where ``disk`` writes, on a file system that the servers see; relative to the recipe."""
    backend: Literal["gloo", "nccl"] = "gloo"
    """Of ``distributed``: gloo on CPUs, nccl on GPUs."""
    master_address: str = "127.0.0.1"
    """Of ``distributed``: this machine, as the servers see it."""
    master_port: Annotated[int, Field(ge=0, lt=65536)] = 0
    """Of ``distributed``: a port to listen on; 0 picks a free one."""
    group_timeout_s: Above0 = 300.0
    """Of ``distributed``: seconds that a broadcast may take."""


class SGLangGeneration(StrictModel):
    """SGLang servers: running ones (``servers``), or ones that the run starts (``launch``)."""

    kind: Literal["sglang"]
    servers: list[str] = Field(default_factory=list[str])
    """Addresses such as ``http://10.0.0.1:30000``."""
    router: str | None = None
    """A router in front of ``servers``: completions go through it, weights straight to the servers."""
    launch: LaunchConfig | None = None
    """Start servers on this machine."""
    sync: SyncConfig = SyncConfig()
    """How weights reach the servers."""
    api_key_variable: str | None = None
    """The environment variable that holds the servers' bearer token."""
    max_in_flight: Positive = 256
    """Most requests in flight per server."""
    max_retries: Count = 3
    """How often in a row one completion may fail without gaining a token."""
    request_timeout_s: Above0 = 3600.0
    """Seconds that one completion may take."""
    ready_timeout_s: Above0 = 600.0
    """Seconds that a server may take to come up or back."""

    @model_validator(mode="after")
    def _one_kind_of_server(self) -> SGLangGeneration:
        if bool(self.servers) == (self.launch is not None):
            raise ValueError("give either servers (addresses) or a [generator.launch] table")
        if self.router is not None and not self.servers:
            raise ValueError("router needs servers: weights go straight to them")
        return self


GeneratorConfig = Annotated[LocalGeneration | SGLangGeneration, Field(discriminator="kind")]
