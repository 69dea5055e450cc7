"""Norms and gated feed-forward layers of transformers models, with fewer passes over memory and less kept for the backward.

``lighten`` exchanges the forward of the layers it knows, after comparing it with theirs. Each is a function of its own for
autograd, which keeps the layer's input and computes the rest again: of an RMSNorm one tensor instead of three, of a gated
activation two instead of three. Only on a CPU: accelerators have fused kernels of their own.
"""

from __future__ import annotations

import copy
from types import MethodType
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

_ORIGINAL = "_assay_original_forward"
_CLOSE = 1e-5
_PROBE = 8


def lighten(model: nn.Module) -> None:
    """Exchanges the forwards that are known to be the same; safe to repeat."""
    for module in model.modules():
        if _ORIGINAL in vars(module):
            continue
        if _is_norm(module):
            _exchange(module, _norm_forward, _small_norm(module))
        elif _is_gated(module):
            _exchange(module, _gated_forward, _small_gated(module))


def _exchange(module: nn.Module, forward: Callable[[Any, Tensor], Tensor], small: nn.Module) -> None:
    """Compares on a small copy with weights of its own: those of the module may not be there yet."""
    probe = torch.linspace(-2.0, 2.0, 3 * _PROBE).reshape(3, _PROBE)
    setattr(small, _ORIGINAL, small.forward)
    with torch.no_grad():
        same = torch.allclose(forward(small, probe), small.forward(probe), rtol=_CLOSE, atol=_CLOSE)
    if same:
        setattr(module, _ORIGINAL, module.forward)
        module.forward = MethodType(forward, module)


def _small_norm(module: nn.Module) -> nn.Module:
    small = copy.copy(module)
    vars(small)["_parameters"] = {"weight": nn.Parameter(torch.linspace(0.5, 1.5, _PROBE))}
    return small


def _small_gated(module: nn.Module) -> nn.Module:
    small = copy.copy(module)
    parts = vars(small)["_modules"] = dict[str, nn.Module](module.named_children())
    for number, name in enumerate(("gate_proj", "up_proj", "down_proj")):
        part = nn.Linear(_PROBE, _PROBE, bias=False, device="cpu", dtype=torch.float32)
        part.weight = nn.Parameter(torch.linspace(-0.3, 0.4 + number / 10, _PROBE * _PROBE).reshape(_PROBE, _PROBE))
        parts[name] = part
    return small


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
