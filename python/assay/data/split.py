"""Training and held-out sets that share no prompt."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from assay.data.task import Prompt, Task, prompt_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Splits(NamedTuple):
    """The two sets of a dataset.

    Attributes:
        train: what the learner sees, in source order.
        held_out: what evaluation sees; no prompt equals a training prompt or another held-out one.
        removed: held-out rows dropped for that reason.
    """

    train: Sequence[Task]
    held_out: Sequence[Task]
    removed: int


def normalised(prompt: Prompt) -> str:
    """A prompt as de-duplication compares it: NFKC, case folded, white space collapsed, final punctuation dropped.

    Signs inside the text stay: `3 + 1` and `3 - 1` are different problems.
    """
    text = unicodedata.normalize("NFKC", prompt_text(prompt)).casefold()
    return " ".join(text.split()).rstrip(" .?!:;=")


def without_overlap(train: Iterable[Task], held_out: Iterable[Task]) -> tuple[list[Task], int]:
    """The held-out tasks whose normalised prompt is new, and how many were dropped."""
    seen = {normalised(task.prompt) for task in train}
    kept: list[Task] = []
    dropped = 0
    for task in held_out:
        key = normalised(task.prompt)
        if key in seen:
            dropped += 1
        else:
            seen.add(key)
            kept.append(task)
    return kept, dropped


def carve(tasks: Sequence[Task], size: int, *, seed: int) -> Splits:
    """Sets `size` distinct prompts aside, chosen by a hash of `seed` and the prompt.

    The choice depends on neither the order of the rows nor on the rows beside one, so adding data moves no prompt that
    is far from the threshold; every copy of a held-out prompt leaves the training set with it.
    """
    order = sorted({normalised(task.prompt) for task in tasks}, key=lambda key: _rank(key, seed))
    chosen = set(order[:size])
    train = [task for task in tasks if normalised(task.prompt) not in chosen]
    held_out, removed = without_overlap((), (task for task in tasks if normalised(task.prompt) in chosen))
    return Splits(train, held_out, removed)


def _rank(key: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{key}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
