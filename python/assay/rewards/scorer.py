"""`Scorer`: a spec, applied to batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay import _native
from assay._inputs import Completion, FastTokenizer, check_prompts, optional_texts, scores, texts, tokenizer_json
from assay.spec import RewardSpec, SpecLike, canonical_json

__all__ = ["Completion", "FastTokenizer", "Scorer"]

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

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
    ) -> None:
        """Prepares a spec.

        Args:
            spec: a kind, a mapping, a `RewardSpec` or the path of a TOML file.
            tokenizer: a `tokenizer.json`, a folder that holds one, or a fast tokenizer of `tokenizers` or
                `transformers`. Needed to read the text of token ids, and to count the tokens of texts.
            threads: worker threads; by default one per CPU this process may use.

        Raises:
            InvalidSpecError: the spec is not valid.
            InvalidInputError: a file cannot be read, or is not a tokenizer.
        """
        self._spec_json = canonical_json(spec)
        self._tokenizer_json = None if tokenizer is None else tokenizer_json(tokenizer)
        self._threads = threads
        self._native = _native.Scorer(self._spec_json, self._tokenizer_json, threads)

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
            prompts: n prompts, for components that look at them; none of the present kinds does.

        Returns:
            n scores, in order.

        Raises:
            InvalidInputError: the lengths differ, or an entry is not of the documented type.
            InvalidSpecError: a component counts tokens and there is no tokenizer.
        """
        check_prompts(prompts, completions)
        return scores(self._native.score(texts(completions), optional_texts(references)))

    def score_tokens(
        self,
        token_ids: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        references: Sequence[str | None],
    ) -> Scores:
        """Scores `n` completions given as token ids, decoding only what the spec needs. Nothing is copied.

        Args:
            token_ids: uint32[total], all completions one after the other.
            offsets: int64[n + 1], rising from 0 to `total`: completion i is `token_ids[offsets[i]:offsets[i + 1]]`.
            references: n gold answers or None.

        Returns:
            n scores, in order.

        Raises:
            InvalidInputError: a dtype, shape, offset or token id is not as documented.
            InvalidSpecError: a component reads text and there is no tokenizer.
        """
        return scores(self._native.score_tokens(token_ids, offsets, optional_texts(references)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles as what it was made of."""
        return _restore, (self._spec_json, self._tokenizer_json, self._threads)

    def __repr__(self) -> str:
        """The components and their weights."""
        weights = ", ".join(f"{component.name}={component.weight:g}" for component in self.spec.components)
        return f"Scorer({weights})"


def _restore(spec_json: str, tokenizer_json: bytes | None, threads: int | None) -> Scorer:
    scorer = Scorer.__new__(Scorer)
    scorer.__dict__.update(_spec_json=spec_json, _tokenizer_json=tokenizer_json, _threads=threads)
    scorer.__dict__["_native"] = _native.Scorer(spec_json, tokenizer_json, threads)
    return scorer
