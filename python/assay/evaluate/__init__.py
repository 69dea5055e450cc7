"""How good a model is: sampled accuracy, pass@k and cons@k on any tasks."""

from __future__ import annotations

from assay.evaluate.benchmarks import BENCHMARKS, Benchmark, load_benchmark
from assay.evaluate.estimators import (
    Estimate,
    clusters,
    consensus,
    consensus_at_k,
    mean_over_problems,
    pass_at_k,
)
from assay.evaluate.evaluation import Evaluation, Sample, judge, summarise
from assay.evaluate.published import Published, published
from assay.evaluate.sampling import Codec, Plan, evaluate

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "Codec",
    "Estimate",
    "Evaluation",
    "Plan",
    "Published",
    "Sample",
    "clusters",
    "consensus",
    "consensus_at_k",
    "evaluate",
    "judge",
    "load_benchmark",
    "mean_over_problems",
    "pass_at_k",
    "published",
    "summarise",
]
