"""From a plan to a sample: a function for each kind.

It takes plan, tool list and scene to messages and a label that is right by construction. A plan is JSON:
which tools are called with which parameters mentioned, which of them implicitly, and how the turns hang
together. It is kept in `Sample.meta`, so that a variant (same plan, new values and wording) can be made at
any time.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from looptool_kit.core.samples import Label, Message, Sample, ToolCall
from looptool_kit.world import frames
from looptool_kit.world import grammar as g
from looptool_kit.world.calls import Impossible, Plan, arguments, call_of, exchange, result_of
from looptool_kit.world.chains import linked, unsaid
from looptool_kit.world.execute import new_state, remember
from looptool_kit.world.grammar import Scene
from looptool_kit.world.replies import summary
from looptool_kit.world.spec import Spec, specs

KINDS = ("single", "choice", "parallel", "multi_step", "multi_turn", "ask", "decline", "finish")


DECLINED = (
    "I'm sorry, but I can't {x}: none of my tools does that.",
    "Sorry, I cannot {x} with the tools I have.",
    "I'm afraid I'm unable to {x}; I don't have a tool for it.",
    "I don't have a tool to {x}, so I can't help with that here.",
)
CANT = (("can't", "cannot", "can not", "unable", "not able", "don't have"),)
ASKED = ("{x}", "{x}", "Sure. {x}", "Happy to help. {x}")


def realise(plan: Plan, tools: Sequence[Spec], scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    """The messages and the label of a plan.

    The third value holds, for each call of the plan, the parameters that really were said implicitly.
    """
    return _KINDS[plan["kind"]](plan, scene)


def _system(scene: Scene) -> Message:
    return Message(role="system", content=f"Today is {scene.today:%A}, {scene.today.isoformat()}.")


def _user(text: str) -> Message:
    return Message(role="user", content=text)


def _single(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    call = plan["calls"][0]
    spec = specs()[call["tool"]]
    args = arguments(spec, call, scene)
    phrase = g.say(spec, args, scene, implicit=tuple(call["implicit"]))
    return (
        [_system(scene), _user(g.frame(phrase, scene, spec.why))],
        Label(calls=(call_of(spec, args),)),
        [list(phrase.implicit)],
    )


def _parallel(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    calls: tuple[ToolCall, ...]
    if plan["mode"] == "same":
        call = plan["calls"][0]
        spec, part = specs()[call["tool"]], plan["part"]
        one = arguments(spec, call, scene)
        two = arguments(spec, call, scene, {k: v for k, v in one.items() if k != part}, {part: one[part]})
        phrase = g.say(spec, one, scene, implicit=tuple(call["implicit"]), only_do=True)
        again, hints = g.clause(spec.by_name[part], spec, two, scene, tuple(plan["calls"][1]["implicit"]))
        body = scene.choose(frames.SAME).format(a=phrase.body, b=again)
        calls, done = (call_of(spec, one), call_of(spec, two)), [list(phrase.implicit), hints]
    else:
        drawn: list[tuple[ToolCall, g.Said]] = []
        for call in plan["calls"]:
            spec = specs()[call["tool"]]
            args = arguments(spec, call, scene)
            drawn.append(
                (
                    call_of(spec, args),
                    g.say(spec, args, scene, implicit=tuple(call["implicit"]), only_do=True),
                )
            )
        bodies = dict(zip("abc", (s.body for _, s in drawn), strict=False))
        body = g.joined(scene.choose(frames.BOTH if len(drawn) == 2 else frames.ALL), bodies)
        calls, done = tuple(c for c, _ in drawn), [list(s.implicit) for _, s in drawn]
        if len({c.model_dump_json() for c in calls}) < len(calls):
            raise Impossible("the same call twice")
    return [_system(scene), _user(g.frame(g.Said("do", body, "", ()), scene))], Label(calls=calls), done


def _multi_step(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    call, phrase, result, more, ref = linked(plan, scene)
    second, parameter = specs()[more.name], plan["link"][1]
    rest = unsaid(plan, call, more)
    then = g.say(
        second, rest, scene, implicit=tuple(plan["calls"][1]["implicit"]), refs={parameter: ref}, only_do=True
    )
    body = g.joined(scene.choose(frames.STEPS), {"a": phrase.body, "b": then.body})
    messages = [_system(scene), _user(g.frame(g.Said("do", body, "", ()), scene))]
    if plan["mode"] == "first":
        return messages, Label(calls=(call,)), [list(phrase.implicit), list(then.implicit)]
    return (
        messages + exchange(call, result),
        Label(calls=(more,)),
        [list(phrase.implicit), list(then.implicit)],
    )


def _multi_turn(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    if plan["mode"] == "again":
        return _again(plan, scene)
    call, phrase, result, more, ref = linked(plan, scene)
    first, second, parameter = specs()[call.name], specs()[more.name], plan["link"][1]
    rest = unsaid(plan, call, more)
    then = g.say(
        second, rest, scene, implicit=tuple(plan["calls"][1]["implicit"]), refs={parameter: ref}, only_do=True
    )
    undone = (second.cancels or second.changes) is not None and first.makes is not None
    messages = [
        _system(scene),
        _user(g.frame(phrase, scene, first.why)),
        *exchange(call, result),
        Message(role="assistant", content=summary(first, call, result, scene)[0]),
    ]
    frame = scene.choose(frames.BACK if undone else frames.NEXT)
    messages.append(_user(g.noise(g.fit(frame, then.body), scene.rng)))
    return messages, Label(calls=(more,)), [list(phrase.implicit), list(then.implicit)]


def _again(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    call, part = plan["calls"][0], plan["part"]
    spec = specs()[call["tool"]]
    args = arguments(spec, call, scene)
    phrase = g.say(spec, args, scene, implicit=tuple(call["implicit"]))
    state = new_state(scene.today, scene.held)
    remember(spec, args, state)
    result = result_of(spec, args, state, scene)
    other = arguments(spec, call, scene, {k: v for k, v in args.items() if k != part}, {part: args[part]})
    words, hints = g.clause(spec.by_name[part], spec, other, scene, tuple(plan["calls"][1]["implicit"]))
    options: tuple[str, ...] = frames.AND_WHAT if phrase.form == "ask" else frames.AGAIN
    if words.startswith("about "):
        options = tuple(o.replace("about {x}", "{x}") for o in options)
    messages = [
        _system(scene),
        _user(g.frame(phrase, scene, spec.why)),
        *exchange(call_of(spec, args), result),
        Message(role="assistant", content=summary(spec, call_of(spec, args), result, scene)[0]),
    ]
    messages.append(_user(g.noise(g.fit(scene.choose(options), words), scene.rng)))
    return messages, Label(calls=(call_of(spec, other),)), [list(phrase.implicit), hints]


def _ask(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    call, missing = plan["calls"][0], plan["part"]
    spec = specs()[call["tool"]]
    args = arguments(spec, call, scene)
    said_args = {k: v for k, v in args.items() if k != missing}
    scene.given = said_args
    phrase = g.say(spec, said_args, scene, implicit=tuple(call["implicit"]), skip=missing)
    p = spec.by_name[missing]
    reply = scene.rng.choice(ASKED).format(x=p.question)
    return (
        [_system(scene), _user(g.frame(phrase, scene, spec.why))],
        Label(reply=reply, mentions=(p.words,) if p.words else (), asks=True),
        [list(phrase.implicit)],
    )


def _decline(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    messages, _, hints = _single(plan, scene)
    reply = scene.rng.choice(DECLINED).format(x=specs()[plan["calls"][0]["tool"]].gist)
    return messages, Label(reply=reply, mentions=CANT), hints


def _finish(plan: Plan, scene: Scene) -> tuple[list[Message], Label, list[list[str]]]:
    call = plan["calls"][0]
    spec = specs()[call["tool"]]
    args = arguments(spec, call, scene)
    phrase = g.say(spec, args, scene, implicit=tuple(call["implicit"]))
    state = new_state(scene.today, scene.held)
    remember(spec, args, state)
    result = result_of(spec, args, state, scene)
    reply, mentions = summary(spec, call_of(spec, args), result, scene)
    messages = [
        _system(scene),
        _user(g.frame(phrase, scene, spec.why)),
        *exchange(call_of(spec, args), result),
    ]
    return messages, Label(reply=reply, mentions=mentions), [list(phrase.implicit)]


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
    """Make the sample of a plan.

    `meta` keeps the plan with what was really said implicitly, and the wordings used.
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
