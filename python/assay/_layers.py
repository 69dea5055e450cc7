"""Norms and gated feed-forward layers of transformers models, with fewer passes over memory and less kept for the backward.

``lighten`` exchanges the forward of the layers it knows, after comparing it with theirs. Each is a function of its own for
autograd, which keeps the layer's input and computes the rest again: of an RMSNorm one tensor instead of three, of a gated
activation two instead of three. Only on a CPU: accelerators have fused kernels of their own.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

_ORIGINAL = "_assay_original_forward"
_CLOSE = 1e-5


def lighten(model: nn.Module) -> None:
    """Exchanges the forwards that are known to be the same; safe to repeat."""
    for module in model.modules():
        if hasattr(module, _ORIGINAL):
            continue
        if _is_norm(module):
            _exchange(module, _norm_forward, cast("Tensor", module.weight).shape[0])
        elif _is_gated(module):
            _exchange(module, _gated_forward, cast("nn.Linear", module.gate_proj).in_features)


def _exchange(module: Any, forward: Callable[[Any, Tensor], Tensor], width: int) -> None:
    weight: Tensor = next(module.parameters())
    if weight.device.type != "cpu" or not weight.is_floating_point():
        return
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(2, width, generator=generator).to(weight.dtype)
    setattr(module, _ORIGINAL, module.forward)
    with torch.no_grad():
        same = torch.allclose(forward(module, probe).float(), module.forward(probe).float(), rtol=_CLOSE, atol=_CLOSE)
    if same:
        module.forward = MethodType(forward, module)
    else:
        delattr(module, _ORIGINAL)


def _is_norm(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    named = type(module).__name__.endswith("RMSNorm") and hasattr(module, "variance_epsilon")
    return named and isinstance(weight, nn.Parameter) and weight.dim() == 1 and getattr(module, "bias", None) is None


def _is_gated(module: nn.Module) -> bool:
    parts = [getattr(module, name, None) for name in ("gate_proj", "up_proj", "down_proj")]
    act = type(getattr(module, "act_fn", None)).__name__
    return all(isinstance(part, nn.Linear) for part in parts) and act in {"SiLU", "SiLUActivation"}


def _norm_forward(self: Any, hidden_states: Tensor) -> Tensor:
    if hidden_states.device.type != "cpu":
        return getattr(self, _ORIGINAL)(hidden_states)
    return cast("Tensor", _RmsNorm.apply(hidden_states, self.weight, self.variance_epsilon))


def _gated_forward(self: Any, x: Tensor) -> Tensor:
    if x.device.type != "cpu":
        return getattr(self, _ORIGINAL)(x)
    return self.down_proj(_SiluProduct.apply(self.gate_proj(x), self.up_proj(x)))


class _RmsNorm(torch.autograd.Function):
    """``weight * (x / sqrt(mean(x^2) + epsilon))`` in float32, rounded to the dtype of ``x`` before the weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:  # type: ignore[override] - torch's are Any
        wide = x.float()
        size = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        scale = size.square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        normed = (wide * scale).to(x.dtype)
        return normed.mul_(weight) if normed.dtype == weight.dtype else normed * weight

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        x, weight, scale = ctx.saved_tensors
        normed = x.float() * scale
        grad_weight = None
        if ctx.needs_input_grad[1]:
            grad_weight = (grad * normed.to(x.dtype)).flatten(0, -2).sum(0).to(weight.dtype)
        if not ctx.needs_input_grad[0]:
            return None, grad_weight, None
        inner = (grad * weight).float()
        along = torch.linalg.vecdot(inner, normed)[..., None] / x.shape[-1]
        grad_x = inner.addcmul_(normed, along, value=-1.0).mul_(scale)
        return grad_x.to(x.dtype), grad_weight, None


class _SiluProduct(torch.autograd.Function):
    """``silu(gate) * up``."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(gate, up)
        return nn.functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        gate, up = ctx.saved_tensors
        grad_gate = torch.ops.aten.silu_backward(grad * up, gate)
        return grad_gate, nn.functional.silu(gate).mul_(grad)
