"""What stages read and leave: problems from any source, and datasets in the run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.data import Splits, Task, load_splits
from assay.data.columnar import read_parquet
from assay.data.jsonl import read_jsonl
from assay.data.rows import make_task
from assay.data.split import carve
from assay.errors import InvalidInputError
from assay.recipe.schema.data import AnyData, MixtureConfig, StageOutputConfig

if TYPE_CHECKING:
    from pathlib import Path


def load_data(config: AnyData, run: Path | None) -> Splits:
    """The problems of one ``data`` table.

    Args:
        config: Any source.
        run: The run folder, for sources that earlier stages left.

    Raises:
        InvalidInputError: A file, row or field is not as described, or the earlier stage left nothing.
    """
    if isinstance(config, MixtureConfig):
        parts = [load_data(part, run) for part in config.parts]
        train = [task for part in parts for task in part.train]
        held_out = [task for part in parts for task in part.held_out]
        return Splits(train[: config.limit], held_out, sum(part.removed for part in parts))
    if isinstance(config, StageOutputConfig):
        assert run is not None, "what a stage leaves is read when a later one begins"
        return _stage_output(config, run)
    return load_splits(config)


def _stage_output(config: StageOutputConfig, run: Path) -> Splits:
    folder = run / "datasets" / config.stage
    if not (folder / "manifest.json").is_file():
        raise InvalidInputError(
            f"{folder}: there is no finished dataset of stage {config.stage!r}; run that stage first, or go on with "
            "--resume"
        )
    tasks: list[Task] = []
    for path in sorted([*folder.glob("data-*.jsonl"), *folder.glob("data-*.parquet")]):
        rows = read_jsonl(path) if path.suffix == ".jsonl" else read_parquet(path)
        for number, row in rows:
            where = f"{path}:{number}"
            tasks.append(
                make_task(row, prompt="prompt", reference="reference", gold="as_is", where=where, source=str(path))
            )
    if not tasks:
        raise InvalidInputError(
            f"{folder}: stage {config.stage!r} kept no row, so there is nothing to train on; its rejected-*.jsonl says why"
        )
    splits = carve(tasks, config.held_out, seed=config.seed) if config.held_out else Splits(tasks, [], 0)
    return Splits(splits.train[: config.limit], splits.held_out, splits.removed)
