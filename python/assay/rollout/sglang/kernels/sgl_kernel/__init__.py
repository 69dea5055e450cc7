"""Stands in for SGLang's compiled kernels on a CPU, for which no package is published.

SGLang imports names from ``sgl_kernel`` when it starts, but its torch-native path calls none of them. Every name is
there; calling one raises, so nothing is ever computed by something that only pretends to be a kernel. The folder above
is put on the path of a server with ``device = "cpu"`` whose environment has no ``sgl_kernel`` of its own.
"""

from __future__ import annotations

from typing import NoReturn


class _Missing:
    """A kernel that is not there."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, *_arguments: object, **_options: object) -> NoReturn:
        msg = f"sgl_kernel.{self.__name__} has no CPU build: this path of SGLang needs a GPU"
        raise NotImplementedError(msg)


def __getattr__(name: str) -> _Missing:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Missing(name)
