import importlib.util
import json
import sys
from pathlib import Path

import pytest

FAKE = Path(__file__).with_name("fake_sglang.py")


def load_fake():
    """The fake server's module; test folders are not packages, so it is loaded by its path."""
    if "fake_sglang" not in sys.modules:
        spec = importlib.util.spec_from_file_location("fake_sglang", FAKE)
        module = importlib.util.module_from_spec(spec)
        sys.modules["fake_sglang"] = module
        spec.loader.exec_module(module)
    return sys.modules["fake_sglang"]


@pytest.fixture(scope="session")
def fake_module():
    return load_fake()


@pytest.fixture
def model_path(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"vocab_size": 128}))
    return folder


@pytest.fixture
def fake_server(model_path, fake_module):
    """Starts fake servers, and ends them after the test."""
    started = []

    def start(**options):
        started.append(fake_module.FakeSGLang(model_path, **options))
        return started[-1]

    yield start
    for server in started:
        server.crash()
