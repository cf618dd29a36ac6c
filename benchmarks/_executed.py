"""Whether a sample executes to what it shows: its calls are run again, and its results are looked at.

    wrong = executed(sample, running(how))  # None: nothing in it can be run

Results of the world are drawn, so a result that is shown is compared with what its tool may give: the fields,
their types, what the call's own arguments fix. Longer tasks say by what they were drawn and are executed to
the very same results. Where a sample is a task, its own plan is played as an episode and has to earn 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from looptool_kit.augment.evolve import Outcome, Step
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.core.toolcalls import canonical
from looptool_kit.world.episode import Episode, task_of
from looptool_kit.world.execute import problem
from looptool_kit.world.spec import Spec
from looptool_kit.world.traces import replay
from looptool_kit.world.types import Type

Faults = list[str] | None
"""What is wrong; None where nothing can be run."""


def executed(sample: Sample, known: Mapping[str, Spec]) -> Faults:
    """Run a sample of the world, or of procedural tools; `known` are the tools that run, by name."""
    calls = [c for m in sample.messages for c in m.tool_calls]
    if not calls and not sample.label.calls:
        return None
    if missing := [c.name for c in (*calls, *sample.label.calls) if c.name not in known]:
        return [f"{missing[0]} does not run"]
    wrong = [why for c in (*calls, *sample.label.calls) if (why := problem(c, known))]
    for call, shown in zip(calls, _results(sample), strict=True):
        wrong += shown_wrong(known[call.name], dict(call.arguments), shown)
    if "trace" in sample.meta and replay(sample) != _results(sample):
        wrong.append("executed again it gives other results")
    try:
        episode = Episode(task := task_of(sample), known)
    except ValueError as why:
        # A first step alone is no task; anything else is a plan that does not work.
        return wrong if "second call" in str(why) or "more than the calls" in str(why) else [*wrong, str(why)]
    for told in task.plan:
        episode.answer(told.call)
    return wrong + ["its own plan does not earn 1"] * (episode.reward() != 1)


def _results(sample: Sample) -> list[dict[str, Any]]:
    """The results in the order of the calls that they answer."""
    out, waiting = list[dict[str, Any]](), list[str]()
    held: dict[str, list[dict[str, Any]]] = {}
    for m in (*sample.messages, None):
        if m is not None and m.role == "tool":
            held.setdefault(m.name or "", []).append(json.loads(m.content))
            continue
        out += [held[name].pop(0) for name in waiting]
        waiting = [c.name for c in m.tool_calls] if m is not None else []
    return out


def shown_wrong(spec: Spec, arguments: dict[str, Any], shown: dict[str, Any]) -> Iterator[str]:
    """Yield what the tool could not have given for these arguments."""
    wanted = arguments.get(spec.picks[0], ()) if spec.picks else spec.out
    fields = {
        k: t for k, t in spec.out.items() if k in wanted and (isinstance(t, Type) or t[1:] in arguments)
    }
    if shown.keys() != fields.keys():
        yield f"{spec.name} gives {sorted(fields)}, and {sorted(shown)} is shown"
        return
    for name, kind in fields.items():
        if not isinstance(kind, Type):
            if shown[name] != arguments[kind[1:]]:
                yield f"{spec.name}.{name} repeats {kind[1:]}, and {shown[name]!r} is shown"
        elif name in arguments and kind is spec.by_name[name].type and shown[name] != arguments[name]:
            yield f"{spec.name}.{name} was given, and {shown[name]!r} is shown"
        elif not kind.accepts(shown[name]):
            yield f"{spec.name}.{name}: {shown[name]!r} is not {kind.description}"
        elif kind.item is not None:
            yield from _rows_wrong(spec, arguments, shown[name], kind.item.fields)


def _rows_wrong(
    spec: Spec, arguments: dict[str, Any], rows: list[Any], fields: Mapping[str, Type]
) -> Iterator[str]:
    """Yield entries that break a bound or a filter of the call."""
    for key, bound in arguments.items():
        side, _, name = key.partition("_")
        if side in ("max", "min") and name in fields:
            if any(row[name] > bound if side == "max" else row[name] < bound for row in rows if name in row):
                yield f"{spec.name}: an entry breaks {key} {bound}"
        elif spec.lists is not None and key in fields and any(row.get(key, bound) != bound for row in rows):
            yield f"{spec.name}: an entry has another {key} than {bound!r}"


def carried_back(outcome: Outcome, known: Mapping[str, Spec]) -> Faults:
    """Take an evolved sample's calls back through its steps: they are its parent's, which executes."""
    parent, child = outcome.parent, outcome.sample
    assert child is not None
    own = [*(c for m in parent.messages for c in m.tool_calls), *parent.label.calls]
    calls = [*(c for m in child.messages for c in m.tool_calls), *child.label.calls]
    for step in reversed(outcome.steps):
        calls = [_back(step, c) for c in calls]
    wrong = [
        f"{made.name} {canonical(made.arguments)} is not the parent's {canonical(right.arguments)}"
        for made, right in zip(calls, own, strict=True)
        if (made.name, canonical(made.arguments)) != (right.name, canonical(right.arguments))
    ]
    before = executed(parent, known)
    return None if before is None else before + wrong


def _back(step: Step, call: ToolCall) -> ToolCall:
    if call.name not in {t.name for t in step.new}:
        return call
    if step.added is not None and step.added.tool == call.name:
        rest = {k: v for k, v in call.arguments.items() if k != step.added.name}
        call = call.model_copy(update={"arguments": rest})
    return step.backward(call) or call


def searched(sample: Sample) -> Faults:
    """Follow a search through its facts: each call is for one of them, and replies say what was found."""
    facts: Any = sample.meta["facts"]
    parallel = sample.meta["pattern"] == "parallel"
    found = " ".join(m.content for m in sample.messages if m.role == "tool")
    wrong = []
    for call in sample.label.calls:
        texts = {v for v in call.arguments.values() if isinstance(v, str)}
        places = [i for i, (subject, relation, _) in enumerate(facts) if {subject, relation} == texts]
        if len(places) != 1:
            wrong.append(f"{canonical(call.arguments)} is for {len(places)} facts of the question")
        elif not parallel and places[0] and facts[places[0] - 1][2] not in found:
            wrong.append("it searches for a name that was not found")
    if not sample.label.calls:
        there = [value in found for _, _, value in (facts if parallel else facts[-1:])]
        if sample.kind == "not_found" and any(there):
            wrong.append("what it did not find stands in a result")
        elif sample.kind != "not_found" and not all(there):
            wrong.append("what it tells was not found")
        elif sample.kind != "not_found" and any(
            m[0] not in sample.label.reply for m in sample.label.mentions
        ):
            wrong.append("the reply does not say the answer")
    return wrong


Execute = Callable[[Sample], Faults]
