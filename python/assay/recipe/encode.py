"""From texts to token ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def encode(tokenizer: Any, texts: Sequence[str], *, special: bool) -> list[NDArray[np.uint32]]:
    """Token ids of each text, with the tokenizer's own start and end tokens or without."""
    # One call for all: a call for each costs more than tokenizing.
    encoded = tokenizer(list(texts), add_special_tokens=special)["input_ids"]
    return [np.asarray(ids, dtype=np.uint32) for ids in encoded]


def check_writable(tokenizer: Any, texts: Sequence[str], where: str) -> None:
    """Refuses texts that a tokenizer would lose characters of, which a model could then never learn to write.

    White space is not looked at, since some tokenizers change it.

    Raises:
        InvalidInputError: naming the first character that is lost.
    """
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        again: str = tokenizer.decode(ids, skip_special_tokens=False)
        if "".join(again.split()) == "".join(text.split()):
            continue
        lost = next((c for c in text if not c.isspace() and c not in again), None)
        if lost is not None:
            raise InvalidInputError(
                f"{where}: the model's tokenizer cannot write {lost!r}; the tokenizer or the dataset is another model's"
            )
