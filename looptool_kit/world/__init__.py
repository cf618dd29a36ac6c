"""The procedural world: executable tools, and tasks with exact labels.

It covers everyday domains, and its labels are right by construction (RandomWorld, arXiv 2506.11045, made into
readable data).

    samples = generate(2000, seed=1)  # split "train"
    held = generate(300, seed=1, split="unseen_tools")
    child = variant(samples[0], Random(2))  # the same tools and parameters, other values and wording
    again = paraphrase(samples[0], Random(3))  # the same tools, values and label, other wording
    asked = vague(samples[0], Random(4))  # without a value that the call needs: the label asks for it

Everything is drawn from one seed, byte for byte repeatable. Domains are files in `domains/`; its docstring
tells how to write one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from difflib import SequenceMatcher
from random import Random
from typing import Any, cast

from looptool_kit.core.records import HELD_OUT_SPLITS
from looptool_kit.core.samples import Sample, Samples, Tool
from looptool_kit.core.toolcalls import canonical_calls
from looptool_kit.text.recognise import today_in
from looptool_kit.world.calls import Call, Impossible, Plan
from looptool_kit.world.execute import execute, new_state
from looptool_kit.world.grammar import Scene
from looptool_kit.world.noise import plant_noise
from looptool_kit.world.plans import WEIGHTS, Dealer, askable, changes_nothing, draw_plan, kind_deck, pool
from looptool_kit.world.spec import Spec, all_domains, domain_of, is_held, specs
from looptool_kit.world.tasks import KINDS, sample_of
from looptool_kit.world.types import DATE, PAST_DATE

__all__ = [
    "KINDS",
    "SPLITS",
    "catalogue",
    "domains",
    "execute",
    "generate",
    "new_state",
    "paraphrase",
    "plant_noise",
    "vague",
    "variant",
]

SPLITS = ("train", *HELD_OUT_SPLITS)
PER_LIST = 11
"""Samples that hang on one tool list, so that its tokens are paid once; a few of them need another one, which
makes ten on average.
"""
_NEAR, _FAR = {"choice", "multi_step", "multi_turn"}, {"single"}
MAX_TRIES = 60
"""Scenes that are drawn for a variant or a paraphrase before it counts as impossible."""
VAGUE_TRIES = 12
"""Wordings of a vague request that are drawn; the one nearest to the sample's is taken."""
_DANGLING = re.compile(r"\bones\b(?! \w)")
"""What a phrase ends on that wants a clause: "search my notes for ones"."""
SAME_CALLS_AFTER, ANY_HINTS_AFTER = 30, 20
"""Tries after which a variant may repeat the calls, or say values more or less implicitly than its plan."""
MAX_FRESH_TRIES, RELIST_EVERY, RELIST_TRIES = 300, 10, 80
"""Tries for a fresh sample; after so many its tool list is replaced, up to there by one dealt before."""


def _check(split: str, kinds: Sequence[str] | None) -> None:
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; the splits are {', '.join(SPLITS)}")
    if unknown := [k for k in kinds or () if k not in WEIGHTS]:
        raise ValueError(f"unknown task kind {unknown[0]!r}; the kinds are {', '.join(WEIGHTS)}")


def catalogue(split: str | None = None) -> list[Tool]:
    """The tools of the world, or of one split, in order.

    A split is `unseen_tools`, or any other: the others share their tools.
    """
    _check(split or "train", None)
    return [s.tool for s in (pool(split) if split else specs().values())]


def domains() -> dict[str, list[str]]:
    """Domain -> names of its tools."""
    return {d.name: [s.name for s in d.tools] for d in all_domains()}


def generate(
    n: int,
    seed: int | str,
    split: str = "train",
    kinds: Sequence[str] | None = None,
    domains: Sequence[str] = (),
    per_list: int = PER_LIST,
) -> Samples:
    """Draw `n` samples of a split, no two alike.

    Args:
        n: The number of samples.
        seed: What everything is drawn from.
        split: One of `SPLITS`.
        kinds: The task kinds, in the proportions of `plans.WEIGHTS`; by default all.
        domains: The domains whose tools are offered; empty for all.
        per_list: The most samples in a row that share one tool list. Many are cheap to train on. Few make a
            better test: what a policy gets wrong about a tool it gets wrong in every sample that offers it.

    Raises:
        ValueError: A split, kind or domain is unknown, or too few tools are left for the kinds.
    """
    _check(split, kinds)
    if unknown := sorted(set(domains) - {d.name for d in all_domains()}):
        raise ValueError(
            f"unknown domain {unknown[0]!r}; the domains are {', '.join(d.name for d in all_domains())}"
        )
    rng = Random(f"{seed}/{split}")
    deck = kind_deck(n, kinds, rng)
    near = [k for k in deck if k in _NEAR or (k not in _FAR and rng.random() < 0.5)]
    far = list((Counter(deck) - Counter(near)).elements())
    rng.shuffle(far)
    chunks = [(True, near[i : i + per_list]) for i in range(0, len(near), per_list)] + [
        (False, far[i : i + per_list]) for i in range(0, len(far), per_list)
    ]
    rng.shuffle(chunks)
    dealer, targets, seen = Dealer(split, rng, domains), Counter[str](), set[str]()
    if not dealer.pool:
        open_to = sorted({domain_of()[s.name].name for s in pool(split)})
        raise ValueError(
            f"the tools of {', '.join(domains)} are not in split {split!r}; domains with tools in it:"
            f" {', '.join(open_to)}"
        )
    rows: list[Sample] = []
    for is_near, chunk in chunks:
        linked = is_near and bool({"multi_step", "multi_turn"} & set(chunk))
        tools = dealer.deal(is_near, linked)
        dealer.used.update(s.name for s in tools)
        for kind in chunk:
            rows.append(_fresh(kind, tools, split, rng, targets, seen, dealer))
    return Samples(rows)


def _fresh(
    kind: str,
    tools: list[Spec],
    split: str,
    rng: Random,
    targets: Counter[str],
    seen: set[str],
    dealer: Dealer,
) -> Sample:
    for tries in range(MAX_FRESH_TRIES):
        if tries and tries % RELIST_EVERY == 0:
            # This list does not allow the kind: one that was dealt before, in the end one of its own.
            if tries <= RELIST_TRIES:
                tools = dealer.again(kind in _NEAR)
            else:
                tools = dealer.deal(kind in _NEAR, kind in ("multi_step", "multi_turn"))
        try:
            plan = draw_plan(kind, tools, split, rng, targets)
            sample = sample_of(plan, tools, draw_scene(rng, split), split)
        except Impossible:
            continue
        if not _known(sample, seen):
            return sample
    raise ValueError(
        f"no new sample of kind {kind!r} for split {split!r} after {MAX_FRESH_TRIES} tries; ask for fewer"
        " samples or give the domains more tools and wordings"
    )


def draw_scene(rng: Random, split: str) -> Scene:
    """A day and the values and wordings of a split."""
    today = date(2025, 1, 1) + timedelta(days=rng.randrange(1095))
    return Scene(rng, today, held=split == "unseen_values", unseen=split == "unseen_phrasings")


def _known(sample: Sample, seen: set[str]) -> bool:
    key = f"{sample.request.lower()} {canonical_calls(sample.label.calls)} {len(sample.messages)}"
    if key in seen:
        return True
    seen.add(key)
    return False


def variant(
    sample: Sample,
    rng: Random,
    tools: Sequence[str] | None = None,
    kind: str | None = None,
    mention: Sequence[str] | None = None,
) -> Sample:
    """Draw a new train sample with the plan of `sample`.

    Kind, target tools, mentioned parameters and implicitness stay; values, wording and date are new. The
    label is exact. The child's `parent` is `sample.id`.

    Args:
        sample: A sample of the world's train tools.
        rng: The random stream.
        tools: Names that the tool list must hold beside the targets, such as the tool it was confused with.
            The parent's list is kept half of the time; otherwise other distractors are drawn.
        kind: Another kind, with the label's first tool as its target.
        mention: The optional parameters that the label's last call mentions.

    Raises:
        ValueError: The sample is not of the world's train tools, or the wish cannot be met.
    """
    plan = _train_plan(sample, tools or (), mention)
    best: Sample | None = None
    for tries in range(MAX_TRIES):
        try:
            offered = _offer(sample, plan, list(tools or ()), rng)
            if kind is not None and kind != plan["kind"]:
                plan = _as_kind(plan, kind, offered, rng)
            child = sample_of(plan, offered, draw_scene(rng, "train"), "train")
        except Impossible:
            continue
        # A tool with hardly any arguments has only its wording to vary: late tries may keep the calls.
        same_calls = canonical_calls(child.label.calls) == canonical_calls(sample.label.calls)
        if child.request == sample.request or (child.label.calls and tries < SAME_CALLS_AFTER and same_calls):
            continue
        best = child.model_copy(update={"parent": sample.id})
        if tries > ANY_HINTS_AFTER or _implicit(child.meta["calls"]) == _implicit(plan["calls"]):
            return best
    if best is None:
        raise ValueError(
            f"sample {sample.id}: no variant with these wishes (kind {kind or sample.kind}) was found"
        )
    return best


def paraphrase(sample: Sample, rng: Random) -> Sample:
    """Say the same task in other words of the same split.

    Tools, date, calls, results and label stay, and how implicitly each value is said. The label is taken to
    be right: what it holds is what is said. Raises `ValueError` where `sample` is not of this world, where
    some value that its user says stands in no call (declines, requests of which only the first step is
    asked), and where the tools have no other wording.
    """
    specs_of, planned = specs(), {"kind", "calls", "mode", "part", "link"} <= sample.meta.keys()
    stated = today_in(sample.messages[0].content) if planned and sample.messages else None
    if stated is None or any(t.name not in specs_of or specs_of[t.name].tool != t for t in sample.tools):
        raise ValueError(f"sample {sample.id} was not made by the world, so it has no plan")
    plan = plan_of(sample)
    if plan["kind"] == "decline" or plan["mode"] == "first":
        raise ValueError(f"sample {sample.id}: its user says values that stand in no call")
    values = [dict(c.arguments) for m in sample.messages for c in m.tool_calls] + [
        dict(c.arguments) for c in sample.label.calls
    ]
    if plan["kind"] == "ask":
        values = [{**cast(dict[str, Any], sample.meta["given"]), plan["part"]: None}]
    results = [json.loads(m.content) for m in sample.messages if m.role == "tool"]
    offered = [specs_of[t.name] for t in sample.tools]
    for _ in range(MAX_TRIES):
        scene = Scene(
            rng,
            stated[0],
            unseen=sample.split == "unseen_phrasings",
            values=[dict(v) for v in values],
            results=list(results),
        )
        try:
            child = sample_of(plan, offered, scene, sample.split)
        except (Impossible, ValueError):
            continue
        as_implicit = _implicit(child.meta["calls"]) == _implicit(plan["calls"])
        if as_implicit and _letters(child.request) != _letters(sample.request):
            return child.model_copy(update={"label": sample.label, "parent": sample.id})
    raise ValueError(f"sample {sample.id}: no other wording was found")


def vague(sample: Sample, rng: Random) -> Sample:
    """Leave a required value out of a request for one call.

    The label asks for it. Tools, date and the other values stay, in a wording that is as near to the
    sample's as the tool's phrases allow. The parameter is drawn from those of which asking is the only
    way to learn the value.

    Args:
        sample: A sample of this world with a single request (kinds `single` and `choice`).
        rng: The random stream.

    Raises:
        ValueError: The sample is another one, or no value can be left out.
    """
    known, stated = specs(), today_in(sample.messages[0].content) if sample.messages else None
    if sample.kind not in ("single", "choice") or "calls" not in sample.meta or stated is None:
        raise ValueError(f"sample {sample.id} is not a single request of the world")
    (call,), labelled = plan_of(sample)["calls"], sample.label.calls
    if [c.name for c in labelled] != [call["tool"]] or any(
        t.name not in known or known[t.name].tool != t for t in sample.tools
    ):
        raise ValueError(f"sample {sample.id}: its label is not the call of its plan")
    spec, values = known[call["tool"]], dict(labelled[0].arguments)
    offered = [known[t.name] for t in sample.tools]
    parts = [p.name for p in spec.params if p.name in values and askable(spec, p, offered)]
    if not (spec.makes or spec.changes or spec.cancels):
        # Who looks something up and names no day may well mean today, or all days so far.
        days = [p.name for p in spec.params if any(p.type.is_a(t) for t in (DATE, PAST_DATE))]
        parts = [p for p in parts if p not in days]
    for part in rng.sample(parts, len(parts)):
        implicit = [i for i in call["implicit"] if i != part]
        one = Call(tool=spec.name, mention=list(values), implicit=implicit)
        plan = Plan(kind="ask", calls=[one], mode="", part=part, link=[])
        found = []
        for _ in range(VAGUE_TRIES):
            scene = Scene(rng, stated[0], unseen=sample.split == "unseen_phrasings", values=[dict(values)])
            try:
                asking = sample_of(plan, offered, scene, sample.split)
            except (Impossible, ValueError):
                continue
            if not _DANGLING.search(asking.request):
                found.append(asking)
        if found:
            nearest = max(found, key=lambda s: _alike(s.request, sample.request))
            return nearest.model_copy(update={"parent": sample.id})
    raise ValueError(f"sample {sample.id}: none of its values can be left out and asked for")


def _alike(a: str, b: str) -> float:
    return SequenceMatcher(None, a.split(), b.split(), autojunk=False).ratio()


def _letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _train_plan(sample: Sample, tools: Sequence[str], mention: Sequence[str] | None) -> Plan:
    """The plan of a variant; `mention` as for `variant`."""
    if sample.source != "world" and "calls" not in sample.meta:
        raise ValueError(
            f"sample {sample.id} was not made by the world, so it has no plan; expand it with another"
            " strategy"
        )
    plan, specs_of = plan_of(sample), specs()
    for name in (*(c["tool"] for c in plan["calls"]), *tools):
        if name not in specs_of or is_held(name):
            raise ValueError(
                f"sample {sample.id}: {name!r} is not a train tool of the world; variants are made of train"
                " tools only"
            )
    if mention is not None:
        last = plan["calls"][-1]
        params = specs_of[last["tool"]].params
        last["mention"] = [p.name for p in params if not p.optional or p.name in mention]
        if changes_nothing(specs_of[last["tool"]], last["mention"]):
            raise ValueError(f"sample {sample.id}: with these mentions {last['tool']} would change nothing")
        last["implicit"] = [m for m in last["implicit"] if m in last["mention"]]
    return plan


def _implicit(calls: Any) -> list[set[str]]:
    """The parameters of each call that are said implicitly."""
    return [set(c["implicit"]) for c in calls]


def plan_of(sample: Sample) -> Plan:
    """The plan that a sample of this world keeps."""
    m = cast(dict[str, Any], sample.meta)
    calls = [
        Call(tool=c["tool"], mention=list(c["mention"]), implicit=list(c["implicit"])) for c in m["calls"]
    ]
    return Plan(kind=m["kind"], calls=calls, mode=m["mode"], part=m["part"], link=list(m["link"]))


def _as_kind(plan: Plan, kind: str, offered: list[Spec], rng: Random) -> Plan:
    if kind in ("single", "choice", "finish") and plan["kind"] != "decline":
        return Plan(kind=kind, calls=[plan["calls"][-1]], mode="", part="", link=[])
    target = specs()[plan["calls"][-1]["tool"]]
    return draw_plan(kind, offered, "train", rng, Counter({s.name: 1 for s in offered if s is not target}))


def _offer(sample: Sample, plan: Plan, extra: list[str], rng: Random) -> list[Spec]:
    specs_of = specs()
    own = list(dict.fromkeys(c["tool"] for c in plan["calls"])) if plan["kind"] != "decline" else []
    parent = [t.name for t in sample.tools if t.name in specs_of and not is_held(t.name)]
    wanted = [e for e in extra if plan["kind"] != "decline" or e != plan["calls"][0]["tool"]]
    must = list(dict.fromkeys([*own, *wanted]))
    if len(parent) == len(sample.tools) and set(must) <= set(parent) and rng.random() < 0.5:
        return [specs_of[name] for name in parent]
    homes = {domain_of()[c["tool"]].name for c in plan["calls"]}
    near = [s.name for s in pool("train") if domain_of()[s.name].name in homes and s.name not in must]
    far = [s.name for s in pool("train") if domain_of()[s.name].name not in homes and s.name not in must]
    if plan["kind"] == "decline":
        near = []
    names = list(must)
    while len(names) < max(len(sample.tools), len(must), 2):
        side = near if near and (not far or rng.random() < 0.5) else far
        names.append(side.pop(rng.randrange(len(side))))
    rng.shuffle(names)
    offered = [specs_of[name] for name in names]
    if plan["kind"] == "ask" and not askable(
        specs_of[own[0]], specs_of[own[0]].by_name[plan["part"]], offered
    ):
        raise Impossible("a tool on offer would find it out")
    return offered
