"""One stage reckoned: what fits, how long a step takes phase by phase, what limits it, what it costs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from assay.errors import InvalidInputError
from assay.plan.decode import Drained, decode_step, generate_batch
from assay.plan.memory import Engine, TrainingMemory, plan_engines, training_memory

if TYPE_CHECKING:
    from assay.plan.hardware import Hardware
    from assay.plan.shape import ModelShape
    from assay.plan.workload import Assumptions, Workload

Schedule = Literal["sync", "async"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the devices are shared out.

    Attributes:
        schedule: `sync`: all devices generate, then all train; `async`: a part generates while the rest trains.
        generate_share: with `async`, the part that generates.
        engine_devices: tensor parallel size; by default the one that generates fastest.
        offload: the learner's states are in host memory, so that neither training nor generation has to hold them.
    """

    schedule: Schedule = "sync"
    generate_share: float = 0.5
    engine_devices: int | None = None
    offload: bool = False

    def __post_init__(self) -> None:
        """Refuses a share that is none."""
        if not 0 < self.generate_share < 1:
            raise InvalidInputError(f"generate-share is {self.generate_share:g}: give a share between 0 and 1")


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What a stage is predicted to take.

    Attributes:
        work: the stage.
        phases: seconds of a step by phase: `generate`, `prefill`, `score`, `logprobs`, `train`, `sync`.
        step_seconds: of a step: the sum of the phases, or with `async` the longer of generating and training.
        seconds: of all steps.
        gpu_hours: of all devices, busy or not.
        tokens: generated or trained on, over all steps.
        energy_kwh: at the site's meter.
        dollars: `None` without a price.
        bottleneck: the phase that takes longest, and what limits it.
        training: memory of one device while it trains; `None` if it does not.
        engine: the engines that generate; `None` if nothing does.
        drained: the generation of one step; `None` if there is none.
        problems: why the plan cannot work, one sentence each; empty if it can.
    """

    work: Workload
    phases: dict[str, float]
    step_seconds: float
    seconds: float
    gpu_hours: float
    tokens: float
    energy_kwh: float
    dollars: float | None
    bottleneck: str
    training: TrainingMemory | None
    engine: Engine | None
    drained: Drained | None
    problems: list[str] = field(default_factory=list[str])


def plan_stage(
    shape: ModelShape,
    hardware: Hardware,
    assumptions: Assumptions,
    work: Workload,
    layout: Layout | None = None,
) -> StagePlan:
    """Reckons one stage.

    Args:
        shape: the model.
        hardware: all devices.
        assumptions: what is taken for granted.
        work: what the stage has to do.
        layout: how the devices are shared out.
    """
    layout = layout or Layout()
    problems: list[str] = []
    split = layout.schedule == "async" and work.kind == "rl"
    generating = hardware.part(max(1, round(hardware.count * layout.generate_share))) if split else hardware
    training_on = hardware.part(max(1, hardware.count - generating.count)) if split else hardware
    if split and hardware.count < 2:
        problems.append("async needs at least two devices: one that generates, one that trains")
    memory = None
    if work.kind != "generate":
        memory = training_memory(shape, training_on, assumptions, reference=work.reference)
        if layout.offload:
            # What is left while a layer is at work: its weights and gradients come and go.
            memory = replace(memory, states=0.0, reference=0.0)
        if memory.total > _room(hardware, assumptions):
            problems.append(
                f"training needs {memory.total / 1e9:.1f} GB on each of {training_on.count} devices; "
                f"{_room(hardware, assumptions) / 1e9:.1f} GB can be planned for: {_advice(memory, assumptions)}"
            )
    engine, drained = None, None
    if work.kind != "train":
        # A learner on the same device keeps its states there.
        resident = 0.0 if memory is None or split else memory.states + memory.reference
        engine, drained = _generation(shape, generating, assumptions, work, resident, layout.engine_devices)
        if engine is None:
            problems.append(
                f"the weights ({assumptions.weight_bytes * shape.params / 1e9:.0f} GB) and one sequence do not fit on "
                f"{generating.count} devices beside {resident / 1e9:.1f} GB of states: more devices, or --schedule async"
            )
    phases = _phases(shape, generating, training_on, assumptions, work, engine, drained)
    step = _step_seconds(phases, split=split)
    seconds = step * work.steps
    hours = seconds / 3600 * hardware.count
    per_step = work.sequences * work.lengths.moments()[0] if work.kind == "generate" else work.tokens()
    return StagePlan(
        work=work,
        phases=phases,
        step_seconds=step,
        seconds=seconds,
        gpu_hours=hours,
        tokens=per_step * work.steps,
        energy_kwh=hours * hardware.node_watts * assumptions.load * assumptions.pue / 1000,
        dollars=None if hardware.price is None else hours * hardware.price,
        bottleneck=_bottleneck(shape, generating, assumptions, work, phases, engine, drained),
        training=memory,
        engine=engine,
        drained=drained,
        problems=problems,
    )


def train_seconds(shape: ModelShape, hardware: Hardware, mfu: float, tokens: float, look_back: float) -> float:
    """Seconds of forward and backward: three times the forward's arithmetic (the backward is twice the forward).

    Recomputation is not counted, as MFU does not count it: it is part of why MFU is low.
    """
    return 3.0 * shape.forward_flops(look_back) * tokens / (hardware.flops * mfu)


def _generation(
    shape: ModelShape,
    hardware: Hardware,
    assumptions: Assumptions,
    work: Workload,
    resident: float,
    devices: int | None,
) -> tuple[Engine | None, Drained | None]:
    """The engines that are done first; of equally fast ones the smallest."""
    context = work.prompt_tokens + work.lengths.moments()[0]
    engines = plan_engines(shape, hardware, assumptions, resident=resident, context=context, devices=devices)
    if not engines:
        return None, None
    timed = [(generate_batch(shape, hardware, engine, assumptions, work), engine) for engine in engines]
    best, engine = min(timed, key=lambda pair: (pair[0].seconds, pair[1].devices))
    return engine, best


def _phases(
    shape: ModelShape,
    generating: Hardware,
    training: Hardware,
    assumptions: Assumptions,
    work: Workload,
    engine: Engine | None,
    drained: Drained | None,
) -> dict[str, float]:
    phases: dict[str, float] = {}
    if drained is not None and engine is not None:
        phases["generate"] = drained.seconds
        prefill = work.prompts * work.prompt_tokens * shape.forward_flops(work.prompt_tokens / 2)
        phases["prefill"] = prefill / (generating.flops * assumptions.forward_mfu)
        # Scoring runs beside generation; what remains is the last completion's.
        phases["score"] = assumptions.reward_s
    if work.kind == "generate":
        return phases
    passes = int(work.reference) + int(work.old_logprobs)
    if passes:
        forward = shape.forward_flops(work.look_back()) * work.tokens()
        phases["logprobs"] = passes * forward / (training.flops * assumptions.forward_mfu)
    phases["train"] = work.epochs * train_seconds(shape, training, assumptions.mfu, work.tokens(), work.look_back())
    if assumptions.offload_activations:
        # To the host in the forward and back in the backward, two bytes each; not hidden behind the arithmetic.
        moved = 2 * 2.0 * shape.hidden * shape.layers * work.tokens() * work.epochs
        phases["train"] += moved / (training.count * assumptions.host_gbs * 1e9)
    if engine is not None:
        moved = assumptions.weight_bytes * shape.params / engine.devices
        # Every device of an engine takes its shard over its own port; a single device has nothing to send.
        seconds = moved / (generating.network_gbs * 1e9)
        phases["sync"] = assumptions.sync_s + seconds if generating.count > 1 else 0.0
    return phases


def _step_seconds(phases: dict[str, float], *, split: bool) -> float:
    if not split:
        return sum(phases.values())
    learner = phases.get("logprobs", 0.0) + phases["train"]
    generator = sum(phases.get(name, 0.0) for name in ("generate", "prefill", "score"))
    return max(learner, generator) + phases.get("sync", 0.0)


def _bottleneck(
    shape: ModelShape,
    hardware: Hardware,
    assumptions: Assumptions,
    work: Workload,
    phases: dict[str, float],
    engine: Engine | None,
    drained: Drained | None,
) -> str:
    if not phases:
        return "nothing: it does not fit"
    phase = max(phases, key=lambda name: phases[name])
    if phase != "generate" or engine is None or drained is None:
        limits = {
            "train": "arithmetic",
            "logprobs": "arithmetic",
            "prefill": "arithmetic",
            "sync": "network",
            "score": "rewards",
        }
        return f"{phase}: {limits.get(phase, 'arithmetic')}"
    if drained.full_seconds < 0.5 * drained.seconds:
        return f"generate: the tail of long completions ({1 - drained.full_seconds / drained.seconds:.0%} of it with idle slots)"
    mean = work.lengths.moments()[0]
    batch = max(1, min(engine.slots, -(-work.sequences // engine.count)))
    parts = decode_step(shape, hardware, engine, assumptions, batch=batch, context=work.prompt_tokens + mean / 2)
    names = {
        "memory bandwidth": parts.memory if parts.memory >= parts.arithmetic else 0.0,
        "arithmetic": parts.arithmetic if parts.arithmetic > parts.memory else 0.0,
        "exchange between devices": parts.exchange,
        "launch overhead of layers": parts.overhead,
    }
    return f"generate: {max(names, key=lambda name: names[name])}"


def _advice(memory: TrainingMemory, assumptions: Assumptions) -> str:
    if memory.activations <= memory.states + memory.reference:
        return "more devices, or --offload"
    if not assumptions.checkpointing:
        return "--assume checkpointing=true (gradient_checkpointing in the recipe), or a smaller token_budget"
    if not assumptions.offload_activations:
        return "--assume offload_activations=true (the same key in the recipe's [model]), or a smaller token_budget"
    return "a smaller token_budget"


def _room(hardware: Hardware, assumptions: Assumptions) -> float:
    return hardware.memory_gb * 1e9 * assumptions.memory_use
