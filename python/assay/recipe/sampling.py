"""From the table `sampling` to what a generator takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay._transformers import end_token_id
from assay.errors import InvalidInputError
from assay.rollout import SamplingParams

if TYPE_CHECKING:
    from assay.recipe.schema import Sampling


def sampling_params(tokenizer: Any, sampling: Sampling) -> SamplingParams:
    """The sampling table with its stop tokens looked up.

    Raises:
        InvalidInputError: A stop text is not one token of this tokenizer.
    """
    stops = [end_token_id(tokenizer)]
    for text in sampling.stop:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) != 1:
            raise InvalidInputError(
                f"sampling.stop: {text!r} is {len(ids)} tokens in this tokenizer; give single tokens"
            )
        stops.append(ids[0])
    return SamplingParams(
        max_new_tokens=sampling.max_new_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        stop_token_ids=tuple(stops),
    )
