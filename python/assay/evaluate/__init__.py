"""How good a model is: sampled accuracy, pass@k and cons@k on any tasks."""

from __future__ import annotations

from assay.evaluate.estimators import (
    Estimate,
    consensus,
    consensus_at_k,
    mean_over_problems,
    pass_at_k,
)
from assay.evaluate.evaluation import Codec, Evaluation, Plan, Sample, evaluate, summarise

__all__ = [
    "Codec",
    "Estimate",
    "Evaluation",
    "Plan",
    "Sample",
    "consensus",
    "consensus_at_k",
    "evaluate",
    "mean_over_problems",
    "pass_at_k",
    "summarise",
]
