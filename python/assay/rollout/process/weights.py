"""A model's weights in a file that two processes map: one writes, the other copies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch import Tensor

_ALIGNMENT = 64


class SharedWeights:
    """Tensors back to back in one mapped file, each at a multiple of 64 bytes.

    Args:
        path: The file; made if it is not there, in memory if its folder is (``/dev/shm``).
        layout: Name, shape and dtype of each, in order; both processes give the same.
    """

    def __init__(self, path: Path, layout: Iterable[tuple[str, torch.Size, torch.dtype]]) -> None:
        offset = 0
        places: dict[str, tuple[int, torch.Size, torch.dtype]] = {}
        for name, shape, dtype in layout:
            places[name] = (offset, shape, dtype)
            size = shape.numel() * dtype.itemsize
            offset += -(-size // _ALIGNMENT) * _ALIGNMENT
        whole = torch.from_file(str(path), shared=True, size=max(offset, 1), dtype=torch.uint8)
        self._tensors: dict[str, Tensor] = {
            name: whole[start : start + shape.numel() * dtype.itemsize].view(dtype).reshape(shape)
            for name, (start, shape, dtype) in places.items()
        }

    def write(self, named: Iterable[tuple[str, Tensor]]) -> None:
        """Copies tensors in.

        Raises:
            InvalidInputError: A name or shape is not one of the layout's, or one is missing.
        """
        missing = set(self._tensors)
        for name, tensor in named:
            own = self._tensors.get(name)
            if own is None or own.shape != tensor.shape:
                msg = f"weight {name!r} of shape {tuple(tensor.shape)} is not one of the generator's model"
                raise InvalidInputError(msg)
            own.copy_(tensor)
            missing.discard(name)
        if missing:
            raise InvalidInputError(f"weight {min(missing)!r} is missing: the generator's model has it")

    def read(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors as they are now, not copied."""
        yield from self._tensors.items()


def layout_of(named: Mapping[str, Tensor]) -> list[tuple[str, torch.Size, torch.dtype]]:
    """Name, shape and dtype of each tensor."""
    return [(name, tensor.shape, tensor.dtype) for name, tensor in named.items()]


def memory_folder() -> Path | None:
    """Where files live in memory, if this system has such a place."""
    place = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    return place if place.is_dir() else None
