"""Completions of prompts: the records, and the generators that make them.

``LocalGenerator`` needs the ``train`` extra; the records do not.
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
)

if TYPE_CHECKING:
    from assay.rollout.local import LocalGenerator

__all__ = [
    "FinishReason",
    "Generator",
    "LocalGenerator",
    "NamedTensors",
    "Rollout",
    "RolloutGroup",
    "SamplingParams",
    "TokenIds",
]


def __getattr__(name: str) -> object:
    if name == "LocalGenerator":
        from assay.rollout.local import LocalGenerator

        return LocalGenerator
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
