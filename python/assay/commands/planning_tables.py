"""The tables that show a plan."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from assay.commands.output import emit_json, figure, print_table, say
from assay.commands.planning import FALLBACK_PROBLEMS, total

if TYPE_CHECKING:
    from assay.commands.planning import Planned
    from assay.plan import Simulated, StagePlan


def print_checks(*, as_json: bool) -> None:
    """The formulas beside published runs."""
    from assay.plan import run_checks

    checks = run_checks()
    if as_json:
        emit_json([{**asdict(check), "error": check.error} for check in checks])
        return
    print_table(
        ["run", "quantity", "predicted", "published", "error"],
        [[c.name, c.what, figure(c.predicted), figure(c.published), f"{c.error:+.0%}"] for c in checks],
    )
    for check in checks:
        if check.assumed:
            say(f"{check.name}, {check.what}: assumed {check.assumed}")


def print_plan(planned: Planned) -> None:
    """The plan, its assumptions, and what was simulated and measured."""
    hardware, shape = planned.hardware, planned.shape
    say(
        f"{shape.name}: {_count(shape.params)} parameters, {_count(shape.active_params)} active; "
        f"{hardware.count} x {hardware.title}, {planned.schedule}"
    )
    say("")
    rows = [_row(stage) for stage in planned.stages]
    sums = total(planned.stages)
    rows.append(
        [
            "all",
            "",
            _time(sums["seconds"]),
            *_costs(sums["gpu_hours"], sums["tokens"], sums["dollars"], sums["energy_kwh"]),
        ]
    )
    header = ["stage", "step", "all steps", "device hours", "tokens", "dollars", "kWh"]
    print_table(header, rows)
    for stage in planned.stages:
        _print_stage(stage)
    for name, outcomes in planned.simulated.items():
        _print_simulated(name, outcomes)
    if planned.measured:
        _print_measured(planned)
    say("")
    say("assumed: " + ", ".join(f"{name}={value}" for name, value in asdict(planned.assumptions).items()))
    say(
        f"assumed where the recipe does not say: {FALLBACK_PROBLEMS} problems; lengths as --help of --response-length says"
    )
    if hardware.price is None:
        say("no price is known for this hardware: give one with --price")


def _row(stage: StagePlan) -> list[str]:
    costs = _costs(stage.gpu_hours, stage.tokens, stage.dollars, stage.energy_kwh)
    return [stage.work.name, _time(stage.step_seconds), _time(stage.seconds), *costs]


def _costs(hours: float | None, tokens: float | None, dollars: float | None, energy: float | None) -> list[str]:
    return ["-" if value is None else _count(value) for value in (hours, tokens, dollars, energy)]


def _print_stage(stage: StagePlan) -> None:
    say("")
    parts = ", ".join(f"{name} {_time(seconds)}" for name, seconds in stage.phases.items() if seconds > 0)
    steps = "1 step" if stage.work.steps == 1 else f"{stage.work.steps} steps"
    say(f"{stage.work.name}: {steps} of {stage.work.sequences} sequences{'; a step: ' if parts else ''}{parts}")
    say(f"  bottleneck: {stage.bottleneck}")
    if stage.training is not None:
        memory = stage.training
        shown = ", ".join(f"{name} {value / 1e9:.3g}" for name, value in asdict(memory).items() if value)
        say(f"  training memory of a device: {memory.total / 1e9:.3g} GB ({shown})")
    if stage.engine is not None:
        engine = stage.engine
        say(
            f"  generation: {engine.count} engines of {engine.devices}; a device holds {engine.weights / 1e9:.3g} GB of weights, "
            f"{engine.cache / 1e9:.3g} GB of cache; {engine.slots} sequences an engine"
        )
    for problem in stage.problems:
        say(f"  does not fit: {problem}")


def _print_simulated(name: str, outcomes: dict[str, Simulated]) -> None:
    say("")
    say(f"{name}, simulated:")
    rows = [
        [
            schedule,
            _time(outcome.step_seconds),
            f"{outcome.trainer_idle:.0%}",
            f"{outcome.slots_idle:.0%}",
            f"{outcome.staleness_mean:.2f} ({max(outcome.staleness, default=0)})",
            f"{outcome.longest_wait_share:.0%}",
            _time(outcome.reward_wait_max),
        ]
        for schedule, outcome in outcomes.items()
    ]
    print_table(
        ["schedule", "step", "trainer idle", "slots idle", "staleness", "tail", "reward"],
        rows,
    )
    say("  staleness: mean (most); tail: share of a batch's time for its last tenth; reward: the longest wait for one")


def _print_measured(planned: Planned) -> None:
    rows: list[list[str]] = []
    for stage in planned.stages:
        own = planned.measured.get(stage.work.name)
        if own is None:
            continue
        steps = max(int(own.get("steps") or 1), 1)
        planned_seconds = stage.step_seconds * steps
        for key, title in (("seconds", "wall"), ("cpu_seconds", "CPU")):
            value = float(own.get(key) or 0.0)
            if value:
                rows.append(
                    [
                        stage.work.name,
                        title,
                        _time(planned_seconds),
                        _time(value),
                        f"{planned_seconds / value - 1:+.0%}",
                    ]
                )
    say("")
    print_table(["stage", "time", "planned", "measured", "error"], rows)


def _count(number: float) -> str:
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.4g} {letter}"
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 600:
        return f"{seconds:.3g} s"
    if seconds < 36_000:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.4g} h"
