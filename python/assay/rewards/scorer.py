"""`Scorer`: a spec, applied to batches."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, runtime_checkable

from assay import _native
from assay.errors import InvalidInputError
from assay.scores import Scores, Status
from assay.spec import RewardSpec, SpecLike, canonical_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Completion: TypeAlias = str | Sequence[Mapping[str, Any]]
"""What the model wrote: text, or chat messages as TRL hands them over, whose last assistant message counts."""


@runtime_checkable
class FastTokenizer(Protocol):
    """A `tokenizers.Tokenizer`, as far as it is needed here."""

    def to_str(self) -> str:
        """Its `tokenizer.json`."""
        ...


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
        self._tokenizer_json = None if tokenizer is None else _tokenizer_json(tokenizer)
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
        if prompts is not None and len(prompts) != len(completions):
            raise InvalidInputError(f"prompts has {len(prompts)} entries for {len(completions)} completions")
        return _scores(self._native.score(_texts(completions), _list(references)))

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
        return _scores(self._native.score_tokens(token_ids, offsets, _list(references)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles as what it was made of."""
        return _restore, (self._spec_json, self._tokenizer_json, self._threads)

    def __repr__(self) -> str:
        """The components and their weights."""
        weights = ", ".join(f"{component.name}={component.weight:g}" for component in self.spec.components)
        return f"Scorer({weights})"


_STATUS_BY_CODE = tuple(Status)


def _scores(native: _native.Scores) -> Scores:
    """The columns; strings become Python objects only when they are asked for."""
    return Scores(
        native.total,
        native.components,
        status=lambda: [_STATUS_BY_CODE[code] for code in native.status],
        reasons=lambda: native.reasons,
        answers=lambda: native.answers,
    )


def _restore(spec_json: str, tokenizer_json: bytes | None, threads: int | None) -> Scorer:
    scorer = Scorer.__new__(Scorer)
    scorer.__dict__.update(_spec_json=spec_json, _tokenizer_json=tokenizer_json, _threads=threads)
    scorer.__dict__["_native"] = _native.Scorer(spec_json, tokenizer_json, threads)
    return scorer


def _tokenizer_json(tokenizer: object) -> bytes:
    fast = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if isinstance(fast, FastTokenizer):
        return fast.to_str().encode()
    if not isinstance(tokenizer, str | os.PathLike):
        raise InvalidInputError(
            f"tokenizer is a {type(tokenizer).__name__}; give the path of a tokenizer.json or a fast tokenizer"
        )
    path = Path(cast("str | os.PathLike[str]", tokenizer))
    if path.is_dir():
        path /= "tokenizer.json"
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot read the tokenizer: {error.strerror}") from error


def _texts(completions: Sequence[Completion]) -> list[str]:
    """The texts; entries of a wrong type are left for the extension to name."""
    if isinstance(completions, str) or not isinstance(completions, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        return cast("list[str]", completions)
    if any(isinstance(completion, list | tuple) for completion in completions):
        return [_message_text(completion, index) for index, completion in enumerate(completions)]
    return cast("list[str]", completions if isinstance(completions, list) else list(completions))


def _message_text(completion: Completion, index: int) -> str:
    if isinstance(completion, str):
        return completion
    messages = [message for message in completion if isinstance(message, Mapping)]  # pyright: ignore[reportUnnecessaryIsInstance]
    written = [message for message in messages if message.get("role", "assistant") == "assistant"]
    content: object = written[-1].get("content") if written else None
    if isinstance(content, list):
        parts = cast("list[object]", content)
        texts = [cast("Mapping[str, object]", part).get("text", "") for part in parts if isinstance(part, Mapping)]
        content = "".join(text for text in texts if isinstance(text, str))
    if content is None and written:
        return ""  # a message that is only a tool call says nothing
    if not isinstance(content, str):
        raise InvalidInputError(f"completions[{index}] has no assistant message with text content")
    return content


def _list(references: Sequence[str | None]) -> list[str | None]:
    if isinstance(references, list | str) or not isinstance(references, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        return cast("list[str | None]", references)
    return list(references)
