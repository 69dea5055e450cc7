"""Writing files so that a crash or a full disk never leaves half of what was to be there."""

from __future__ import annotations

import fcntl
import json
import math
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from assay.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping


def write_atomic(path: Path | str, content: str | bytes) -> None:
    """Puts a whole file in place; see `atomic_file`.

    Args:
        path: the destination.
        content: text is written as UTF-8.
    """
    with atomic_file(path) as file:
        file.write(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)


@contextmanager
def atomic_file(path: Path | str) -> Generator[BinaryIO]:
    """A file beside its destination that takes its place, flushed to disk, when the block ends without an error.

    Args:
        path: the destination; its folder is made if it is not there.

    Raises:
        UnavailableError: the disk is full, or the place cannot be written; what was there before stays.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # A temporary file is private; a result is as public as any other file of this user.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be written: {error.strerror or error}; nothing was changed") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


class AppendLog:
    """A file of JSON lines that only ever ends at the end of a line.

    What was appended survives the death of the process at once, and that of the machine after `flush`. A process killed
    inside an append may leave a part of it, which `cut` removes.

    Args:
        path: the file; made if it is not there.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        """See the class."""
        self._path = path
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._length = os.lseek(self.file, 0, os.SEEK_END)

    def lock(self) -> None:
        """Keeps other processes out until this one ends, however it ends: a killed run never blocks its resumption.

        Raises:
            BlockingIOError: another process holds it.
        """
        fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Adds a line a row, NaN as null.

        Raises:
            UnavailableError: the disk is full; none of the rows is there.
        """
        text = "".join(json.dumps(finite(row), ensure_ascii=False) + "\n" for row in rows)
        # A lone surrogate in a decoded completion is the model's doing and must not stop the run.
        data = text.encode("utf-8", "backslashreplace")
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self.file, data[written:], self._length + written)
        except OSError as error:
            os.ftruncate(self.file, self._length)
            raise UnavailableError(
                f"{self._path}: cannot be written ({error.strerror}); free some space, then go on with --resume"
            ) from error
        self._length += len(data)

    def flush(self) -> int:
        """Brings the file to the disk; returns its length in bytes."""
        os.fsync(self.file)
        return self._length

    def cut(self, length: int) -> None:
        """Forgets everything after so many bytes.

        Raises:
            InvalidInputError: the file is shorter.
        """
        if length > self._length:
            raise InvalidInputError(f"{self._path}: is shorter than at the last checkpoint; the run cannot be resumed")
        os.ftruncate(self.file, length)
        self._length = length

    def close(self) -> None:
        """Closes the file."""
        os.close(self.file)


def finite(value: Any) -> Any:
    """`value` for JSON, which has no NaN: a number that is none is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in cast("list[Any]", value)]
    return value
