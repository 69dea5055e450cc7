"""Completions of prompts: the records, and the generators that make them.

``LocalGenerator`` and ``ProcessGenerator`` need the ``train`` extra, ``SGLangGenerator`` torch only to push weights, the
records neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.rollout.types import (
    FinishReason,
    Generator,
    NamedTensors,
    Rollout,
    RolloutGroup,
    SamplingParams,
    TokenIds,
    WeightSpan,
)

if TYPE_CHECKING:
    from assay.rollout.local import LocalGenerator
    from assay.rollout.process import ProcessGenerator
    from assay.rollout.sglang import SGLangGenerator

__all__ = [
    "FinishReason",
    "Generator",
    "LocalGenerator",
    "NamedTensors",
    "ProcessGenerator",
    "Rollout",
    "RolloutGroup",
    "SGLangGenerator",
    "SamplingParams",
    "TokenIds",
    "WeightSpan",
]


def __getattr__(name: str) -> object:
    if name == "LocalGenerator":
        from assay.rollout.local import LocalGenerator

        return LocalGenerator
    if name == "ProcessGenerator":
        from assay.rollout.process import ProcessGenerator

        return ProcessGenerator
    if name == "SGLangGenerator":
        from assay.rollout.sglang import SGLangGenerator

        return SGLangGenerator
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
