"""The buffer of examples that evolution draws from and adds to (ToolACE, section 2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from looptool_kit.augment.evolve.samples import MIN_FOLLOWING, draw_steps, follow
from looptool_kit.augment.evolve.step import Step
from looptool_kit.checks.rules import check_sample
from looptool_kit.core.samples import Sample, Tool
from looptool_kit.text.similar import Similarity, tool_text

NEW_BELOW = 0.9
"""Greatest cosine with an example that is there already (`text.similar`). A renamed tool lies above it."""


class Example(NamedTuple):
    """An evolved tool: where it began, and the steps since then."""

    began: frozenset[str]
    """Names of the tools that it was, two where they were joined."""
    steps: tuple[Step, ...]


class Buffer:
    """Examples that differ from each other, the oldest forgotten first."""

    def __init__(self, size: int, corpus: Iterable[Tool]) -> None:
        """Hold at most `size` examples; `corpus` tells how rare a word is among tools."""
        known = {t.canonical: t for t in corpus}
        self._size, self._similarity = size, Similarity([tool_text(t) for t in known.values()])
        self._examples: list[tuple[Example, str]] = []

    def draw(self, name: str, free: Sequence[str], rng: Random) -> Example:
        """Draw an example that began as this tool, or the tool.

        All that it began as must be `free`.
        """
        ways = [e for e, _ in self._examples if name in e.began and e.began <= set(free)]
        return rng.choice([Example(frozenset({name}), ()), *ways])

    def put(self, example: Example, before: Sequence[Tool], after: Sequence[Tool]) -> bool:
        """Take an example in where it is new.

        Unlike what it began as, and all that began alike.
        """
        text = " ".join(map(tool_text, after))
        others = [" ".join(map(tool_text, before))]
        others += [t for e, t in self._examples if e.began & example.began]
        if self._similarity.cosines([text], others).max() >= NEW_BELOW:
            return False
        self._examples = [*self._examples, (example, text)][-self._size :] if self._size else []
        return True

    def __len__(self) -> int:
        return len(self._examples)


class Outcome(NamedTuple):
    """What became of a sample."""

    parent: Sample
    sample: Sample | None
    """None where its label cannot follow."""
    why: str = ""
    """Why it is of no use: its label cannot follow, its request no longer fixes it, nothing changed."""
    steps: tuple[Step, ...] = ()
    """What its tools went through."""


def evolve(
    samples: Sequence[Sample], buffer: Buffer, steps: tuple[int, int], rng: Random, only: Sequence[str] = ()
) -> list[Outcome]:
    """Evolve the tools that samples share, and the samples with them.

    Each tool begins as an example of the buffer; what becomes of it is put back where it is new.

    Args:
        samples: At least one; all of one tool list.
        steps: Fewest and most steps for each tool.
        only: Names of the tools to evolve; by default all.
    """
    tools = samples[0].tools
    names = list(dict.fromkeys(t.name for t in tools))
    free, done = list(names), list[Step]()
    for name in rng.sample(names, len(names)):
        if name not in free or (only and name not in only):
            continue
        example = buffer.draw(name, free, rng)
        alive = [m for s in samples if isinstance(m := follow(s, (*done, *example.steps)), Sample)]
        if len(alive) < MIN_FOLLOWING * len(samples):
            example = Example(frozenset({name}), ())
            alive = [m for s in samples if isinstance(m := follow(s, done), Sample)]
        more = _grown(alive, name, example, rng.randint(*steps), rng)
        joined = {n for s in more for n in s.old if n in names} - example.began
        example = Example(example.began | joined, (*example.steps, *more))
        done += example.steps
        if joined <= set(free):  # else it began as a tool that this call has made
            began = [t for t in tools if t.name in example.began]
            buffer.put(example, began, _made(began, example.steps))
        free = [n for n in free if n not in example.began]
    return [_outcome(s, done) for s in samples]


def _grown(alive: Sequence[Sample], name: str, example: Example, count: int, rng: Random) -> list[Step]:
    """Further steps for what an example has become."""
    if not alive:
        return []
    names = [t.name for s in example.steps[-1:] for t in s.new] or [name]
    here = [n for n in names if alive[0].tool(n)]
    used = [s.operator for s in example.steps]
    return draw_steps(alive, rng.choice(here), count, rng, used) if here else []


def _made(began: Sequence[Tool], steps: Sequence[Step]) -> tuple[Tool, ...]:
    tools = tuple(began)
    for step in steps:
        tools = step.on(tools)
    return tools


def _outcome(sample: Sample, steps: Sequence[Step]) -> Outcome:
    made = follow(sample, steps)
    if isinstance(made, str):
        return Outcome(sample, None, made)
    # What its maker planned is no longer true of its tools.
    made = made.model_copy(
        update={"parent": sample.id, "meta": {"evolved": [s.about for s in steps], "split": sample.split}}
    )
    wrong = "; ".join(f"{c.name}: {c.detail}" for c in check_sample(made) if not c.passed)
    why = wrong or ("unchanged" if made.id == sample.id else "")
    return Outcome(sample, made, why, tuple(steps))
