"""Tokenizers: the file that rewards read, and whether two of them are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.errors import InvalidInputError


def tokenizer_json(tokenizer: Any, folder: Path) -> Path:
    """Writes the tokenizer into the run folder, for the scorer and for whoever reads the run; returns its file.

    Raises:
        InvalidInputError: The tokenizer has no ``tokenizer.json``.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise InvalidInputError("model: its tokenizer has no tokenizer.json; rewards from token ids need one")
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer.json"
    source = Path(str(tokenizer.name_or_path)) / "tokenizer.json"
    if source.is_file():
        # A reward server knows a tokenizer by its bytes, and writing it anew may change their order.
        file.write_bytes(source.read_bytes())
    return file


def check_same_tokenizer(saved: Any, own: Any, folder: Path) -> None:
    """Refuses weights that were trained with another tokenizer: the same ids would mean other texts.

    Raises:
        InvalidInputError: naming the folder and a token that differs.
    """
    theirs, ours = saved.get_vocab(), own.get_vocab()
    if theirs == ours:
        return
    token = min((token for token in {*theirs, *ours} if theirs.get(token) != ours.get(token)), key=str)
    raise InvalidInputError(
        f"{folder}: its tokenizer is not the model's: {token!r} is {theirs.get(token, 'no token')} there and "
        f"{ours.get(token, 'no token')} here; use the model that the checkpoint was made from"
    )


def check_fits(tokenizer: Any, rows: int, where: str) -> None:
    """Refuses a tokenizer with ids that the model has no embedding for.

    Args:
        tokenizer: Of the model.
        rows: Of the model's table of embeddings.
        where: What to name in the error.

    Raises:
        InvalidInputError: The tokenizer belongs to another model.
    """
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if highest >= rows:
        raise InvalidInputError(
            f"{where}: its tokenizer has ids up to {highest} but the model has embeddings for {rows} tokens only: the "
            "tokenizer belongs to another model"
        )
