"""One completion on its way: what is still to be asked for, and what answers have added so far."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import UnavailableError
from assay.rollout.types import FinishReason, Rollout, SamplingParams, TokenIds, WeightSpan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request added to a completion.

    Attributes:
        token_ids: Sampled tokens, a stop token included.
        logprobs: Their log-probabilities.
        spans: ``(label, start, end)``: which weights sampled which of these tokens.
        finish: ``stop``, ``length``, or ``abort`` when there is more to come.
    """

    token_ids: list[int]
    logprobs: list[float]
    spans: list[tuple[str, int, int]]
    finish: FinishReason


@dataclass(slots=True)
class Sample:
    """A completion that one or more requests build up; each request continues where the one before ended."""

    group_id: int
    index: int
    prompt_ids: TokenIds
    token_ids: list[int] = field(default_factory=list[int])
    logprobs: list[float] = field(default_factory=list[float])
    spans: list[WeightSpan] = field(default_factory=list[WeightSpan])
    finish: FinishReason | None = None
    requests: int = 0

    @classmethod
    def of(cls, rollout: Rollout) -> Sample:
        """The sample that continues a rollout; it is finished unless the rollout ended with ``abort``."""
        return cls(
            group_id=rollout.group_id,
            index=rollout.index,
            prompt_ids=rollout.prompt_ids,
            token_ids=[int(token) for token in rollout.token_ids],
            logprobs=[float(logprob) for logprob in rollout.logprobs],
            spans=list(rollout.spans()) if len(rollout.token_ids) else [],
            finish=None if rollout.finish_reason == "abort" else rollout.finish_reason,
        )

    def request(
        self, sampling: SamplingParams, *, rid: str, routing_key: str, cache_key: str, seed: int | None
    ) -> dict[str, Any]:
        """The body of the ``/generate`` request for the rest of this completion.

        Args:
            sampling: Of the whole completion.
            rid: Id of this request, never used before.
            routing_key: Requests with the same key belong on the same server.
            cache_key: Requests with different keys share no cached prefix.
            seed: Sent if given.
        """
        parameters: dict[str, Any] = {
            "max_new_tokens": sampling.max_new_tokens - len(self.token_ids),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k or -1,
            "stop_token_ids": list(sampling.stop_token_ids),
            # Left out, these would come from the model folder's generation_config.json.
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        }
        if seed is not None:
            parameters["sampling_seed"] = seed
        return {
            "rid": rid,
            "input_ids": [*self.prompt_ids.tolist(), *self.token_ids],
            "sampling_params": parameters,
            "return_logprob": True,
            "routing_key": routing_key,
            "extra_key": cache_key,
        }

    def extend(self, answer: Answer, version_of: Callable[[str], int]) -> None:
        """Appends an answer, with the versions of its tokens; nothing of it if ``version_of`` raises."""
        versions = [(version_of(label), first, last) for label, first, last in answer.spans]
        start = len(self.token_ids)
        self.token_ids += answer.token_ids
        self.logprobs += answer.logprobs
        for version, first, last in versions:
            if self.spans and self.spans[-1].version == version:
                self.spans[-1] = WeightSpan(version, self.spans[-1].start, start + last)
            elif last > first:
                self.spans.append(WeightSpan(version, start + first, start + last))
        if answer.finish != "abort":
            self.finish = answer.finish

    def rollout(self, version: int) -> Rollout:
        """The record so far; ``abort`` if it is not finished. ``version`` stands in when no token was sampled."""
        return Rollout(
            group_id=self.group_id,
            index=self.index,
            prompt_ids=self.prompt_ids,
            token_ids=np.asarray(self.token_ids, dtype=np.uint32),
            logprobs=np.asarray(self.logprobs, dtype=np.float32),
            finish_reason=self.finish or "abort",
            weight_version=min((span.version for span in self.spans), default=version),
            weight_versions=tuple(self.spans),
        )


def read_answer(body: Mapping[str, Any], url: str) -> Answer:
    """Checks and converts the answer of ``/generate``.

    Raises:
        UnavailableError: The answer is not one: nothing of it may reach a learner.
    """
    try:
        meta = body["meta_info"]
        token_ids = [int(token) for token in body["output_ids"]]
        pairs = meta.get("output_token_logprobs") or []
        logprobs = [float(pair[0]) for pair in pairs]
        finish = str(meta["finish_reason"]["type"])
        spans = [
            (str(span["version"]), int(span["start"]), min(int(span["end"]), len(token_ids)))
            for span in meta.get("weight_versions") or ()
        ]
        if not spans:
            # Releases that report no spans know one version, that of the moment they answered.
            spans = [(str(meta["weight_version"]), 0, len(token_ids))]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UnavailableError(f"{url}/generate: answer without what was asked for: {error!r}") from error
    if [int(pair[1]) for pair in pairs] != token_ids:
        raise UnavailableError(
            f"{url}/generate: {len(pairs)} log-probabilities do not belong to {len(token_ids)} tokens"
        )
    if any(not math.isfinite(logprob) for logprob in logprobs):
        raise UnavailableError(f"{url}/generate: a log-probability is not finite; the served weights are broken")
    covered = [end for _, _, end in spans][-1] == len(token_ids) and spans[0][1] == 0
    if not covered or any(before[2] != after[1] for before, after in itertools.pairwise(spans)):
        raise UnavailableError(f"{url}/generate: weight versions {spans} do not cover {len(token_ids)} tokens")
    if finish not in {"stop", "length", "abort"}:
        raise UnavailableError(f"{url}/generate: unknown finish reason {finish!r}")
    return Answer(
        token_ids, logprobs, spans, "stop" if finish == "stop" else "length" if finish == "length" else "abort"
    )
