"""Searches over made-up records: questions, virtual tools, and dialogues with exact labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from looptool_kit.checks.rules import passes
from looptool_kit.checks.searches import check_record
from looptool_kit.core.samples import Sample
from looptool_kit.world.search.dialogues import PATTERNS, Made, Setup, dialogue, possible

__all__ = ["PATTERNS", "Made", "Setup", "dialogue", "dialogues", "possible", "samples"]
MAX_TRIES = 20
"""Dialogues that are drawn for one in which every argument is said in words that the rules know."""


def dialogues(
    setup: Setup, patterns: Sequence[str], seed: int | str, split: str = "train"
) -> Iterator[Made]:
    """Dialogues without end, in an order that depends on nothing but the seed; patterns come in turn.

    Each keeps the nine rules and the rule tier: a wording that leaves open which fact is meant is drawn again.

    Raises:
        ValueError: The base has no question for a pattern.
    """
    number = 0
    while True:
        order = list(patterns)
        Random(f"{seed}/order/{number}").shuffle(order)
        for pattern in order:
            rng = Random(f"{seed}/{number}")
            for _ in range(MAX_TRIES):
                made = dialogue(setup, pattern, rng, split)
                if all(c.passed for c in check_record(made.dialogue, made.record)) and all(map(passes, made.samples)):
                    yield made
                    break
            number += 1


def samples(
    setup: Setup, count: int, patterns: Sequence[str], seed: int | str, split: str = "train"
) -> list[Sample]:
    """The first `count` different samples of `dialogues`."""
    found: dict[str, Sample] = {}
    for made in dialogues(setup, patterns, seed, split) if count else ():
        found |= {s.id: s for s in made.samples}
        if len(found) >= count:
            break
    return list(found.values())[:count]
