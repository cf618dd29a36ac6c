"""What the loop would do on a run as it stands.

It says which stages are done, which would be made again and why, and which are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, NamedTuple

from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Expansions, Probes, Verdicts
from looptool_kit.core.samples import Samples
from looptool_kit.core.terminal import duration
from looptool_kit.lineage.error_seeds import with_decisions
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import SUPERSEDED, Run
from looptool_kit.run.stage import SCORES, Stage, cost, title
from looptool_kit.stages.compose import fresh
from looptool_kit.stages.compose import stage as compose_stage
from looptool_kit.stages.compose.augmented import augmented_stage, choice, losses_stage
from looptool_kit.stages.evaluate import held_out
from looptool_kit.stages.evaluate.stage import stage as evaluate_stage
from looptool_kit.stages.expand.stage import seeds_of
from looptool_kit.stages.expand.stage import stage as expand_stage
from looptool_kit.stages.probe import stages as probe_stages
from looptool_kit.stages.seed.stage import stage as seed_stage
from looptool_kit.stages.seed.stage import wanted
from looptool_kit.stages.train.frontier import stage as frontier_stage
from looptool_kit.stages.train.frontier import wanted as frontier_wanted
from looptool_kit.stages.train.stage import stage as train_stage
from looptool_kit.stages.verify.stage import stage as verify_stage


class Step(NamedTuple):
    """A stage of the loop, in the order of running."""

    name: str
    """The name of its manifest."""
    iteration: int
    state: Literal["done", "again", "follows", "to do"]
    """`again`: what decides it has changed. `follows`: an earlier stage comes first, which may change what
    decides it.
    """
    why: str
    seconds: float
    """What it had taken; 0 for one that has not finished."""

    def __str__(self) -> str:
        took = f" (took {duration(self.seconds)})" if self.seconds and self.state != "to do" else ""
        return f"{self.state:8} {title(self.name, self.iteration)}{': ' if self.why else ''}{self.why}{took}"


def plan(run: Run) -> list[Step]:
    """Every stage of the loop with what would become of it.

    Makes nothing, and loads no model.
    """
    steps: list[Step] = []
    first = ""  # the first stage whose result does not stand: the next ones are made from it
    longer = (run.manifest("seed", 0) or {}).get("wanted", 0) < wanted(run)
    for name, j, build in stages(run):
        old, seconds = run.manifest(name, j) is not None, cost(run, [(name, j)])
        try:
            now = None if first else build()
        except RunError:
            waiting = next((title(s.name, s.iteration) for s in steps if s.state != "done"), "")
            if not (longer or waiting):
                raise
            now, first = None, "seed" if longer else waiting  # it needs what that makes
        if now is None:
            steps.append(
                Step(name, j, "follows" if old else "to do", f"after {first}" if old else "", seconds)
            )
            continue
        reason = "; ".join(now.why())
        state: Literal["done", "again", "to do"] = (
            "done" if now.done else "again" if old or reason else "to do"
        )
        if name == "seed" and state == "done" and longer:
            reason = "the pool is made longer; what was drawn before stays"
        steps.append(Step(name, j, state, reason, seconds))
        if state != "done" and name not in SCORES:
            first = title(name, j)
    return steps


def summary(run: Run, steps: list[Step]) -> str:
    """What would be made again, and how long it takes."""
    again = [s for s in steps if s.state in ("again", "follows")]
    if all(s.state == "to do" for s in steps):
        return f"Nothing is made yet. `looptool loop {run.path}` says first how long it takes."
    if not again:
        return "Nothing that has finished would be made again."
    took = cost(run, [(s.name, s.iteration) for s in again])
    without = any(s.why.endswith("adapter is missing") for s in again)
    return (
        f"Of what has finished {len(again)} stage{'s' * (len(again) != 1)} would or may be made again. They"
        f" had taken {duration(took)}; expect about as long. What they replace goes to"
        f" {run.path / SUPERSEDED}; nothing is deleted."
        + (" A run that came without its weights can be looked at as it is: view, report." if without else "")
    )


def stages(run: Run) -> Iterator[tuple[str, int, Callable[[], Stage]]]:
    """(manifest, iteration, builder of the stage), in the loop's order.

    The builder reads the tables that are there.
    """
    settings, last = run.settings, run.settings.iterations + 1
    yield "seed", 0, partial(seed_stage, run)
    for j in range(0 if settings.evaluate.base else 1, last + 1):
        if j:
            yield "policy", j, partial(_policy, run, j)
        yield "scores", j, partial(_scores, run, "held_out", j)
        if settings.development:
            yield "development_scores", j, partial(_scores, run, "development", j)
        if 0 < j < last:
            yield "probes_raw", j, partial(_raw, run, j)
            yield "probes", j, partial(_probes, run, j)
            if frontier_wanted(run):
                yield "frontier", j, partial(_frontier, run, j)
            yield "verdicts", j, partial(_verdicts, run, j)
            yield "expansions", j, partial(_expansions, run, j)
            if settings.augment.perturbations:
                if j == 1:
                    yield "augmented", 0, partial(augmented_stage, run)
                yield "augment_losses", j, partial(losses_stage, run, j)
            yield "composition", j, partial(_composition, run, j)


def _policy(run: Run, j: int) -> Stage:
    return train_stage(run, run.table(Samples, "samples", j), j)


def _scores(run: Run, category: str, j: int) -> Stage:
    return evaluate_stage(run, policy_of(run, j), held_out.category(run, category))


def _probes(run: Run, j: int) -> Stage:
    return _both(run, j)[1]


def _raw(run: Run, j: int) -> Stage:
    raw, prediction = _both(run, j)
    # Once the probes stand, nobody needs the raw ones, which a recording leaves out.
    return prediction if prediction.done else raw


def _both(run: Run, j: int) -> tuple[Stage, Stage]:
    samples = Samples(run.table(Samples, "samples", j).by_id().values())
    return probe_stages(run, samples, policy_of(run, j), j)


def _frontier(run: Run, j: int) -> Stage:
    return frontier_stage(run, Samples(run.table(Samples, "samples", j).by_id().values()), j)


def _verdicts(run: Run, j: int) -> Stage:
    return verify_stage(run, run.table(Probes, "probes", j), j)


def _expansions(run: Run, j: int) -> Stage:
    return expand_stage(run, seeds_of(run, run.table(Verdicts, "verdicts", j), j), j)


def _composition(run: Run, j: int) -> Stage:
    verdicts = with_decisions(run.table(Verdicts, "verdicts", j), run.decisions("verdict", j))
    tables = run.table(Probes, "probes", j), verdicts, run.table(Expansions, "expansions", j)
    chosen = choice(run, j, verdicts) if run.settings.augment.perturbations else None
    return compose_stage(run, *tables, run.decisions("expansion", j), fresh(run, j), j, chosen)
