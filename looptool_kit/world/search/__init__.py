"""Searches over made-up records: questions, virtual tools, and dialogues with exact labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from looptool_kit.checks.rules import passes
from looptool_kit.checks.searches import check_record
from looptool_kit.config.sources import SearchSettings
from looptool_kit.core.samples import Sample
from looptool_kit.world.search.dialogues import PATTERNS, Made, Setup, dialogue, possible
from looptool_kit.world.search.facts import HELD_OUT_WORKS, base
from looptool_kit.world.search.tools import bank

__all__ = [
    "PATTERNS",
    "SPLITS",
    "Made",
    "Setup",
    "dialogue",
    "dialogues",
    "drawn",
    "patterns_of",
    "possible",
    "samples",
    "setup_of",
    "variant",
]
SPLITS = ("unseen_records", "unseen_tools")
"""The held-out splits."""
MAX_TRIES = 20
"""Dialogues that are drawn for one in which every argument is said in words that the rules know."""


def dialogues(setup: Setup, patterns: Sequence[str], seed: int | str, split: str = "train") -> Iterator[Made]:
    """Yield dialogues without end; patterns come in turn.

    Their order depends on nothing but the seed. Each keeps the nine rules and the rule tier: where a
    question's words name two facts, so that a rule cannot tell which is meant, another one is drawn.

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
                if all(c.passed for c in check_record(made.dialogue, made.record)) and all(
                    map(passes, made.samples)
                ):
                    yield made
                    break
            else:
                raise ValueError(f"none of {MAX_TRIES} dialogues of the pattern {pattern} keeps the rules")
            number += 1


def variant(sample: Sample, setup: Setup, rng: Random) -> Sample | None:
    """Draw the same turn of another dialogue.

    Pattern, relations and kind of turn stay; all else is drawn again. None for a sample that is not of
    made-up records, and where none was found in a number of tries.
    """
    pattern, facts = sample.meta.get("pattern"), sample.meta.get("facts")
    if pattern not in PATTERNS or not isinstance(facts, list):
        return None
    path = () if pattern == "parallel" else tuple(str(fact[1]) for fact in facts)  # type: ignore[index]
    for _ in range(MAX_TRIES):
        try:
            made = dialogue(setup._replace(path=path), str(pattern), rng)
        except ValueError:  # the base has no such question: fewer children, never a wrong one
            return None
        places = [
            s for s in made.samples if s.kind == sample.kind and s.meta["step"] == sample.meta.get("step")
        ]
        if places and all(map(passes, places)) and places[0].id != sample.id:
            return places[0]
    return None


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


def setup_of(settings: SearchSettings, seed: int, split: str = "train") -> Setup:
    """What dialogues of a split are made of.

    Args:
        settings: The section `[search]`.
        seed: The run's random seed.
        split: `train`; `unseen_records`: people, works, organisations and places that no other split has;
            `unseen_tools`: these, and the last variant of each tool.

    Raises:
        ValueError: There are not as many variants or names.
    """
    tools = bank(settings.variants, settings.same, settings.words, seed)
    last = -1 if split != "unseen_tools" else None
    offered = {kind: some[:last] if last else some[-1:] for kind, some in tools.items()}
    held = split != "train"
    records = base(HELD_OUT_WORKS if held else settings.records, seed, held)
    return Setup(records, offered, settings.hops, settings.top)


def patterns_of(settings: SearchSettings) -> list[str]:
    """The patterns that are drawn, in turn.

    Raises:
        ValueError: None of those that are wanted goes with the number of facts of a question.
    """
    fit = possible(settings.hops)
    chosen = [p for p in settings.patterns or PATTERNS if p in fit]
    if not chosen:
        raise ValueError(
            f"questions over {settings.hops[0]} to {settings.hops[1]} facts (search.hops) allow"
            f" {', '.join(fit)}, and search.patterns names none of them"
        )
    return chosen


def drawn(settings: SearchSettings, count: int, seed: int, stream: str, split: str = "train") -> list[Sample]:
    """Return the first `count` samples of a stream of a run.

    A longer one begins with a shorter one.

    Raises:
        ValueError: The settings allow no such samples; the message says which to change.
    """
    if not count:
        return []
    return samples(
        setup_of(settings, seed, split), count, patterns_of(settings), f"{seed}/{stream}/{split}", split
    )
