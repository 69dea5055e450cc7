"""The stage `eval`."""

from __future__ import annotations

from typing import Literal

from assay.recipe.schema.base import Count, Name, Positive
from assay.recipe.schema.stage import Sampling, Stage


class EvalStage(Stage):
    """Sampled accuracy on held-out problems."""

    kind: Literal["eval"]
    name: Name = "eval"
    problems: Count = 0
    """Held-out problems to use; 0 for all."""
    samples: Positive = 1
    """Completions of each."""
    sampling: Sampling
    """How completions are drawn."""
    sample_groups: Count = 20
    """Problems whose completions are written to ``samples.jsonl``."""
