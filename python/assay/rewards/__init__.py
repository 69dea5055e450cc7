"""Scoring in this process."""

from assay._native import Extraction, Verdict, extract, verify
from assay.rewards.scorer import Completion, Scorer

__all__ = ["Completion", "Extraction", "Scorer", "Verdict", "extract", "verify"]
