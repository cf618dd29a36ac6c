"""How long the arms of a comparison still take, from what has finished, before that from rough figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from looptool_kit.config import Settings
from looptool_kit.report.forecast import forecast as forecast_of_loop
from looptool_kit.report.taken import timings
from looptool_kit.run.folder import Run

Place = tuple[int, str]
"""(random seed, arm)."""


def look(path: Path) -> Run | None:
    """The run in a folder, read-only; None where there is none."""
    return Run.open(path, read_only=True) if (path / "run.toml").exists() else None


def finished(path: Path) -> bool:
    """Tell whether a run was trained and evaluated to its end."""
    run = look(path)
    return run is not None and _ended(run)


def _ended(run: Run) -> bool:
    return run.manifest("scores", run.settings.iterations + 1) is not None


def seconds_to_go(
    places: Mapping[Place, Path], seed_alone: Collection[str] = (), guess: float | None = None
) -> float | None:
    """Seconds that the arms still need, estimated from finished ones.

    An arm of which no seed has finished is taken to need what the first one needed after D1.

    Args:
        places: (random seed, arm) -> folder, the first arm's ahead.
        seed_alone: Arms that train without a loop.
        guess: What one run of the first arm takes, as long as none has finished; None: that is not known, and
            so is the result.
    """
    first = next(iter(places))[1]
    runs = {place: look(path) for place, path in places.items()}
    measured: dict[str, list[float]] = {}
    later: dict[str, list[float]] = {}
    for (_, arm), run in runs.items():
        if run is not None and _ended(run):
            measured.setdefault(arm, []).append(_taken(run, arm == first, arm in seed_alone))
            if arm == first:
                for other in {name for _, name in places}:
                    later.setdefault(other, []).append(_taken(run, False, other in seed_alone))
    if first not in measured:
        if guess is None:
            return None
        measured[first] = [guess]
    total = 0.0
    for (_, arm), run in runs.items():
        if run is None or not _ended(run):
            known = measured.get(arm) or later.get(arm) or measured[first]
            taken = _taken(run, arm == first, arm in seed_alone) if run else 0.0
            total += max(0.0, sum(known) / len(known) - taken)
    return total


def forecast(
    places: Mapping[Place, Path],
    seed_alone: Collection[str] = (),
    settings: Settings | None = None,
    jobs: int = 1,
) -> str:
    """Say how many runs have finished, and the time to go.

    In one line.

    Args:
        places: As for `seconds_to_go`.
        seed_alone: As for `seconds_to_go`.
        settings: Of the first arm, for a rough figure before it has finished.
        jobs: Runs at once.
    """
    done = sum(map(finished, places.values()))
    seeds = len({seed for seed, _ in places})
    line = (
        f"{len(places)} runs ({len(places) // seeds} arms, {seeds} random seed{'s' * (seeds > 1)}), {done}"
        " finished"
    )
    if done == len(places):
        return line
    left = seconds_to_go(places, seed_alone)
    if left is not None:  # runs were timed while others ran beside them
        return f"{line}; about {_minutes(left / min(jobs, len(places) - done))} to go"
    if settings is None or (rough := forecast_of_loop(settings)) is None:
        return f"{line}; the first one measures how long the others will take"
    most = seconds_to_go(places, seed_alone, rough.seconds) or 0.0
    return f"{line}; {_minutes(most)} at the most by rough figures, until the first one measures it"


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _taken(run: Run, whole: bool, seed_alone: bool) -> float:
    """Seconds of an arm's own stages: D1 is the first one's, and without a loop nothing is probed."""
    stages = ("train", "scores", "development_scores") if seed_alone else None
    return sum(
        row["seconds"]
        for row in timings(run)
        if (whole or row["iteration"] > 1) and (stages is None or row["stage"] in stages)
    )
