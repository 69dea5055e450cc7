"""What stages have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.data import StrictModel
from assay.recipe.schema.base import Above0, Count, Name, NotNegative, Positive, Share
from assay.recipe.schema.data import AnyData
from assay.recipe.schema.scorer import ScorerConfig


class Sampling(StrictModel):
    """How completions are drawn."""

    max_new_tokens: Positive
    """Longest completion in tokens."""
    temperature: NotNegative = 1.0
    """Logits are divided by it; 0 is greedy."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Nucleus; 1 turns it off."""
    top_k: Count = 0
    """The k likeliest tokens; 0 turns it off."""
    stop: list[str] = Field(default_factory=list[str])
    """Tokens that end a completion, beside the tokenizer's end token; each must be one token."""


class Stage(StrictModel):
    """What every stage has."""

    name: Name
    """Unique in the recipe; ``--set stage.NAME.key=value`` and the checkpoint folder use it."""
    data: AnyData | None = None
    """Data of this stage only, instead of the recipe's."""
    scorer: ScorerConfig | None = None
    """The reward of this stage only, instead of the recipe's."""


class Training(Stage):
    """What every stage that trains has."""

    start: Name = "previous"
    """The weights to start from: `previous`, those of the stage before; `base`, the model's own; or a stage's name."""
    steps: Positive
    """Optimizer steps (in ``grpo``: batches of rollouts)."""
    lr: Above0
    """Peak learning rate of AdamW."""
    betas: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(default=[0.9, 0.95])
    """Decay of AdamW's two moments."""
    weight_decay: NotNegative = 0.0
    """Decoupled weight decay."""
    warmup_steps: Count = 0
    """Steps of linear warm-up."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """The learning rate after the warm-up."""
    final_ratio: Share = 0.1
    """What part of ``lr`` the last step of a decay has."""
    max_grad_norm: NotNegative = 1.0
    """Gradient clip; 0 turns it off."""
    token_budget: Positive = 8192
    """Tokens of one micro-batch, padding included."""
    router_coefficient: NotNegative = 0.0
    """Weight of the load-balancing loss of a mixture of experts."""
    checkpoint_every: Count = 0
    """Steps between checkpoints; 0 for one at the end of the stage only."""
    keep_checkpoints: Positive = 1
    """How many checkpoints of this stage stay on the disk."""
