"""The table `[runtime]`: the machine."""

from __future__ import annotations

from assay.data import StrictModel
from assay.recipe.schema.base import Count, NotNegative, Positive


class RuntimeConfig(StrictModel):
    """The machine."""

    threads: Count = 0
    """Torch threads; 0 leaves torch's own choice. Results repeat bit for bit only with the same number."""
    device: str = "cpu"
    """Where the model runs, as torch names it."""
    peak_tflops: NotNegative = 0.0
    """What one device can do at most in ``compute_dtype``, for ``mfu``; 0 looks it up for bfloat16, and no CPU is listed."""
    token_budget: Positive = 65_536
    """Tokens of key-value cache that one sampling batch may hold."""
