"""The reward of a stage: rules, which may be for some rows only, and reward models beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from assay.errors import InvalidInputError
from assay.scores import Scores, Status
from assay.spec import RewardSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from assay.data import Task
    from assay.recipe.schema import ScorerConfig
    from assay.rollout import Rollout


# Components by their places in the table ``[scorer]``; ``None`` for all of them.
_Places = tuple[int, ...] | None


class TokenScorer(Protocol):
    """What a stage needs of a scorer of rules; ``assay.Scorer`` and ``assay.RemoteScorer`` both have it."""

    def score_tokens(
        self, token_ids: NDArray[np.uint32], offsets: NDArray[np.int64], references: Sequence[str | None]
    ) -> Scores:
        """Scores ``n`` completions given as one flat array of ids and ``n + 1`` offsets."""
        ...


class ResponseModel(Protocol):
    """What a stage needs of a reward model."""

    def rewards(self, tasks: Sequence[Task], texts: Sequence[str]) -> NDArray[np.float64]:
        """What each response to its prompt is worth, ``float64[n]``."""
        ...


class StageScorer:
    """Scores completions with the rules and reward models that their rows ask for.

    A component is for the rows that its ``rows`` names, by the value of ``rows_field``; without ``rows`` it is for all.
    One with ``from_step`` is part of the reward from that step of a stage on. The total of a row is the weighted sum of the
    components that are for it. Where every component is for every row, the scores are those of the scorer of rules, bit for bit.
    A spec from a file is read once.

    Args:
        config: The table ``[scorer]``.
        make: Makes the scorer of a spec.
        models: The reward model of each ``[[scorer.preference]]``, in order.

    Attributes:
        weights: Of every component, by name.
        judges: Components whose value a model gives.
    """

    def __init__(
        self, config: ScorerConfig, make: Callable[[RewardSpec], TokenScorer], models: Sequence[ResponseModel] = ()
    ) -> None:
        self._config, self._make = config, make
        self._models = list(zip(config.preference, models, strict=True))
        self._made: dict[_Places, TokenScorer] = {}
        # Whether rows, or steps, differ in what is for them.
        self._by_row = bool(config.preference) or any(
            {"rows", "from_step"} & component.keys() for component in config.component
        )
        components = full_spec(config).components if config.component or config.spec else ()
        self.weights = {component.name: component.weight for component in components}
        self.judges = [component.name for component in components if component.kind == "reward_model"]
        self.judges += [preference.name for preference in config.preference]
        self.weights |= {preference.name: preference.weight for preference in config.preference}

    def score(
        self, rollouts: Sequence[Rollout], tasks: Sequence[Task], texts: Sequence[str], step: int | None = None
    ) -> Scores:
        """Scores ``n`` completions.

        Args:
            rollouts: Their tokens.
            tasks: The problem of each.
            texts: Each decoded; what reward models read.
            step: Of the stage, from 1: a component with a later ``from_step`` is no part of the reward yet. ``None``
                takes all components.

        Raises:
            InvalidInputError: There is a row that no component is for.
            UnavailableError: A reward server does not answer.
        """
        if not self._by_row:
            return _score_tokens(self._rules(None), rollouts, tasks)
        config, tags = self._config, [self._tag(task) for task in tasks]
        columns = {name: np.full(len(tasks), np.nan) for name in self.weights}
        total = np.zeros(len(tasks))
        status: list[str] = [str(Status.SCORED)] * len(tasks)
        reasons: list[str | None] = [None] * len(tasks)
        answers: list[str | None] = [None] * len(tasks)
        for tag in dict.fromkeys(tags):
            chosen = [i for i, other in enumerate(tags) if other == tag]
            places = _places_for(config, tag, step)
            models = [(own, model) for own, model in self._models if _applies(own.rows, own.from_step, tag, step)]
            if places == () and not models:
                raise InvalidInputError(
                    f"{tasks[chosen[0]].source}: row {tasks[chosen[0]].id} has {config.rows_field} = {tag!r}, which no "
                    f"component of the reward is for{'' if step is None else f' at step {step}'}; add one, or one without rows"
                )
            if places != ():
                own_rollouts, own_tasks = [rollouts[i] for i in chosen], [tasks[i] for i in chosen]
                scores = _score_tokens(self._rules(places), own_rollouts, own_tasks)
                for name, values in scores.components.items():
                    columns[name][chosen] = values
                total[chosen] = scores.total
                for i, state, reason, answer in zip(chosen, scores.status, scores.reasons, scores.answers, strict=True):
                    status[i], reasons[i], answers[i] = str(state), reason, answer
            for own, model in models:
                values = model.rewards([tasks[i] for i in chosen], [texts[i] for i in chosen])
                columns[own.name][chosen] = values
                total[chosen] += own.weight * values
        return Scores(total, columns, status, reasons, answers)

    def _tag(self, task: Task) -> str:
        value = task.metadata.get(self._config.rows_field)
        return value if isinstance(value, str) else ""

    def _rules(self, places: _Places) -> TokenScorer:
        """The scorer of some components. Each is made once: groups come by the thousand, and a spec takes longer than a group."""
        if places not in self._made:
            config = self._config
            chosen = None if places is None else [config.component[place] for place in places]
            self._made[places] = self._make(full_spec(config) if chosen is None else _spec(config, chosen))
        return self._made[places]


def _score_tokens(scorer: TokenScorer, rollouts: Sequence[Rollout], tasks: Sequence[Task]) -> Scores:
    offsets = np.zeros(len(rollouts) + 1, dtype=np.int64)
    np.cumsum([len(rollout.token_ids) for rollout in rollouts], out=offsets[1:])
    flat = np.concatenate([rollout.token_ids for rollout in rollouts])
    return scorer.score_tokens(flat, offsets, [task.reference for task in tasks])


def full_spec(config: ScorerConfig) -> RewardSpec:
    """The spec with every component, whatever rows it is for.

    Raises:
        InvalidSpecError: naming the component and the option.
        InvalidInputError: The spec's file cannot be read.
    """
    if config.spec is not None:
        return RewardSpec.of(Path(config.spec))
    return _spec(config, config.component)


def check_scorer(config: ScorerConfig) -> None:
    """Raises what ``full_spec`` raises, and for a reward model with the name of a component."""
    names = [component.name for component in full_spec(config).components] if config.component or config.spec else []
    for preference in config.preference:
        if preference.name in names:
            raise InvalidInputError(f"scorer.preference: there are two components called {preference.name!r}")
        names.append(preference.name)


def _places_for(config: ScorerConfig, tag: str, step: int | None) -> _Places:
    if config.spec is not None:
        return None
    tables = enumerate(config.component)
    return tuple(i for i, table in tables if _applies(table.get("rows"), table.get("from_step", 1), tag, step))


def _applies(rows: Sequence[str] | None, from_step: int, tag: str, step: int | None) -> bool:
    """Whether a component is for a row at a step."""
    return (rows is None or tag in rows) and (step is None or step >= from_step)


def _spec(config: ScorerConfig, components: Sequence[Mapping[str, Any]]) -> RewardSpec:
    plain = [{key: value for key, value in table.items() if key not in ("rows", "from_step")} for table in components]
    return RewardSpec.of({"on_undecided": config.on_undecided, "component": plain})
