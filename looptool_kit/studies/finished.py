"""Runs that exist already, side by side: `looptool compare RUN RUN...` without another training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from looptool_kit.core.errors import RunError
from looptool_kit.run.folder import Run
from looptool_kit.studies.arms import Arm, settings_of
from looptool_kit.studies.outcomes import Outcome, Outcomes, outcomes


class _Group(NamedTuple):
    """Runs that differ in the random seed alone."""

    settings: dict[str, Any]
    runs: dict[int, str]
    """Random seed -> how the folder is called."""

    @property
    def name(self) -> str:
        """Its first folder's."""
        return next(iter(self.runs.values()))


def compare_runs(paths: Sequence[Path]) -> tuple[Outcomes, dict[str, Arm]]:
    """Gather what finished runs did on the held-out samples that they share.

    Runs that differ in the random seed alone are one arm. The first folder's arm is what the others are
    compared with.

    Returns:
        One row a policy, and the arms by their first folder.

    Raises:
        RunError: A folder holds no run, a run has no scores, or an arm shares no held-out sample with the
            first one.
    """
    groups: list[_Group] = []
    rows: list[Outcome] = []
    folders = {path: path.resolve().name for path in paths}
    names = list(folders.values())
    for path, name in folders.items():
        with Run.open(path, read_only=True) as run:
            settings = {k: v for k, v in settings_of(run.settings).items() if k != "seed"}
            seed = run.settings.seed
            group = next((g for g in groups if g.settings == settings and seed not in g.runs), None)
            if group is None:
                groups.append(group := _Group(settings, {}))
            group.runs[seed] = name if names.count(name) == 1 else str(path)
            found = list(outcomes(run, group.name))
            if not found:
                raise RunError(f"{path} has no held-out scores; looptool evaluate {path} makes them")
            rows += found
    if len(groups) < 2:
        raise RunError(
            f"{', '.join(names)} have the same settings but for the random seed: nothing differs that could"
            " be compared"
        )
    arms = {g.name: Arm(_words(g, groups[0]), {}) for g in groups}
    _check_shared(rows, groups[0].name)
    return Outcomes(rows), arms


def _words(group: _Group, first: _Group) -> str:
    """The folders, and how their settings differ from the first ones'."""
    changed = [f"{k} = {v!r}" for k, v in group.settings.items() if v != first.settings[k]]
    return ", ".join(group.runs.values()) + (f" ({', '.join(changed)})" if changed else "")


def _check_shared(rows: Sequence[Outcome], first: str) -> None:
    """Without a held-out sample in common there is nothing to pair."""
    held_out = {o.seed: set(o.ids) for o in rows if o.arm == first}
    for arm in {o.arm: None for o in rows}:
        if not any(held_out.get(o.seed, set()) & set(o.ids) for o in rows if o.arm == arm):
            raise RunError(
                f"{arm} and {first} share no held-out sample of one random seed, so their results cannot be"
                " paired. Give runs with the same seed, seeds.held_out and source of samples."
            )
