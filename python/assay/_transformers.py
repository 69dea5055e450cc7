"""What generator and learner both have to know about a transformers model. The only module that reads its internals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


# The name under which transformers knows `assay._attention`.
ATTENTION = "assay"


def text_config(model: PreTrainedModel) -> Any:
    """The configuration of the decoder, also of a model that reads more than text."""
    return model.config.get_text_config(decoder=True)


def attention_kinds(model: PreTrainedModel) -> set[str]:
    """The kinds of layers, such as ``full_attention`` or ``sliding_attention``."""
    config = text_config(model)
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if getattr(config, "sliding_window", None) is not None:
        # Some configurations name a window without naming the layers that have it.
        kinds.add("sliding_attention")
    return kinds


def takes_prepared_masks(model: PreTrainedModel) -> bool:
    """Whether a boolean ``[rows, 1, queries, keys]`` mask is used as it is: full attention everywhere, under SDPA.

    Any other model is given a padding mask, or none, and makes its own.
    """
    sdpa = getattr(model.config, "_attn_implementation", None) in {"sdpa", ATTENTION}
    return sdpa and attention_kinds(model) == {"full_attention"}


def hide_progress_bars() -> None:
    """Turns off transformers' bars for loading and saving, which would break into ours at every checkpoint."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def end_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id of the token that ends a text.

    Raises:
        InvalidInputError: The tokenizer has none.
    """
    found = tokenizer.eos_token_id
    if not isinstance(found, int):
        raise InvalidInputError("model: its tokenizer has no end token (eos_token); completions could never end")
    return found
