"""The `slots` expander: other values, edited alike in dialogue and label (`augment/slots.py`).

Works on any sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from looptool_kit.augment.slots import Values, slots_of, swap, values_in
from looptool_kit.checks.rules import passes
from looptool_kit.core.grading import Fault
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.stages.expand import each
from looptool_kit.world.execute import problem
from looptool_kit.world.spec import specs

STRATEGY = "expanders.slots"
EXACT_LABELS = True


def children(seed: Sample, faults: Sequence[Fault], k: int, rng: Random, pool: Samples) -> list[Sample]:
    """Up to `k` different children of `seed`.

    The slots of faulty parameters are swapped wherever they can be, the others mostly.
    """
    wrong = {f.parameter for f in faults if f.parameter}
    values = values_in(pool)
    found: dict[str, Sample] = {}
    for _ in range(4 * k):
        if len(found) == k:
            break
        child = _child(seed, wrong, rng, values)
        if child is not None and child.id != seed.id and passes(child) and not _refused(child):
            found[child.id] = child
    return list(found.values())


def _refused(child: Sample) -> bool:
    """Whether a tool of the world would not execute a call: nine bags, where its schema has no limit."""
    known = specs()
    calls = (*child.label.calls, *(c for m in child.messages for c in m.tool_calls))
    runs = [c for c in calls if c.name in known and known[c.name].tool == child.tool(c.name)]
    return any(map(problem, runs))


candidates = each(children)


def _child(seed: Sample, wrong: set[str], rng: Random, values: Values) -> Sample | None:
    slots = sorted(slots_of(seed), key=lambda s: (s.parameter not in wrong, rng.random()))
    child, swapped = seed, 0
    for slot in slots:
        if swapped and slot.parameter not in wrong and rng.random() < 0.25:
            continue
        new = swap(child, slot, rng, values)
        if new is not None:
            child, swapped = new, swapped + 1
    if not swapped:
        return None
    return child.model_copy(
        update={"parent": seed.id, "strategy": STRATEGY, "source": "expander", "meta": {}}
    )
