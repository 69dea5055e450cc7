"""`Scorer`: a spec, applied to batches."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from assay import _native
from assay._inputs import (
    Completion,
    FastTokenizer,
    check_prompts,
    optional_texts,
    prompt_texts,
    scores,
    texts,
    tokenizer_json,
)
from assay.spec import RewardSpec, SpecLike, asks_outside, canonical_json

__all__ = ["Completion", "FastTokenizer", "Scorer"]

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from assay.scores import Scores


class Scorer:
    """Scores batches of completions against references, in Rust, on all cores, with the GIL released.

    The same completion, reference and spec give the same scores whatever the batch, its order or the number of threads.
    A `Scorer` may be used from many threads at once, pickled, and used after `fork`.

    >>> scorer = Scorer({"accuracy": 1.0, "format": 0.5})
    >>> scores = scorer.score(["<think>1+1</think><answer>2</answer>", "The answer is 3."], ["2", "2"])
    >>> scores.total
    array([1.5, 0. ])
    """

    def __init__(
        self,
        spec: SpecLike,
        tokenizer: str | os.PathLike[str] | FastTokenizer | None = None,
        threads: int | None = None,
        *,
        reward_models: Mapping[str, str | Mapping[str, Any]] | None = None,
        plugins: Mapping[str, str | Mapping[str, Any]] | None = None,
    ) -> None:
        """Prepares a spec.

        Args:
            spec: a kind, a mapping, a `RewardSpec` or the path of a TOML file.
            tokenizer: a `tokenizer.json`, a folder that holds one, or a fast tokenizer of `tokenizers` or
                `transformers`. Needed to read the text of token ids, and to count the tokens of texts.
            threads: worker threads; by default one per CPU this process may use.
            reward_models: where the endpoints are that `reward_model` components name: a URL, or a table of the settings of
                docs/components.md. Without it what they would say is `unavailable`, with a reason.
            plugins: the functions that `plugin` components name: `package.module:function`, or a table of the settings of
                docs/components.md. They run in worker processes of this Python, started when they are first needed.

        Raises:
            InvalidSpecError: the spec is not valid, or names an endpoint or a function that is not among those given.
            InvalidInputError: a file cannot be read, or is not a tokenizer; a setting is wrong.
        """
        self._spec_json = canonical_json(spec)
        self._tokenizer_json = None if tokenizer is None else tokenizer_json(tokenizer)
        self._threads = threads
        self._outside_json = _outside_json(reward_models, plugins)
        self._prepare()

    def _prepare(self) -> None:
        self._needs_prompts = asks_outside(self._spec_json)
        self._native = _native.Scorer(self._spec_json, self._tokenizer_json, self._threads, self._outside_json)

    @property
    def spec(self) -> RewardSpec:
        """The spec, with every option filled in."""
        return RewardSpec.of(self._spec_json)

    def score(
        self,
        completions: Sequence[Completion],
        references: Sequence[str | None],
        prompts: Sequence[Any] | None = None,
    ) -> Scores:
        """Scores `n` completions.

        Args:
            completions: what the model wrote; n texts or chat message lists.
            references: n gold answers; None gives that item the status `invalid_reference`.
            prompts: n prompts, texts or chat message lists, for `reward_model` and `plugin`; no other kind looks at them.

        Returns:
            n scores, in order.

        Raises:
            InvalidInputError: the lengths differ, or an entry is not of the documented type.
            InvalidSpecError: a component counts tokens and there is no tokenizer.
        """
        check_prompts(prompts, completions)
        asked = prompt_texts(prompts) if self._needs_prompts else None
        return scores(self._native.score(texts(completions), optional_texts(references), asked))

    def score_tokens(
        self,
        token_ids: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        references: Sequence[str | None],
        prompts: Sequence[Any] | None = None,
    ) -> Scores:
        """Scores `n` completions given as token ids, decoding only what the spec needs. Nothing is copied.

        Args:
            token_ids: uint32[total], all completions one after the other.
            offsets: int64[n + 1], rising from 0 to `total`: completion i is `token_ids[offsets[i]:offsets[i + 1]]`.
            references: n gold answers or None.
            prompts: as for `score`.

        Returns:
            n scores, in order.

        Raises:
            InvalidInputError: a dtype, shape, offset or token id is not as documented.
            InvalidSpecError: a component reads text and there is no tokenizer.
        """
        check_prompts(prompts, references)
        asked = prompt_texts(prompts) if self._needs_prompts else None
        return scores(self._native.score_tokens(token_ids, offsets, optional_texts(references), asked))

    def __getstate__(self) -> dict[str, Any]:
        """What it was made of."""
        return {name: value for name, value in self.__dict__.items() if name != "_native"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Makes it anew."""
        self.__dict__.update(state)
        self._prepare()

    def __repr__(self) -> str:
        """The components and their weights."""
        weights = ", ".join(f"{component.name}={component.weight:g}" for component in self.spec.components)
        return f"Scorer({weights})"


def _outside_json(
    reward_models: Mapping[str, str | Mapping[str, Any]] | None, plugins: Mapping[str, str | Mapping[str, Any]] | None
) -> str | None:
    """Endpoints and functions as the extension module takes them."""
    if reward_models is None and plugins is None:
        return None

    def tables(given: Mapping[str, str | Mapping[str, Any]] | None, key: str) -> dict[str, dict[str, Any]]:
        named = (given or {}).items()
        return {name: {key: value} if isinstance(value, str) else dict(value) for name, value in named}

    settings = {
        "reward_model": tables(reward_models, "url"),
        "plugin": tables(plugins, "function"),
        "plugin_python": sys.executable,
    }
    return json.dumps(settings)
