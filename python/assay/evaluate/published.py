"""What others measured on the same benchmarks, each figure with its source (`published.toml`)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Published:
    """One model's published results.

    Attributes:
        model: its name.
        source: the paper and table, or the page.
        figures: shares in [0, 1] by `(benchmark, metric)`; the metric is `pass@1` or `cons@64`.
    """

    model: str
    source: str
    figures: dict[tuple[str, str], float]


def published(benchmarks: Collection[str] | None = None) -> list[Published]:
    """The published results, of all models that have one on any of `benchmarks` (by default on any at all)."""
    text = (resources.files("assay.evaluate") / "published.toml").read_text(encoding="utf-8")
    found: list[Published] = []
    for entry in tomllib.loads(text)["result"]:
        figures = {
            (name.split(" ")[0], name.split(" ")[1]): value / 100.0 for name, value in entry.items() if " " in name
        }
        if benchmarks is not None:
            figures = {key: value for key, value in figures.items() if key[0] in benchmarks}
        if figures:
            found.append(Published(entry["model"], entry["source"], figures))
    return found
