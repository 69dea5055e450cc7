"""Recipes whose completions come from SGLang: a fake one, launched and attached."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assay.errors import InvalidInputError, InvalidSpecError, UnavailableError
from assay.recipe import dump_recipe, load_recipe, run_recipe

if TYPE_CHECKING:
    from types import ModuleType

    from assay.recipe import Recipe

ROLLOUT = Path(__file__).parents[1] / "rollout"
# The fake server samples any of 128 token ids, so the model needs as many.
ALPHABET = "".join(chr(code) for code in range(0x21, 0x7F)) + "".join(chr(code) for code in range(0xA1, 0x111))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROLLOUT))
    import fake_sglang

    return fake_sglang


@pytest.fixture
def recipe_with(small_recipe: Path):
    """The small recipe with another [generator] table, of so many steps."""

    def make(table: str, *overrides: str) -> Recipe:
        text = small_recipe.read_text().replace('kind = "tiny"', f'kind = "tiny"\nalphabet = {json.dumps(ALPHABET)}')
        path = small_recipe.with_name("sglang.toml")
        path.write_text(text + table)
        steps = ("stage.sft.steps=1", "stage.grpo.steps=4", "stage.grpo.inner_epochs=1", *overrides)
        return load_recipe(path, steps)

    return make


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def is_gone(group: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)  # works until the last killed process is reaped
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_launched_servers_sample_are_brought_back_and_end(recipe_with, fake, tmp_path: Path, monkeypatch):
    from assay.recipe import training
    from assay.rollout.sglang import LocalServer

    fake.install(tmp_path / "site")
    recipe = recipe_with(
        f"""
[generator]
kind = "sglang"
[generator.launch]
device = "cpu"
environment = {{ PYTHONPATH = {json.dumps(str(tmp_path / "site"))} }}
"""
    )
    servers: list[LocalServer] = []
    original = LocalServer.__init__

    def noted(self: LocalServer, options: object) -> None:
        original(self, options)
        servers.append(self)

    finish = training.TrainingRun.finish_step

    def kill(self: training.TrainingRun, context: object) -> None:
        if self.stage.name == "grpo" and self.step == 1:
            servers[0].kill()
        finish(self, context)

    monkeypatch.setattr(LocalServer, "__init__", noted)
    monkeypatch.setattr(training.TrainingRun, "finish_step", kill)
    assert run_recipe(recipe, tmp_path / "run")["complete"]
    [server] = servers
    assert server.restarts == 1
    assert server.failure is not None
    assert "was closed" in server.failure
    assert is_gone(server.pid)
    [log] = (tmp_path / "run" / "generator").glob("server-*.log")
    assert log.read_text().count("fake sglang starts") == 2
    assert f"--model-path {tmp_path / 'run' / 'generator' / 'model'}" in log.read_text()
    assert [row["step"] for row in rows(tmp_path / "run") if row["kind"] == "grpo"] == [1, 2, 3, 4]


def test_running_servers_are_attached_to_and_left_alone(recipe_with, fake, tmp_path: Path):
    # The fake reads its vocabulary nowhere; the generator must not need the server's model folder either.
    servers = [fake.FakeSGLang("a-name-on-a-hub") for _ in range(2)]
    try:
        addresses = json.dumps([server.url for server in servers])
        recipe = recipe_with(f'[generator]\nkind = "sglang"\nservers = {addresses}\nsync = {{ path = "value" }}\n')
        assert load_recipe_back(recipe, tmp_path) == recipe
        assert run_recipe(recipe, tmp_path / "run")["complete"]
        for server in servers:
            assert not server.dead
            assert server.label.startswith("5@")  # 1 step of sft and 4 of grpo
            assert any(path == "/weights_checker" for path, *_ in server.calls)
    finally:
        for server in servers:
            server.crash()


def load_recipe_back(recipe, tmp_path: Path):
    (tmp_path / "back.toml").write_text(dump_recipe(recipe))
    return load_recipe(tmp_path / "back.toml")


def test_a_server_that_refuses_the_weights_stops_the_run_with_the_reason(recipe_with, fake, tmp_path: Path):
    server = fake.FakeSGLang("m")
    try:
        # Its checksums are those of other weights than it was sent.
        server.refuse["/weights_checker"].append(
            lambda _: (200, {"success": True, "ranks": [{"checksums": {"model.norm.weight": "0" * 16}}]})
        )
        recipe = recipe_with(f'[generator]\nkind = "sglang"\nservers = ["{server.url}"]\n')
        with pytest.raises(UnavailableError, match="does not hold the learner's weights"):
            run_recipe(recipe, tmp_path / "run")
        assert rows(tmp_path / "run") == []
    finally:
        server.crash()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('kind = "sglang"', "either servers"),
        ('kind = "sglang"\nservers = ["http://a:1"]\nlaunch = {}', "either servers"),
        ('kind = "sglang"\nlaunch = {}\nrouter = "http://r:1"', "router needs servers"),
        ('kind = "sglang"\nlaunch = { dtyp = "float32" }', "did you mean 'dtype'"),
        ('kind = "sglang"\nservers = ["http://a:1"]\nsync = { path = "carrier pigeon" }', "generator"),
        ('kind = "vllm"', "generator"),
    ],
)
def test_tables_that_say_nothing_sensible_are_refused(recipe_with, table: str, words: str):
    with pytest.raises(InvalidSpecError, match=words):
        recipe_with(f"[generator]\n{table}\n")


def test_mistakes_of_the_environment_are_told(recipe_with, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    recipe = recipe_with(
        '[generator]\nkind = "sglang"\nservers = ["http://127.0.0.1:9"]\napi_key_variable = "NO_SUCH_KEY"\n'
    )
    with pytest.raises(InvalidInputError, match="NO_SUCH_KEY is not set"):
        run_recipe(recipe, tmp_path / "a")
    recipe = recipe_with(f'[generator]\nkind = "sglang"\nlaunch = {{ python = {json.dumps(sys.executable)} }}\n')
    with pytest.raises(UnavailableError, match="has no sglang: run `"):
        run_recipe(recipe, tmp_path / "b")
