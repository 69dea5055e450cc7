"""The local engine in a process of its own, so that sampling and training overlap."""

from __future__ import annotations

from assay.rollout.process.generator import ProcessGenerator

__all__ = ["ProcessGenerator"]
