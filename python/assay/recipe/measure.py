"""Where the time and the memory of a step go."""

from __future__ import annotations

import os
import resource
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from assay.learner.flops import peak_flops
from assay.learner.ranks import one_of_several

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from assay.learner.policy import Policy
    from assay.recipe.schema import RuntimeConfig


class Timer:
    """Wall time of the phases of one step."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._started = time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        """Measures a block."""
        started = time.perf_counter()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - started

    def seconds(self, name: str) -> float:
        """Seconds of a phase so far."""
        return self._seconds.get(name, 0.0)

    def total(self) -> float:
        """Seconds since the timer was made."""
        return time.perf_counter() - self._started

    def metrics(self) -> dict[str, float]:
        """``timing_s/PHASE`` for every phase."""
        return {f"timing_s/{name}": seconds for name, seconds in self._seconds.items()}


def memory_metrics(device: torch.device) -> dict[str, float]:
    """``peak_memory_bytes`` of this process and, on a GPU, ``peak_device_bytes`` of its tensors."""
    found = {"peak_memory_bytes": float(peak_memory_bytes())}
    if device.type == "cuda":
        found["peak_device_bytes"] = float(torch.cuda.max_memory_allocated(device))
    return found


def utilisation(
    learned: Mapping[str, float], seconds: float, policy: Policy, runtime: RuntimeConfig
) -> dict[str, float]:
    """``mfu``: what part of what the devices can do the training phase of a step did; nothing if that is not known.

    Args:
        learned: The learner's metrics, with ``train/flops``.
        seconds: Wall time of the phase, old and reference log-probs included.
        policy: What was trained.
        runtime: May say what a device can do.
    """
    peak = runtime.peak_tflops * 1e12
    if not peak and policy.options.compute_dtype == "bfloat16":
        peak = peak_flops(policy.device) or 0.0
    devices = int(os.environ.get("WORLD_SIZE", "1")) if one_of_several() else 1
    return {"mfu": learned["train/flops"] / (seconds * peak * devices)} if peak else {}


def peak_memory_bytes() -> int:
    """The most memory this process has held at any time (resident set)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kibibytes everywhere but there
