"""From a plan to a sample: each kind of task is one function from (plan, tool list, scene) to messages and a
label that is right by construction.

A plan is JSON: which tools are called with which parameters mentioned, which of them implicitly, and how the
turns hang together. It is kept in `Sample.meta`, so that a variant (same plan, new values and wording) can be
made at any time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypedDict

from pydantic import JsonValue

from looptool_kit.core.samples import Label, Message, Sample, ToolCall
from looptool_kit.world import grammar as g
from looptool_kit.world.execute import new_state, remember, run
from looptool_kit.world.grammar import Scene, Surface
from looptool_kit.world.spec import NOTHING, Spec, specs
from looptool_kit.world.types import Type, draw, in_words, is_date, quoted

KINDS = ("single", "choice", "parallel", "multi_step", "multi_turn", "ask", "decline", "finish")


class Call(TypedDict):
    """One call of a plan."""

    tool: str
    mention: list[str]
    """Names of the parameters that are in the call, in schema order."""
    implicit: list[str]
    """Those of them that are said implicitly."""


class Plan(TypedDict):
    """What a sample is about, apart from its values and wording."""

    kind: str
    calls: list[Call]
    """The calls of the whole task in order; for decline, the one that no tool on offer can do."""
    mode: str
    """parallel: each | same; multi_step: first | second; multi_turn: build | again; else empty."""
    part: str
    """ask: the missing parameter; parallel same, multi_turn again: the parameter that changes."""
    link: list[str]
    """multi_step, multi_turn build: output field of the first call and the parameter of the second that it
    fills.
    """


class Impossible(Exception):
    """These tools or this draw do not allow the plan; draw another."""


DECLINED = (
    "I'm sorry, but I can't {x}: none of my tools does that.",
    "Sorry, I cannot {x} with the tools I have.",
    "I'm afraid I'm unable to {x}; I don't have a tool for it.",
    "I don't have a tool to {x}, so I can't help with that here.",
)
CANT = (("can't", "cannot", "can not", "unable", "not able", "don't have"),)
ASKED = ("{x}", "{x}", "Sure. {x}", "Happy to help. {x}")


def arguments(
    spec: Spec,
    call: Call,
    scene: Scene,
    fixed: dict[str, Any] | None = None,
    unlike: dict[str, Any] | None = None,
    known: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Values for the mentioned parameters, in schema order: legal together, none equal to its default, none
    of a type twice. `unlike`: parameter -> a value that it must not take; `known`: the result that the call
    builds on and that they have to fit.
    """
    fixed = fixed or {}
    if scene.values:
        told = scene.values.pop(0)
        if set(told) != set(call["mention"]) or any(told[k] != v for k, v in fixed.items()):
            raise Impossible(f"the given arguments of {spec.name} are others")
        return told
    for _ in range(60):
        out: dict[str, Any] = {}
        for p in spec.params:
            if p.name in fixed:
                out[p.name] = fixed[p.name]
            elif p.name in call["mention"]:
                taken = [
                    v for k, v in out.items() if spec.by_name[k].type is p.type and not isinstance(v, bool)
                ]
                for _ in range(40):
                    value = draw(p.type, scene.rng, scene.today, scene.held, p.name in call["implicit"])
                    bare = p.default is NOTHING or value != p.default
                    if (
                        bare
                        and value not in taken
                        and not (unlike and p.name in unlike and value == unlike[p.name])
                    ):
                        break
                else:
                    raise Impossible(f"{spec.name}.{p.name} has too few values")
                out[p.name] = value
        if (spec.where is None or spec.where(out)) and (
            spec.fits is None or not known or spec.fits(out, known)
        ):
            return out
    raise Impossible(f"`where` or `fits` of {spec.name} is too narrow")


def realise(plan: Plan, tools: Sequence[Spec], scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    """Messages, label, and for each call of the plan the parameters that really were said implicitly."""
    return _KINDS[plan["kind"]](plan, scene)


def _system(scene: Scene) -> Message:
    return Message(role="system", content=f"Today is {scene.today:%A}, {scene.today.isoformat()}.")


def _user(text: str) -> Message:
    return Message(role="user", content=text)


def _result(spec: Spec, args: dict[str, Any], state: dict[str, Any], scene: Scene) -> dict[str, Any]:
    return scene.results.pop(0) if scene.results else run(spec, args, state, scene.rng)


def _called(spec: Spec, args: dict[str, Any]) -> ToolCall:
    return ToolCall(name=spec.name, arguments=args)


def _single(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    call = plan["calls"][0]
    spec = specs()[call["tool"]]
    args = arguments(spec, call, scene)
    said = g.say(spec, args, scene, implicit=tuple(call["implicit"]))
    return (
        [_system(scene), _user(g.frame(said, scene, spec.why))],
        Label(calls=(_called(spec, args),)),
        [list(said.implicit)],
    )


def _parallel(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    calls: tuple[ToolCall, ...]
    if plan["mode"] == "same":
        call = plan["calls"][0]
        spec, part = specs()[call["tool"]], plan["part"]
        one = arguments(spec, call, scene)
        two = arguments(spec, call, scene, {k: v for k, v in one.items() if k != part}, {part: one[part]})
        said = g.say(spec, one, scene, implicit=tuple(call["implicit"]), only_do=True)
        again, hints = g.clause(spec.by_name[part], spec, two, scene, tuple(plan["calls"][1]["implicit"]))
        body = scene.choose(g.SAME).format(a=said.body, b=again)
        calls, done = (_called(spec, one), _called(spec, two)), [list(said.implicit), hints]
    else:
        drawn: list[tuple[ToolCall, g.Said]] = []
        for call in plan["calls"]:
            spec = specs()[call["tool"]]
            args = arguments(spec, call, scene)
            drawn.append(
                (
                    _called(spec, args),
                    g.say(spec, args, scene, implicit=tuple(call["implicit"]), only_do=True),
                )
            )
        bodies = dict(zip("abc", (s.body for _, s in drawn), strict=False))
        body = _join(scene.choose(g.BOTH if len(drawn) == 2 else g.ALL), bodies)
        calls, done = tuple(c for c, _ in drawn), [list(s.implicit) for _, s in drawn]
        if len({c.model_dump_json() for c in calls}) < len(calls):
            raise Impossible("the same call twice")
    return [_system(scene), _user(g.frame(g.Said("do", body, "", ()), scene))], Label(calls=calls), done


def _join(template: str, bodies: dict[str, str]) -> str:
    # After a full stop inside the frame a sentence begins.
    return re.sub(
        r"(\. )?\{(\w)\}", lambda m: f". {g.capital(bodies[m[2]])}" if m[1] else bodies[m[2]], template
    )


def _linked(plan: Plan, scene: Scene) -> tuple[ToolCall, g.Said, dict[str, Any], ToolCall, str]:
    """The first call with its request and result, the call that builds on it, and the words for what that
    takes from the result.
    """
    one, two = plan["calls"]
    first, second = specs()[one["tool"]], specs()[two["tool"]]
    args = arguments(first, one, scene)
    state = new_state(scene.today, scene.held)
    remember(first, args, state)
    said = g.say(first, args, scene, implicit=tuple(one["implicit"]), only_do=True)
    result = _result(first, args, state, scene)
    field, parameter = plan["link"]
    name, _, sub = field.partition(".")
    noun = second.by_name[parameter].type.noun
    if sub:
        value, ref = _pick(result[name], sub, first.out[name].item.fields, noun, scene)
    else:
        value, ref = result[name], f"that {noun}"
    # "Find flights on Friday and check whether the cheapest is on time": what both calls take is said once.
    fixed = {parameter: value, **_shared(first, second, args, two)}
    known = next((r for r in result[name] if r[sub] == value), {}) if sub else result
    more = arguments(second, two, scene, fixed, {**known, **args} if second.changes else None, known)
    limits = [
        v for k, v in args.items() if k.startswith("max_") and first.by_name[k].type.name.startswith("money")
    ]
    if any(
        v > limit
        for k, v in more.items()
        if second.by_name[k].type.name.startswith("money")
        for limit in limits
    ):
        raise Impossible("an amount above the limit just named")
    return _called(first, args), said, result, _called(second, more), ref


def _shared(first: Spec, second: Spec, args: dict[str, Any], call: Call) -> dict[str, Any]:
    """Arguments of the first call that the second one takes as well; not texts of one's own, which are meant
    for one call.
    """
    if second.changes:
        return {}
    same = [m for m in call["mention"] if m in args and second.by_name[m].type is first.by_name[m].type]
    return {m: args[m] for m in same if second.by_name[m].type.say is not quoted}


def _unsaid(plan: Plan, call: ToolCall, more: ToolCall) -> dict[str, Any]:
    """The arguments of the second call that its own request has to mention."""
    first, second = specs()[call.name], specs()[more.name]
    said = {plan["link"][1], *_shared(first, second, call.arguments, plan["calls"][1])}
    return {k: v for k, v in more.arguments.items() if k not in said}


def _pick(
    rows: list[dict[str, Any]], sub: str, fields: dict[str, Type], noun: str, scene: Scene
) -> tuple[Any, str]:
    """One of several results and the words that single it out."""
    if len({str(r[sub]) for r in rows}) < len(rows):
        raise Impossible("two results of the same name")
    ways = []
    for low, high, names in (
        ("cheapest", "most expensive", [n for n, t in fields.items() if t.name.startswith("money")]),
        ("shortest", "longest", [n for n, t in fields.items() if t.name.startswith("duration")]),
        (
            "earliest",
            "latest",
            sorted(
                n
                for n in fields
                if n in ("start", "departs") or (n in ("date", "time") and {"date", "time"} <= set(fields))
            ),
        ),
        ("lowest-rated", "best-rated", [n for n in fields if n == "rating"]),
    ):
        # Of a date and a time the date counts first; of two prices nobody knows which is meant.
        keys = [
            tuple(str(r[n]) if isinstance(r[n], str) else r[n] for n in names)
            for r in rows
            if all(n in r for n in names)
        ]
        if (len(names) == 1 or names == ["date", "time"]) and len({k[0] for k in keys}) == len(rows):
            ways += [(low, rows[keys.index(min(keys))])] * (low != "lowest-rated") + [
                (high, rows[keys.index(max(keys))])
            ]
    if ways and scene.rng.random() < 0.7:
        word, row = scene.rng.choice(ways)
        return row[sub], f"the {word} {noun}"
    naming = {
        "title": "called",
        "task": "called",
        "work": "called",
        "product": "called",
        "city": "for",
        "company": "from",
    }
    # What ties a person to a thing only the field's name tells.
    of_person = {"recipient": "to", "author": "by", "owner": "of", "name": "called"}
    ties = {n: naming.get(t.name) or of_person.get(n) for n, t in fields.items()}
    named = [
        (n, word)
        for n, word in ties.items()
        if word and n != sub and len({str(r[n]) for r in rows}) == len(rows)
    ]
    if named and scene.rng.random() < 0.8:
        name, word = scene.rng.choice(named)
        row = scene.rng.choice(rows)
        said = g.surface(fields[name], row[name], scene, None, False).text
        return row[sub], f"the {noun} {word} {said}"
    at, word = scene.rng.choice([(0, "first"), (-1, "last")])
    return rows[at][sub], f"the {word} {noun} on the list"


def _multi_step(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    call, said, result, more, ref = _linked(plan, scene)
    second, parameter = specs()[more.name], plan["link"][1]
    rest = _unsaid(plan, call, more)
    then = g.say(
        second, rest, scene, implicit=tuple(plan["calls"][1]["implicit"]), refs={parameter: ref}, only_do=True
    )
    body = _join(scene.choose(g.STEPS), {"a": said.body, "b": then.body})
    messages = [_system(scene), _user(g.frame(g.Said("do", body, "", ()), scene))]
    if plan["mode"] == "first":
        return messages, Label(calls=(call,)), [list(said.implicit), list(then.implicit)]
    return (
        messages + _exchange(call, result),
        Label(calls=(more,)),
        [list(said.implicit), list(then.implicit)],
    )


def _exchange(call: ToolCall, result: dict[str, Any]) -> list[Message]:
    import json

    return [
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", name=call.name, content=json.dumps(result, ensure_ascii=False)),
    ]


def _multi_turn(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    if plan["mode"] == "again":
        return _again(plan, scene)
    call, said, result, more, ref = _linked(plan, scene)
    first, second, parameter = specs()[call.name], specs()[more.name], plan["link"][1]
    rest = _unsaid(plan, call, more)
    then = g.say(
        second, rest, scene, implicit=tuple(plan["calls"][1]["implicit"]), refs={parameter: ref}, only_do=True
    )
    undone = (second.cancels or second.changes) is not None and first.makes is not None
    messages = [
        _system(scene),
        _user(g.frame(said, scene, first.why)),
        *_exchange(call, result),
        Message(role="assistant", content=_summary(first, call, result, scene)[0]),
    ]
    messages.append(_user(g.noise(g.fit(scene.choose(g.BACK if undone else g.NEXT), then.body), scene.rng)))
    return messages, Label(calls=(more,)), [list(said.implicit), list(then.implicit)]


def _again(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    call, part = plan["calls"][0], plan["part"]
    spec = specs()[call["tool"]]
    args = arguments(spec, call, scene)
    said = g.say(spec, args, scene, implicit=tuple(call["implicit"]))
    state = new_state(scene.today, scene.held)
    remember(spec, args, state)
    result = _result(spec, args, state, scene)
    other = arguments(spec, call, scene, {k: v for k, v in args.items() if k != part}, {part: args[part]})
    words, hints = g.clause(spec.by_name[part], spec, other, scene, tuple(plan["calls"][1]["implicit"]))
    frames: tuple[str, ...] = g.AND_WHAT if said.form == "ask" else g.AGAIN
    if words.startswith("about "):
        frames = tuple(f.replace("about {x}", "{x}") for f in frames)
    messages = [
        _system(scene),
        _user(g.frame(said, scene, spec.why)),
        *_exchange(_called(spec, args), result),
        Message(role="assistant", content=_summary(spec, _called(spec, args), result, scene)[0]),
    ]
    messages.append(_user(g.noise(g.fit(scene.choose(frames), words), scene.rng)))
    return messages, Label(calls=(_called(spec, other),)), [list(said.implicit), hints]


def _ask(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    call, missing = plan["calls"][0], plan["part"]
    spec = specs()[call["tool"]]
    args = arguments(spec, call, scene)
    known = {k: v for k, v in args.items() if k != missing}
    scene.given = known
    said = g.say(spec, known, scene, implicit=tuple(call["implicit"]), skip=missing)
    p = spec.by_name[missing]
    reply = scene.rng.choice(ASKED).format(x=p.question)
    return (
        [_system(scene), _user(g.frame(said, scene, spec.why))],
        Label(reply=reply, mentions=(p.words,) if p.words else (), asks=True),
        [list(said.implicit)],
    )


def _decline(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    messages, _, hints = _single(plan, scene)
    reply = scene.rng.choice(DECLINED).format(x=specs()[plan["calls"][0]["tool"]].gist)
    return messages, Label(reply=reply, mentions=CANT), hints


def _finish(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    call = plan["calls"][0]
    spec = specs()[call["tool"]]
    args = arguments(spec, call, scene)
    said = g.say(spec, args, scene, implicit=tuple(call["implicit"]))
    state = new_state(scene.today, scene.held)
    remember(spec, args, state)
    result = _result(spec, args, state, scene)
    reply, mentions = _summary(spec, _called(spec, args), result, scene)
    messages = [
        _system(scene),
        _user(g.frame(said, scene, spec.why)),
        *_exchange(_called(spec, args), result),
    ]
    return messages, Label(reply=reply, mentions=mentions), [list(said.implicit)]


_PATH = re.compile(r"\{([\w.]+)\}")


def _summary(
    spec: Spec, call: ToolCall, result: dict[str, Any], scene: Scene
) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """One sentence about a result, and of each result value in it the wordings that count."""
    mentions: list[tuple[str, ...]] = []
    echoed: list[tuple[str, ...]] = []

    def fill(m: re.Match[str]) -> str:
        name, *path = m[1].split(".")
        if path == ["n"]:
            mentions.append((str(len(result[name])), in_words(len(result[name]))))
            return str(len(result[name]))
        t: Any = spec.out.get(name)
        value: Any = result.get(name, call.arguments.get(name))
        for step in path:
            t, value = (t.item, value[int(step)]) if step.isdigit() else (t.fields[step], value[step])
        own = isinstance(t, Type)
        kind = t if own else spec.by_name[t[1:] if isinstance(t, str) else name].type
        said = _spoken(kind, value, scene)
        counts = _wordings(
            (
                kind.say(value, scene.today)
                if kind.item is None and not kind.fields and value is not None
                else [Surface(said)]
            ),
            value,
        )
        if "enum" not in kind.schema:
            (mentions if own else echoed).append(counts)
        return said

    template = spec.reply
    if spec.picks:
        template = template.replace(
            "{*}", g.listed([w for name, w in spec.picks[1].items() if name in result])
        )
    text = _PATH.sub(fill, template)
    return text[0].upper() + text[1:], tuple(mentions or echoed)


def _spoken(t: Type, value: Any, scene: Scene) -> str:
    if value is None:
        return t.say(None, scene.today)[0].adverb
    if t.item is not None or t.fields:
        return g.plain(g.surface(t, value, scene, None, False).text)
    if isinstance(value, str) and not t.hints and not is_date(value):
        return value.replace("_", " ") if "enum" in t.schema else value
    return next(
        (s.text for s in t.say(value, scene.today) if s.text and not s.implicit and s.text != value),
        str(value),
    )


def _wordings(said: Sequence[Surface], value: JsonValue) -> tuple[str, ...]:
    """Raw value first, then its surfaces, each once; bare words of an identifier's surface do not count on
    their own.
    """
    raw = str(value)
    out = [raw, *(s.text for s in said if s.text), *(s.adverb for s in said if s.adverb and not s.text)]
    if isinstance(value, str) and is_date(value):
        out = [o for o in out if o != "today"]
    return tuple(dict.fromkeys(out))


_KINDS = {
    "single": _single,
    "choice": _single,
    "parallel": _parallel,
    "multi_step": _multi_step,
    "multi_turn": _multi_turn,
    "ask": _ask,
    "decline": _decline,
    "finish": _finish,
}


def sample_of(plan: Plan, tools: Sequence[Spec], scene: Scene, split: str) -> Sample:
    """The sample of a plan; `meta` keeps the plan with what was really said implicitly, and the wordings
    used.
    """
    messages, label, implicit = realise(plan, tools, scene)
    calls: list[JsonValue] = [
        {"tool": c["tool"], "mention": list(c["mention"]), "implicit": list(dict.fromkeys(i))}
        for c, i in zip(plan["calls"], implicit, strict=True)
    ]
    targets: list[JsonValue] = [c["tool"] for c in plan["calls"]]
    meta: dict[str, JsonValue] = {
        "kind": plan["kind"],
        "targets": targets,
        "calls": calls,
        "mode": plan["mode"],
        "part": plan["part"],
        "link": list(plan["link"]),
        "phrases": list(scene.used),
        "given": scene.given,
    }
    return Sample(
        tools=tuple(s.tool for s in tools),
        messages=tuple(messages),
        label=label,
        kind=plan["kind"],
        split=split,
        source="world",
        strategy="seeders.world",
        meta=meta,
    )
