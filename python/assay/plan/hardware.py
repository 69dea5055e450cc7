"""What a plan runs on: accelerators by their makers' figures, or this machine as it is measured."""

from __future__ import annotations

import os
import time
import tomllib
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING

from assay.data.strict import suggestion
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A number of equal devices.

    Attributes:
        name: what `--hardware` calls one.
        title: its name for a reader.
        count: how many there are.
        tflops: dense bfloat16 arithmetic of one, in 10^12 operations a second (of `local`: float32).
        memory_gb: memory of one, in 10^9 bytes.
        bandwidth_gbs: how fast it reads that, in 10^9 bytes a second.
        link_gbs: to the others in its node, both directions added, 10^9 bytes a second.
        network_gbs: to other nodes, one direction, 10^9 bytes a second.
        node: devices in a node.
        watts: power limit of one.
        node_watts: the node's power limit over its devices.
        price: US dollars of one an hour; `None` if nobody said.
        source: where the figures are from.
        layer_overhead_s: seconds that a layer of one decode step takes beside its arithmetic and memory.
    """

    name: str
    title: str
    tflops: float
    memory_gb: float
    bandwidth_gbs: float
    link_gbs: float
    network_gbs: float
    watts: float
    node_watts: float
    source: str
    count: int = 1
    node: int = 8
    price: float | None = None
    layer_overhead_s: float = 5e-5

    @property
    def flops(self) -> float:
        """Operations a second of all devices at their peak."""
        return self.count * self.tflops * 1e12

    def part(self, count: int) -> Hardware:
        """So many of the devices."""
        return replace(self, count=count)


def hardware_table() -> dict[str, Hardware]:
    """One device of every kind in `hardware.toml`, by name."""
    text = (resources.files("assay.plan") / "hardware.toml").read_text(encoding="utf-8")
    return {name: Hardware(name=name, **entry) for name, entry in tomllib.loads(text).items()}


def parse_hardware(text: str) -> Hardware:
    """`NAME:COUNT`, such as `h800:512`; `NAME` alone is one; `local` is this machine, measured for about a second.

    Raises:
        InvalidInputError: no such name, or the count is not a positive number.
    """
    name, colon, number = text.strip().lower().partition(":")
    if colon and not (number.isascii() and number.isdigit() and int(number) > 0):
        raise InvalidInputError(f"--hardware {text}: {number!r} is no count; write NAME:COUNT, as in h800:512")
    count = int(number) if colon else 1
    if name == "local":
        return measure_local().part(count)
    table = hardware_table()
    if name not in table:
        raise InvalidInputError(f"--hardware {text}: {name!r} is not known{suggestion(name, [*table, 'local'])}")
    return table[name].part(count)


def measure_local() -> Hardware:
    """This machine: float32 matrix products, reads of memory and the cost of a small operation, measured in CPU time.

    One device is one core. CPU time leaves out most of what other programs take, so a plan made with it predicts CPU
    seconds; on an idle machine those are seconds.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    square = rng.random((768, 768), dtype=np.float32)
    product = _best(lambda: square @ square)
    long = np.ones(24_000_000, dtype=np.float32)  # 96 MB: larger than any cache
    read = _best(long.sum)
    small = rng.random((8, 64), dtype=np.float32)
    tiny = _best(lambda: [small + small for _ in range(1000)]) / 1000
    return Hardware(
        name="local",
        title="core of this machine",
        tflops=2 * 768**3 / product / 1e12,
        memory_gb=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9,
        bandwidth_gbs=long.nbytes / read / 1e9,
        link_gbs=10.0,
        network_gbs=10.0,
        watts=15.0,
        node_watts=30.0,
        source="measured; watts are an assumption",
        node=os.cpu_count() or 1,
        # A layer of a decode step is some 20 operations of a framework, each several times as dear as numpy's smallest.
        layer_overhead_s=20 * 8 * tiny,
    )


def _best(work: Callable[[], object]) -> float:
    """CPU seconds of the cheapest of several runs, over all threads: what disturbs a run only makes it dearer."""
    times: list[float] = []
    until = time.perf_counter() + 0.3
    while len(times) < 3 or time.perf_counter() < until:
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)
