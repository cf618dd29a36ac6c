"""Which task to set: tool lists and plans that they allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

from looptool_kit.world.calls import Call, Impossible, Plan
from looptool_kit.world.spec import Param, Spec, domain_of, is_held, links, slots, specs

WEIGHTS = {
    "single": 0.25,
    "choice": 0.2,
    "parallel": 0.12,
    "multi_step": 0.12,
    "multi_turn": 0.11,
    "ask": 0.08,
    "decline": 0.06,
    "finish": 0.06,
}
KINDS_ON_ONE = ("single", "single", "finish", "single", "ask", "single", "parallel", "multi_turn")
"""Kinds that one tool alone allows, as `show` cycles through them."""
MENTIONED = 0.4
"""Share of the optional parameters that a request mentions."""
HINTED = 0.55
"""Share of the mentions that are implicit, among those of types with implicit surfaces."""


def pool(split: str) -> list[Spec]:
    """The tools of a split.

    Those held are for `unseen_tools`, the others for every other split.
    """
    return [s for s in specs().values() if is_held(s.name) == (split == "unseen_tools")]


def kind_deck(n: int, kinds: Sequence[str] | None, rng: Random) -> list[str]:
    """`n` kinds in the proportions of `WEIGHTS` (largest remainders), shuffled."""
    wanted = list(kinds or WEIGHTS)
    total = sum(WEIGHTS[k] for k in wanted)
    exact = {k: n * WEIGHTS[k] / total for k in wanted}
    count = {k: int(v) for k, v in exact.items()}
    for k in sorted(wanted, key=lambda k: count[k] - exact[k])[: n - sum(count.values())]:
        count[k] += 1
    deck = [k for k in wanted for _ in range(count[k])]
    rng.shuffle(deck)
    return deck


class Dealer:
    """Deals tool lists so that all tools get used equally often."""

    def __init__(self, split: str, rng: Random, domains: Sequence[str] = ()) -> None:
        self.rng, self.pool = (
            rng,
            [s for s in pool(split) if not domains or domain_of()[s.name].name in domains],
        )
        self.used: Counter[str] = Counter()
        self.dealt: dict[bool, list[list[Spec]]] = {True: [], False: []}
        names = {s.name for s in self.pool}
        self.pairs = [k for k in links() if k[0] in names and k[2] in names]

    def rarest(self, options: Sequence[Spec]) -> Spec:
        """One of the least used."""
        least = min(self.used[s.name] for s in options)
        return self.rng.choice([s for s in options if self.used[s.name] == least])

    def deal(self, near: bool, linked: bool) -> list[Spec]:
        """Deal two or three tools.

        With `near`, most are of one domain; with `linked`, two are linked by type. Otherwise each is of
        another domain.
        """
        chosen: list[Spec] = []
        size = self.rng.choice((2, 3) if near else (2, 2, 3))
        if linked and self.pairs:
            least = min(self.used[a] + self.used[b] for a, _, b, _ in self.pairs)
            a, _, b, _ = self.rng.choice(
                [k for k in self.pairs if self.used[k[0]] + self.used[k[2]] <= least + 8]
            )
            chosen = [specs()[a], specs()[b]]
        else:
            chosen = [self.rarest(self.pool)]
        home = domain_of()[chosen[0].name]
        while len(chosen) < size:
            kin = [s for s in self.pool if domain_of()[s.name] is home and s not in chosen]
            taken = {domain_of()[s.name].name for s in chosen}
            far = [s for s in self.pool if domain_of()[s.name].name not in taken]
            options = (
                kin
                if near and kin and (len(chosen) < size - 1 or self.rng.random() < 0.5)
                else far or [s for s in self.pool if s not in chosen]
            )
            if not options:
                break
            chosen.append(self.rarest(options))
        self.rng.shuffle(chosen)
        self.dealt[near].append(chosen)
        return chosen

    def again(self, near: bool) -> list[Spec]:
        """Deal a list again, so that its tokens serve more samples."""
        return self.rng.choice(self.dealt[near] or [self.deal(near, False)])


def draw_plan(kind: str, tools: Sequence[Spec], split: str, rng: Random, used: Counter[str]) -> Plan:
    """Draw a plan of that kind for a tool list.

    Its target is among the least used. Raises `Impossible` where the list does not allow it.
    """
    order = sorted(tools, key=lambda s: (used[s.name], rng.random()))
    plan = Plan(kind=kind, calls=[], mode="", part="", link=[])
    if kind in ("single", "choice", "finish"):
        plan["calls"] = [_call(order[0], rng)]
    elif kind == "ask":
        ways = [(s, p) for s in order for p in s.params if askable(s, p, tools)]
        if not ways:
            raise Impossible("nothing to ask")
        spec, part = rng.choice([w for w in ways if w[0] is ways[0][0]])
        plan["calls"], plan["part"] = [_call(spec, rng, without=part.name)], part.name
    elif kind == "decline":
        plan["calls"] = [_call(_absent(tools, split, rng, used), rng)]
    elif kind == "parallel":
        ways = [(s, p) for s in order for p in s.params if varies(s, p) and not p.optional]
        if ways and (rng.random() < 0.4 or len(tools) < 2):
            spec, part = rng.choice([w for w in ways if w[0] is ways[0][0]])
            call = _call(spec, rng)
            plan["calls"], plan["mode"], plan["part"] = (
                [call, _again(spec, part, call, rng)],
                "same",
                part.name,
            )
        elif len(order) < 2:
            raise Impossible("only one tool")
        else:
            several = 3 if len(order) > 2 and rng.random() < 0.15 else 2
            plan["calls"], plan["mode"] = [_call(s, rng) for s in order[:several]], "each"
            rng.shuffle(plan["calls"])
    elif kind in ("multi_step", "multi_turn"):
        _chain(plan, order, rng)
    else:
        raise ValueError(f"unknown task kind {kind!r}; the kinds are {', '.join(WEIGHTS)}")
    for name in {c["tool"] for c in plan["calls"]}:
        used[name] += 1
    return plan


def _chain(plan: Plan, order: Sequence[Spec], rng: Random) -> None:
    names = {s.name for s in order}
    pairs = [k for k in links() if k[0] in names and k[2] in names]
    if plan["kind"] == "multi_step":
        # "Book a table and cancel that reservation" is not a thing to say in one breath.
        pairs = [
            k for k in pairs if not (specs()[k[0]].makes and (specs()[k[2]].cancels or specs()[k[2]].changes))
        ]
        plan["mode"] = "first" if rng.random() < 0.3 else "second"
    again = [(s, p) for s in order for p in s.params if varies(s, p) and not p.optional]
    if plan["kind"] == "multi_turn" and again and (not pairs or rng.random() < 0.4):
        spec, part = rng.choice([w for w in again if w[0] is again[0][0]])
        call = _call(spec, rng)
        plan["calls"], plan["mode"], plan["part"] = [call, _again(spec, part, call, rng)], "again", part.name
    elif pairs:
        first, field, second, parameter = rng.choice(pairs)
        plan["calls"], plan["link"] = (
            [
                _call(specs()[first], rng),
                _call(specs()[second], rng, given=parameter),
            ],
            [field, parameter],
        )
        plan["mode"] = plan["mode"] or "build"
    else:
        raise Impossible("no two of these tools are linked")


def _call(spec: Spec, rng: Random, without: str = "", given: str = "") -> Call:
    mention = [p.name for p in spec.params if not p.optional or rng.random() < MENTIONED]
    if changes_nothing(spec, mention):
        chosen = rng.choice([p.name for p in spec.params if p.optional] or [""])
        mention = [p.name for p in spec.params if p.name in mention or p.name == chosen]
    hinted = [
        m for m in mention if m not in (without, given) and rng.random() < HINTED * spec.by_name[m].type.hints
    ]
    return Call(tool=spec.name, mention=mention, implicit=hinted)


def changes_nothing(spec: Spec, mention: Sequence[str]) -> bool:
    """Whether a change says what to change, and not in which way.

    One can only ask then.
    """
    return spec.changes is not None and all(spec.by_name[m].type is spec.changes for m in mention)


def _again(spec: Spec, part: Param, call: Call, rng: Random) -> Call:
    return Call(
        tool=spec.name,
        mention=list(call["mention"]),
        implicit=[part.name] if rng.random() < HINTED * part.type.hints else [],
    )


def varies(spec: Spec, p: Param) -> bool:
    """True where "do the same {clause}" makes sense for this parameter."""
    if (
        spec.changes
        or spec.cancels
        or p.type.fields
        or p.type.item is not None
        or "enum" in p.type.schema
        or p.type.schema.get("type") == "boolean"
        or p.type.name == "message"
    ):
        return False
    # What is done to a record is done once: the same ticket order is not transferred to two people.
    if any(not q.optional and q is not p and q.type.record_id for q in spec.params) and not p.type.record_id:
        return False
    return all(
        c == "{@}" or (c[0] not in '{,"' and c.split()[0] not in ("called", "titled", "named"))
        for c in p.clauses
    )


def askable(spec: Spec, p: Param, tools: Sequence[Spec]) -> bool:
    """Tell whether leaving a parameter out leaves nothing but asking.

    It is required, the request can be said without it, and no tool on offer would find it out.
    """
    names = {s.name for s in tools}
    known = {q.name for q in spec.params if not q.optional and q is not p}
    if p.optional or not p.question or not any(slots(phrase) <= known for phrase in spec.do):
        return False
    return not any(k[0] in names and k[2] == spec.name and k[3] == p.name for k in links())


def _absent(tools: Sequence[Spec], split: str, rng: Random, used: Counter[str]) -> Spec:
    names, homes = {s.name for s in tools}, {domain_of()[s.name].name for s in tools}
    near = rng.random() < 0.3
    options = [s for s in pool(split) if s.name not in names and (domain_of()[s.name].name in homes) == near]
    # A record that a listing would find can still be dealt with in two steps; only far requests are beyond
    # doubt for such lists.
    options = [s for s in options if not any(t.lists or t.changes for t in tools)] if near else options
    options = options or [s for s in pool(split) if domain_of()[s.name].name not in homes]
    if not options:
        raise Impossible("every tool is on offer")
    return rng.choice(options)
