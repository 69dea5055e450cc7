"""Contamination: which problems of an evaluation stand in the training data.

The measure is shared n-grams of words, as in GPT-3 (arXiv:2005.14165, appendix C, 13-grams over lower-cased words without
punctuation). Shared n-grams are evidence, not proof: a common phrase may be one, and a paraphrase has none.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from assay.data.task import prompt_text
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from assay.data.task import Task

NGRAM = 13
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Overlap:
    """A problem of which training data holds a part.

    Attributes:
        problem: its position among the problems.
        share: the part of the problem's n-grams that occur in the training data, in (0, 1].
        where: the first training row that shares one, as the caller named it.
    """

    problem: int
    share: float
    where: str


def words(text: str) -> list[str]:
    """The words of a text as they are compared: NFKC, lower case, letters and digits only."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def find_overlap(tasks: Sequence[Task], rows: Iterable[tuple[str, str]], *, ngram: int = NGRAM) -> list[Overlap]:
    """The problems that share an n-gram with training data.

    A problem shorter than `ngram` words counts when all of it stands in one training row, word for word. Memory grows
    with the problems, not with the training data, which is read once.

    Args:
        tasks: the problems of the evaluation.
        rows: `(name, text)` of every training row.
        ngram: words of an n-gram, at least 1.

    Returns:
        One entry for each problem with a match, in the order of the problems.

    Raises:
        InvalidInputError: `ngram` is less than 1.
    """
    if ngram < 1:
        raise InvalidInputError(f"ngram is {ngram}: give at least 1")
    owners: dict[tuple[str, ...], list[int]] = {}
    sizes: list[int] = []
    for position, task in enumerate(tasks):
        found = set(_ngrams(words(prompt_text(task.prompt)), ngram))
        sizes.append(len(found))
        for gram in found:
            owners.setdefault(gram, []).append(position)
    lengths = sorted({len(gram) for gram in owners})
    matched: dict[int, set[tuple[str, ...]]] = {}
    first: dict[int, str] = {}
    for name, text in rows:
        tokens = words(text)
        for length in lengths:
            for start in range(len(tokens) - length + 1):
                gram = tuple(tokens[start : start + length])
                for position in owners.get(gram, ()):
                    matched.setdefault(position, set()).add(gram)
                    first.setdefault(position, name)
    return [
        Overlap(position, len(matched[position]) / sizes[position], first[position]) for position in sorted(matched)
    ]


def texts_of(value: Any) -> Iterator[str]:
    """Every text inside a row, however nested: prompts, completions, messages."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from texts_of(item)


def _ngrams(tokens: list[str], size: int) -> Iterator[tuple[str, ...]]:
    if tokens and len(tokens) < size:
        yield tuple(tokens)
    for start in range(len(tokens) - size + 1):
        yield tuple(tokens[start : start + size])
