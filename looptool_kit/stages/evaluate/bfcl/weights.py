"""BFCL's categories and how its versions weigh them into one figure.

Versions weigh differently: a figure without its version says nothing.

v3 (as in the leaderboard of mid-2025, executable categories retired): the mean of non-live (simple, multiple,
parallel, parallel multiple and irrelevance, each alike; simple is the mean of Python, Java, JavaScript), live
(all its entries alike, irrelevance and relevance among them) and multi-turn (four categories alike). v4
(bfcl-eval 2026.3.23): 10% non-live and 10% live (both without irrelevance), 10% irrelevance (mean of its two
categories), 30% multi-turn, 40% agentic. As officially, what was not evaluated counts 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from looptool_kit.core.stats import weighted

Version = Literal["v3", "v4"]

CATEGORIES: dict[str, int] = {
    "simple_python": 400, "simple_java": 100, "simple_javascript": 50,
    "multiple": 200, "parallel": 200, "parallel_multiple": 200, "irrelevance": 240,
    "live_simple": 258, "live_multiple": 1053, "live_parallel": 16, "live_parallel_multiple": 24,
    "live_irrelevance": 884, "live_relevance": 16,
    "multi_turn_base": 200, "multi_turn_miss_func": 200,
    "multi_turn_miss_param": 200, "multi_turn_long_context": 200,
}  # fmt: skip
"""The categories that can be run here, and their entries in bfcl-eval 2026.3.23. The agentic ones need the
web and vendors' services.
"""
MULTI_TURN = tuple(c for c in CATEGORIES if c.startswith("multi_turn"))
LIVE = tuple(c for c in CATEGORIES if c.startswith("live"))
NON_LIVE = tuple(c for c in CATEGORIES if c not in MULTI_TURN + LIVE)
SINGLE_TURN = NON_LIVE + LIVE
GROUPS = {
    "all": tuple(CATEGORIES),
    "single_turn": SINGLE_TURN,
    "non_live": NON_LIVE,
    "live": LIVE,
    "multi_turn": MULTI_TURN,
}

_SIMPLE = {"simple_python": 1 / 3, "simple_java": 1 / 3, "simple_javascript": 1 / 3}
_LIVE_AST = ("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple")


class Overall(NamedTuple):
    """One figure for several categories."""

    value: float
    """In [0, 1]."""
    lo: float
    hi: float
    """95%, over what was evaluated; what was not evaluated adds its 0 without any width."""
    missing: tuple[str, ...]
    """Categories that the version counts and that were not evaluated (they count 0)."""


def categories(names: Sequence[str] | None) -> list[str]:
    """The categories named, singly or by group, in the benchmark's order.

    None: the single-turn ones. Raises `ValueError` for other names.
    """
    wanted: set[str] = set()
    for name in names or ["single_turn"]:
        if name not in CATEGORIES and name not in GROUPS:
            raise ValueError(
                f"BFCL has no category {name!r} that can be run here; there are:"
                f" {', '.join([*GROUPS, *CATEGORIES])}"
            )
        wanted.update(GROUPS.get(name, (name,)))
    return [c for c in CATEGORIES if c in wanted]


def weights(version: Version) -> dict[str, float]:
    """Category -> its share of the version's overall.

    The shares add up to 1. Live categories weigh by their full number of entries.
    """
    out: dict[str, float] = {}

    def add(share: float, parts: Mapping[str, float]) -> None:
        for name, part in parts.items():
            out[name] = out.get(name, 0.0) + share * part

    def by_size(names: tuple[str, ...]) -> dict[str, float]:
        return {n: CATEGORIES[n] / sum(CATEGORIES[m] for m in names) for n in names}

    kinds: list[Mapping[str, float]] = [
        _SIMPLE,
        {"multiple": 1.0},
        {"parallel": 1.0},
        {"parallel_multiple": 1.0},
    ]
    if version == "v3":
        for kind in [*kinds, {"irrelevance": 1.0}]:
            add(1 / 3 / 5, kind)
        add(1 / 3, by_size(LIVE))
        add(1 / 3, dict.fromkeys(MULTI_TURN, 1 / 4))
        return out
    for kind in kinds:
        add(0.1 / 4, kind)
    add(0.1, by_size(_LIVE_AST))
    add(0.1, {"irrelevance": 1 / 2, "live_irrelevance": 1 / 2})
    add(0.3, dict.fromkeys(MULTI_TURN, 1 / 4))
    add(
        0.4,
        {
            "web_search_base": 1 / 4,
            "web_search_no_snippet": 1 / 4,
            "memory_kv": 1 / 6,
            "memory_vector": 1 / 6,
            "memory_rec_sum": 1 / 6,
        },
    )
    return out


def overall(results: Mapping[str, tuple[int, int]], version: Version) -> Overall:
    """The version's one figure from category -> (correct, evaluated).

    Its interval as `stats.weighted` has it.
    """
    shares = weights(version)
    total = weighted((share, *results.get(name, (0, 0))) for name, share in shares.items())
    return Overall(*total, tuple(name for name in shares if not results.get(name, (0, 0))[1]))
