"""How long generation takes: one decode step, and a batch whose sequences end one after the other."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.plan.hardware import Hardware
    from assay.plan.memory import Engine
    from assay.plan.shape import ModelShape
    from assay.plan.workload import Assumptions, Workload


@dataclass(frozen=True, slots=True)
class StepParts:
    """One decode step of an engine, in seconds. Memory and arithmetic overlap; the rest adds to the longer of the two.

    Attributes:
        memory: reading the weights in use and the cache.
        arithmetic: the products.
        exchange: all-reduces between the engine's devices.
        overhead: launching the work of every layer.
    """

    memory: float
    arithmetic: float
    exchange: float
    overhead: float

    @property
    def total(self) -> float:
        """Seconds of the step."""
        return max(self.memory, self.arithmetic) + self.exchange + self.overhead


@dataclass(frozen=True, slots=True)
class Drained:
    """A batch generated to its end by one engine.

    Attributes:
        seconds: until the last sequence ended.
        steps: decode steps.
        full_seconds: of those, while every slot or every sequence was busy; the rest is the tail.
        busy_share: sequences in flight over the most there ever were, averaged over time.
    """

    seconds: float
    steps: int
    full_seconds: float
    busy_share: float


def decode_step(
    shape: ModelShape, hardware: Hardware, engine: Engine, assumptions: Assumptions, *, batch: int, context: float
) -> StepParts:
    """One token for each of `batch` sequences that look back on `context` tokens.

    Bytes: the matrices every token goes through, of the routed experts the share `1 - (1 - k/E)^batch` that at least one
    token chose (choices taken as independent), and the cache of all sequences. All-reduces: two a layer, each `hop_s`
    (four times that across nodes) and `2 (n-1)/n` times its bytes over the slower link.
    """
    routed = shape.routed_params
    if shape.experts:
        routed *= 1.0 - (1.0 - shape.experts_per_token / shape.experts) ** batch
    read = assumptions.weight_bytes * (shape.common_params + routed) + batch * shape.kv_bytes() * context
    bandwidth = engine.devices * hardware.bandwidth_gbs * 1e9 * assumptions.decode_bandwidth
    flops = engine.devices * hardware.tflops * 1e12 * assumptions.decode_flops
    exchange = 0.0
    if engine.devices > 1:
        inside = engine.devices <= hardware.node
        link = (hardware.link_gbs / 2 if inside else hardware.network_gbs) * 1e9
        moved = 2.0 * batch * shape.hidden * 2.0 * (engine.devices - 1) / engine.devices
        exchange = 2 * shape.layers * (assumptions.hop_s * (1 if inside else 4) + moved / link)
    return StepParts(
        memory=read / bandwidth,
        arithmetic=batch * shape.forward_flops(context) / flops,
        exchange=exchange,
        overhead=shape.layers * hardware.layer_overhead_s,
    )


def drain(
    shape: ModelShape,
    hardware: Hardware,
    engine: Engine,
    assumptions: Assumptions,
    lengths: Sequence[int],
    prompt_tokens: float,
) -> Drained:
    """Generates sequences of given lengths on one engine by continuous batching: a slot that is free takes the next one.

    Between two ends of sequences nothing changes but their contexts, so time moves from end to end.

    Args:
        shape: the model.
        hardware: one device of the engine.
        engine: its size and slots.
        assumptions: what decoding reaches.
        lengths: of the completions, in the order in which they begin.
        prompt_tokens: of every prompt.
    """
    waiting = list(reversed(lengths))
    active: list[int] = []  # the step at which each ends
    started = 0.0  # sum of the steps at which the active ones began
    begun: dict[int, list[int]] = {}
    step, seconds, full, area = 0, 0.0, 0.0, 0.0
    most = min(engine.slots, len(waiting))
    while waiting or active:
        while waiting and len(active) < engine.slots:
            end = step + waiting.pop()
            heapq.heappush(active, end)
            begun.setdefault(end, []).append(step)
            started += step
        batch, end = len(active), active[0]
        age = (step + end) / 2 - started / batch
        parts = decode_step(shape, hardware, engine, assumptions, batch=batch, context=prompt_tokens + max(age, 0.0))
        spent = parts.total * (end - step)
        seconds += spent
        full += spent if batch == most else 0.0
        area += spent * batch
        step = end
        while active and active[0] == end:
            heapq.heappop(active)
            started -= begun[end].pop()
    return Drained(seconds, step, full, area / (seconds * most) if seconds else 0.0)


def generate_batch(
    shape: ModelShape, hardware: Hardware, engine: Engine, assumptions: Assumptions, work: Workload
) -> Drained:
    """The engine that finishes last: sequences are dealt over the engines, and each gets every part of the distribution.

    Its own lengths are quantiles of the distribution, with the longest of all engines among them.
    """
    count = max(1, -(-work.sequences // engine.count))
    own = work.lengths.quantiles(count)
    own[-1] = work.lengths.at((work.sequences - 0.5) / work.sequences)
    # Nobody knows beforehand which is long: the order in which they begin mixes them, the same way every time.
    order = sorted(range(count), key=lambda i: (i * 0.618033988749895) % 1.0)
    return drain(shape, hardware, engine, assumptions, [own[i] for i in order], work.prompt_tokens)
