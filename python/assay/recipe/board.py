"""The same metrics for TensorBoard (extra ``track``)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Board:
    """Event files under ``tensorboard/STAGE``, one tag per metric.

    Args:
        path: The run folder.

    Raises:
        InvalidInputError: TensorBoard is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._module: Any = importlib.import_module("torch.utils.tensorboard")
        except ImportError as error:
            raise InvalidInputError("tensorboard = true needs TensorBoard: pip install 'assay[track]'") from error
        self._path = path / "tensorboard"
        self._writers: dict[str, Any] = {}

    def log(self, row: Mapping[str, Any]) -> None:
        """Adds one row of metrics."""
        stage, step = str(row["stage"]), int(row["step"])
        if stage not in self._writers:
            # What an interrupted attempt wrote from this step on is hidden: those steps are being repeated.
            self._writers[stage] = self._module.SummaryWriter(str(self._path / stage), purge_step=step)
        for name, value in row.items():
            if isinstance(value, float):
                self._writers[stage].add_scalar(name, value, step)

    def close(self) -> None:
        """Writes out what is buffered."""
        for writer in self._writers.values():
            writer.close()
