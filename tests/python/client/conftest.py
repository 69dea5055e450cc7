"""Reward servers on free ports of this machine."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

COMMAND = [sys.executable, "-c", "from assay.cli import main; main()", "serve", "--bind", "127.0.0.1:0"]


class Server:
    """A running `assay serve`."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.address = address


@contextmanager
def start(*options: str) -> Iterator[Server]:
    """A server of its own, killed at the end if it still runs."""
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on "), f"the server said {line!r}"
            yield Server(process, line.split()[-1])
        finally:
            process.kill()


@pytest.fixture(scope="session")
def byte_tokenizer() -> Tokenizer:
    """One token per byte, so that any text has token ids."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tags = ["<think>", "</think>", "<answer>", "</answer>"]
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in tags])
    return tokenizer


@pytest.fixture(scope="session")
def tokenizer_file(byte_tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    byte_tokenizer.save(str(path))
    return path


@pytest.fixture(scope="session")
def server(tokenizer_file: Path) -> Iterator[Server]:
    with start("--tokenizer", str(tokenizer_file)) as running:
        yield running


@pytest.fixture(scope="session")
def serving() -> Callable[..., AbstractContextManager[Server]]:
    """Starts a server of a test's own: `with serving("--threads", "1") as running`."""
    return start


@pytest.fixture(scope="session")
def serve_command() -> list[str]:
    """The command of `serving`, for tests that want it to fail."""
    return COMMAND
