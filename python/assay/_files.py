"""Writing files so that a reader sees the old one or the whole new one, never a part."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from assay.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator


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
