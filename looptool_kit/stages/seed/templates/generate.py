"""Samples for anybody's tools: which tools can be asked for, and the draw of a split."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, timedelta
from random import Random

from looptool_kit.checks.dedup import normalised
from looptool_kit.core.records import HELD_OUT_SPLITS
from looptool_kit.core.samples import Sample, Samples, Tool
from looptool_kit.core.toolcalls import canonical_calls
from looptool_kit.stages.seed.templates.elsewhere import with_what_others_tell
from looptool_kit.stages.seed.templates.headlines import headline
from looptool_kit.stages.seed.templates.names import Unusable
from looptool_kit.stages.seed.templates.room import Fits, short, trimmed
from looptool_kit.stages.seed.templates.tasks import Impossible, Need, realise
from looptool_kit.stages.seed.templates.trial import check
from looptool_kit.stages.seed.templates.wording import Able, able
from looptool_kit.world.grammar import Scene

SPLITS = ("train", *HELD_OUT_SPLITS)
WEIGHTS = {"single": 0.34, "choice": 0.26, "parallel": 0.16, "ask": 0.14, "decline": 0.1}
PER_LIST = 10
"""Samples that hang on one tool list, so that its tokens are paid once."""
MIN_TOOLS = 8
"""Catalogues of at least so many tools keep a fifth of them, at least two, for `unseen_tools`."""
NEAR = 0.6
"""Share of the tool lists with tools about the same thing; on the others something can be asked back."""
MAX_SAME_ASK = 6
"""Samples in which the same parameter of the same tool is asked back."""
MAX_TRIES, ANY_TOOL_AFTER = 40, 8
"""Draws for one sample; after so many of them any tool on offer may be its target, not only a rare one."""
MAX_FRUITLESS, SINGLES_AFTER = 12, 4
"""Tool lists in a row without a sample: then no more are drawn, or only single requests are tried."""


def usable(tools: Sequence[Tool], fits: Fits = short) -> tuple[list[Able], dict[str, str]]:
    """The tools that can be asked for, and why others cannot.

    The reasons are by name: a required parameter has no values that can be said, nothing tells what the tool
    does, or it alone is too large for the model's context (`fits`).
    """
    good: list[Able] = []
    reasons: dict[str, str] = {}
    verbs: dict[str, str] = {}
    for tool in tools:
        with suppress(Unusable):
            verbs[tool.name] = headline(tool)[0]
    often = Counter(verbs.values())
    for tool, told in zip(tools, with_what_others_tell(tools), strict=True):
        own = verbs.get(tool.name)
        try:
            if not fits([tool]):
                raise Unusable("its definition alone is too large for the model's context")
            others = frozenset(v for v in often if often[v] > (v == own))
            good.append(_remembered(told, others)._replace(tool=tool))
        except Unusable as error:
            reasons[tool.name] = str(error)
    return good, reasons


_KNOWN: dict[tuple[str, frozenset[str]], Able] = {}
MAX_KNOWN = 5_000
"""Tools whose wordings are kept: each split asks for those of the whole catalogue."""


def _remembered(tool: Tool, verbs: frozenset[str]) -> Able:
    """The tool with its wordings, which are worked out once."""
    key = (repr((tool.name, tool.description, tool.parameters)), verbs)
    if key not in _KNOWN:
        if len(_KNOWN) >= MAX_KNOWN:
            _KNOWN.clear()
        _KNOWN[key] = able(tool, verbs)
    return _KNOWN[key]


def held_tools(tools: Sequence[Tool]) -> frozenset[str]:
    """Names of the tools kept for `unseen_tools`.

    They are chosen by a hash; there are none where the catalogue is small.
    """
    if len(tools) < MIN_TOOLS:
        return frozenset()
    by_hash = sorted(
        (t.name for t in tools), key=lambda n: hashlib.blake2b(n.encode(), digest_size=8).digest()
    )
    return frozenset(by_hash[: max(2, len(tools) // 5)])


def generate(
    tools: Sequence[Tool],
    n: int,
    seed: int | str,
    split: str = "train",
    kinds: Sequence[str] = (),
    avoid: Iterable[Sample] = (),
    fits: Fits = short,
) -> Samples:
    """Draw at most `n` samples of a split, no two alike.

    Fewer come where the tools allow no more different ones; a warning says so.

    Args:
        tools: The catalogue.
        n: The number of samples.
        seed: What everything is drawn from.
        split: One of `SPLITS`; `unseen_tools` gives none where there are fewer than `MIN_TOOLS` tools.
        kinds: The task kinds, in the proportions of `WEIGHTS`; by default all.
        avoid: Samples that none of the new ones may be like.
        fits: Whether a prompt with given tools fits the model; tools on offer are chosen so that it does.

    Raises:
        ValueError: The split or a kind is unknown, or no tool can be asked for; it gives the reasons.
    """
    if unknown := [k for k in kinds if k not in WEIGHTS]:
        raise ValueError(f"unknown task kind {unknown[0]!r}; the kinds are {', '.join(WEIGHTS)}")
    pool = _pool(tools, split, fits)
    if not pool:
        return Samples()
    rng = Random(f"templates/{seed}/{split}")
    seen = {_sense(s) for s in avoid}
    rows: list[Sample] = []
    targets: Counter[str] = Counter()
    deck = _deck(n, [k for k in kinds or WEIGHTS if k != "choice" or len(pool) > 1] or ["single"], rng)
    fruitless = 0
    while deck and fruitless < MAX_FRUITLESS:
        if fruitless == SINGLES_AFTER:  # kinds that these tools do not allow give way
            deck = ["single"] * len(deck) if not kinds or "single" in kinds else deck
        chunk, deck = deck[:PER_LIST], deck[PER_LIST:]
        offered = _offer(pool, targets, rng, "choice" in chunk and rng.random() < NEAR, fits)
        before = len(rows)
        for kind in chunk:
            sample = _fresh(kind, offered, pool, targets, seen, split, rng)
            if sample is None:
                deck.insert(rng.randrange(len(deck) + 1), kind)
            else:
                rows.append(sample)
        fruitless = 0 if len(rows) > before else fruitless + 1
    if len(rows) < n:
        warnings.warn(
            f"templates made {len(rows)} of {n} different samples of split {split} from {len(pool)} tools;"
            " there are no more",
            stacklevel=2,
        )
    return Samples(rows)


def _pool(tools: Sequence[Tool], split: str, fits: Fits) -> list[Able]:
    """The tools of a split that can be asked for."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; the splits are {', '.join(SPLITS)}")
    every, why = usable(tools, fits)
    if not every:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(why.items())[:5])
        raise ValueError(
            f"none of the {len(tools)} tools can be asked for by templates ({reasons}); give samples from a"
            " file instead"
        )
    held_out_tools = held_tools([a.tool for a in every])
    return [a for a in every if (a.tool.name in held_out_tools) == (split == "unseen_tools")]


def _deck(n: int, kinds: Sequence[str], rng: Random) -> list[str]:
    total = sum(WEIGHTS[k] for k in kinds)
    exact = {k: n * WEIGHTS[k] / total for k in kinds}
    count = {k: int(v) for k, v in exact.items()}
    for k in sorted(kinds, key=lambda k: count[k] - exact[k])[: n - sum(count.values())]:
        count[k] += 1
    deck = [k for k in kinds for _ in range(count[k])]
    rng.shuffle(deck)
    return deck


def _offer(pool: Sequence[Able], targets: Counter[str], rng: Random, near: bool, fits: Fits) -> list[Able]:
    """Choose up to four tools, the least used first.

    With `near`, most of them are about the same thing.
    """
    size = min(len(pool), rng.choice((2, 3, 3, 4)))
    least = min(targets[a.tool.name] for a in pool)
    first = rng.choice([a for a in pool if targets[a.tool.name] == least])
    shared = {a.tool.name: len(a.subject & first.subject) if near else 0 for a in pool}
    rest = sorted(
        (a for a in pool if a is not first),
        key=lambda a: (-shared[a.tool.name], targets[a.tool.name], rng.random()),
    )
    chosen = trimmed([first, *rest[: size - 1]], first, fits)
    rng.shuffle(chosen)
    return chosen


def _fresh(
    kind: str,
    offered: Sequence[Able],
    pool: Sequence[Able],
    targets: Counter[str],
    seen: set[str],
    split: str,
    rng: Random,
) -> Sample | None:
    for tries in range(MAX_TRIES):
        today = date(2025, 1, 1) + timedelta(days=rng.randrange(1095))
        scene = Scene(rng, today, held=split == "unseen_values", unseen=split == "unseen_phrasings")
        least = min(targets[a.tool.name] for a in offered)
        usual = [a for a in offered if tries > ANY_TOOL_AFTER or targets[a.tool.name] <= least + 1]
        try:
            made = realise(kind, usual, offered, pool, scene)
            sample = made.sample(offered if kind != "decline" else made.offered, kind, split)
            check(made, sample, offered)
        except (Impossible, Need):
            continue
        sense = _sense(sample)
        asked = f"{made.targets} asks {sample.label.mentions}"
        if sense in seen or (kind == "ask" and targets[asked] >= MAX_SAME_ASK):
            continue
        targets[asked] += kind == "ask"
        seen.add(sense)
        for name in made.targets:
            targets[name] += 1
        return sample
    return None


def _sense(sample: Sample) -> str:
    """What makes two samples the same.

    That is the words of the request and the calls; for a plain reply also the tools on offer.
    """
    names = [] if sample.label.calls else sorted(t.name for t in sample.tools)
    return f"{normalised(sample.request)} {canonical_calls(sample.label.calls)} {names}"
