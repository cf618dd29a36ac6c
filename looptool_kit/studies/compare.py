"""Arms side by side: one policy D1, the same held-out samples, one budget of tokens, several random seeds.

Every arm is an ordinary run folder that differs from the first arm's by settings alone. `looptool compare
FOLDER` runs what is missing and writes

    FOLDER/<preset>-<seed>            the first arm
    FOLDER/<preset>-<seed>-<arm>      the others: copies of the first as far as D1 and its probes
    FOLDER/compare.parquet            one row a policy: its held-out results, what it cost
    FOLDER/compare.html               tables and forest plots

`looptool ablate` is the same with the arms of `presets/ablation.toml`, which spend what their data take.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from looptool_kit import trust
from looptool_kit.config import Settings, dump_settings, load_preset, with_overrides
from looptool_kit.core import parts
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import write_text
from looptool_kit.core.terminal import say as print_line
from looptool_kit.llm import store
from looptool_kit.loop import Loop
from looptool_kit.run.folder import Run
from looptool_kit.run.run_toml import FORMAT, run_around
from looptool_kit.stages.seed.stage import stage as seed_stage
from looptool_kit.stages.train.budget import spent
from looptool_kit.studies.arms import FULL, Arm, chosen
from looptool_kit.studies.jobs import Task, run_tasks
from looptool_kit.studies.likelihood import label_logprobs
from looptool_kit.studies.outcomes import Outcome, Outcomes, outcomes
from looptool_kit.studies.page import page
from looptool_kit.studies.times import Place, finished, forecast, look

GIVEN = 1
"""The arms of a seed share the policy of this iteration."""
COPIED = ("policy", "scores", "development_scores", "label_logprobs")
"""What an arm takes over of iteration 1 from the first one, by the names of manifests."""
COPIED_BY_LOOPS = ("probes_raw", "probes", "verdicts", "expansions")
"""What an arm with a loop takes over beside that; a stage whose settings differ is made again."""


@dataclass(frozen=True)
class Comparison:
    """What is compared, where, and under which budget."""

    root: Path
    arms: Mapping[str, Arm]
    """The first one is what the others are compared with."""
    preset: str = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2)
    budget: int | None = None
    """Tokens that each arm may spend after D1. None: as many as the first arm spends of itself. 0: no budget;
    seed data alone get what the first arm spends all the same.
    """
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Settings of all arms, named as for `config.load_preset`."""
    only: tuple[str, ...] | None = None
    """Arms that are run beside the first one; None: all. Others that stand in the folder are compared too."""
    name: str = "compare"
    """Of the table and the page."""

    @property
    def first(self) -> str:
        """Name of the first arm."""
        return next(iter(self.arms))

    def folder(self, seed: int, arm: str) -> Path:
        """Where an arm's run is."""
        return folder(self.root, self.preset, seed, arm, self.first)

    @property
    def places(self) -> dict[Place, Path]:
        """(random seed, arm) -> folder, the first arm's ahead."""
        names = chosen(self.arms, self.only)
        return {(seed, arm): self.folder(seed, arm) for arm in names for seed in self.seeds}

    @property
    def settings(self) -> Settings:
        """Those of the first arm."""
        changes = {**self.overrides, **self.arms[self.first].changes}
        settings = load_preset(self.preset, **changes)
        return with_overrides(settings, budget__tokens=self.shares(settings.iterations))

    def shares(self, iterations: int) -> tuple[int, ...]:
        """The share of a budget for each iteration after D1.

        Equal parts.
        """
        if not self.budget:
            return ()
        share = self.budget // iterations
        return (*(share for _ in range(iterations - 1)), self.budget - share * (iterations - 1))


def folder(root: Path, preset: str, seed: int, arm: str, first: str = FULL) -> Path:
    """Return where an arm's run is.

    `first` names the arm that the others start from.
    """
    return root / f"{preset}-{seed}{'' if arm == first else f'-{arm}'}"


def run_task(plan: Comparison, task: Task, say: Callable[[str], None] = print_line) -> None:
    """Run or resume an arm until D_last, and measure its policies.

    The arm of one random seed; D_last is trained.

    Raises:
        RunError: The arm would draw seed data of its own, or its folder holds another run.
    """
    (seed, arm), last = task
    path = plan.folder(seed, arm)
    if arm == plan.first:
        with _first(plan, seed) as run:
            Loop(run, say).run()
            # Of nothing but the first arm they would be compared with nothing, and cost as much as scores.
            if set(plan.places) != {(n, plan.first) for n in plan.seeds}:
                _measure(run, last)
        return
    full = Run.open(plan.folder(seed, plan.first), read_only=True)
    with _fork(plan, full, path, arm) as run:
        if why := seed_stage(run).why():
            raise RunError(
                f"{path} would draw seed data of its own ({'; '.join(why)}), and all arms share theirs. Set"
                " for all arms, with --set, what decides it, or leave it out of the arm."
            )
        if plan.arms[arm].data == "seed":
            seed_only(run)
            Loop(run, say, GIVEN).train_only(last)
        else:
            Loop(run, say, GIVEN).run(last)
        _measure(run, last)


def compare(
    plan: Comparison,
    jobs: int = 1,
    say: Callable[[str], None] = print_line,
    work: Callable[[Comparison, Task, Callable[[str], None]], None] = run_task,
) -> Outcomes:
    """Run the arms for each random seed; finished ones are kept.

    The first arm of all seeds comes first, then all arms' D2, then all arms' D3 and so on, so that what is
    there whenever it is stopped can be compared. Table and page are written again after each.

    Args:
        jobs: Runs at once, each in a process of its own that writes to `<run folder>.log`.
        say: Gets the forecast, and the news of each run.
        work: Does one task.

    Raises:
        ValueError: There is no random seed or arm of that name, or a setting or the budget is wrong.
        RunError: A folder holds another run, or a run failed.
    """
    if not plan.seeds or (plan.budget or 0) < 0:
        raise ValueError("a comparison needs at least one random seed, and a budget of 0 or more tokens")
    _refuse_runs(plan.root)
    end, places = plan.settings.iterations + 1, plan.places
    kept = {place for place, path in places.items() if finished(path)}
    seed_alone = [name for name, arm in plan.arms.items() if arm.data == "seed"]

    def say_time() -> None:
        say(forecast(places, seed_alone, plan.settings, jobs))

    say_time()
    plan.root.mkdir(parents=True, exist_ok=True)
    for seed in plan.seeds:
        with _first(plan, seed) as run:
            _refuse_decisions(run)
    tasks = [Task(place, end) for place in places if place[1] == plan.first]
    tasks += [Task(p, last) for last in range(2, end + 1) for p in places if p[1] != plan.first]
    found = collect(plan)

    def done(task: Task) -> None:
        nonlocal found
        found = collect(plan)
        found.write(plan.root / f"{plan.name}.parquet")
        write_text(plan.root / f"{plan.name}.html", page(found, plan.arms, plan.name))
        if task.place not in kept:
            say_time()
        elif task.last == end:
            say(f"{places[task.place].name}: finished before, kept")

    old, new = [t for t in tasks if t.place in kept], [t for t in tasks if t.place not in kept]
    doing = partial(work, plan)
    run_tasks(old, places, lambda task, _: doing(task, _quiet), done, 1, say)
    run_tasks(new, places, doing, done, jobs, say)
    return found


def collect(plan: Comparison) -> Outcomes:
    """Collect each evaluated policy in the folder.

    Of arms that start where their first one does.
    """
    rows: list[Outcome] = []
    for seed in plan.seeds:
        full = look(plan.folder(seed, plan.first))
        for arm in plan.arms if full else ():
            run = look(plan.folder(seed, arm))
            if full and run and (arm == plan.first or not _stranger(plan, run, full, arm)):
                rows += outcomes(run, arm)
    return Outcomes(rows)


def _first(plan: Comparison, seed: int) -> Run:
    changes = {**plan.overrides, **plan.arms[plan.first].changes}
    shares = plan.settings.budget.tokens
    budget = {"budget__tokens": shares} if shares else {}
    return Run.create(plan.folder(seed, plan.first), plan.preset, seed=seed, **changes, **budget)


def _refuse_runs(root: Path) -> None:
    root = root.absolute()
    if inside := run_around(root):
        raise RunError(
            f"{root} {'is a run' if root.resolve() == inside.resolve() else f'lies in the run {inside}'}, and"
            " a comparison trains runs of its own: give a folder for them, or name two finished runs to"
            " compare those."
        )


def _refuse_decisions(run: Run) -> None:
    if any(run.decisions(subject) for subject in ("verdict", "expansion", "threshold")):
        raise RunError(
            f"{run.path} holds a person's decisions, which no other arm would have: give a folder of its own"
            " to the comparison."
        )


def _settings(plan: Comparison, full: Run, arm: str) -> Settings:
    """The settings of an arm beside the first one's finished run."""
    tokens = full.settings.budget.tokens
    if not tokens and (plan.budget is None or plan.arms[arm].data == "seed"):
        tokens = tuple(max(1, spent(full, j).total) for j in range(2, full.settings.iterations + 2))
    return with_overrides(full.settings, **plan.arms[arm].changes, budget__tokens=tokens)


def _fork(plan: Comparison, full: Run, path: Path, arm: str) -> Run:
    """A run that shares another's seed data, policy D1 and all results about D1.

    Stages whose settings differ are made again.
    """
    if not (path / "run.toml").exists():
        if path.exists() and any(path.iterdir()):
            raise RunError(f"{path} is not empty and holds no run.toml. Move it away.")
        unfinished = path.with_name(f".{path.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(
            full.folder(0), unfinished / "seed", ignore=shutil.ignore_patterns("*.parts", "checkpoint-*")
        )
        _copy_first_iteration(full, unfinished, loops=plan.arms[arm].data == "loop")
        if (full.path / "tools.json").exists():
            shutil.copy(full.path / "tools.json", unfinished / "tools.json")
        if (full.path / "calls.sqlite").exists():  # paid answers are not paid twice
            store.copy(full.path / "calls.sqlite", unfinished / "calls.sqlite")
        write_text(unfinished / "run.toml", dump_settings(_settings(plan, full, arm), FORMAT))
        unfinished.replace(path)
        trust.inherit(path, full.settings, full.path)
    run = Run.open(path)
    if why := _stranger(plan, run, full, arm):
        run.close()
        raise RunError(f"{path} {why}. Move it away, and the arm is run again.")
    return run


def _copy_first_iteration(full: Run, target: Path, loops: bool) -> None:
    """Copy the policy D1 and what there is about it; D2 is not there yet and must not count as composed."""
    source, place = full.folder(1), target / full.folder(1).relative_to(full.path)
    shutil.copytree(source / "policy", place / "policy", ignore=shutil.ignore_patterns("checkpoint-*"))
    parts.copy(source / "samples.parquet", place / "samples.parquet")
    for name in (*COPIED, *(COPIED_BY_LOOPS if loops else ())):
        for file in (source / f"{name}.parquet", source / f"{name}.json"):
            if file.exists():
                parts.copy(file, place / file.name)


def _stranger(plan: Comparison, run: Run, full: Run, arm: str) -> str:
    """Why a run is not this arm beside that first one; empty where it is."""
    if not finished(full.path):
        return f"stands beside {full.path}, which has not finished"
    if run.settings != _settings(plan, full, arm):
        changes = plan.arms[arm].changes or "none changed"
        return f"holds a run with other settings or another budget than {full.path} with {changes}"
    return (
        ""
        if run.manifest("policy", GIVEN) == full.manifest("policy", GIVEN)
        else f"does not start from the policy D1 of {full.path}"
    )


def seed_only(run: Run) -> None:
    """Write D_2, D_3, ... of an arm without a loop.

    The seed samples that a loop has had by then. Its training repeats them until the budget is spent.
    """
    wanted = run.settings.seeds
    pool = run.table(Samples, "pool", 0)
    seen = wanted.first
    for j, fresh in enumerate(wanted.slices(run.settings.iterations), 2):
        seen += fresh
        path = run.folder(j) / "samples.parquet"
        if not path.exists():
            Samples(pool[:seen]).write(path)


def _measure(run: Run, last: int) -> None:
    for j in run.iterations:
        if j <= last and run.manifest("policy", j):
            label_logprobs(run, j)


def _quiet(line: str) -> None:
    pass
