"""Which sampled completions make a dataset: filters, duplicates, balance. Every row that goes has its reason."""

from __future__ import annotations

import bisect
import hashlib
import math
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import assay
from assay.recipe.near import NearDuplicates
from assay.recipe.scoring import thinks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from assay.recipe.schema import BalanceConfig, CollectStage, FilterConfig

Row = dict[str, Any]
"""One completion with its provenance; ``rejected`` is why it is not in the dataset, or ``None``."""

_BLANK_LINE = re.compile(r"\n\s*\n")


def curate(rows: Sequence[Row], stage: CollectStage, marks: Mapping[str, str]) -> list[Row]:
    """Decides on every row; the same rows and stage give the same decisions.

    Args:
        rows: Completions of one prompt next to each other, with ``correct`` (or ``None`` where there is no score).
        stage: What is kept.
        marks: ``accept`` or ``reject`` by ``key``, from a reviewer.

    Returns:
        The rows in order, each with ``pass_rate``, ``bucket`` and ``rejected``.
    """
    rates = _pass_rates(rows)
    for row in rows:
        row["pass_rate"] = rates[row["prompt_id"]]
        row["bucket"] = None if row["pass_rate"] is None else bisect.bisect_left(stage.balance.edges, row["pass_rate"])
        row["rejected"] = _unscored(row)
    filters(rows, stage.filter)
    for row in rows:
        mark = marks.get(row["key"])
        if mark == "reject":
            row["rejected"] = "reviewer"
        elif mark == "accept":
            row["rejected"] = None
        elif row["rejected"] is None:
            row["rejected"] = _difficulty(row, stage.balance)
    if stage.filter.across_prompts:
        drop_duplicates([row for row in rows if row["rejected"] is None], stage.filter)
    else:
        _each_prompt(rows, lambda own: drop_duplicates(own, stage.filter))
    _each_prompt(rows, lambda own: _cap(own, stage.per_prompt))
    balance(rows, stage.balance.max_share)
    return list(rows)


def filters(rows: Sequence[Row], config: FilterConfig) -> None:
    """Rejects completions that are right but not fit to learn from (arXiv 2501.12948, 2.3.3)."""
    rest = [row for row in rows if row["rejected"] is None]
    if config.language is not None and rest:
        scorer = assay.Scorer({"component": [{"kind": "language", "target": config.language}]})
        shares = scorer.score([row["completion"] for row in rest], [None] * len(rest)).total.tolist()
        for row, share in zip(rest, shares, strict=True):
            row["language"] = share
    for row in rest:
        text: str = row["completion"]
        if config.finished and row["finish_reason"] != "stop":
            row["rejected"] = "unfinished"
        elif config.thinks and not thinks(text):
            row["rejected"] = "does not think"
        elif config.language is not None and row["language"] < config.min_language:
            row["rejected"] = "mixed language"
        elif config.max_paragraph and max(map(len, _BLANK_LINE.split(text))) > config.max_paragraph:
            row["rejected"] = "long paragraph"
        elif not config.code_blocks and "```" in text:
            row["rejected"] = "code block"


def drop_duplicates(rows: Sequence[Row], config: FilterConfig) -> None:
    """Of completions that say the same, keeps the first."""
    texts: set[str] = set()
    index = NearDuplicates(config.near_duplicates, config.ngram) if config.near_duplicates < 1 else None
    for row in rows:
        text = " ".join(row["completion"].split())
        if text in texts:
            row["rejected"] = "duplicate"
        elif index is not None and not index.add(text):
            row["rejected"] = "near duplicate"
        else:
            texts.add(text)


def balance(rows: Sequence[Row], max_share: float) -> None:
    """Rejects rows of the larger buckets until none is more than ``max_share`` of what stays.

    Which rows go depends on their keys alone. A share that the number of buckets cannot give (less than one over it) is
    taken as that.
    """
    buckets: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if row["rejected"] is None and row["bucket"] is not None:
            buckets[row["bucket"]].append(row)
    share = max(max_share, 1 / len(buckets)) if buckets else 1.0
    sizes = {bucket: len(own) for bucket, own in buckets.items()}
    while sizes:
        # The largest bucket is cut to its share of the others; once the largest fits, all do.
        largest = max(sizes, key=lambda bucket: (sizes[bucket], bucket))
        rest = sum(sizes.values()) - sizes[largest]
        allowed = math.floor(share * rest / (1 - share) + 1e-9) if share < 1 else sizes[largest]
        if sizes[largest] <= allowed:
            break
        sizes[largest] = min(sizes[largest] - 1, max(allowed, 0))
    for bucket, own in buckets.items():
        for row in sorted(own, key=lambda row: _rank(row["key"]))[sizes[bucket] :]:
            row["rejected"] = "balance"


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows were kept, and how many went for each reason."""
    return dict(Counter("kept" if row["rejected"] is None else row["rejected"].partition(":")[0] for row in rows))


def _pass_rates(rows: Sequence[Row]) -> dict[str, float | None]:
    """The share of right completions of each prompt, of those that have a score."""
    known: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        known[row["prompt_id"]] += [] if row["correct"] is None else [row["correct"]]
    return {prompt: sum(own) / len(own) if own else None for prompt, own in known.items()}


def _unscored(row: Row) -> str | None:
    if row["correct"] is None:
        return f"not scored: {row['status']}"
    return None if row["correct"] else "wrong"


def _difficulty(row: Row, config: BalanceConfig) -> str | None:
    if row["pass_rate"] < config.min_pass_rate:
        return "too hard"
    return "too easy" if row["pass_rate"] > config.max_pass_rate else None


def _cap(rows: Sequence[Row], most: int) -> None:
    for row in rows[most:] if most else ():
        row["rejected"] = "enough of this prompt"


def _each_prompt(rows: Sequence[Row], act: Callable[[list[Row]], None]) -> None:
    own: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["rejected"] is None:
            own[row["prompt_id"]].append(row)
    for group in own.values():
        act(group)


def _rank(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=16).digest()
