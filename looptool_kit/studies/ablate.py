"""The full loop beside itself without one part, and beside training on seed data alone.

Does the loop help, and which part of it? Every random seed has one policy D1: the arms take the full loop's
and its probes, and part at the first composed dataset. What an arm leaves out is a setting, so an arm is an
ordinary run that can be opened and looked at. `looptool ablate FOLDER` runs what is missing and writes

    FOLDER/<preset>-<seed>            the full loop
    FOLDER/<preset>-<seed>-<arm>      the others
    FOLDER/ablation.parquet           one row a policy: its right held-out samples, what it was trained on
    FOLDER/ablation.html              table and forest plot
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from looptool_kit import trust
from looptool_kit.config import dump_settings, with_overrides
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import write_text
from looptool_kit.loop import Loop
from looptool_kit.policy.policy import load_base
from looptool_kit.report.summary import timings
from looptool_kit.run.folder import Run
from looptool_kit.run.settings import FORMAT
from looptool_kit.stages.evaluate.stage import scores
from looptool_kit.stages.train.common import encode
from looptool_kit.studies.arms import ARMS, CONTROL, FULL, Outcome, Outcomes, page


def ablate(
    root: Path,
    preset: str = "cpu",
    seeds: Sequence[int] = (0, 1, 2),
    arms: Sequence[str] = tuple(ARMS),
    say: Callable[[str], None] = print,
    **overrides: Any,
) -> Outcomes:
    """Run the arms for each random seed, the full loop always; finished ones are kept.

    The full loops come first, then all arms' D2, then all arms' D3 and so on, so that what is there whenever
    it is stopped can be compared. `ablation.parquet` and `ablation.html` are written again after each arm.

    Args:
        overrides: Settings of all arms, named as for `config.load_preset`.

    Raises:
        ValueError: An arm is unknown, or there is no random seed.
        RunError: A folder holds another run.
    """
    if unknown := [a for a in arms if a not in ARMS]:
        raise ValueError(f"there is no arm {', '.join(unknown)}; choose from {', '.join(ARMS)}")
    if not seeds:
        raise ValueError("an ablation needs at least one random seed")
    chosen = [FULL, *(a for a in ARMS if a in arms and a != FULL)]
    places = {(seed, arm): folder(root, preset, seed, arm) for arm in chosen for seed in dict.fromkeys(seeds)}
    say(forecast(places))
    loops = {
        seed: Run.create(path, preset, seed=seed, **overrides)
        for (seed, arm), path in places.items()
        if arm == FULL
    }
    for full in loops.values():
        if full.decisions("verdict") or full.decisions("expansion") or full.decisions("threshold"):
            raise RunError(
                f"{full.path} holds a person's decisions, which no other arm would have: give a folder of its"
                " own to the ablation."
            )
    end = next(iter(loops.values())).settings.iterations + 1
    turns = [(place, end) for place in places if place[1] == FULL]
    turns += [(place, last) for last in range(2, end + 1) for place in places if place[1] != FULL]
    kept = {place for place, path in places.items() if finished(path)}
    found = collect(root, preset, seeds)
    for (seed, arm), last in turns:
        path = places[seed, arm]
        news = _quiet if (seed, arm) in kept else _prefixed(say, path.name)
        if arm == FULL:
            Loop(loops[seed], news).run()
        else:
            run_arm(loops[seed], path, arm, news, last)
        found = collect(root, preset, seeds)
        found.write(root / "ablation.parquet")
        write_text(root / "ablation.html", page(found))
        if (seed, arm) not in kept:
            say(forecast(places))
        elif last == end:
            say(f"{path.name}: finished before, kept")
    return found


def collect(root: Path, preset: str, seeds: Sequence[int]) -> Outcomes:
    """Each evaluated policy in a folder, of arms that start where their full loop does."""
    rows: list[Outcome] = []
    for seed in dict.fromkeys(seeds):
        full = _look(folder(root, preset, seed, FULL))
        for arm in ARMS if full else ():
            path = folder(root, preset, seed, arm)
            run = _look(path)
            if full and run and not _stranger(run, full, arm):
                rows += outcomes(run, arm)
    return Outcomes(rows)


def outcomes(run: Run, arm: str) -> Iterator[Outcome]:
    """One row for each evaluated policy of a run but the base."""
    found = scores(run)
    for j in run.iterations:
        rows = found.get(f"D{j}")
        if rows is not None:
            tokens = {
                t["trainer"]: t["tokens"] for t in (run.manifest("policy", j) or {}).get("trainings", [])
            }
            yield Outcome(
                arm=arm,
                seed=run.settings.seed,
                iteration=j,
                samples=len(run.table(Samples, "samples", j)),
                sft_tokens=tokens.get("sft", 0),
                grpo_tokens=tokens.get("grpo", 0),
                ids=tuple(s.sample_id for s in rows),
                splits=tuple(s.split for s in rows),
                correct=tuple(s.correct for s in rows),
            )


def folder(root: Path, preset: str, seed: int, arm: str) -> Path:
    """Where an arm's run is."""
    return root / f"{preset}-{seed}{'' if arm == FULL else f'-{arm}'}"


def run_arm(
    full: Run, path: Path, arm: str, say: Callable[[str], None] = print, last: int | None = None
) -> Run:
    """Run an arm in `path` from the policy D1 of a finished full loop, or resume it.

    It runs until D_last (None: to its end). `arm` is not the full one.
    """
    run = _fork(full, path, arm)
    if arm == CONTROL:
        seed_only(run, full)
        Loop(run, say).train_only(last)
    else:
        Loop(run, say).run(last)
    return run


def _fork(full: Run, path: Path, arm: str) -> Run:
    """A run that shares another's seed data, policy D1 and all results about D1.

    Stages whose settings differ are made again.
    """
    if not (path / "run.toml").exists():
        if path.exists() and any(path.iterdir()):
            raise RunError(f"{path} is not empty and holds no run.toml. Move it away.")
        unfinished = path.with_name(f".{path.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        # D2 is not there yet, so it must not count as composed. The rest is redone where its key does not
        # fit.
        ignore = shutil.ignore_patterns(
            "composition.json", "*.parts", "checkpoint-*", "label_logprobs-*.json"
        )
        for j in (0, 1):
            shutil.copytree(full.folder(j), unfinished / full.folder(j).relative_to(full.path), ignore=ignore)
        for name in ("calls.sqlite", "tools.json"):  # paid answers are not paid twice
            if (full.path / name).exists():
                shutil.copy(full.path / name, unfinished / name)
        write_text(
            unfinished / "run.toml", dump_settings(with_overrides(full.settings, **ARMS[arm].changes), FORMAT)
        )
        unfinished.replace(path)
        trust.inherit(path, full.settings, full.path)
    run = Run.open(path)
    if why := _stranger(run, full, arm):
        raise RunError(f"{path} {why}. Move it away, and the arm is run again.")
    return run


def _stranger(run: Run, full: Run, arm: str) -> str:
    """Why a run is not this arm of that full loop; empty where it is."""
    if run.settings != with_overrides(full.settings, **ARMS[arm].changes):
        return f"holds a run with other settings than {full.path} with {ARMS[arm].changes or 'none changed'}"
    return (
        ""
        if run.manifest("policy", 1) == full.manifest("policy", 1)
        else f"does not start from the policy D1 of {full.path}"
    )


def seed_only(run: Run, loop: Run) -> None:
    """Write the control's datasets D_2, D_3, ...: the loop's seed samples so far, repeated.

    Shuffled pass by pass, until their tokens (prompt and label) reach those of the loop's dataset; so SFT,
    which passes over either as often, trains on as many.
    """
    wanted = run.settings.seeds
    pool = run.table(Samples, "pool", 0)
    tokenizer: Any = None

    def tokens(sample: Sample) -> int:
        return sum(map(len, encode(tokenizer, sample)))

    seen = wanted.first
    for j, fresh in enumerate(wanted.slices(run.settings.iterations), 2):
        seen += fresh
        path = run.folder(j) / "samples.parquet"
        if path.exists():
            continue
        tokenizer = tokenizer or load_base(run.settings.model)[1]
        budget = sum(map(tokens, loop.table(Samples, "samples", j)))
        rng = random.Random(f"{run.settings.seed}/{j}")
        rows: list[Sample] = []
        while budget > 0:
            epoch = list(pool[:seen])
            rng.shuffle(epoch)
            for sample in epoch:
                if budget > 0:
                    rows.append(sample)
                    budget -= tokens(sample)
        Samples(rows).write(path)


# ------------------------------------------------------------------- time


def finished(path: Path) -> bool:
    """Whether the run in a folder has been trained and evaluated to its end."""
    run = _look(path)
    return run is not None and run.manifest("scores", run.settings.iterations + 1) is not None


def seconds_to_go(places: Mapping[tuple[int, str], Path]) -> float | None:
    """Seconds that the arms still need, estimated from finished ones.

    None before the first full loop has finished. `places`: (random seed, arm) -> folder. An arm of which no
    seed has finished is taken to need what the full loop needed after D1.
    """
    measured: dict[str, list[float]] = {}
    later: dict[str, list[float]] = {}
    for (_, arm), path in places.items():
        run = _look(path)
        if run is not None and finished(path):
            measured.setdefault(arm, []).append(_spent(run, arm))
            if arm == FULL:
                for other in ARMS:
                    later.setdefault(other, []).append(_spent(run, other))
    if FULL not in measured:
        return None
    total = 0.0
    for (_, arm), path in places.items():
        if not finished(path):
            known = measured.get(arm) or later[arm]
            run = _look(path)
            total += max(0.0, sum(known) / len(known) - (_spent(run, arm) if run else 0))
    return total


def forecast(places: Mapping[tuple[int, str], Path]) -> str:
    """How many arms there are and have finished, and the time to go, in one line."""
    done = sum(map(finished, places.values()))
    seeds = len({seed for seed, _ in places})
    line = (
        f"{len(places)} runs ({len(places) // seeds} arms, {seeds} random seed{'s' * (seeds > 1)}), {done}"
        " finished"
    )
    if done == len(places):
        return line
    left = seconds_to_go(places)
    return f"{line}; " + (
        "the first one measures how long the others will take"
        if left is None
        else f"about {_duration(left)} to go"
    )


def _spent(run: Run, arm: str) -> float:
    """Seconds of an arm's own stages: D1 is the full loop's, and the control neither probes nor composes."""
    stages = ("train", "scores") if arm == CONTROL else None
    return sum(
        r["seconds"]
        for r in timings(run)
        if (arm == FULL or r["iteration"] > 1) and (stages is None or r["stage"] in stages)
    )


def _duration(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _look(path: Path) -> Run | None:
    return Run.open(path, read_only=True) if (path / "run.toml").exists() else None


def _prefixed(say: Callable[[str], None], name: str) -> Callable[[str], None]:
    return lambda line: say(f"{name}: {line}")


def _quiet(line: str) -> None:
    pass
