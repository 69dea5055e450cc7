"""A launched server comes up, comes back, and never outlives who launched it. The server is the fake one, as a module."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.errors import InvalidInputError, UnavailableError
from assay.rollout import SamplingParams, SGLangGenerator
from assay.rollout.sglang import LaunchOptions, LocalServer

FAKE = Path(__file__).with_name("fake_sglang.py")
PROMPTS = [np.array(ids, dtype=np.uint32) for ids in ([5, 9, 3], [7])]


@pytest.fixture
def options(tmp_path, model_path):
    """Options that start the fake as ``python -m sglang.launch_server``."""
    package = tmp_path / "site" / "sglang"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "launch_server.py").write_text(
        f"import runpy, sys\nsys.path.insert(0, {str(FAKE.parent)!r})\nrunpy.run_path({str(FAKE)!r}, run_name='__main__')\n"
    )

    def make(**changes):
        return LaunchOptions(
            model_path=str(model_path),
            environment={"PYTHONPATH": str(tmp_path / "site")},
            log_directory=tmp_path / "logs",
            **changes,
        )

    return make


def group_is_gone(group):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_the_command(options):
    command = options(dtype="float32", tp_size=2, arguments=("--dtype", "auto")).command(30001, "start-1")
    text = " ".join(command)
    assert command[:3] == [sys.executable, "-m", "sglang.launch_server"]
    assert "--host 127.0.0.1 --port 30001 --tp 2 --dtype float32 --weight-version start-1 --dtype auto" in text
    assert "--device" not in text
    assert "--device cpu --attention-backend torch_native" in " ".join(options(device="cpu").command(1, "x"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"device": "tpu"}, "launch.device"), ({"port": -1}, "launch.port"), ({"tp_size": 0}, "tp_size")],
)
def test_options_are_checked(options, changes, words):
    with pytest.raises(InvalidInputError, match=words):
        options(**changes)


def test_up_back_and_down(options, fake_module):
    server = LocalServer(options())
    with SGLangGenerator(server, ready_timeout_s=60) as generator:
        sampling = SamplingParams(40)
        generator.update_weights(5, lambda: [("model.norm.weight", torch.full((4,), 2.0))])
        groups = generator.generate(PROMPTS, group_size=2, sampling=sampling, seed=0)
        before = server.pid
        server.kill()
        rollouts = [rollout for group in groups for rollout in group.rollouts]
        assert server.restarts == 1
        assert server.pid != before
        for rollout in rollouts:
            expected = fake_module.completion(rollout.prompt_ids.tolist(), rollout.index, 40)
            assert rollout.token_ids.tolist() == expected
            assert rollout.weight_version == 5
            scaled = [fake_module.logprob_of(token, 2.0) for token in expected]
            np.testing.assert_allclose(rollout.logprobs, scaled, rtol=1e-6)
        group = server.pid
    assert group_is_gone(group)
    assert server.log.read_text().count("fake sglang starts") == 2
    with pytest.raises(UnavailableError, match="was closed"):
        server.wait_ready()
    server.close()


def test_a_stranger_on_the_port_is_not_taken_for_the_server(options, fake_server):
    stranger = fake_server()
    server = LocalServer(options(port=stranger.port, arguments=("--fail",), max_restarts=1000))
    with pytest.raises(UnavailableError, match="is not ready"):
        server.wait_ready(1.0)
    server.close()


def test_a_server_that_cannot_start_says_why(options):
    server = LocalServer(options(arguments=("--fail",), max_restarts=1))
    with pytest.raises(UnavailableError, match=r"ended 2 times, last with status 1(?s:.*)cannot start: no such model"):
        server.wait_ready(60)
    assert "cannot start" in (server.failure or "")
    server.close()


def test_a_server_that_is_slow_to_start_says_so(options):
    server = LocalServer(options())
    with pytest.raises(UnavailableError, match="is not ready; see"):
        server.wait_ready(0.0)
    server.wait_ready(60)
    server.close()


def test_a_killed_launcher_leaves_no_server(options, tmp_path):
    code = f"""
import os, sys
from pathlib import Path
from assay.rollout.sglang import LaunchOptions, LocalServer
server = LocalServer(LaunchOptions(model_path="m", environment={dict(options().environment)!r}, log_directory=Path({str(tmp_path)!r})))
server.wait_ready(60)
print(server.pid, flush=True)
sys.stdin.read()
"""
    launcher = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ.copy(), text=True
    )
    group = int(launcher.stdout.readline())
    os.kill(launcher.pid, signal.SIGKILL)
    launcher.communicate()
    assert group_is_gone(group)


def test_serve_announces_and_ends_on_interrupt(options, tmp_path):
    code = f"""
from pathlib import Path
from assay.rollout.sglang import LaunchOptions, serve
serve(LaunchOptions(model_path="m", environment={dict(options().environment)!r}, log_directory=Path({str(tmp_path)!r})))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line.startswith("sglang serves m at http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
