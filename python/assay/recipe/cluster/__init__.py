"""Runs on Ray: the learner, generators and reward servers as actors, placed together and brought back when they die."""

from __future__ import annotations

from assay.recipe.cluster.run import run_on_ray

__all__ = ["run_on_ray"]
