"""A planned stage, simulated under both schedules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from assay.plan.decode import decode_step
from assay.plan.simulate import Setting, Simulated, simulate
from assay.plan.stage import Layout, Schedule, plan_stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from assay.plan.hardware import Hardware
    from assay.plan.memory import Engine
    from assay.plan.shape import ModelShape
    from assay.plan.workload import Assumptions, Workload

STEPS = 4
"""Training steps of a rehearsal; the first fills the pipes and is left out of the mean."""


class _StepSeconds:
    """Seconds of a decode step by the sequences in flight, each size reckoned once."""

    def __init__(
        self, shape: ModelShape, hardware: Hardware, engine: Engine, assumptions: Assumptions, context: float
    ) -> None:
        self._of: Callable[[int], float] = lambda batch: (
            decode_step(shape, hardware, engine, assumptions, batch=batch, context=context).total
        )
        self._known: dict[int, float] = {}

    def __call__(self, batch: int) -> float:
        if batch not in self._known:
            self._known[batch] = self._of(batch)
        return self._known[batch]


def rehearse(
    shape: ModelShape,
    hardware: Hardware,
    assumptions: Assumptions,
    work: Workload,
    layout: Layout,
    *,
    staleness: int = 1,
    seed: int = 0,
) -> dict[Schedule, Simulated]:
    """Simulates some steps of an `rl` stage with the devices taking turns and with the devices split.

    Args:
        shape: the model.
        hardware: all devices.
        assumptions: what is taken for granted.
        work: the stage.
        layout: how the devices are shared out; its schedule is tried both ways.
        staleness: with `async`, the bound on versions.
        seed: of lengths and rewards.

    Returns:
        The outcome of each schedule whose plan fits.
    """
    found: dict[Schedule, Simulated] = {}
    table = work.lengths.quantiles(4096)
    schedules: tuple[Schedule, ...] = ("sync", "async") if hardware.count > 1 else ("sync",)
    for schedule in schedules:
        plan = plan_stage(shape, hardware, assumptions, work, replace(layout, schedule=schedule))
        engine = plan.engine
        if plan.problems or engine is None:
            continue
        context = work.prompt_tokens + work.lengths.moments()[0] / 2
        step_seconds = _StepSeconds(shape, hardware, engine, assumptions, context)
        found[schedule] = simulate(
            Setting(
                mode=schedule,
                engines=engine.count,
                slots=min(engine.slots, -(-work.sequences * 2 // engine.count)),
                batch=work.sequences,
                steps=STEPS,
                step_seconds=step_seconds,
                length=lambda rng: table[rng.randrange(len(table))],
                train_seconds=plan.phases["train"] + plan.phases.get("logprobs", 0.0),
                sync_seconds=plan.phases.get("sync", 0.0),
                reward_seconds=assumptions.reward_s,
                staleness=staleness,
            ),
            seed=seed,
        )
    return found
