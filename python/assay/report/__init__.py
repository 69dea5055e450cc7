"""A run folder as a page to read: curves, tables and traces."""

from __future__ import annotations

from assay.report.build import Report, build

__all__ = ["Report", "build"]
