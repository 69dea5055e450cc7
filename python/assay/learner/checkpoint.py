"""Checkpoints that are complete or not there at all.

A checkpoint is a folder: ``model/`` (a Hugging Face folder with the float32 weights), the tensors of the optimizer (see
``assay.learner.state``) and ``state.json``. It is written beside its final name, flushed to the disk file by file, and then renamed; a crash at any
moment leaves the previous checkpoint as the newest one.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from assay.errors import InvalidInputError, UnavailableError
from assay.learner.state import MODEL

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from assay.learner.step import Learner

_PARTIAL = ".partial"
_STATE = "state.json"


@contextmanager
def atomic_folder(final: Path) -> Generator[Path]:
    """Yields a folder to write into, which becomes ``final`` when the block ends without an error.

    Raises:
        UnavailableError: The disk is full or refuses to be written; nothing is left behind.
    """
    partial = final.with_name(final.name + _PARTIAL)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        for path in sorted(partial.rglob("*"), reverse=True):
            _flush(path)
        _flush(partial)
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
        _flush(final.parent)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"{final}: cannot be written ({reason}); free some space or choose another output folder"
        raise UnavailableError(msg) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def save_checkpoint(path: Path, learner: Learner, progress: dict[str, Any]) -> None:
    """Writes everything that the rest of the run depends on.

    Args:
        path: The folder to make.
        learner: Weights, optimizer state and step count.
        progress: Whatever else the caller needs to go on, as JSON.

    Raises:
        UnavailableError: The disk is full or refuses to be written; an earlier checkpoint is untouched.
    """
    with atomic_folder(path) as folder:
        learner.policy.export(folder / MODEL)
        learner.save_state(folder)
        state = {
            "steps_done": learner.steps_done,
            "torch_rng": torch.get_rng_state().numpy().tobytes().hex(),
            "progress": progress,
        }
        (folder / _STATE).write_text(json.dumps(state, indent=1), encoding="utf-8")


def read_progress(path: Path) -> dict[str, Any]:
    """Returns the ``progress`` that a checkpoint was saved with.

    Raises:
        InvalidInputError: The folder is not a checkpoint.
    """
    return _read_state(path)["progress"]


def load_checkpoint(path: Path, learner: Learner) -> dict[str, Any]:
    """Puts weights, optimizer state, step count and torch's random state back; returns ``progress``.

    Whole and sharded checkpoints are read by any number of processes.

    Raises:
        InvalidInputError: The folder is not a checkpoint, or one of another model.
    """
    state = _read_state(path)
    learner.load_state(path, int(state["steps_done"]))
    torch.set_rng_state(torch.frombuffer(bytearray.fromhex(state["torch_rng"]), dtype=torch.uint8))
    return state["progress"]


def newest_checkpoint(root: Path) -> Path | None:
    """Returns the complete checkpoint with the highest step under ``root``, and clears away unfinished ones."""
    if not root.is_dir():
        return None
    for leftover in root.glob(f"*{_PARTIAL}"):
        shutil.rmtree(leftover, ignore_errors=True)
    return max((path for path in root.glob("step-*") if path.is_dir()), key=lambda path: path.name, default=None)


def drop_old_checkpoints(root: Path, keep: int) -> None:
    """Deletes all but the newest ``keep`` checkpoints under ``root``."""
    complete = sorted(path for path in root.glob("step-*") if path.is_dir() and not path.name.endswith(_PARTIAL))
    for path in complete[: max(0, len(complete) - keep)]:
        # Renamed first: a folder that is half deleted must not pass for a checkpoint.
        doomed = path.with_name(path.name + _PARTIAL)
        path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((path / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: not a checkpoint (no readable {_STATE}); name a folder under checkpoints/"
        raise InvalidInputError(msg) from error
    return state


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
