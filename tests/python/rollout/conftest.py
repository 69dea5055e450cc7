import json
import sys
from pathlib import Path

import pytest

# Test folders are not packages; the fake server's modules lie beside the tests.
sys.path.insert(0, str(Path(__file__).parent))

import fake_sglang


@pytest.fixture(scope="session")
def fake_module():
    return fake_sglang


@pytest.fixture
def model_path(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"vocab_size": 128}))
    return folder


@pytest.fixture
def fake_server(model_path):
    """Starts fake servers, and ends them after the test."""
    started = []

    def start(**options):
        started.append(fake_sglang.FakeSGLang(model_path, **options))
        return started[-1]

    yield start
    for server in started:
        server.crash()
