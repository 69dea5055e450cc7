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
    tls_certificate: Annotated[
        Path | None,
        typer.Option(
            help="The server's certificate chain, PEM; with --tls-key, callers need TLS. Read again when it changes.",
            show_default=False,
        ),
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's key, PEM.", show_default=False)] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(
            help="Authorities of clients, PEM; callers need a certificate of theirs then.", show_default=False
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="Bearer tokens, a line each, TOKEN or NAME:TOKEN; callers need one of them then. More may stand in the "
            "variable ASSAY_SERVER_TOKENS.",
            show_default=False,
        ),
    ] = None,
    tenant_weight: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=WEIGHT",
            help="The share of a tenant beside others that have work; all others have 1; may be repeated.",
            show_default=False,
        ),
    ] = None,
    insecure_public: Annotated[
        bool,
        typer.Option(
            "--insecure-public",
            help="Listen on a public address although there is no TLS or no way to know callers.",
            show_default=False,
        ),
    ] = False,
    public_metrics: Annotated[
        bool, typer.Option("--public-metrics", help="Let --metrics be a public address.", show_default=False)
    ] = False,
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
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        token_file=token_file,
        tenant_weights=list(tenant_weight or []),
        insecure_public=insecure_public,
        public_metrics=public_metrics,
    )
