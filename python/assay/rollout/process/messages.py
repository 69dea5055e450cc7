"""What the two processes tell each other. Kept apart from the worker, which runs as a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from assay.rollout.types import SamplingParams, TokenIds


@dataclass(frozen=True, slots=True)
class Start:
    """What a worker is made of: a folder with ``config.json`` and ``weights``, and how to run them."""

    folder: Path
    dtype: str
    attention: str
    device: str
    token_budget: int
    threads: int


@dataclass(frozen=True, slots=True)
class Request:
    """One call of ``generate``."""

    number: int
    prompts: list[TokenIds]
    group_size: int
    sampling: SamplingParams
    seed: int
    first_group_id: int
