"""Writing files so that a reader sees the old one or the whole new one, never a part."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from assay.errors import UnavailableError


def write_atomic(path: Path | str, content: str | bytes) -> None:
    """Writes a file beside its destination, flushes it to disk, and renames it into place.

    Args:
        path: the destination; its folder is made if it is not there.
        content: text is written as UTF-8.

    Raises:
        UnavailableError: the disk is full, or the place cannot be written; what was there before stays.
    """
    path = Path(path)
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # A temporary file is private; a result is as public as any other file of this user.
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be written: {error.strerror or error}; nothing was changed") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
