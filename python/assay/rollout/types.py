"""The records that travel between a generator, a scorer and a learner. Importing this module pulls in no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torch import Tensor

TokenIds: TypeAlias = NDArray[np.uint32]
FinishReason: TypeAlias = Literal["stop", "length", "abort"]
NamedTensors: TypeAlias = "Callable[[], Iterable[tuple[str, Tensor]]]"


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How completions are drawn.

    Attributes:
        max_new_tokens: Tokens a completion may have, the stop token included; at least 1.
        temperature: Logits are divided by it; 0 is greedy. Finite, not negative.
        top_p: Nucleus of this probability mass, in (0, 1]; 1 turns it off.
        top_k: The k likeliest tokens; 0 turns it off.
        stop_token_ids: A completion ends with the first of these, which stays its last token.

    Raises:
        InvalidInputError: A value is outside its range.
    """

    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    stop_token_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            msg = f"sampling.max_new_tokens is {self.max_new_tokens}: give at least 1"
            raise InvalidInputError(msg)
        if not math.isfinite(self.temperature) or self.temperature < 0:
            msg = f"sampling.temperature is {self.temperature}: give a finite number >= 0 (0 is greedy)"
            raise InvalidInputError(msg)
        if not 0 < self.top_p <= 1:
            msg = f"sampling.top_p is {self.top_p}: give a number in (0, 1]; 1 turns it off"
            raise InvalidInputError(msg)
        if self.top_k < 0:
            msg = f"sampling.top_k is {self.top_k}: give a count; 0 turns it off"
            raise InvalidInputError(msg)


class WeightSpan(NamedTuple):
    """Tokens ``start`` to ``end`` (exclusive) of a completion were sampled by the weights of ``version``."""

    version: int
    start: int
    end: int


@dataclass(slots=True)
class Rollout:
    """One completion and what is needed to score, train on and audit it.

    Attributes:
        group_id: The prompt this answers; unique within a step.
        index: Position in the group, from 0.
        prompt_ids: ``uint32[prompt]``.
        token_ids: ``uint32[completion]``, with the stop token if there was one.
        logprobs: ``float32[completion]``: ``log_softmax(logits / temperature)`` of each sampled token under the
            weights that sampled it, before top-p and top-k cut anything off (natural logarithm, so <= 0). At
            temperature 0 they are taken at temperature 1.
        finish_reason: ``stop`` (a stop token), ``length`` (``max_new_tokens``) or ``abort`` (the engine gave up).
        weight_version: Version of the weights that sampled it; the oldest, if several did.
        weight_versions: Which weights sampled which tokens, without gaps and in order, when weights may change during
            a completion; empty means ``weight_version`` throughout.
    """

    group_id: int
    index: int
    prompt_ids: TokenIds
    token_ids: TokenIds
    logprobs: NDArray[np.float32]
    finish_reason: FinishReason
    weight_version: int
    weight_versions: tuple[WeightSpan, ...] = ()

    def spans(self) -> tuple[WeightSpan, ...]:
        """``weight_versions``, with the one version of all tokens spelled out."""
        return self.weight_versions or (WeightSpan(self.weight_version, 0, len(self.token_ids)),)


@dataclass(slots=True)
class RolloutGroup:
    """The completions of one prompt, in the order of ``Rollout.index``."""

    group_id: int
    prompt_ids: TokenIds
    rollouts: list[Rollout]


class Generator(Protocol):
    """Anything that completes prompts and can be given new weights."""

    def generate(
        self,
        prompts: Sequence[TokenIds],
        *,
        group_size: int,
        sampling: SamplingParams,
        seed: int,
        first_group_id: int = 0,
    ) -> Iterator[RolloutGroup]:
        """Completes every prompt ``group_size`` times and yields each group as it finishes, in any order.

        Args:
            prompts: Token ids of each prompt, ``uint32[length]``, none empty. Prompt ``i`` gets ``group_id``
                ``first_group_id + i``.
            group_size: Completions of each prompt, at least 1.
            sampling: How tokens are drawn.
            seed: The same seed, prompts and weights give the same completions.
            first_group_id: ``group_id`` of the first prompt.

        Raises:
            InvalidInputError: A prompt is empty or longer than the model allows.
            UnavailableError: The engine cannot be reached.
        """
        ...

    def update_weights(self, version: int, named_tensors: NamedTensors) -> None:
        """Takes the weights that ``named_tensors()`` yields (names as in the Hugging Face state dict)."""
        ...

    @property
    def weight_version(self) -> int:
        """Version given by the last ``update_weights``; 0 before the first."""
        ...

    def abort(self) -> None:
        """Cuts short what other threads are generating: their iterations end soon, with what there is."""
        ...

    def close(self) -> None:
        """Releases what the generator holds. Calling it twice is harmless."""
        ...
