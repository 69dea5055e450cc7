"""Rewards as a Ray Serve application, for trainers that already run on Ray.

    serve run deploy.ray.rewards:build spec=accuracy replicas=4      # from the root of the repository
    python deploy/ray/rewards.py                                     # starts a local Ray, scores two completions, ends

Each replica holds one scorer and one thread; Ray Serve starts replicas, restarts those that die and spreads calls by the number
of calls in flight. A trainer elsewhere, or one that wants more than some ten thousand items a second, is better served by
`assay serve`: Ray passes each batch through pickle and its object store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import assay

if TYPE_CHECKING:
    from collections.abc import Sequence


class Rewards:
    """What a replica does."""

    def __init__(self, spec: str) -> None:
        self.scorer = assay.Scorer(spec, threads=1)

    def score(self, completions: Sequence[str], references: Sequence[str | None]) -> list[dict[str, Any]]:
        """One mapping for each completion, in order: `total` is None unless `status` is `scored`."""
        return self.scorer.score(list(completions), list(references)).to_list()


def build(arguments: dict[str, str]) -> Any:
    """The application: `spec` as `assay.Scorer` takes it, and `replicas`."""
    from ray import serve

    deployment = serve.deployment(
        num_replicas=int(arguments.get("replicas", "1")),
        ray_actor_options={"num_cpus": 1},
        # More would wait in the replica where no other replica can take them.
        max_ongoing_requests=2,
        # A caller beyond this gets an error at once, tries later, and the queue stays short.
        max_queued_requests=1024,
        graceful_shutdown_timeout_s=30,
    )(Rewards)
    return deployment.bind(arguments.get("spec", "accuracy"))


def main() -> None:
    """Scores two completions on a Ray of this machine."""
    import ray
    from ray import serve

    ray.init(num_cpus=2, include_dashboard=False)
    try:
        handle = serve.run(build({}), name="rewards", route_prefix=None)
        results = handle.score.remote(["It is 4.", "It is 5."], ["4", "4"]).result()
        print([result["total"] for result in results])
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
