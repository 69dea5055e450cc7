"""What a run takes before it runs: memory, time, money and energy, from stated formulas and stated assumptions."""

from __future__ import annotations

from assay.plan.checks import Check, run_checks
from assay.plan.hardware import Hardware, parse_hardware
from assay.plan.shape import ModelShape, find_shape, shape_of_config
from assay.plan.simulate import Setting, Simulated, simulate
from assay.plan.stage import Layout, StagePlan, plan_stage
from assay.plan.workload import Assumptions, Lengths, Workload

__all__ = [
    "Assumptions",
    "Check",
    "Hardware",
    "Layout",
    "Lengths",
    "ModelShape",
    "Setting",
    "Simulated",
    "StagePlan",
    "Workload",
    "find_shape",
    "parse_hardware",
    "plan_stage",
    "run_checks",
    "shape_of_config",
    "simulate",
]
