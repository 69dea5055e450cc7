"""What the GRPO step of a learner needs beside its optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from assay.learner.correction import Correction
    from assay.learner.divergence import Divergence
    from assay.learner.loss import Aggregation, Surrogate


@dataclass(frozen=True, slots=True)
class GrpoConfig:
    """The loss and how it is stepped.

    Attributes:
        surrogate: ``clip`` (token ratios), ``gspo`` (one ratio per completion) or ``cispo`` (clipped weights).
        clip_low: Clip width below ratio 1, in [0, 1]; not of ``cispo``.
        clip_high: Clip width above ratio 1; larger than ``clip_low`` is DAPO's clip-higher; not of ``cispo``.
        dual_clip: Bound of the loss where the advantage is negative, above ``1 + clip_high``; of ``clip`` only.
        ratio_max: Largest weight of a token; of ``cispo`` only.
        kl_coefficient: Weight of the divergence from the reference in the loss; 0 needs no reference.
        kl_estimator: Which estimate of the divergence the loss has.
        entropy_coefficient: Weight of the mean entropy per token, which is added to the objective.
        top_entropy_share: Only this share of the step's tokens, those of highest entropy, carry a policy gradient.
        correction: What is done about sampler log-probs that differ from the learner's.
        correction_low: Lower bound of the importance weight; 0 for none.
        correction_high: Upper bound of the importance weight.
        aggregation: How tokens are averaged, see ``token_weights``.
        constant_length: Divisor of ``aggregation = "constant"``, in tokens.
        mini_batches: Optimizer steps that one batch of rollouts is cut into, groups kept whole (R1: 16).
        inner_epochs: Passes over the same rollouts (mu of DeepSeekMath algorithm 1).
        router_coefficient: Weight of the load-balancing loss of mixture-of-experts models (Switch Transformer, arXiv
            2101.03961 eq. 4); 0 leaves it out.
        temperature: What the tokens were sampled at; log-probs are taken at it.
        token_budget: Tokens of one micro-batch, padding included.

    Raises:
        InvalidInputError: Options that exclude each other.
    """

    surrogate: Surrogate = "clip"
    clip_low: float = 0.2
    clip_high: float = 0.2
    dual_clip: float | None = None
    ratio_max: float = 5.0
    kl_coefficient: float = 0.0
    kl_estimator: Divergence = "k3"
    entropy_coefficient: float = 0.0
    top_entropy_share: float = 1.0
    correction: Correction = "none"
    correction_low: float = 0.0
    correction_high: float = 2.0
    aggregation: Aggregation = "token_mean"
    constant_length: int | None = None
    mini_batches: int = 1
    inner_epochs: int = 1
    router_coefficient: float = 0.0
    temperature: float = 1.0
    token_budget: int = 8192

    def __post_init__(self) -> None:
        if self.dual_clip is not None and self.dual_clip <= 1.0 + self.clip_high:
            msg = f"dual_clip is {self.dual_clip}: it must be above 1 + clip_high, which is {1.0 + self.clip_high:g}"
            raise InvalidInputError(msg)
        if self.kl_coefficient and self.kl_estimator == "k1":
            msg = (
                "kl_estimator 'k1' has no gradient on average: put it into the reward, or take 'k2' or 'k3' in the loss"
            )
            raise InvalidInputError(msg)
        if not 0.0 < self.top_entropy_share <= 1.0:
            msg = f"top_entropy_share is {self.top_entropy_share}: give a share in (0, 1]"
            raise InvalidInputError(msg)
        if self.mini_batches < 1 or self.inner_epochs < 1:
            msg = "mini_batches and inner_epochs must be at least 1"
            raise InvalidInputError(msg)

    @property
    def updates(self) -> int:
        """Optimizer steps that one batch of rollouts makes."""
        return self.mini_batches * self.inner_epochs

    @property
    def every_token_counts(self) -> bool:
        """Whether tokens of advantage 0 matter too, so that no completion may be left out of the forward."""
        return bool(self.kl_coefficient or self.entropy_coefficient) or self.top_entropy_share < 1.0

    @property
    def looks_first(self) -> bool:
        """Whether log-probs and entropies of the whole batch are needed before the first update."""
        return self.mini_batches > 1 or self.top_entropy_share < 1.0
