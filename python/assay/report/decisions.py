"""What stages that collect a dataset kept and rejected: their tally, and their samples with the reason of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from assay.report.run import Row, Run, number, tolerant_rows
from assay.report.samples import read_samples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def datasets(run: Run) -> list[Path]:
    """The folders of the datasets that a run has begun to collect."""
    root = run.folder / "datasets"
    return sorted(path for path in root.iterdir() if any(path.glob("samples-*.jsonl"))) if root.is_dir() else []


def decision_table(runs: Sequence[Run]) -> list[Row]:
    """One row for each dataset: how many samples were kept, and how many went for each reason."""
    table: list[Row] = []
    for run in runs:
        for folder in datasets(run):
            manifest = _manifest(folder)
            counts = manifest.get("counts")
            if not isinstance(counts, dict):
                run.notes.append(f"datasets/{folder.name}: not finished; there are no decisions yet")
                continue
            tally = {str(name): number(count) or 0.0 for name, count in cast("Row", counts).items()}
            kept = tally.pop("kept", 0.0)
            table.append(
                {
                    "run": run.name,
                    "stage": folder.name,
                    "model": str(manifest.get("model", "?")),
                    "kept": kept,
                    "rejected": dict(sorted(tally.items(), key=lambda entry: -entry[1])),
                }
            )
    return table


def decided_groups(folder: Path, notes: list[str], *, share: float) -> list[Row]:
    """The samples of a dataset by prompt, each with `rejected`: why it is not in it, or "" if it was kept.

    Args:
        folder: of the dataset.
        notes: what was left out is added here.
        share: of what a report may carry, this dataset's part, in (0, 1].
    """
    finished = (folder / "manifest.json").is_file()
    reasons: dict[str, str] = {}
    for path in sorted(folder.glob("rejected-*.jsonl")):
        for _, _, row in tolerant_rows(path, notes):
            reasons[str(row.get("key"))] = str(row.get("rejected") or "?")
    files = sorted(folder.glob("samples-*.jsonl"))
    groups: list[Row] = []
    for path in files:
        shown, _ = read_samples(path, notes, share=share / len(files), stage=folder.name)
        groups += shown
    for group in groups:
        for sample in group["samples"]:
            if finished:
                sample["rejected"] = reasons.get(f"{group['id']}/{sample['index']}", "")
    return groups


def _manifest(folder: Path) -> Row:
    try:
        value = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return cast("Row", value) if isinstance(value, dict) else {}
