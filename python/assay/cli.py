"""The command line. Each command lives in `assay.commands`; this file puts them together and turns errors into exits.

Exit codes: 0 done (`verify`: equal); 1 a negative answer (`verify`: different; `extract`: none found); 2 a mistake in the
call, a file or the machine, told in one line; 3 undecided (`verify`); 70 a bug in assay, with its traceback; 130
interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.commands.answers import extract, verify
from assay.commands.bench import bench
from assay.commands.convert import convert
from assay.commands.evaluate import evaluate
from assay.commands.load import load
from assay.commands.plan import plan
from assay.commands.report import report
from assay.commands.rollout_server import rollout_server
from assay.commands.score import score
from assay.commands.serve import serve
from assay.commands.top import top
from assay.commands.train import train

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_MISTAKE = 2
EXIT_BUG = 70
EXIT_INTERRUPTED = 130

# The base of typer's usage errors. Its module differs between typer versions, its place in the hierarchy does not.
UsageProblem: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="assay",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# A negative number is an answer, not an option.
app.command(context_settings={"ignore_unknown_options": True})(verify)
app.command()(extract)
app.command()(score)
app.command()(serve)
app.command("rollout-server")(rollout_server)
app.command()(train)
app.command("eval")(evaluate)
app.command()(plan)
app.command()(report)
app.command()(convert)
app.command()(bench)
app.command()(load)
app.command()(top)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """What is this completion worth? Verify answers, score completions, serve rewards, train with them."""
    if version:
        from assay import __version__

        typer.echo(f"assay {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(EXIT_MISTAKE)


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line.

    Args:
        arguments: what follows `assay`; by default those of this process.

    Returns:
        The exit code. Errors have been told on stderr, in one line.
    """
    from assay.errors import AssayError

    try:
        code = app(arguments, prog_name="assay", standalone_mode=False)
    except AssayError as error:
        return _fail(str(error))
    except UsageProblem as error:
        where = f" (see: {error.ctx.command_path} --help)" if getattr(error, "ctx", None) else ""
        return _fail(f"{error.format_message().replace('Value error, ', '')}{where}")
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`assay .. | head`); there is no one to tell. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception:  # noqa: BLE001 - Python would exit with 1, which `verify` uses for "different"
        traceback.print_exc()
        return EXIT_BUG
    if code == EXIT_INTERRUPTED:
        sys.stderr.write("assay: interrupted\n")
    return code if isinstance(code, int) else 0


def _fail(message: str) -> int:
    sys.stderr.write(f"assay: error: {' '.join(message.split())}\n")
    return EXIT_MISTAKE


def main() -> None:
    """The entry point of the `assay` script."""
    sys.exit(run())


if __name__ == "__main__":
    main()
