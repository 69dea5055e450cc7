"""Problems: where they come from, how they are put to a model, and which are held out."""

from __future__ import annotations

from assay.data.config import (
    AdditionConfig,
    DataConfig,
    HuggingFaceConfig,
    JsonlConfig,
    ParquetConfig,
    ReasoningGymConfig,
    Source,
    parse_config,
)
from assay.data.jsonl import read_jsonl
from assay.data.load import load, load_splits
from assay.data.rows import gold_answer
from assay.data.split import Splits, normalised, without_overlap
from assay.data.strict import StrictModel, check
from assay.data.task import Message, Prompt, Task, prompt_text
from assay.data.templates import R1_TEMPLATE, Template, render

__all__ = [
    "R1_TEMPLATE",
    "AdditionConfig",
    "DataConfig",
    "HuggingFaceConfig",
    "JsonlConfig",
    "Message",
    "ParquetConfig",
    "Prompt",
    "ReasoningGymConfig",
    "Source",
    "Splits",
    "StrictModel",
    "Task",
    "Template",
    "check",
    "gold_answer",
    "load",
    "load_splits",
    "normalised",
    "parse_config",
    "prompt_text",
    "read_jsonl",
    "render",
    "without_overlap",
]
