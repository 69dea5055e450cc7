"""The command line's surface is a contract: commands, arguments and options change here or not at all."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from assay.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable

    Assay = Callable[..., Any]

# A name is an argument; `!` marks what is required, `+` what may be repeated.
SURFACE = {
    "verify": ["gold!", "answer!", "--kind", "--tolerance", "--units", "--explain", "--json"],
    "extract": ["completion", "--profile", "--json"],
    "score": [
        "file!",
        "--spec!",
        "--completion",
        "--reference",
        "--output",
        "--remote",
        "--tokenizer",
        "--json",
    ],
    "serve": [
        "--bind",
        "--config",
        "--threads",
        "--max-message-bytes",
        "--tokenizer+",
        "--metrics",
        "--otlp",
        "--plugin+",
        "--plugin-python",
        "--tls-certificate",
        "--tls-key",
        "--tls-client-ca",
        "--token-file",
        "--tenant-weight+",
        "--insecure-public",
        "--public-metrics",
    ],
    "rollout-server": [
        "model!",
        "arguments+",
        "--host",
        "--port",
        "--device",
        "--dtype",
        "--tp-size",
        "--python",
        "--log-directory",
        "--ready-timeout",
        "--max-restarts",
        "--json",
    ],
    "train": ["recipe!", "--out", "--set+", "--scale", "--resume", "--overwrite", "--on", "--json"],
    "eval": [
        "model",
        "--tasks+",
        "--prompt-field",
        "--reference-field",
        "--gold",
        "--answer",
        "--template",
        "--profile",
        "--samples",
        "--k+",
        "--max-new-tokens",
        "--temperature",
        "--top-p",
        "--limit",
        "--seed",
        "--server+",
        "--device",
        "--dtype",
        "--out",
        "--resume",
        "--overwrite",
        "--rescore",
        "--contamination",
        "--ngram",
        "--json",
    ],
    "plan": [
        "recipe",
        "--hardware",
        "--scale",
        "--set+",
        "--model",
        "--prompt-length",
        "--response-length",
        "--spread",
        "--schedule",
        "--generate-share",
        "--tensor-parallel",
        "--offload",
        "--price",
        "--assume+",
        "--simulate",
        "--staleness",
        "--seed",
        "--check",
        "--output",
        "--json",
    ],
    "report": ["runs!+", "--output", "--figures/--no-figures", "--serve", "--port", "--json"],
    "convert": ["source!", "--cache", "--json"],
    "bench": ["--seconds", "--json"],
    "top": ["target!", "--interval", "--once", "--json"],
    "load": [
        "target!",
        "--rate",
        "--concurrency",
        "--connections",
        "--batch",
        "--kind",
        "--seconds",
        "--requests",
        "--timeout",
        "--retry",
        "--allow-shed",
        "--tls",
        "--ca",
        "--certificate",
        "--key",
        "--server-name",
        "--token-file",
        "--tenant",
        "--pid",
        "--json",
    ],
}


def described(parameter: Any) -> str:
    name = (
        parameter.name
        if parameter.param_type_name == "argument"
        else "/".join([*parameter.opts, *parameter.secondary_opts])
    )
    return (
        name
        + "!" * parameter.required
        + "+" * (parameter.multiple if hasattr(parameter, "multiple") else 0)
        + ("+" * (parameter.nargs == -1))
    )


def test_commands_and_options() -> None:
    group: Any = typer.main.get_command(app)
    found = {
        name: [described(parameter) for parameter in command.params if parameter.name != "help"]
        for name, command in group.commands.items()
    }
    assert found == SURFACE


@pytest.mark.parametrize("command", SURFACE)
def test_every_command_and_option_has_help(assay: Assay, command: str) -> None:
    done = assay(command, "--help")
    assert (done.code, done.err) == (0, "")
    group: Any = typer.main.get_command(app)
    assert all(getattr(p, "help", None) for p in group.commands[command].params), command
    assert len(group.commands[command].help.splitlines()) > 1


def test_no_command(assay: Assay) -> None:
    done = assay()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: assay")
    assert "verify" in done.err
    assert "No such command 'verfy'" in assay("verfy").mistake


def test_version(assay: Assay) -> None:
    from assay import __version__

    assert assay("--version").out == f"assay {__version__}\n"


def loaded(*arguments: str) -> set[str]:
    """The heavy modules a command line brings in."""
    code = (
        "import sys; from assay.cli import run; run(sys.argv[1:]); "
        "print([m for m in ('torch', 'transformers', 'grpc', 'matplotlib', 'datasets', 'rich') "
        "if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(eval(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["verify", "1", "1"], ["extract", "4"]])
def test_light_commands_stay_light(arguments: list[str]) -> None:
    assert loaded(*arguments) == set()


def test_a_mistaken_recipe_is_told_before_torch_is_loaded(tmp_path: Any) -> None:
    assert "torch" not in loaded("train", str(tmp_path / "absent.toml"))


def test_a_bug_is_not_a_verdict(assay: Assay, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("assay.rewards.verify", broken)
    done = assay("verify", "1", "1")
    assert done.code == 70
    assert "RuntimeError: a bug" in done.err


def test_interrupted(assay: Assay, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("assay.rewards.verify", interrupt)
    done = assay("verify", "1", "1")
    assert (done.code, done.out, done.err) == (130, "", "assay: interrupted\n")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m assay.cli verify --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert done.stderr == b""
