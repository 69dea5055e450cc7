"""`assay rollout-server` with a fake SGLang in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Assay = Callable[..., Any]

FAKE = Path(__file__).parents[1] / "rollout" / "fake_sglang.py"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Variables under which `python -m sglang.launch_server` is the fake."""
    monkeypatch.syspath_prepend(str(FAKE.parent))
    spec = importlib.util.spec_from_file_location("fake_sglang_for_cli", FAKE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.install(tmp_path / "site")
    return {**os.environ, "PYTHONPATH": str(tmp_path / "site")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_again_after_a_crash_and_down_on_a_signal(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "assay.cli", "rollout-server", "m", "--json", "--log-directory", str(tmp_path)]
    command += ["--dtype", "float32", "--", "--mem-fraction-static", "0.5"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout
        told = json.loads(process.stdout.readline())
        assert told["url"].startswith("http://127.0.0.1:")
        log = Path(told["log"])
        assert "--dtype float32" in log.read_text()
        assert "--mem-fraction-static 0.5" in log.read_text()
        os.killpg(told["pid"], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while log.read_text().count("fake sglang starts") < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
        assert log.read_text().count("fake sglang starts") == 2
        assert process.stderr
        assert process.stderr.read() == ""


def test_a_machine_without_sglang_is_told_what_to_do(assay: Assay) -> None:
    assert "has no sglang: run `" in assay("rollout-server", "m", "--device", "cpu").mistake
    assert "launch.device is 'tpu'" in assay("rollout-server", "m", "--device", "tpu").mistake
