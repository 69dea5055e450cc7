"""`assay serve`: the reward server, in this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def serve(  # noqa: PLR0913 - one parameter an option
    *,
    bind: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one. [default: 127.0.0.1:50051]"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A TOML file with any of the settings; options given here win over it.", show_default=False),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=0, help="Threads that score; 0 is one for each core. [default: 0]")
    ] = None,
    max_message_bytes: Annotated[
        int | None, typer.Option(min=1, help="Largest message in either direction. [default: 67108864]")
    ] = None,
    tokenizer: Annotated[
        list[Path] | None,
        typer.Option(help="A tokenizer.json that token ids may belong to; may be repeated.", show_default=False),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="HTTP endpoint with /metrics, /livez and /readyz. [default: none]",
            show_default=False,
        ),
    ] = None,
    otlp: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="OpenTelemetry collector (OTLP over gRPC) for a span of each call.", show_default=False
        ),
    ] = None,
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]MODULE:FUNCTION",
            help="A reward function to run in worker processes, as package.module:function; may be repeated.",
            show_default=False,
        ),
    ] = None,
    plugin_python: Annotated[
        Path | None,
        typer.Option(help="The Python that runs plug-ins; assay has to be installed there. [default: this one]"),
    ] = None,
) -> None:
    """Score completions for others, over gRPC.

    Prints `listening on ADDRESS` when it is ready. SIGTERM and Ctrl-C stop it after the requests in flight; that is a
    normal end, exit code 0. Logs go to standard error; ASSAY_LOG sets what is logged, as in ASSAY_LOG=debug, and
    ASSAY_LOG_FORMAT=json makes each line a JSON object.

    The stand-alone binary `assay-server` takes the same options and needs no Python.
    """
    from assay._native import serve as run

    run(
        lambda address: typer.echo(f"listening on {address}"),
        bind=bind,
        config=config,
        threads=threads,
        max_message_bytes=max_message_bytes,
        tokenizers=list(tokenizer or []),
        metrics=metrics,
        otlp=otlp,
        plugins=list(plugin or []),
        plugin_python=plugin_python or sys.executable,
    )
