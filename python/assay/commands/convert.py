"""`assay convert`: a GGUF file as a Hugging Face folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.commands.output import Json, emit_json, need, quiet_libraries, say


def convert(
    source: Annotated[
        str, typer.Argument(help="A .gguf file, or `package:NAME` for the one in a Python package.", show_default=False)
    ],
    *,
    cache: Annotated[
        Path | None, typer.Option(help="Where to keep the folder; the user's cache by default.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn a GGUF file into a Hugging Face folder.

    Prints the folder. The work is done once; asked again, the command finds it. Quantised weights are expanded to
    float32 as they are, which gains nothing back.
    """
    need("torch", "transformers", "gguf", extra="train")
    from assay.learner.gguf import convert_gguf, gguf_in_package

    quiet_libraries()
    package = source.removeprefix("package:")
    file = gguf_in_package(package) if package != source else Path(source)
    folder = convert_gguf(file, cache=cache)
    if as_json:
        emit_json({"source": str(file), "folder": str(folder)})
    else:
        say(str(folder))
