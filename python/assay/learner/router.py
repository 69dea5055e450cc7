"""The load-balancing loss of a mixture of experts."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from assay._transformers import text_config

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


def has_router(model: PreTrainedModel) -> bool:
    """Whether the model can give the logits of its routers."""
    recorded = getattr(model.base_model, "_can_record_outputs", None) or {}
    return "router_logits" in recorded


def balancing_loss(model: PreTrainedModel, router_logits: tuple[Tensor, ...]) -> Tensor:
    """``experts * sum over experts of (share of tokens routed to it) * (mean probability of it)``, over all layers.

    Switch Transformer (arXiv 2101.03961) eq. 4 for the top k; k when perfectly balanced.

    Args:
        model: Whose configuration says how many experts there are and how many a token gets.
        router_logits: ``[tokens, experts]`` of each layer; no padding among the tokens.
    """
    config = text_config(model)
    experts = getattr(config, "num_experts", None) or config.num_local_experts
    return cast("Tensor", load_balancing_loss_func(router_logits, experts, config.num_experts_per_tok))  # pyright: ignore[reportArgumentType]
