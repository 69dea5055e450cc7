"""How far the policy is from a reference: estimates of the KL divergence, token by token.

Schulman, "Approximating KL divergence" (2020) names them. For tokens sampled from the policy, ``d = log reference - log
policy``:

| name | value | as an estimate of KL(policy || reference) | its gradient, averaged, as a loss |
|---|---|---|---|
| ``k1`` | ``-d`` | unbiased, may be negative | zero: it regularises nothing |
| ``k2`` | ``d^2 / 2`` | biased, low variance | that of the KL |
| ``k3`` | ``exp(d) - d - 1`` (DeepSeekMath eq. 4) | unbiased, never negative | that of KL(reference || policy) |

So ``k1`` belongs into the reward, where its value counts, and ``k2`` or ``k3`` into the loss, where the gradient does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

if TYPE_CHECKING:
    from torch import Tensor

Divergence: TypeAlias = Literal["k1", "k2", "k3"]


def divergence(logprobs: Tensor, reference_logprobs: Tensor, kind: Divergence = "k3") -> Tensor:
    """The estimate of ``KL(policy || reference)`` at each token, see the table of this module.

    Args:
        logprobs: ``float32[tokens]`` under the weights in training; gets a gradient.
        reference_logprobs: ``float32[tokens]`` under the frozen reference weights.
        kind: Which estimate.

    Returns:
        ``float32[tokens]``.
    """
    difference = reference_logprobs.detach() - logprobs
    match kind:
        case "k1":
            return -difference
        case "k2":
            return difference.square() / 2
        case "k3":
            return torch.expm1(difference) - difference
