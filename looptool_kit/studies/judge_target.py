"""What `looptool judge-check` checks: the judge of a run, or any judge on a file of right samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from looptool_kit.config import Settings, with_overrides
from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.errors import RunError, no_writing
from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.formats import read
from looptool_kit.policy.policy import open_engine, policy_of
from looptool_kit.run.folder import SUPERSEDED, Run
from looptool_kit.run.lock import refuse_links, sweep, unused
from looptool_kit.stages.verify import decided_by
from looptool_kit.stages.verify.llm import models_of
from looptool_kit.studies.judge_check import check, right_samples, trials
from looptool_kit.trust import confirm_given

SAMPLES = 60
"""Samples that a check takes unless told otherwise; of the recorded run 1,176 questions."""
REPEATS = 2
"""How often each question is asked unless told otherwise: the least that shows a judge's wavering."""


def models_asked(run: Run) -> list[Endpoint]:
    """Return the models that the run's judge asks.

    None where it runs on this machine alone.

    Raises:
        ValueError: The judge needs a model, and none is set.
    """
    asks = any(name.endswith("_llm") for name in decided_by(run.settings))
    return models_of(run.settings) if asks else []


def model_calls(run: Run) -> tuple[list[Endpoint], int]:
    """Return `models_asked`, and the calls to each.

    That many are made by a check at the most.

    Raises:
        RunError: The run has no seed pool.
        ValueError: The judge needs a model, and none is set.
    """
    models = models_asked(run)
    if not models:
        return [], 0
    truth = {t.sample_id: t.label for t in run.table(Truths, "truth", 0)}
    right = _some(right_samples(run.table(Samples, "pool", 0), truth), SAMPLES)
    # Each vote is two calls, one in either order of the answers.
    return models, 2 * run.settings.jury.votes * REPEATS * len(trials(right, run.settings.seed))


def _some(right: Sequence[Sample], count: int) -> list[Sample]:
    """At most `count` samples, spread over all and always the same."""
    return list(right[:: max(1, len(right) // count)][:count])


def check_target(
    target: Path, overrides: Mapping[str, Any], iteration: int | None, count: int, repeats: int
) -> tuple[str, Path]:
    """Check a judge on a run or on data.

    On a run's seed pool under its true labels, or on data in any form, which are taken as right. Only the
    folder of this judge's card is locked, so that a page may have the run open.

    Args:
        overrides: Settings in place of the run's, named as for `with_overrides`.
        iteration: Give the judge the log-probabilities of this iteration's policy (0: the base model).
        count: Samples at the most, always the same ones.
        repeats: How often each question is asked.

    Returns:
        The card as text, and the folder that holds it with every trial. An earlier one is kept, in the run's
        folder `superseded` or one beside the file.

    Raises:
        ValueError: There is nothing to plant errors in, or the policy of a file is asked for.
        RunError: Another check of the same judge writes there, or nothing can be written.
    """
    engine = None
    left_out: list[str] = []
    if (target / "run.toml").exists():
        run = Run.open(target, read_only=True)
        refuse_links(run.path)
        pool = run.table(Samples, "pool", 0)
        truth = {t.sample_id: t.label for t in run.table(Truths, "truth", 0)}
        settings, top = with_overrides(run.settings, **overrides), run.path
        cards = top / "judge_check"
        confirm_given(run.path, settings, overrides, run.settings)
        if iteration is not None:
            engine = open_engine(policy_of(run, iteration), run.settings.probe.batch)
    elif iteration is not None:
        raise ValueError(f"--iteration names a run's policy, and {target} is not a run folder")
    else:
        truth = {}
        pool = read(target, lambda row, _, reason: left_out.append(f"row {row}: {reason}"))
        settings = with_overrides(Settings(), **overrides)
        cards = top = target.with_name(f"{target.name}.judge_check")
    right = _some(right_samples(pool, truth), count)
    if not right:
        raise ValueError(
            f"{target} holds no samples with calls or questions: there is nothing to plant errors in"
        )
    folder = cards / (settings.verify.judge + ("-policy" if engine else ""))
    with _alone_in(folder):
        told = check(folder, right, settings, engine, repeats, partial(_set_aside, top))
    if left_out:
        told += f"\n\nLeft out of {target.name}: {len(left_out)} rows or turns, the first {left_out[0]}"
    return told, folder


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Lock the folder of a card, and remove what a killed check left in it.

    The run's own lock would not do: a page that shows the run holds it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise RunError(
            f"Another judge-check of the judge {folder.name!r} writes to {folder}. Wait for it or stop it,"
            " then type the command again."
        ) from None
    except OSError as error:
        raise RunError(no_writing(error, folder) or f"{folder} cannot be locked: {error.strerror}.") from None
    try:
        sweep(folder)
        yield
    finally:
        lock.release()


def _set_aside(top: Path, *files: Path) -> None:
    """Move files to `superseded/<number>/` of a folder, under their path in it."""
    old = unused(top / SUPERSEDED)
    for file in files:
        target = old / file.relative_to(top)
        if file.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
