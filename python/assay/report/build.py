"""From run folders to a report."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay._files import write_atomic
from assay.errors import InvalidInputError
from assay.report.decisions import datasets, decided_groups
from assay.report.figures import write_figures
from assay.report.page import page, page_data
from assay.report.run import Row, Run, read_run
from assay.report.samples import read_samples

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Report:
    """What was written.

    Attributes:
        html: the page.
        figures: the PNG files; empty without matplotlib, which `notes` then says.
        notes: everything the reader should know about what is missing or left out, as it stands in the page.
    """

    html: Path
    figures: list[Path]
    notes: list[str]


def build(folders: Sequence[Path | str], output: Path | str | None = None, *, figures: bool = True) -> Report:
    """Writes `report.html`, and PNG figures beside it, for one run or several compared.

    Args:
        folders: run folders as `assay train` writes them; a run still going, or killed, is fine.
        output: where to write; by default `report/` inside the only run.
        figures: whether to draw PNG figures too.

    Raises:
        InvalidInputError: no folder, one that is no run, or several without `output`.
        UnavailableError: something cannot be read or written; a report from before is then unchanged.
    """
    if not folders:
        raise InvalidInputError("report: name at least one run folder")
    if output is None and len(folders) > 1:
        raise InvalidInputError("report: with several runs, say where to write with --output")
    target = Path(folders[0]) / "report" if output is None else Path(output)
    runs, data = collect(folders)
    notes: list[str] = list(data["notes"])
    write_atomic(target / "report.html", page(data))
    images: list[Path] = []
    if figures and importlib.util.find_spec("matplotlib") is None:
        notes.append("no PNG figures: matplotlib is not installed (pip install 'assay[report]')")
    elif figures:
        images = write_figures(runs, target / "figures")
    return Report(target / "report.html", images, notes)


def collect(folders: Sequence[Path | str]) -> tuple[list[Run], Row]:
    """Reads run folders; the runs, and what a page about them shows.

    Raises:
        InvalidInputError: no folder, or one that is no run.
        UnavailableError: something cannot be read.
    """
    if not folders:
        raise InvalidInputError("report: name at least one run folder")
    runs = [read_run(folder) for folder in folders]
    _tell_apart(runs)
    groups: list[list[Row]] = []
    statuses: list[Row] = []
    for run in runs:
        parts = datasets(run)
        share = 1 / len(runs) / (1 + len(parts))
        shown, counts = read_samples(run.folder / "samples.jsonl", run.notes, share=share)
        for part in parts:
            shown += decided_groups(part, run.notes, share=share)
        groups.append(shown)
        statuses.append(counts)
    return runs, page_data(runs, groups, statuses)


def _tell_apart(runs: Sequence[Run]) -> None:
    """Folders of one name get their position beside it."""
    names = [run.name for run in runs]
    for position, run in enumerate(runs, start=1):
        if names.count(run.name) > 1:
            run.name = f"{run.name} ({position})"
