"""The stage `grpo`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.recipe.schema.base import Count, Name, NotNegative, Positive, Share
from assay.recipe.schema.stage import Sampling, Training


class GrpoStage(Training):
    """Group relative policy optimization (DeepSeekMath, arXiv 2402.03300; DAPO, arXiv 2503.14476)."""

    kind: Literal["grpo"]
    name: Name = "grpo"
    prompts_per_step: Positive
    """Prompts of one batch of rollouts."""
    group_size: Annotated[int, Field(ge=2)]
    """Completions of each prompt."""
    sampling: Sampling
    """How completions are drawn."""
    advantage: Literal["grpo", "dr_grpo", "rloo", "reinforce_pp", "gdpo"] = "grpo"
    """How rewards become advantages."""
    clip_low: Share = 0.2
    """Clip width below ratio 1."""
    clip_high: NotNegative = 0.28
    """Clip width above ratio 1."""
    kl_coefficient: NotNegative = 0.0
    """Weight of the k3 divergence from the weights at the start of the stage."""
    aggregation: Literal["token_mean", "sequence_mean", "constant"] = "token_mean"
    """How tokens are averaged; ``constant`` divides by ``max_new_tokens``."""
    inner_epochs: Positive = 1
    """Optimizer steps on the same rollouts."""
    sample_groups: Count = 2
    """Groups per step whose completions are written to ``samples.jsonl``."""
