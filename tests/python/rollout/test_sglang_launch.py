"""A launched server comes up, comes back, and never outlives who launched it. The server is the fake one, as a module."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from assay.errors import InvalidInputError, UnavailableError
from assay.rollout import SamplingParams, SGLangGenerator
from assay.rollout.sglang import LaunchOptions, LocalServer, launch

PROMPTS = [np.array(ids, dtype=np.uint32) for ids in ([5, 9, 3], [7])]


@pytest.fixture
def options(tmp_path, model_path, fake_module):
    """Options that start the fake as ``python -m sglang.launch_server``."""
    fake_module.install(tmp_path / "site")

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


def test_without_sglang_it_says_what_to_install_where(model_path, tmp_path):
    with pytest.raises(
        UnavailableError, match=r"has no sglang: run `.*python.* -m pip install sglang`, or name the interp"
    ):
        LocalServer(LaunchOptions(model_path=str(model_path)))
    with pytest.raises(UnavailableError, match="cannot be run as a Python interpreter"):
        LocalServer(LaunchOptions(model_path=str(model_path), python=str(tmp_path / "nowhere")))
    with pytest.raises(UnavailableError, match="not a Python interpreter that works"):
        LocalServer(LaunchOptions(model_path=str(model_path), python="/bin/false"))


def test_a_cpu_server_gets_kernels_that_refuse_to_run(options, tmp_path):
    code = "import sgl_kernel; from sgl_kernel import rms_norm; print(sgl_kernel.__file__); rms_norm(1)"
    (tmp_path / "site" / "sglang" / "launch_server.py").write_text(code)
    server = LocalServer(options(device="cpu", max_restarts=0))
    with pytest.raises(UnavailableError, match=r"NotImplementedError: sgl_kernel\.rms_norm has no CPU build"):
        server.wait_ready(60)
    (tmp_path / "site" / "sgl_kernel.py").write_text("def rms_norm(x): print('the real one')")
    server = LocalServer(options(device="cpu", max_restarts=0))
    with pytest.raises(UnavailableError, match="the real one"):
        server.wait_ready(60)


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


def test_closing_after_a_death_nobody_saw_leaves_nothing(options, tmp_path, monkeypatch):
    code = "import subprocess; subprocess.Popen(['sleep', '600'])"
    (tmp_path / "site" / "sglang" / "launch_server.py").write_text(code)
    monkeypatch.setattr(launch, "_POLL_S", 600.0)
    server = LocalServer(options())
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    server.close()
    assert group_is_gone(server.pid)


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
