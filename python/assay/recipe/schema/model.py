"""The table `[model]`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from assay.data import StrictModel
from assay.recipe.schema.base import Above0, Positive


class LoraConfig(StrictModel):
    """Low-rank adapters (LoRA, arXiv 2106.09685), trained in the place of the weights (extra ``lora``)."""

    rank: Positive = 16
    """Of each update."""
    alpha: Above0 = 32.0
    """Updates are scaled by ``alpha / rank``."""
    targets: Annotated[list[str], Field(min_length=1)] = Field(default=["all-linear"])
    """Ends of the names of the linear layers that are adapted; ``all-linear`` for all but the head."""


class ModelBase(StrictModel):
    """What every model has."""

    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """What forward, backward and sampling run in; the weights that are trained are float32 in both."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward: less memory, about a third more work."""
    offload_activations: bool = False
    """Keep what checkpointing keeps, the input of every layer, in host memory until the backward; for long sequences."""
    layout: Literal["auto", "shared", "packed", "padded"] = "auto"
    """Of micro-batches: prompts of a group computed once, sequences end to end without padding, or padded."""
    packed_attention: Literal["auto", "by_sequence", "varlen", "flash_attention_2", "flex"] = "auto"
    """In the packed layout: one product a sequence, which works everywhere; or, on a GPU, torch's variable-length flash
    attention, that of the package flash-attn, or torch's flex attention. ``auto`` is ``varlen`` on a GPU in bfloat16."""
    torch_compile: bool = False
    """Run the model's body through ``torch.compile`` in training."""
    lora: LoraConfig | None = None
    """Train adapters instead of all weights."""

    @model_validator(mode="after")
    def _something_to_offload(self) -> Self:
        if self.offload_activations and not self.gradient_checkpointing:
            raise ValueError("offload_activations needs gradient_checkpointing = true")
        return self


class TinyModel(ModelBase):
    """A small Llama with a character tokenizer, made from the recipe's seed."""

    kind: Literal["tiny"] = "tiny"
    hidden_size: Positive = 128
    """Width."""
    layers: Positive = 3
    """Decoder layers."""
    heads: Positive = 4
    """Query heads."""
    key_value_heads: Positive = 2
    """Key-value heads."""
    feed_forward_size: Positive = 352
    """Width inside the SwiGLU."""
    max_positions: Positive = 128
    """Longest sequence in tokens."""
    alphabet: str | None = None
    """Characters with a token of their own; by default digits, signs and lower-case letters."""
    words: list[str] = Field(default_factory=list[str])
    """Longer texts with a token of their own; where several fit, the longest."""


class FolderModel(ModelBase):
    """A Hugging Face folder on this machine."""

    kind: Literal["huggingface"] = "huggingface"
    path: str
    """The folder; relative to the recipe."""


class GgufModel(ModelBase):
    """A GGUF file, converted once into a Hugging Face folder in the cache."""

    kind: Literal["gguf"] = "gguf"
    path: str | None = None
    """The file; relative to the recipe."""
    package: str | None = None
    """An installed Python package that holds exactly one ``*.gguf`` file, instead of ``path``."""

    @model_validator(mode="after")
    def _one_place(self) -> GgufModel:
        if (self.path is None) == (self.package is None):
            raise ValueError("give either path or package")
        return self


ModelConfig = Annotated[TinyModel | FolderModel | GgufModel, Field(discriminator="kind")]
