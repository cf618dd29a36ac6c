"""What every request must pass, and a try at each tool before anything is drawn for a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from random import Random
from typing import NamedTuple

from looptool_kit.checks.rules import check_sample
from looptool_kit.core.samples import Sample
from looptool_kit.stages.seed.templates.fits import other_fits
from looptool_kit.stages.seed.templates.room import Fits, trimmed
from looptool_kit.stages.seed.templates.tasks import TWO_FIT, Impossible, Made, Refused, realise
from looptool_kit.stages.seed.templates.wording import Able
from looptool_kit.world.grammar import Scene

TRIES = 12
"""Requests that are tried for a tool; with the first that passes it has samples."""
ALONE_AFTER = 6
"""After so many it is tried alone on offer: what two tools serve can still be asked of one."""
RIVALS = 3
"""Tools beside it on such a request's offer: those that are about the same thing."""


class Trial(NamedTuple):
    """What became of a few requests for each tool."""

    tried: int
    refused: Counter[str]
    """Requests that a check refused, by reason."""
    without: dict[str, str]
    """Tools for which none passed, with the reason."""
    passed: dict[str, Sample]
    """Of the other tools the first request that passed."""


def check(made: Made, sample: Sample, offered: Sequence[Able]) -> None:
    """Check a request and its sample.

    The request fits one tool alone, and the sample passes the rule tier.

    Raises:
        Refused: It does not; it names the reason.
    """
    for target, args, text in made.said:
        if other := other_fits(target, args, text, offered):
            raise Refused(TWO_FIT, f"{target.tool.name} and {other}")
    for result in check_sample(sample):
        if not result.passed:
            raise Refused(f"the rule tier's check `{result.name}` fails", result.detail)


def trial(targets: Sequence[Able], fits: Fits, pool: Sequence[Able] = ()) -> Trial:
    """Try requests for each target beside similar tools.

    The tools of the pool that are most like it.
    """
    pool = pool or targets
    refused: Counter[str] = Counter()
    without: dict[str, str] = {}
    passed: dict[str, Sample] = {}
    tried = 0
    for target in targets:
        last = ""
        offered = _beside(target, pool, fits)
        for number in range(TRIES):
            if number == ALONE_AFTER:
                offered = [target]
            scene = Scene(Random(f"trial/{target.tool.name}/{number}"), date(2026, 1, 1))
            try:
                tried += 1
                made = realise("single", [target], offered, pool, scene)
                sample = made.sample(offered, "single", "train")
                check(made, sample, offered)
                passed[target.tool.name], last = sample, ""
                break
            except Refused as error:
                refused[error.reason] += 1
                last = str(error)
            except (Impossible, ValueError) as error:
                tried -= 1
                last = last or str(error) or "its values cannot be drawn together"
        if last:
            without[target.tool.name] = last
    return Trial(tried, refused, without, passed)


def _beside(target: Able, pool: Sequence[Able], fits: Fits) -> list[Able]:
    """The tool and those most like it, as many as there is room for."""
    like = sorted(
        (a for a in pool if a is not target and a.subject & target.subject),
        key=lambda a: -len(a.subject & target.subject),
    )
    return trimmed([target, *like[:RIVALS]], target, fits)
