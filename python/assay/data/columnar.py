"""Rows out of Parquet files and Hugging Face datasets; both libraries are imported when first needed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assay.data.config import HuggingFaceConfig


def library(name: str, package: str) -> Any:
    """The module `name`, or an error that says what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnavailableError(f"{name} is not installed ({error}); run: pip install {package}") from None


def read_parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """`(row, fields)` of a Parquet file, rows counted from 1, read a batch at a time.

    Raises:
        InvalidInputError: no such file, or not a Parquet file.
        UnavailableError: `pyarrow` is not installed, or the file cannot be read.
    """
    if not path.is_file():
        raise InvalidInputError(f"{path}: no such file; check the path (it is taken from {Path.cwd()})")
    parquet = library("pyarrow.parquet", "'assay[train]'")
    arrow = library("pyarrow", "'assay[train]'")
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except arrow.lib.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(f"{path}: not a readable Parquet file ({reason}); write it again") from None
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be read: {error}") from error


def read_hub(config: HuggingFaceConfig, split: str, base: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """`(row, fields)` of one split, rows counted from 1.

    Raises:
        InvalidInputError: no such dataset, subset or split.
        UnavailableError: `datasets` is not installed, or the hub cannot be reached.
    """
    datasets = library("datasets", "'assay[train]'")
    local = base / config.name
    name = str(local) if local.exists() else config.name
    try:
        rows = datasets.load_dataset(name, config.subset, split=split, revision=config.revision)
    except (ConnectionError, TimeoutError) as error:
        raise UnavailableError(_offline(config.name, error)) from None
    except (ValueError, FileNotFoundError) as error:
        raise InvalidInputError(f"{config.name}: {_first_line(error)}; check name, subset and split") from None
    except OSError as error:
        raise UnavailableError(_offline(config.name, error)) from None
    except Exception as error:
        # `datasets` and the HTTP client below it raise dozens of types for an unreachable hub, some without a common
        # base; what is none of those is not ours to explain.
        if _is_network(error):
            raise UnavailableError(_offline(config.name, error)) from None
        raise
    for number, row in enumerate(rows, start=1):
        yield number, dict(row)


def _is_network(error: BaseException) -> bool:
    """Whether the error, or one it was raised from, comes out of an HTTP client."""
    seen: BaseException | None = error
    while seen is not None:
        module = type(seen).__module__.partition(".")[0]
        if module in {"huggingface_hub", "httpx", "httpcore", "requests", "urllib3"} or isinstance(seen, OSError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _offline(name: str, error: BaseException) -> str:
    return (
        f"{name}: the Hugging Face hub cannot be reached ({_first_line(error)}); check the network, or download the "
        'dataset once and use source = "jsonl" or "parquet" with its path'
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")[:300]
