"""The metrics of a run in the trackers that people watch: TensorBoard, Weights & Biases, trackio (extra ``track``)."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any, Protocol

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Tracker(Protocol):
    """Somewhere that rows of metrics go beside ``metrics.jsonl``."""

    def log(self, row: Mapping[str, Any]) -> None:
        """Adds one row; it has ``stage``, ``step`` and numbers."""
        ...

    def close(self) -> None:
        """Writes out what is buffered."""
        ...


def open_trackers(names: Sequence[str], path: Path, recipe: Mapping[str, Any]) -> list[Tracker]:
    """Opens every tracker that a recipe names.

    Args:
        names: ``tensorboard``, ``wandb``, ``trackio``.
        path: The run folder.
        recipe: The resolved recipe, which trackers keep as the run's configuration.

    Raises:
        InvalidInputError: A tracker is not installed.
    """
    return [_TRACKERS[name](path, recipe) for name in names]


class TensorBoard:
    """Event files under ``tensorboard/STAGE``, one tag per metric.

    Args:
        path: The run folder.
        recipe: Not kept: the folder has it.
    """

    def __init__(self, path: Path, recipe: Mapping[str, Any]) -> None:
        del recipe
        self._module = _need("torch.utils.tensorboard", "tensorboard")
        self._path = path / "tensorboard"
        self._writers: dict[str, Any] = {}

    def log(self, row: Mapping[str, Any]) -> None:
        """Adds one row of metrics."""
        stage, step = str(row["stage"]), int(row["step"])
        if stage not in self._writers:
            # What an interrupted attempt wrote from this step on is hidden: those steps are being repeated.
            self._writers[stage] = self._module.SummaryWriter(str(self._path / stage), purge_step=step)
        for name, value in _numbers(row).items():
            self._writers[stage].add_scalar(name, value, step)

    def close(self) -> None:
        """Writes out what is buffered."""
        for writer in self._writers.values():
            writer.close()


class _Service:
    """What W&B and trackio have in common: one run, metrics named ``STAGE/METRIC``, steps counted over all stages.

    A resumed attempt goes on with the run of the same id, which is kept in the run folder.
    """

    _name = ""

    def __init__(self, path: Path, recipe: Mapping[str, Any]) -> None:
        self._module = _need(self._name, self._name)
        self._run: Any = self._start(path, dict(recipe))

    def _start(self, path: Path, recipe: dict[str, Any]) -> Any:
        raise NotImplementedError

    def log(self, row: Mapping[str, Any]) -> None:
        """Adds one row of metrics."""
        stage = str(row["stage"])
        values: dict[str, Any] = {f"{stage}/{name}": value for name, value in _numbers(row).items()}
        self._run.log({**values, f"{stage}/step": int(row["step"])})

    def close(self) -> None:
        """Sends or writes out what is buffered."""
        self._run.finish()


class WeightsAndBiases(_Service):
    """A W&B run in the project ``assay``; ``WANDB_PROJECT``, ``WANDB_MODE=offline`` and the rest of its environment hold.

    Each stage's metrics are drawn over ``STAGE/step``, so steps that a resumed attempt repeats fall on their old places.
    """

    _name = "wandb"

    def _start(self, path: Path, recipe: dict[str, Any]) -> Any:
        kept = path / "wandb-run.json"
        known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
        run = self._module.init(
            project=_environment("WANDB_PROJECT", "assay"),
            name=path.name,
            dir=str(path),
            config=recipe,
            id=known.get("id"),
            resume="allow",
            settings=self._module.Settings(silent=True, console="off"),
        )
        kept.write_text(json.dumps({"id": run.id}), encoding="utf-8")
        for stage in recipe.get("stage", []):
            run.define_metric(f"{stage['name']}/*", step_metric=f"{stage['name']}/step")
        return run


class Trackio(_Service):
    """A trackio run in the project ``assay`` (``TRACKIO_PROJECT``), kept on this machine unless its environment says other."""

    _name = "trackio"

    def _start(self, path: Path, recipe: dict[str, Any]) -> Any:
        return self._module.init(
            project=_environment("TRACKIO_PROJECT", "assay"),
            name=path.name,
            config=recipe,
            resume="allow",
            embed=False,
        )


def _environment(name: str, default: str) -> str:
    import os

    return os.environ.get(name) or default


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in row.items() if isinstance(value, float)}


def _need(module: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InvalidInputError(f"track = [{name!r}] needs {name}: pip install 'assay[track]'") from error


_TRACKERS = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases, "trackio": Trackio}
