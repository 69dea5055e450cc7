"""The model a recipe asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from assay.learner.gguf import convert_gguf, gguf_in_package
from assay.learner.lora import LoraOptions
from assay.learner.policy import Policy, PolicyOptions
from assay.learner.tiny import DEFAULT_ALPHABET, TinyConfig, tiny_model
from assay.recipe.order import derive_seed
from assay.recipe.schema import FolderModel, TinyModel
from assay.recipe.tokenizer import check_fits

if TYPE_CHECKING:
    from torch import nn

    from assay.recipe.schema import ModelConfig, Recipe


def build_policy(recipe: Recipe) -> Policy:
    """The recipe's model; see ``build_model``."""
    return build_model(recipe, recipe.model)


def build_model(recipe: Recipe, model: ModelConfig) -> Policy:
    """Makes, loads or converts a model, and puts it on the recipe's device.

    Raises:
        InvalidInputError: The folder, file or package does not hold such a model, or its tokenizer is another's.
    """
    device = recipe.runtime.device
    lora = model.lora
    options = PolicyOptions(
        compute_dtype=model.compute_dtype,
        gradient_checkpointing=model.gradient_checkpointing,
        offload_activations=model.offload_activations,
        layout=model.layout,
        lora=lora and LoraOptions(lora.rank, lora.alpha, tuple(lora.targets), seed=derive_seed(recipe.seed, "lora")),
        compiled=model.torch_compile,
        packed_attention=model.packed_attention,
    )
    if isinstance(model, TinyModel):
        shape = TinyConfig(
            hidden_size=model.hidden_size,
            layers=model.layers,
            heads=model.heads,
            key_value_heads=model.key_value_heads,
            feed_forward_size=model.feed_forward_size,
            max_positions=model.max_positions,
            alphabet=DEFAULT_ALPHABET if model.alphabet is None else model.alphabet,
            words=tuple(model.words),
        )
        made, tokenizer = tiny_model(shape, seed=derive_seed(recipe.seed, "model"))
        cast("nn.Module", made).to(device)
        return Policy(made, tokenizer, options)
    if isinstance(model, FolderModel):
        path = Path(model.path)
    else:
        path = convert_gguf(Path(model.path) if model.path else gguf_in_package(str(model.package)))
    policy = Policy.load(path, options, device=device)
    embeddings: Any = policy.model.get_input_embeddings()
    check_fits(policy.tokenizer, int(embeddings.weight.shape[0]), f"model.path {str(path)!r}")
    return policy


def model_name(model: ModelConfig) -> str:
    """What to call a model in a dataset's provenance and on a card."""
    if isinstance(model, TinyModel):
        return f"tiny llama ({model.layers} x {model.hidden_size})"
    return str(model.path or getattr(model, "package", ""))
