"""The run folder: what a run leaves behind, written so that a crash or a full disk never leaves half a line."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from assay._files import AppendLog, finite
from assay.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from assay.recipe.track import Tracker

_LOGS = ("metrics.jsonl", "samples.jsonl", "traces.jsonl")


class RunFolder:
    """``recipe.toml``, ``metrics.jsonl``, ``samples.jsonl``, ``traces.jsonl``, ``checkpoints/``, ``summary.json``, ``tensorboard/``.

    Rows of metrics go to ``trackers`` as well.

    Args:
        path: The folder. A new run needs one without an earlier run in it; a resumed one needs that run.
        recipe_text: The resolved recipe.
        resume: Go on with the run in the folder.

    Raises:
        InvalidInputError: There is a run where none should be, or none, or one of another recipe, or another process
            is at work on it.
        UnavailableError: The folder cannot be written.
    """

    def __init__(self, path: Path, recipe_text: str, *, resume: bool) -> None:
        self.path = path
        self.trackers: list[Tracker] = []
        recipe = path / "recipe.toml"
        if not resume and _holds_a_run(path):
            raise InvalidInputError(
                f"{path}: holds a run already; add --resume to go on with it, or choose another --out"
            )
        if resume and not recipe.exists():
            raise InvalidInputError(f"{path}: there is no run to resume; leave --resume out to start one")
        if resume and (difference := _first_difference(recipe.read_text(encoding="utf-8"), recipe_text)):
            raise InvalidInputError(
                f"{recipe}: the run to resume has another recipe ({difference}); resume it with its own, or choose "
                "another --out"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._logs = {name: AppendLog(path / name) for name in _LOGS}
            self._logs["metrics.jsonl"].lock()
            if not resume:
                write_whole(recipe, recipe_text)
        except BlockingIOError as error:
            self.close()
            raise InvalidInputError(
                f"{path}: another process is writing this run; wait for it, or choose another --out"
            ) from error
        except OSError as error:
            raise UnavailableError(f"{path}: cannot write the run folder: {error.strerror}") from error

    def checkpoints(self, stage: str) -> Path:
        """Where a stage keeps its checkpoints."""
        return self.path / "checkpoints" / stage

    def log(self, row: Mapping[str, Any]) -> None:
        """Appends one row of metrics. NaN becomes null.

        Raises:
            UnavailableError: The disk is full; the row is not there at all.
        """
        self._logs["metrics.jsonl"].append([row])
        for tracker in self.trackers:
            tracker.log(row)

    def log_samples(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Appends completions.

        Raises:
            UnavailableError: The disk is full; none of the rows is there.
        """
        self._logs["samples.jsonl"].append(rows)

    def log_traces(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Appends completions that say something of interest.

        Raises:
            UnavailableError: The disk is full; none of the rows is there.
        """
        self._logs["traces.jsonl"].append(rows)

    def flush(self) -> dict[str, int]:
        """Brings all rows to the disk; returns the length of each file in bytes, for ``rewind``."""
        return {name: log.flush() for name, log in self._logs.items()}

    def rewind(self, lengths: Mapping[str, int]) -> None:
        """Cuts the files back to what they held at a checkpoint: later rows will be written again."""
        for name, log in self._logs.items():
            log.cut(lengths.get(name, 0))

    def read_metrics(self) -> list[dict[str, Any]]:
        """All rows of metrics so far."""
        self.flush()
        text = (self.path / "metrics.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes ``summary.json``, whole or not at all.

        Raises:
            UnavailableError: The disk is full.
        """
        write_whole(self.path / "summary.json", json.dumps(finite(summary), indent=2) + "\n")

    def close(self) -> None:
        """Closes the files."""
        for log in self._logs.values():
            log.close()
        for tracker in self.trackers:
            tracker.close()


def write_whole(path: Path, text: str) -> None:
    """Replaces a file in one step.

    Raises:
        UnavailableError: The disk is full or the folder cannot be written; an earlier file is untouched.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UnavailableError(f"{path}: cannot be written ({error.strerror}); free some space") from error


def _holds_a_run(path: Path) -> bool:
    """Whether anything was trained or measured here; a recipe that failed before its first step leaves nothing."""
    metrics = path / "metrics.jsonl"
    return (metrics.is_file() and metrics.stat().st_size > 0) or any((path / "checkpoints").glob("*/step-*"))


def _first_difference(old: str, new: str) -> str:
    section = ""
    for before, after in zip([*old.splitlines(), ""], [*new.splitlines(), ""], strict=False):
        if before != after:
            return f"{section} {before or 'end'!r} there, {after or 'end'!r} here".strip()
        section = before if before.startswith("[") else section
    return ""
