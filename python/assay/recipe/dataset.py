"""What stages read and leave: problems from any source, and datasets in the run folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from assay.data import Splits, Task, load_splits
from assay.data.columnar import library, read_parquet
from assay.data.jsonl import read_jsonl
from assay.data.rows import make_task
from assay.data.split import carve
from assay.errors import InvalidInputError, UnavailableError
from assay.recipe.folder import write_whole
from assay.recipe.schema.data import AnyData, MixtureConfig, StageOutputConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from assay.recipe.schema import CollectStage

# What a row of a dataset says of where it comes from.
_PROVENANCE = (
    *("key", "model", "weight_version", "seed", "total", "components", "status", "pass_rate", "bucket", "length"),
)


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


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes JSON Lines, whole or not at all.

    Raises:
        UnavailableError: The disk is full or the folder cannot be written.
    """
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    # A lone surrogate in a decoded completion is the model's doing and must not stop the run.
    write_whole(path, text.encode("utf-8", "backslashreplace").decode("utf-8"))


def write_dataset(
    folder: Path, rows: Sequence[Mapping[str, Any]], stage: CollectStage, manifest: Mapping[str, Any]
) -> None:
    """Writes what was kept, what was not, and last the manifest, which says that the rest is there.

    Raises:
        InvalidInputError: The rows do not fit into one Parquet schema.
        UnavailableError: The disk is full or the folder cannot be written.
    """
    kept = [_training_row(row) for row in rows if row["rejected"] is None]
    rejected = [row for row in rows if row["rejected"] is not None]
    for number, start in enumerate(range(0, len(kept), stage.shard)):
        path = folder / f"data-{number:05d}.{stage.format}"
        part = kept[start : start + stage.shard]
        if stage.format == "jsonl":
            write_rows(path, part)
        else:
            _write_parquet(path, part)
    for number, start in enumerate(range(0, len(rejected), stage.shard)):
        write_rows(folder / f"rejected-{number:05d}.jsonl", rejected[start : start + stage.shard])
    whole = {**manifest, "rows": len(kept), "format": stage.format}
    write_whole(folder / "manifest.json", json.dumps(whole, indent=2, ensure_ascii=False) + "\n")


def _training_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the problem with the sampled completion, and its provenance."""
    own = {key: row[key] for key in ("prompt", "reference", "id", "completion")}
    return {**row["metadata"], **own, "provenance": {key: row[key] for key in _PROVENANCE}}


def _write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    arrow, parquet = library("pyarrow", "'assay[train]'"), library("pyarrow.parquet", "'assay[train]'")
    partial = path.with_name(path.name + ".partial")
    try:
        parquet.write_table(arrow.Table.from_pylist(rows), partial)
        partial.replace(path)
    except arrow.lib.ArrowException as error:
        partial.unlink(missing_ok=True)
        reason = str(error).splitlines()[0]
        raise InvalidInputError(f'{path}: the rows do not share one schema ({reason}); use format = "jsonl"') from error
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UnavailableError(f"{path}: cannot be written ({error.strerror}); free some space") from error


def read_marks(path: str | None, stage: str) -> dict[str, str]:
    """A reviewer's ``accept`` and ``reject`` by the key of the sample; the last mark of a sample counts.

    Args:
        path: JSON Lines, as a report writes them, with ``group_id``, ``index`` and ``mark`` (``accept``, ``reject`` or ``note``).
        stage: Whose samples; marks that name another stage are passed over.

    Raises:
        InvalidInputError: A row has another form.
    """
    marks: dict[str, str] = {}
    for number, row in read_jsonl(path) if path is not None else ():
        if row.get("stage", stage) != stage:
            continue
        group, index, mark = row.get("group_id"), row.get("index"), row.get("mark")
        if not isinstance(group, int) or not isinstance(index, int) or mark not in ("accept", "reject", "note"):
            raise InvalidInputError(
                f"{path}:{number}: not a mark; a row has group_id, index and mark (accept, reject or note)"
            )
        if mark != "note":
            marks[f"{group}/{index}"] = mark
    return marks
