"""A server with certificates and tokens, called as a trainer calls it; and what its log does not say."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import assay

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
# Made for tests and good for nothing else.
CERTIFICATES = Path(__file__).parent / "certificates"
CA, CERTIFICATE, KEY = (CERTIFICATES / name for name in ("ca.pem", "client.pem", "client.key"))
TOKEN = "a-token-for-one-test"
SECRETS = ("KOMPLETION", "REFERENZ", "PROMPTPROMPT", "TOKENTOKENTOKENTOKEN")


@contextmanager
def serving(log: Path, *options: str, **environment: str) -> Iterator[str]:
    """The address of `assay serve` with these options, which logs into a file."""
    import os

    command = [sys.executable, "-m", "assay.cli", "serve", "--bind", "127.0.0.1:0", "--threads", "1", *options]
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **environment}
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on "), log.read_text(encoding="utf-8")
            yield line.split()[-1]
        finally:
            process.terminate()
            process.wait(timeout=60)


def score(address: str, **options: object) -> list[float]:
    remote = assay.connect(address, "accuracy", timeout=30, **options)  # pyright: ignore[reportArgumentType]
    return remote.score(["It is 4.", "It is 5."], ["4", "4"]).total.tolist()


def test_tls_certificate_and_token_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_TOKEN", raising=False)
    tokens = tmp_path / "tokens"
    tokens.write_text(f"team-a:{TOKEN}\n", encoding="utf-8")
    options = ["--tls-certificate", str(CERTIFICATES / "server.pem"), "--tls-key", str(CERTIFICATES / "server.key")]
    options += ["--tls-client-ca", str(CA), "--token-file", str(tokens)]
    with serving(tmp_path / "log", *options, ASSAY_SERVER_TOKENS="one-of-the-variable,two-of-the-variable") as address:
        known = {"ca": CA, "certificate": CERTIFICATE, "key": KEY}
        for token in (TOKEN, "one-of-the-variable", "two-of-the-variable"):
            assert score(address, token=token, **known) == [1.0, 0.0]
        with pytest.raises(assay.UnavailableError, match="this server wants a token"):
            score(address, **known)
        with pytest.raises(assay.UnavailableError, match="does not know the token"):
            score(address, token="another-token-altogether", **known)
        with pytest.raises((assay.UnavailableError, assay.DeadlineError)):
            score(address, token=TOKEN)


def conversation(address: str) -> None:
    """Calls that go well and calls that fail, all with something that nobody should read."""
    completion, reference, prompt, token = SECRETS
    items = ([f"{completion} \\boxed{{4}}"] * 2, [f"{reference} 4", None])
    remote = assay.connect(address, {"accuracy": 1.0, "format": 0.5}, token=token, timeout=30)
    remote.score(*items, prompts=[prompt, prompt])
    stranger = assay.connect(address, "accuracy", token=f"{token}-unknown", timeout=30)
    with pytest.raises(assay.UnavailableError) as raised:
        stranger.score(*items)
    assert token not in str(raised.value)


def test_no_log_has_a_text_or_a_token(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for level in ("trace", "info"):
        with serving(log, ASSAY_LOG=level, ASSAY_SERVER_TOKENS=f"team-a:{SECRETS[-1]}") as address:
            conversation(address)
        text = log.read_text(encoding="utf-8")
        assert "listening" in text
        assert "Unauthenticated" in text
        for secret in SECRETS:
            assert secret not in text


def test_texts_are_logged_when_asked_for(tmp_path: Path) -> None:
    log, config = tmp_path / "log", tmp_path / "server.toml"
    config.write_text("log_texts = true\n", encoding="utf-8")
    with serving(log, "--config", str(config), ASSAY_LOG="info") as address:
        assay.connect(address, "accuracy", timeout=30).score(["first\nsecond 4"], ["REFERENZ"])
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if "assay_server::texts" in line]
    assert len(lines) == 1
    assert r"first\nsecond 4" in lines[0]
    assert "REFERENZ" in lines[0]


def test_texts_of_a_stream_are_logged_when_asked_for(tmp_path: Path) -> None:
    log, config = tmp_path / "log", tmp_path / "server.toml"
    config.write_text("log_texts = true\n", encoding="utf-8")
    with serving(log, "--config", str(config), ASSAY_LOG="info") as address:
        remote = assay.connect(address, "accuracy", timeout=30)
        rows = [
            row for rows, _ in remote.score_stream([f"It is {n}." for n in range(3)], ["REFERENZ"] * 3) for row in rows
        ]
    assert sorted(rows) == [0, 1, 2]
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if "assay_server::texts" in line]
    assert len(lines) == 3
    for n in range(3):
        assert any(f"It is {n}." in line and "REFERENZ" in line for line in lines)


def test_every_test_that_the_document_names_exists() -> None:
    document = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [line for line in document.splitlines() if line.startswith("| ")]
    bodies = [row for row in rows if not re.match(r"\| (threat|input|---)", row)]
    assert len(bodies) > 30
    for row in bodies:
        named = re.findall(r"`([\w./-]+)::(\w+)`", row)
        assert len(named) == 1, row
        for file, test in named:
            text = (ROOT / file).read_text(encoding="utf-8")
            assert re.search(rf"^\s*(async )?(fn|def) {test}\(", text, re.MULTILINE), f"{file}: {test}"


def test_the_document_of_the_server_has_every_setting() -> None:
    source = (ROOT / "rust" / "assay-server" / "src" / "config.rs").read_text(encoding="utf-8")
    config = source[source.index("pub struct Config {") : source.index("pub struct Overrides")]
    fields = re.findall(r"^    pub (\w+):", config, re.MULTILINE)
    assert len(fields) > 25
    document = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", document, re.MULTILINE)
    assert sorted(listed) == sorted(fields)
    main = (ROOT / "rust" / "assay-server" / "src" / "main.rs").read_text(encoding="utf-8")
    arguments = main[main.index("struct Arguments {") : main.index("impl Arguments")]
    for option in set(re.findall(r"`--([\w-]+)`", document[document.index("| setting |") :].split("\n\n")[0])):
        assert re.search(rf"^    {option.replace('-', '_')}s?:", arguments, re.MULTILINE), option
