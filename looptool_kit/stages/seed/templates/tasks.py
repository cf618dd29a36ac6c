"""The kinds of task: requests with their exact labels.

Each is a function from tools and a scene.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from pydantic import JsonValue

from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.stages.seed.templates.conditions import clash
from looptool_kit.stages.seed.templates.content import IDS, changes, records, searches
from looptool_kit.stages.seed.templates.fits import ambiguous_without
from looptool_kit.stages.seed.templates.headlines import headline, subject_of
from looptool_kit.stages.seed.templates.names import Unusable, words_of
from looptool_kit.stages.seed.templates.nouns import DAYS
from looptool_kit.stages.seed.templates.numbers import LIMIT
from looptool_kit.stages.seed.templates.pairs import near, of_the_person, ordered
from looptool_kit.stages.seed.templates.saying import say
from looptool_kit.stages.seed.templates.slots import names_a_thing
from looptool_kit.stages.seed.templates.values import atoms, draw
from looptool_kit.stages.seed.templates.verbs import READING
from looptool_kit.stages.seed.templates.wording import Able
from looptool_kit.text.words import STOP, alike, stems
from looptool_kit.world import frames
from looptool_kit.world import grammar as g
from looptool_kit.world.calls import Call
from looptool_kit.world.calls import Impossible as NoValues
from looptool_kit.world.calls import arguments as world_arguments
from looptool_kit.world.grammar import Said, Scene
from looptool_kit.world.moments import DATE, DATETIME, TIME
from looptool_kit.world.spec import Param, domain_of, slots, specs
from looptool_kit.world.tasks import ASKED, CANT, DECLINED


class Impossible(Exception):
    """These tools or this draw do not allow the kind.

    Whoever catches it draws again.
    """


TWO_FIT = "another tool on offer fits as well"


class Refused(Impossible):
    """A check refused the request: which one, and what it found."""

    def __init__(self, reason: str, found: str) -> None:
        super().__init__(f"{reason}: {found}")
        self.reason = reason


Need = ValueError
"""Raised by the grammar where no phrase fits what is to be said."""


class Made(NamedTuple):
    """A task before it is a sample."""

    text: str
    label: Label
    targets: tuple[str, ...]
    scene: Scene
    offered: Sequence[Able] = ()
    said: tuple[tuple[Able, dict[str, Any], str], ...] = ()
    """Of each call: its tool, its arguments, and the words that ask for it."""

    def sample(self, offered: Sequence[Able], kind: str, split: str) -> Sample:
        """The sample with these tools on offer."""
        today = self.scene.today
        targets: list[JsonValue] = list(self.targets)
        phrases: list[JsonValue] = list(self.scene.used)
        return Sample(
            tools=tuple(a.tool for a in offered),
            messages=(
                Message(role="system", content=f"Today is {today:%A}, {today.isoformat()}."),
                Message(role="user", content=self.text),
            ),
            label=self.label,
            kind=kind,
            split=split,
            source="templates",
            strategy="seeders.templates",
            meta={"targets": targets, "phrases": phrases},
        )


def realise(
    kind: str, usual: Sequence[Able], offered: Sequence[Able], pool: Sequence[Able], scene: Scene
) -> Made:
    """Make a task of that kind, with calls to `usual` tools.

    `offered` are the tools on offer, `pool` is the whole catalogue of the split.
    """
    if kind == "parallel":
        return _parallel(usual, scene)
    if kind == "ask":
        return _ask(usual, offered, scene)
    if kind == "decline":
        return _decline(offered, pool, scene)
    target = scene.rng.choice(usual)
    if kind == "choice" and len(offered) < 2:
        raise Impossible
    args = arguments(target, scene)
    request = say(target.spec, args, scene)
    return Made(
        g.frame(request, scene), Label(calls=(_call(target, args),)), (target.tool.name,), scene,
        said=((target, args, f"{request.body} {request.tail}"),),
    )  # fmt: skip


def arguments(target: Able, scene: Scene, without: str = "") -> dict[str, Any]:
    """Draw arguments: the required ones and some others, in schema order.

    In a scene with held-out values, at least one is held.
    """
    params = [p for p in target.spec.params if p.name != without]
    optional = [p for p in params if p.optional]
    changing, recording, searching = changes(target.tool), records(target.tool), searches(target.tool)
    wanted = min(len(optional), scene.rng.choice((0, 0, 1, 1, 1, 2)))
    if not wanted and changing and optional:
        wanted = 1  # "update queue QUE-12" says nothing that is to be changed
    if not wanted and optional and len(optional) == len(params):
        wanted = int(searching or scene.rng.random() < 0.8)
    new = [p for p in optional if p.type.name not in ("boolean", *IDS)]
    if recording:
        telling = [p for p in params if p.type.name not in IDS and p.type.question not in DAYS]
        new = [p for p in new if p in telling] if all(p.optional for p in telling) else []
        wanted = max(wanted, int(bool(new)))  # "log a reading on batch B19-483" logs nothing
    if searching:
        new = [p for p in optional if p.type.name != "boolean" and not LIMIT.fullmatch(words_of(p.name))]
    if changing:  # "change the size of box 12" says a size
        told = set(stems(target.spec.description)) - STOP
        new = [p for p in new if told & set(stems(p.name))] or new
    if (changing or searching or recording) and new:
        optional = [scene.rng.choice(new), *optional]  # nor does "update queue QUE-12 and notify the owner"
    else:
        scene.rng.shuffle(optional)
    given = [p for p in params if not p.optional]
    for p in optional:
        if wanted and p not in given and not any(clash(p, q) for q in given):
            given.append(p)
            wanted -= 1
    chosen = {p.name for p in given}
    out: dict[str, Any] = {}
    for p in params:
        if p.name in chosen:
            out[p.name] = _value(p, scene, out, target.spec.description)
    marks = [m for p in params if p.name in out for m in atoms(p.type, out[p.name])]
    if scene.held and not any(marks):
        raise Impossible
    return out


def _value(p: Param, scene: Scene, arguments: dict[str, Any], about: str) -> Any:
    """Draw a value unlike those of the other parameters; `about` is what the tool does.

    Two that bound a range are in order, and it is not the default where there is a choice.
    """
    for _ in range(30):
        value = draw(p.type, scene.rng, scene.today, scene.held)
        value = near(p, of_the_person(p, value, arguments, scene), arguments, scene, about)
        if value is None:
            continue
        same = any(
            type(v) is type(value) and v == value for v in arguments.values() if not isinstance(v, bool)
        )
        if p.type.name == "boolean" and p.optional and value is (p.default is True):
            continue  # nobody asks for what is so anyway
        if (
            same
            or (p.name in arguments)
            or (value == p.default and "enum" not in p.type.schema and p.type.name != "boolean")
        ):
            continue
        if all(ordered(name, v, p.name, value) for name, v in arguments.items()):
            return value
    raise Impossible


def _call(target: Able, args: dict[str, Any]) -> ToolCall:
    given = target.constants | args
    order = [n for n in target.tool.properties if n in given]
    return ToolCall(name=target.tool.name, arguments={n: given[n] for n in order})


# ------------------------------------------------------------------ parallel


def _parallel(usual: Sequence[Able], scene: Scene) -> Made:
    first = scene.rng.choice(usual)
    if scene.rng.random() < 0.5 or len(usual) < 2:
        return _same_again(first, scene)
    second = scene.rng.choice([a for a in usual if a is not first])
    calls, bodies, said = [], [], []
    for target in (first, second):
        args = arguments(target, scene)
        bodies.append(_body(target, args, scene))
        said.append((target, args, bodies[-1]))
        calls.append(_call(target, args))
    body = _join(scene.choose(frames.BOTH), bodies[0], bodies[1])
    return Made(
        g.frame(Said("do", body, "", ()), scene),
        Label(calls=tuple(calls)),
        (first.tool.name, second.tool.name),
        scene,
        said=tuple(said),
    )


def _body(target: Able, args: dict[str, Any], scene: Scene) -> str:
    request = say(target.spec, args, scene, only_do=True)
    if request.tail:
        raise Impossible
    return request.body


def _join(template: str, a: str, b: str) -> str:
    return re.sub(
        r"(\. )?\{([ab])\}",
        lambda m: (m[1] or "") + (g.capital(x) if m[1] else x) if (x := {"a": a, "b": b}[m[2]]) else "",
        template,
    )


def _same_again(target: Able, scene: Scene) -> Made:
    """The same request for another thing: "close gate 3, and likewise gate 4".

    What changes something does so for one thing at a time, with at most one value beside it.
    """
    args = arguments(target, scene)
    said = [p for p in target.spec.params if p.name in args and p.type.name != "boolean"]
    reads = headline(target.tool)[0].split()[0] in READING
    things = [p for p in said if names_a_thing(p)]
    if not reads and (len(said) > 2 or len(things) != 1):
        raise Impossible
    if not reads and any(p not in things and not _for_several(p) for p in said):
        raise Impossible  # two owners have not one e-mail address
    objects = [p for p in things if all(p.name in slots(phrase) for phrase in target.spec.do)]
    fit = objects or things or [
        p
        for p in said
        if len(p.type.schema.get("enum", (1, 2, 3))) > 2
        and not re.search(r"page|limit|count|size|per_", p.name, re.IGNORECASE)
        and re.match(r"(in|at|for|to|from|on|with|by|of)\b|\{@\}", p.clauses[0])
    ]  # fmt: skip
    if not fit:
        raise Impossible
    days = [q for q in said if q.type.question in _MOMENTS]
    fit = [q for q in fit if q not in days or len(days) == 1]  # "likewise from June 29": until when?
    if not fit:
        raise Impossible
    p = scene.rng.choice(fit)
    others = {k: v for k, v in args.items() if k != p.name}
    other = _value(p, scene, {**others, "": args[p.name]}, target.spec.description)
    again = {k: other if k == p.name else v for k, v in args.items()}
    body = _body(target, args, scene)
    template = scene.choose(p.clauses)
    if p in objects and p.words:
        thing = re.sub(r" (?:ref|reference|no|number|code)$", "", p.words[0])
        template = f"for {thing} {{}}" if p.type.name in ("id", "uuid", "code") else "for {}"
    words, _ = g.render(template, target.spec, again, scene, own=p.name)
    return Made(
        g.frame(Said("do", scene.choose(frames.SAME).format(a=body, b=words), "", ()), scene),
        Label(calls=(_call(target, args), _call(target, again))), (target.tool.name,), scene,
        said=((target, args, body),),
    )  # fmt: skip


def _for_several(p: Param) -> bool:
    """Whether several things may have the same value: a number, a choice, a moment."""
    return p.type.name == "number" or "enum" in p.type.schema or p.type.question in _MOMENTS


_MOMENTS = (DATE.question, DATETIME.question, TIME.question)


# -------------------------------------------------------------- ask, decline


def _ask(usual: Sequence[Able], offered: Sequence[Able], scene: Scene) -> Made:
    """Leave a required parameter out; the label asks for it."""
    target = scene.rng.choice(usual)
    missing = [
        p
        for p in target.spec.params
        if not p.optional and p.type.name != "boolean" and p.words and "const" not in p.type.schema
    ]
    if not missing:
        raise Impossible
    if other := ambiguous_without(target, offered):
        raise Refused(TWO_FIT, other)
    missing_param = scene.rng.choice(missing)
    held, scene.held = scene.held, False
    args = arguments(target, scene, missing_param.name)
    if (
        held
        and args
        and not any(m for p in target.spec.params if p.name in args for m in atoms(p.type, args[p.name]))
    ):
        scene.held = True
        args = arguments(target, scene, missing_param.name)
    request = say(target.leaving_out(missing_param.name), args, scene, skip=missing_param.name)
    reply = scene.rng.choice(ASKED).format(x=missing_param.question)
    return Made(
        g.frame(request, scene),
        Label(reply=reply, mentions=(missing_param.words,), asks=True),
        (target.tool.name,),
        scene,
    )


def _decline(offered: Sequence[Able], pool: Sequence[Able], scene: Scene) -> Made:
    """Ask for something that no tool on offer can do.

    Another tool of the catalogue does it, or it is something from everyday life.
    """
    known = [o.subject | _told_of(o.tool) for o in offered]
    own = [a for a in pool if a not in offered and not any(_related(a.subject, k) for k in known)]
    if own and scene.rng.random() < 0.6:
        other = scene.rng.choice(own)
        args = arguments(other, scene)
        text = g.frame(say(other.spec, args, scene), scene)
        return Made(text, _refusal(other.spec.description, text, scene.rng), (), scene, offered)
    subjects = frozenset[str]().union(*(a.subject for a in pool))
    # "Delete WA-4239" does not say of what: anybody's tools may have such an ID.
    far = [
        s
        for s in specs().values()
        if {_is_anybodys(p) for p in s.params if not p.optional} != {True}
        and not _related(_subject(s.name, s.description, domain_of()[s.name].name), subjects)
    ]
    if not far:
        raise Impossible
    spec = scene.rng.choice(far)
    call = Call(tool=spec.name, mention=[p.name for p in spec.params if not p.optional], implicit=[])
    try:
        given = world_arguments(spec, call, scene)
    except NoValues as error:
        raise Impossible from error
    text = g.frame(g.say(spec, given, scene), scene, spec.why)
    return Made(text, _refusal(spec.gist, text, scene.rng), (), scene, offered)


def _is_anybodys(p: Param) -> bool:
    """Whether a value does not tell what is spoken of: an ID, a day, a time."""
    return p.type.name.endswith(" id") or p.type.question in _MOMENTS


def _told_of(tool: Tool) -> frozenset[str]:
    """Stems of what a tool may be about.

    Those of its description, and of what its parameters can be set to: the sections of a record, say.
    """
    each = [s for s in tool.properties.values() if isinstance(s, dict)]
    each += [s["items"] for s in each if isinstance(s.get("items"), dict)]
    said = [tool.description, *(c for s in each for c in s.get("enum") or () if isinstance(c, str))]
    return frozenset(w for text in said for w in stems(text) if w not in STOP)


def _refusal(gist: str, request: str, rng: Random) -> Label:
    """A reply that says nothing which the request does not say."""
    said = set(stems(request))
    told = all(w in said or w in STOP for w in stems(gist))
    return Label(reply=rng.choice(DECLINED).format(x=gist if told else "do that"), mentions=CANT)


def _subject(*texts: str) -> frozenset[str]:
    try:
        return subject_of(Tool(name=texts[0], description=" ".join(texts[1:])))
    except Unusable:  # more than one thing
        return frozenset(w for text in texts for w in stems(text) if w not in STOP)


@lru_cache(maxsize=200_000)
def _related(a: frozenset[str], b: frozenset[str]) -> bool:
    return any(alike(x, y) for x in a for y in b)
