"""What a stage has to do, and by what assumptions it is reckoned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from assay.errors import InvalidInputError

Kind = Literal["train", "rl", "generate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Lengths of completions: log-normal, cut off at the longest allowed.

    Attributes:
        mean: before the cut, in tokens.
        longest: the cut.
        spread: standard deviation over mean; 0 for equal lengths.
    """

    mean: float
    longest: int
    spread: float = 0.7

    def __post_init__(self) -> None:
        """Refuses what is no distribution."""
        if not (0 < self.mean <= self.longest) or not math.isfinite(self.spread) or self.spread < 0:
            raise InvalidInputError(
                f"response length: mean {self.mean:g}, longest {self.longest}, spread {self.spread:g}: "
                "the mean is positive and at most the longest, the spread is not negative"
            )

    def at(self, share: float) -> int:
        """The length below which so large a share of completions stays; `share` in (0, 1)."""
        variance = math.log1p(self.spread**2)
        value = self.mean * math.exp(math.sqrt(variance) * NormalDist().inv_cdf(share) - variance / 2)
        return max(1, min(self.longest, round(value)))

    def quantiles(self, count: int) -> list[int]:
        """`count` lengths that stand for the distribution: the middles of equal shares, shortest first."""
        return [self.at((i + 0.5) / count) for i in range(count)]

    def moments(self) -> tuple[float, float]:
        """Mean and mean square of a length, the cut included."""
        drawn = self.quantiles(512)
        return sum(drawn) / len(drawn), sum(length * length for length in drawn) / len(drawn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One stage.

    Attributes:
        name: its name in the recipe.
        kind: `train` (supervised steps), `rl` (generate, score, train) or `generate` (evaluate or collect).
        steps: optimizer steps, of `rl` batches of rollouts; 1 for `generate`.
        prompts: prompts of a step (`train`: sequences).
        group: completions of each prompt; 1 for `train`.
        prompt_tokens: mean tokens of a prompt.
        lengths: of completions (`train`: demonstrations).
        reference: whether a reference policy is evaluated on every token.
        old_logprobs: whether the learner evaluates the tokens before it trains on them.
        epochs: passes of training over the tokens of a step.
        shared_prompts: the learner computes the prompt of a group once, as assay's does.
    """

    name: str
    kind: Kind
    steps: int
    prompts: int
    prompt_tokens: float
    lengths: Lengths
    group: int = 1
    reference: bool = False
    old_logprobs: bool = False
    epochs: int = 1
    shared_prompts: bool = False

    @property
    def sequences(self) -> int:
        """Sequences of a step."""
        return self.prompts * self.group

    def tokens(self) -> float:
        """Tokens that a step trains on, prompts counted as often as they are computed."""
        prompts = self.prompts if self.shared_prompts else self.sequences
        return prompts * self.prompt_tokens + self.sequences * self.lengths.moments()[0]

    def look_back(self) -> float:
        """Mean tokens that a token of a step looks back on.

        Token i of a sequence looks back on i, so a prompt of p tokens sums to p²/2, and a completion of n behind it to
        p n + n²/2.
        """
        mean, square = self.lengths.moments()
        prompts = self.prompts if self.shared_prompts else self.sequences
        looked = prompts * self.prompt_tokens**2 / 2 + self.sequences * (self.prompt_tokens * mean + square / 2)
        return looked / self.tokens()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Everything a plan takes for granted. Each is an option of `assay plan`, and each is printed.

    Attributes:
        mfu: share of the peak arithmetic that training reaches; published: 0.11 to 0.40, see docs/plan.md.
        forward_mfu: the same for log-probs and prefill.
        decode_bandwidth: share of the peak bandwidth that decoding reaches.
        decode_flops: share of the peak arithmetic that decoding reaches.
        state_bytes: bytes a parameter of training takes: weights and gradients, float32 masters, two moments.
        weight_bytes: bytes a parameter takes in generation and on its way there.
        hop_s: seconds of one all-reduce beside its bytes, inside a node; four times that across nodes.
        memory_use: share of a device's memory that may be planned for.
        micro_tokens: tokens of a micro-batch on one device.
        checkpointing: whether activations are recomputed in the backward.
        offload_activations: whether what recomputation starts from, the input of every layer, waits in host memory.
        host_gbs: GB/s between a device and its host, each way.
        reward_s: seconds from a finished completion to its reward.
        sync_s: seconds of a weight update beside its bytes.
        load: share of the power limit that is drawn.
        pue: power of the site over that of its machines.
    """

    mfu: float = 0.3
    forward_mfu: float = 0.3
    decode_bandwidth: float = 0.6
    decode_flops: float = 0.5
    state_bytes: float = 18.0
    weight_bytes: float = 2.0
    hop_s: float = 1.5e-5
    memory_use: float = 0.9
    micro_tokens: int = 8192
    checkpointing: bool = True
    offload_activations: bool = False
    host_gbs: float = 25.0
    reward_s: float = 0.01
    sync_s: float = 1.0
    load: float = 0.75
    pue: float = 1.25

    def __post_init__(self) -> None:
        """Refuses shares that are none."""
        for name in ("mfu", "forward_mfu", "decode_bandwidth", "decode_flops", "memory_use", "load"):
            if not 0 < getattr(self, name) <= 1:
                raise InvalidInputError(f"{name.replace('_', '-')} is {getattr(self, name):g}: give a share in (0, 1]")
        if self.pue < 1 or min(self.state_bytes, self.weight_bytes) <= 0 or self.micro_tokens < 1:
            raise InvalidInputError("pue is at least 1; bytes and tokens are positive")
        if self.host_gbs <= 0:
            raise InvalidInputError(f"host-gbs is {self.host_gbs:g}: give a positive rate")
        if min(self.reward_s, self.sync_s, self.hop_s) < 0:
            raise InvalidInputError("seconds are not negative")
