"""Completions by SGLang servers: attach to running ones or launch them here, and keep their weights current.

``SGLangGenerator`` generates, ``LocalServer`` launches and supervises, ``SyncOptions`` says how weights travel. Only
pushing weights imports torch; nothing imports sglang, which may live in an environment of its own.
"""

from __future__ import annotations

from assay.rollout.sglang.generator import SGLangGenerator
from assay.rollout.sglang.launch import LaunchOptions, LocalServer, default_device, serve
from assay.rollout.sglang.options import SyncOptions, SyncReport

__all__ = ["LaunchOptions", "LocalServer", "SGLangGenerator", "SyncOptions", "SyncReport", "default_device", "serve"]
