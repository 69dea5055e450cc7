"""The formulas held against published runs (`checks.toml`): what they predict, what was measured, and how far apart it is."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from assay.plan.hardware import parse_hardware
from assay.plan.shape import find_shape
from assay.plan.simulate import Mode, Setting, simulate
from assay.plan.stage import Layout, plan_stage, train_seconds
from assay.plan.workload import Assumptions, Lengths, Workload

if TYPE_CHECKING:
    from assay.plan.stage import StagePlan


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison.

    Attributes:
        name: whose run.
        what: the quantity.
        predicted: by the formulas.
        published: by the source.
        source: where the published figure is from.
        assumed: what the source does not say and the prediction takes for granted.
    """

    name: str
    what: str
    predicted: float
    published: float
    source: str
    assumed: str

    @property
    def error(self) -> float:
        """Predicted over published, less 1."""
        return self.predicted / self.published - 1.0


def run_checks() -> list[Check]:
    """Every comparison of `checks.toml`, in its order."""
    text = (resources.files("assay.plan") / "checks.toml").read_text(encoding="utf-8")
    return [
        Check(
            entry["name"],
            entry["what"],
            _predict(entry),
            float(entry["published"]),
            entry["source"],
            entry.get("assumed", ""),
        )
        for entry in tomllib.loads(text)["check"]
    ]


def _predict(entry: dict[str, Any]) -> float:
    match entry["kind"]:
        case "train_rate":
            shape, hardware = find_shape(entry["model"]), parse_hardware(entry["hardware"])
            mfu = entry.get("mfu", Assumptions().mfu)
            return 1.0 / train_seconds(shape, hardware, mfu, 1.0, entry["sequence"] / 2)
        case "train_over_logprobs":
            # Three times the arithmetic at the training's share of the peak, over once at the forward's.
            return 3.0 * Assumptions().forward_mfu / Assumptions().mfu
        case "rollout":
            return _planned(entry).phases["generate"]
        case "learner":
            phases = _planned(entry).phases
            return phases["logprobs"] + phases["train"]
        case "run_hours":
            return _planned(entry).seconds / 3600
        case "async_step":
            return _async_step(entry)
        case kind:
            raise AssertionError(kind)


def _planned(entry: dict[str, Any]) -> StagePlan:
    hardware = parse_hardware(entry["hardware"])
    hardware = replace(hardware, layer_overhead_s=entry.get("layer_overhead_s", hardware.layer_overhead_s))
    # A learner known to keep its states in host memory, or to take turns with generation, leaves the devices free.
    assumed = Assumptions(
        mfu=entry.get("mfu", Assumptions().mfu), forward_mfu=entry.get("mfu", Assumptions().forward_mfu)
    )
    work = Workload(
        name="check",
        kind="rl",
        steps=entry.get("steps", 1),
        prompts=entry["prompts"],
        group=entry["group"],
        prompt_tokens=entry["prompt_tokens"],
        lengths=Lengths(mean=entry["mean"], longest=entry["longest"]),
        reference=True,
        old_logprobs=True,
    )
    return plan_stage(
        find_shape(entry["model"]),
        hardware,
        assumed,
        work,
        Layout(engine_devices=entry.get("engine_devices"), offload=True),
    )


def _async_step(entry: dict[str, Any]) -> float:
    """Seconds of a step when generation and training go on side by side, from the time each takes alone.

    Lengths are drawn; the time of a decode step is set so that a synchronous batch takes as long as was published.
    """
    table = Lengths(mean=6000.0, longest=28_672).quantiles(4096)

    def setting(mode: Mode, step: float, train: float, engines: int) -> Setting:
        return Setting(
            mode=mode,
            engines=engines,
            slots=8192 // engines,
            batch=8192,
            steps=5,
            step_seconds=lambda _batch: step,
            length=lambda rng: table[rng.randrange(len(table))],
            train_seconds=train,
            sync_seconds=5.0 if mode == "async" else 0.0,
            staleness=1,
        )

    once = simulate(setting("sync", 1.0, 0.0, 16)).step_seconds
    return simulate(setting("async", entry["generate"] / once, entry["train"], 8)).step_seconds
