"""`assay rollout-server`: an SGLang server on this machine, launched and kept up."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.commands.output import Json, emit_json, say

if TYPE_CHECKING:
    from assay.rollout.sglang import LocalServer


def rollout_server(  # noqa: PLR0913 - each is an option of the command
    model: Annotated[
        str,
        typer.Argument(help="A model folder (Hugging Face layout) or the name of one on the hub.", show_default=False),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="After `--`: more arguments of sglang.launch_server; they win over those set here."),
    ] = None,
    *,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes a free one.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cuda or cpu; auto is cuda on a machine that has one.")] = "auto",
    dtype: Annotated[str, typer.Option(help="auto (the model's), float32, bfloat16 or float16.")] = "auto",
    tp_size: Annotated[int, typer.Option(min=1, help="GPUs that share one copy of the model.")] = 1,
    python: Annotated[
        str, typer.Option(help="An interpreter that has sglang; an environment of its own is safest.")
    ] = sys.executable,
    log_directory: Annotated[
        Path | None,
        typer.Option(help="Where the server's log is kept. [default: a temporary folder]", show_default=False),
    ] = None,
    ready_timeout: Annotated[float, typer.Option(min=1, help="Seconds that a start may take.")] = 600.0,
    max_restarts: Annotated[int, typer.Option(min=0, help="How often a server that died is started again.")] = 3,
    as_json: Json = False,
) -> None:
    """Keep an SGLang server up for trainers to sample from.

    Prints `sglang serves MODEL at ADDRESS` once it answers; give that address to `servers` of a recipe's [generator]
    table. A server that dies is started again, and a trainer that used it gives it its weights again. SIGTERM and Ctrl-C
    end it and all its processes; that is a normal end, exit code 0.
    """
    from assay.rollout.sglang import LaunchOptions, default_device, serve

    def announce(server: LocalServer) -> None:
        if as_json:
            emit_json({"url": server.url, "pid": server.pid, "log": str(server.log), "model": model})
        else:
            say(f"sglang serves {model} at {server.url}; log in {server.log}")
        sys.stdout.flush()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    options = LaunchOptions(
        model_path=model,
        host=host,
        port=port,
        device=default_device() if device == "auto" else device,
        dtype=dtype,
        tp_size=tp_size,
        python=python,
        arguments=tuple(arguments or ()),
        log_directory=log_directory,
        ready_timeout_s=ready_timeout,
        max_restarts=max_restarts,
    )
    signal.signal(signal.SIGTERM, stop)
    try:
        serve(options, announce)
    except KeyboardInterrupt:
        return
