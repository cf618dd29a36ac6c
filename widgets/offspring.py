"""The candidates of an error seed: whose they are, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from looptool_kit.core.records import Expansion
from looptool_kit.lineage.error_seeds import ErrorSeed
from looptool_kit.run.decisions import Decision

NOT_REVIEWED = "not reviewed"
_DECISIONS = ("accepted", "rejected", "edited")
DECIDED: list[tuple[str, ...]] = [
    (NOT_REVIEWED,),
    *(some for n in (1, 2, 3) for some in combinations(_DECISIONS, n)),
]
"""What a person may have decided on the candidates of one seed."""


def by_seed(expansions: Iterable[Expansion]) -> dict[str, list[Expansion]]:
    """The candidates of each error seed, each sample once."""
    children: dict[str, list[Expansion]] = {}
    for child in expansions:
        siblings = children.setdefault(child.seed_id, [])
        if all(child.sample.id != s.sample.id for s in siblings):
            siblings.append(child)
    return children


def is_edit(decision: Decision) -> bool:
    """Whether a person wrote the candidate again."""
    return isinstance(decision.value, dict) and "edit" in decision.value


def state_of(child: Expansion, decision: Decision | None) -> dict[str, Any]:
    """What became of a candidate: `state` of a `ChildCard` in `js/types.d.ts`."""
    if decision is not None:
        name = _named(decision)
        words = f"{name} by {decision.author}"
        return {"name": name, "words": words, "time": decision.time, "decided": True}
    if child.accepted:
        return {"name": "accepted", "words": "accepted by the rules", "decided": False}
    if all(c.passed for c in child.checks):
        return {"name": "left over", "words": "passed, but more than wanted", "decided": False}
    return {"name": "rejected", "words": "rejected by the rules", "decided": False}


def taken(children: Sequence[Expansion], decisions: Mapping[str, Decision]) -> tuple[int, int]:
    """How many of these candidates compose would take, and of how many."""
    decided = [decisions.get(c.sample.id) for c in children]
    kept = sum(
        c.accepted if d is None else d.value != "reject" for c, d in zip(children, decided, strict=True)
    )
    return kept, len(children)


def decided_on(children: Sequence[Expansion], decisions: Mapping[str, Decision]) -> int:
    """What a person decided on these candidates: a place in `DECIDED`."""
    names = {_named(d) for c in children if (d := decisions.get(c.sample.id)) is not None}
    return DECIDED.index(tuple(n for n in _DECISIONS if n in names) or (NOT_REVIEWED,))


def fault_place(seed: ErrorSeed) -> str:
    """Where the prediction's first fault is."""
    if not seed.probe.faults:
        return ""
    fault = seed.probe.faults[0]
    return f"{fault.tool}.{fault.parameter}" if fault.parameter else fault.tool


def _named(decision: Decision) -> str:
    return "edited" if is_edit(decision) else f"{decision.value}ed"
