"""Low-rank adapters (LoRA, arXiv 2106.09685) through peft (extra ``lora``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor
    from transformers import PreTrainedModel

_ADAPTER = "default"


class LoraOptions(NamedTuple):
    """The shape of the adapters.

    Attributes:
        rank: Of each update.
        alpha: Updates are scaled by ``alpha / rank``.
        targets: Ends of the names of the linear layers that are adapted; ``("all-linear",)`` for all but the head.
        seed: Of the adapters' first weights, so that a resumed run begins with the same.
    """

    rank: int = 16
    alpha: float = 32.0
    targets: tuple[str, ...] = ("all-linear",)
    seed: int = 0


def add_adapters(model: PreTrainedModel, options: LoraOptions) -> None:
    """Puts adapters beside the linear layers of a model, in place, and freezes everything else.

    Raises:
        InvalidInputError: peft is not installed, or no layer has such a name.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        msg = "model.lora needs peft: pip install 'assay[lora]'"
        raise InvalidInputError(msg) from error
    targets: str | list[str] = "all-linear" if options.targets == ("all-linear",) else list(options.targets)
    config = LoraConfig(r=options.rank, lora_alpha=options.alpha, target_modules=targets)  # pyright: ignore[reportArgumentType]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        try:
            inject_adapter_in_model(config, model, adapter_name=_ADAPTER)  # pyright: ignore[reportArgumentType]
        except ValueError as error:
            msg = f"model.lora.targets {list(options.targets)}: {error}"
            raise InvalidInputError(msg) from error
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)


def merged_state(model: PreTrainedModel, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict under the names of the model without adapters, their updates added to the weights they adapt.

    Args:
        model: With adapters.
        state: Its own state dict or parameters, by the model's present names; the adapters' values are taken from here.
    """
    from peft.tuners.lora import LoraLayer

    plain = {name: tensor.detach() for name, tensor in state.items() if "lora_" not in name}
    merged = {name.replace(".base_layer.", "."): tensor for name, tensor in plain.items()}
    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            layer: Any = module
            down, up = (state[f"{name}.lora_{side}.{_ADAPTER}.weight"].detach() for side in "AB")
            weight = merged[f"{name}.weight"]
            update = (up.float() @ down.float()) * layer.scaling[_ADAPTER]
            merged[f"{name}.weight"] = (weight.float() + update).to(weight.dtype)
    return merged
