"""`assay serve`: the reward server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from assay.commands.output import say


def serve(
    bind: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Listen here; port 0 takes a free one. [default: 127.0.0.1:50051]", show_default=False
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A TOML file with any of the settings; options given here win over it.", show_default=False),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=0, max=1024, help="Threads that score; 0 is one for each core. [default: 0]", show_default=False),
    ] = None,
    max_message_bytes: Annotated[
        int | None,
        typer.Option(min=1, help="Largest message in either direction. [default: 67108864]", show_default=False),
    ] = None,
    tokenizer: Annotated[
        list[Path] | None,
        typer.Option(help="A tokenizer.json that token ids may belong to; may be repeated.", show_default=False),
    ] = None,
) -> None:
    """Serve rewards over gRPC until Ctrl-C or SIGTERM; `assay.connect` is the client.

    Prints `listening on HOST:PORT` when it is ready. What is in flight at the stop is finished. Logs go to standard
    error; ASSAY_LOG sets what is logged (default `info`).
    """
    from assay import _native

    def announce(address: str) -> None:
        say(f"listening on {address}")
        sys.stdout.flush()

    _native.serve(
        announce,
        bind=bind,
        config=config,
        threads=threads,
        max_message_bytes=max_message_bytes,
        tokenizers=tokenizer or [],
    )
