"""Where the memory of a device goes, in bytes, part by part; the whole is the sum of its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.plan.hardware import Hardware
    from assay.plan.shape import ModelShape
    from assay.plan.workload import Assumptions


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """One device while it trains, in bytes.

    Attributes:
        states: weights, gradients, masters and moments, sharded over all devices.
        reference: the reference policy's weights, sharded likewise; 0 without one.
        activations: kept for the backward of one micro-batch.
        logits: of one chunk of the vocabulary product, with its gradient.
        gathered: the layer whose parameters are gathered while they are used.
    """

    states: float
    reference: float
    activations: float
    logits: float
    gathered: float

    @property
    def total(self) -> float:
        """The sum of the parts."""
        return self.states + self.reference + self.activations + self.logits + self.gathered


@dataclass(frozen=True, slots=True)
class Engine:
    """One group of devices that generates together.

    Attributes:
        devices: tensor parallel size.
        count: how many engines there are.
        weights: bytes of weights on one device.
        cache: bytes of key-value cache that one device has room for.
        slots: sequences that the engine can hold at once, at their mean length.
    """

    devices: int
    count: int
    weights: float
    cache: float
    slots: int


def training_memory(
    shape: ModelShape, hardware: Hardware, assumptions: Assumptions, *, reference: bool
) -> TrainingMemory:
    """The parts, by formula.

    States `b P / n` (ZeRO-3, arXiv:1910.02054); activations `34 t h` a layer (arXiv:2205.05198, section 4.1, without the
    attention matrices, which a fused kernel never stores), or with recomputation `2 t h` a layer and one layer in full;
    offloaded, 2 t h of two layers, the one at work and the one on its way, and one layer in full;
    logits `6 c V` for a chunk of c tokens; one gathered layer `2 P_layer`.

    Args:
        shape: the model.
        hardware: `hardware.count` devices that share it.
        assumptions: bytes a parameter, tokens of a micro-batch.
        reference: whether a reference policy is kept.
    """
    tokens = assumptions.micro_tokens
    per_layer = 34.0 * tokens * shape.hidden
    if assumptions.checkpointing:
        kept = 2 if assumptions.offload_activations else shape.layers
        activations = 2.0 * tokens * shape.hidden * kept + per_layer
    else:
        activations = per_layer * shape.layers
    layer = (shape.params - 2 * shape.embedding_params) / shape.layers
    if shape.experts:
        # Experts stay where they are and tokens travel; what is gathered is the rest of the layer.
        layer = max(shape.common_params - shape.embedding_params, 0) / shape.layers
    return TrainingMemory(
        states=assumptions.state_bytes * shape.params / hardware.count,
        reference=assumptions.weight_bytes * shape.params / hardware.count if reference else 0.0,
        activations=activations,
        logits=6.0 * min(tokens, 1024) * shape.vocabulary,
        gathered=2.0 * max(layer, 0.0) if hardware.count > 1 else 0.0,
    )


def plan_engines(
    shape: ModelShape,
    hardware: Hardware,
    assumptions: Assumptions,
    *,
    resident: float,
    context: float,
    devices: int | None = None,
) -> list[Engine]:
    """Every way to split the devices into engines of a power of two that hold the weights and at least one sequence.

    Args:
        shape: the model.
        hardware: all devices that generate.
        assumptions: bytes a parameter, share of memory that may be planned for.
        resident: bytes on each device that stay there meanwhile (the states of a learner that shares it).
        context: mean tokens that a sequence keeps in the cache.
        devices: tensor parallel size, if it is given.

    Returns:
        Smallest engines first; empty if not even all devices together are enough.
    """
    free = hardware.memory_gb * 1e9 * assumptions.memory_use - resident
    sizes = [devices] if devices else [2**i for i in range(hardware.count.bit_length()) if 2**i <= hardware.count]
    fitting: list[Engine] = []
    for size in sizes:
        weights = assumptions.weight_bytes * shape.params / size
        cache = free - weights
        slots = int(cache * size / (shape.kv_bytes() * context)) if cache > 0 else 0
        if slots >= 1 and size <= hardware.count:
            fitting.append(Engine(size, hardware.count // size, weights, cache, slots))
    return fitting
