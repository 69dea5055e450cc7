"""The Ray Serve example, without Ray: what a replica does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

FILE = Path(__file__).parents[3] / "deploy" / "ray" / "rewards.py"


def test_a_replica_scores_in_order_and_never_makes_a_number_up() -> None:
    found = importlib.util.spec_from_file_location("rewards_on_ray", FILE)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    results = module.Rewards("accuracy").score(["It is 4.", "It is 5.", "It is 4."], ["4", "4", None])
    assert [result["total"] for result in results] == [1.0, 0.0, None]
    assert results[2]["status"] == "invalid_reference"
