"""The table `[cluster]`: how many processes of each kind a run has on Ray, and what each needs."""

from __future__ import annotations

from typing import Literal

from assay.data import StrictModel
from assay.recipe.schema.base import Above0, Count, NotNegative, Positive


class ClusterConfig(StrictModel):
    """A run on Ray: a learner, and processes that sample and score for it. Only read by ``assay train --on``."""

    learners: Positive = 1
    """Processes that train one model together, sharded over them (FSDP2)."""
    generators: Positive = 1
    """Processes that sample: copies of assay's engine, or SGLang servers with ``generator.launch``."""
    reward_servers: Count = 1
    """Reward servers; 0 scores in the learner's process."""
    learner_cpus: NotNegative = 1.0
    """CPUs reserved for each process of the learner."""
    learner_gpus: NotNegative = 0.0
    """GPUs reserved for each process of the learner."""
    generator_cpus: NotNegative = 1.0
    """CPUs reserved for each generator."""
    generator_gpus: NotNegative = 0.0
    """GPUs reserved for each generator."""
    reward_cpus: NotNegative = 1.0
    """CPUs reserved for each reward server; it scores on as many threads, and at least one."""
    placement: Literal["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"] = "PACK"
    """Ray's placement strategy for the whole run."""
    learner_restarts: Count = 3
    """How often a learner of which a process died is started again, all of it, from its last checkpoint."""
    ready_timeout_s: Above0 = 600.0
    """Seconds that resources, or a process that is started again, may take."""
