"""The stage `grpo`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import Field, model_validator

from assay.data import StrictModel
from assay.recipe.schema.algorithms import ALGORITHMS, Algorithm
from assay.recipe.schema.base import Above0, Count, Name, NotNegative, Positive, Share
from assay.recipe.schema.pipeline import PipelineConfig, Synchronous
from assay.recipe.schema.scorer import ScorerConfig
from assay.recipe.schema.stage import Sampling, Training


class LengthChange(StrictModel):
    """Another limit of the length of completions, from some step on."""

    from_step: Annotated[int, Field(ge=2)]
    """The first step with it, counted from 1."""
    max_new_tokens: Positive
    """Longest completion in tokens."""


class GrpoStage(Training):
    """Group relative policy optimization (DeepSeekMath, arXiv 2402.03300; DAPO, arXiv 2503.14476) and its variants."""

    kind: Literal["grpo"]
    name: Name = "grpo"
    algorithm: Algorithm | None = None
    """A published algorithm, whose settings hold wherever this table is silent."""
    prompts_per_step: Positive
    """Prompts of one batch of rollouts."""
    group_size: Annotated[int, Field(ge=2)]
    """Completions of each prompt."""
    sampling: Sampling
    """How completions are drawn."""
    length_schedule: list[LengthChange] = Field(default_factory=list[LengthChange])
    """Other limits than `sampling.max_new_tokens` from some step on (R1-Zero: twice as long for the last fifth)."""
    rows_from: dict[str, Positive] = Field(default_factory=dict[str, int])
    """The first step, counted from 1, at which rows are drawn, by the value of their `scorer.rows_field`; others from
    the first on."""
    pipeline: PipelineConfig = Synchronous()
    """How generation and training take turns."""
    advantage: Literal["grpo", "dr_grpo", "rloo", "reinforce_pp", "gdpo"] = "grpo"
    """How rewards become advantages."""
    surrogate: Literal["clip", "gspo", "cispo"] = "clip"
    """The policy loss: clipped token ratios, one clipped ratio per completion, or clipped weights."""
    clip_low: Share = 0.2
    """Clip width below ratio 1."""
    clip_high: NotNegative = 0.28
    """Clip width above ratio 1."""
    dual_clip: Above0 | None = None
    """Bound of the loss, in units of the advantage, where the advantage is negative; of ``clip`` only."""
    ratio_max: Above0 = 5.0
    """Largest weight of a token; of ``cispo`` only."""
    kl_coefficient: NotNegative = 0.0
    """Weight of the divergence from the weights at the start of the stage."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    """How the divergence is estimated from sampled tokens."""
    kl_in: Literal["loss", "reward"] = "loss"
    """Whether the divergence is part of the loss or is taken off the reward."""
    reference_refresh_every: Count = 0
    """Steps after which the reference becomes the policy of that moment (R1: 400); 0 keeps the first."""
    entropy_coefficient: NotNegative = 0.0
    """Weight of the mean entropy per token in the objective."""
    top_entropy_share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """The share of tokens, those of highest entropy, that carry a policy gradient."""
    correction: Literal["none", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask"] = "none"
    """Importance weights between sampler and learner: of each token or completion, truncated or masked."""
    correction_low: NotNegative = 0.0
    """Lower bound of the importance weight; 0 for none."""
    correction_high: Above0 = 2.0
    """Upper bound of the importance weight; also the ratio beyond which ``sampling/share_beyond`` counts a token."""
    aggregation: Literal["token_mean", "sequence_mean", "constant"] = "token_mean"
    """How tokens are averaged; ``constant`` divides by ``max_new_tokens``."""
    mini_batches: Positive = 1
    """Optimizer steps that a batch of rollouts is cut into, groups whole (R1: 16)."""
    inner_epochs: Positive = 1
    """Passes over the same rollouts."""
    mask_truncated: bool = False
    """Leave completions that reached ``max_new_tokens`` out of the loss (DAPO's overlong filtering)."""
    dynamic_sampling: Count = 0
    """Further batches of prompts that may be sampled in place of groups whose rewards are all equal; 0 keeps those."""
    sample_groups: Count = 2
    """Groups per step whose completions are written to ``samples.jsonl``."""

    @model_validator(mode="before")
    @classmethod
    def _algorithm(cls, table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        given = cast("dict[str, Any]", table)
        preset = ALGORITHMS.get(str(given.get("algorithm")), {})
        return {**preset, **given}

    @model_validator(mode="after")
    def _fits_together(self) -> GrpoStage:
        if self.dual_clip is not None and self.dual_clip <= 1 + self.clip_high:
            raise ValueError(f"dual_clip must be above 1 + clip_high, which is {1 + self.clip_high:g}")
        if self.kl_coefficient and self.kl_estimator == "k1" and self.kl_in == "loss":
            raise ValueError("kl_estimator 'k1' has no gradient on average: set kl_in = 'reward', or take 'k2' or 'k3'")
        if self.kl_in == "reward" and self.advantage == "gdpo":
            raise ValueError("kl_in = 'reward' has no meaning for 'gdpo', which normalises each component by itself")
        if self.reference_refresh_every and not self.kl_coefficient:
            raise ValueError("reference_refresh_every needs a reference: set kl_coefficient")
        steps = [change.from_step for change in self.length_schedule]
        if steps != sorted(set(steps)):
            raise ValueError("length_schedule: give rising from_step")
        return self

    def max_new_tokens_at(self, step: int) -> int:
        """The longest completion of a step, counted from 1."""
        changes = [change.max_new_tokens for change in self.length_schedule if change.from_step <= step]
        return changes[-1] if changes else self.sampling.max_new_tokens

    def turns(self, shared: ScorerConfig) -> set[int]:
        """The steps, counted from 1, at which what is sampled or rewarded changes; ``shared`` is the recipe's reward."""
        found = [change.from_step for change in self.length_schedule]
        found += [*self.rows_from.values(), *(self.scorer or shared).begins()]
        return {step for step in found if step > 1}
