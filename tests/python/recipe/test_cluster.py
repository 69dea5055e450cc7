"""A run on a local Ray: two processes of a learner, two generators, two reward servers; one of each killed in turn.

Whatever happens to a run, nothing that it started outlives it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import fake_sglang
import pytest
from cluster_run import Run, read, until

from assay.errors import InvalidSpecError, UnavailableError
from assay.recipe import load_recipe
from assay.recipe.cluster import run as cluster_run_module

CLUSTER = """
[cluster]
learners = 2
generators = 2
reward_servers = 2
reward_cpus = 0.5
"""
ENDLESS = 100_000

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


def without_eval(recipe: Path) -> str:
    assert find_spec("ray") is not None, "ray is part of the environment that make setup makes"
    text = recipe.read_text()
    before = text.index('[[stage]]\nkind = "eval"\nname = "before"')
    grpo, after = text.index('[[stage]]\nkind = "grpo"'), text.index('[[stage]]\nkind = "eval"\nname = "after"')
    return text[:before] + text[grpo:after] + CLUSTER


@pytest.fixture
def run(small_recipe: Path, tmp_path: Path) -> Iterator[Run]:
    small_recipe.write_text(without_eval(small_recipe))
    made = Run(small_recipe, tmp_path / "run")
    yield made
    made.clean()


@pytest.mark.timeout(1800)
def test_one_of_each_killed_in_turn_and_the_run_completes(run: Run):
    steps = 40
    run.start(steps=steps)
    for done, name in ((2, "generator-0"), (4, "rewards-1"), (6, "learner-0"), (8, "learner-1"), (10, "generator-1")):
        run.wait_for(done)
        run.kill(name)
    out, err = run.process.communicate(timeout=500)
    assert run.process.returncode == 0, err[-3000:]
    assert err.count("the learner died; it is started again from its last checkpoint") == 2
    folder = run.folder
    assert json.loads((folder / "summary.json").read_text())["complete"]
    assert str(folder) in out
    rows = [row for row in read(folder / "metrics.jsonl") if row["kind"] == "grpo"]
    assert [row["step"] for row in rows] == list(range(1, steps + 1))
    assert all(row["sampling/logprob_diff_max"] < 1e-4 and row["staleness/max"] == 0 for row in rows)
    samples = [row for row in read(folder / "samples.jsonl") if row["stage"] == "grpo"]
    trained = sorted((row["group_id"], row["index"]) for row in samples)
    assert trained == [(group, index) for group in range(4 * steps) for index in range(4)]
    assert all(row["status"] != "unavailable" for row in samples)
    assert any((path / "shards").is_dir() for path in (folder / "checkpoints" / "grpo").glob("step-*"))
    run.nothing_is_left()


SGLANG = """
[generator]
kind = "sglang"
ready_timeout_s = 200
[generator.launch]
device = "cpu"
max_restarts = 20
"""


@pytest.fixture
def sglang_run(small_recipe: Path, tmp_path: Path) -> Iterator[Run]:
    """Two generators that launch servers which behave as SGLang does, each under an actor of its own."""
    fake_sglang.install(tmp_path / "site")
    small_recipe.write_text(without_eval(small_recipe) + SGLANG)
    made = Run(small_recipe, tmp_path / "run", environment={"PYTHONPATH": str(tmp_path / "site")})
    yield made
    made.clean()


@pytest.mark.timeout(1800)
def test_sglang_servers_are_actors_and_one_of_each_killed_in_turn_is_back(sglang_run: Run):
    run, steps = sglang_run, 30
    run.start(steps=steps)
    servers = lambda: [pid for pid, command in run.left().items() if "sglang.launch_server" in command]  # noqa: E731
    run.wait_for(1)
    assert len(servers()) >= 2
    for done, name in ((2, "generator-0"), (4, "rewards-0"), (6, "learner-1"), (8, "generator-1"), (10, "learner-0")):
        run.wait_for(done)
        run.kill(name)
    run.wait_for(12)
    os.kill(servers()[0], signal.SIGKILL)  # the server alone: its supervisor starts it again
    _, err = run.process.communicate(timeout=600)
    assert run.process.returncode == 0, err[-3000:]
    assert err.count("the learner died; it is started again from its last checkpoint") == 2
    rows = [row for row in read(run.folder / "metrics.jsonl") if row["kind"] == "grpo"]
    assert [row["step"] for row in rows] == list(range(1, steps + 1))
    assert all(row["staleness/max"] == 0 for row in rows), "every token is of the weights of its step"
    samples = [row for row in read(run.folder / "samples.jsonl") if row["stage"] == "grpo"]
    trained = sorted((row["group_id"], row["index"]) for row in samples)
    assert trained == [(group, index) for group in range(4 * steps) for index in range(4)]
    run.nothing_is_left()


@pytest.fixture
def head(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A Ray of its own with a client port, and its address; it asks for a token, which its user has."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        gcs, client = one.getsockname()[1], two.getsockname()[1]
    home = tmp_path / "home"
    (home / ".ray").mkdir(parents=True)
    (home / ".ray" / "auth_token").write_text("0123456789abcdef" * 4)
    environment = {"HOME": str(home), "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--port", str(gcs)]
    command += ["--node-ip-address", "127.0.0.1", "--ray-client-server-port", str(client), "--num-cpus", "8"]
    command += ["--include-dashboard=false", "--disable-usage-stats", "--temp-dir", "/tmp/ray-" + tmp_path.name[-20:]]
    log = (tmp_path / "head.log").open("w")
    ray = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True, cwd=tmp_path
    )

    def listens() -> bool:
        assert ray.poll() is None, (tmp_path / "head.log").read_text()[-3000:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", client)) == 0

    until(listens, lambda: (tmp_path / "head.log").read_text()[-3000:])
    yield f"ray://127.0.0.1:{client}", environment
    ray.send_signal(signal.SIGTERM)
    try:
        ray.wait(timeout=60)
    finally:
        log.close()
        with suppress(ProcessLookupError):
            os.killpg(ray.pid, signal.SIGKILL)


@pytest.mark.timeout(1800)
def test_a_run_on_a_cluster_through_its_client_port(small_recipe: Path, tmp_path: Path, head):
    address, environment = head
    small_recipe.write_text(without_eval(small_recipe))
    run = Run(small_recipe, tmp_path / "run", address=address, environment=environment)
    try:
        run.start(steps=16)
        for done, name in ((2, "generator-1"), (4, "learner-1"), (6, "rewards-0")):
            run.wait_for(done)
            run.kill(name)
        out, err = run.process.communicate(timeout=600)
        assert run.process.returncode == 0, err[-3000:]
        assert str(run.folder) in out
        assert run.steps() == 16
        assert err.count("the learner died; it is started again from its last checkpoint") == 1
        assert json.loads((run.folder / "summary.json").read_text())["complete"]
    finally:
        run.clean()


@pytest.mark.timeout(1800)
def test_ctrl_c_checkpoints_and_leaves_nothing_and_the_run_is_resumed(run: Run):
    run.start(steps=30, learners=1)
    run.wait_for(2)
    run.process.send_signal(signal.SIGINT)
    _, err = run.process.communicate(timeout=300)
    assert run.process.returncode == 130, err[-3000:]
    assert "go on with --resume" in err
    assert not json.loads((run.folder / "summary.json").read_text())["complete"]
    run.nothing_is_left()
    done = run.steps()
    assert 2 <= done < 30
    run.start("--resume", steps=30, learners=1)
    _, err = run.process.communicate(timeout=300)
    assert run.process.returncode == 0, err[-3000:]
    assert run.steps() == 30
    run.nothing_is_left()


@pytest.mark.timeout(1800)
def test_a_driver_that_is_killed_leaves_nothing(run: Run):
    run.start(steps=ENDLESS, learners=1)
    run.wait_for(2)
    assert any("assay.cli serve" in command for command in run.left().values())
    run.process.kill()
    run.process.communicate()
    run.nothing_is_left()


def test_a_cluster_table_that_says_nothing_sensible_is_refused(small_recipe: Path):
    with pytest.raises(InvalidSpecError, match=r"cluster\.generators"):
        load_recipe(small_recipe, ["cluster.generators=0"])
    with pytest.raises(InvalidSpecError, match=r"cluster\.learners"):
        load_recipe(small_recipe, ["cluster.learners=0"])
    with pytest.raises(InvalidSpecError, match="did you mean 'reward_servers'"):
        load_recipe(small_recipe, ["cluster.reward_server=1"])


@pytest.mark.parametrize(
    ("failures", "calls", "reached"),
    [
        ([], 1, True),
        ([ConnectionAbortedError("no server"), ConnectionAbortedError("no server")], 3, True),
        ([ConnectionAbortedError("no server")] * 3, 3, False),
        ([ConnectionError("nobody listens")], 1, False),
    ],
)
def test_a_busy_head_is_asked_again_and_an_absent_one_is_not(
    monkeypatch: pytest.MonkeyPatch, failures: list[Exception], calls: int, reached: bool
):
    asked: list[str] = []
    left = list(failures)

    def init(*, address: str, log_to_driver: bool) -> None:
        assert log_to_driver
        asked.append(address)
        if left:
            raise left.pop(0)

    monkeypatch.setattr(cluster_run_module.ray, "init", init)
    if reached:
        cluster_run_module._connect("ray://127.0.0.1:1", [])
    else:
        with pytest.raises(UnavailableError, match=str(failures[-1])):
            cluster_run_module._connect("ray://127.0.0.1:1", [])
    assert asked == ["ray://127.0.0.1:1"] * calls
