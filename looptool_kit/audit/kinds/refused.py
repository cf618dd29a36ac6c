"""Labels that their own acceptable answers refuse."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import ACCEPTABLE, Look, malformed
from looptool_kit.core.samples import Label
from looptool_kit.stages.evaluate.bfcl.acceptable import match_acceptable
from looptool_kit.stages.evaluate.bfcl.labels import first_acceptable

WORDS = "The sample's own acceptable answers refuse its label, or can accept no answer at all."
HARM = "error"
NONE = "no answer can be accepted: "
"""Begins the reason where the acceptable answers and the tool demand different things."""


def look(view: Look) -> Iterator[Found]:
    """Proposes an acceptable answer, where one is accepted."""
    given = view.sample.meta.get(ACCEPTABLE)
    place = pointer("meta", ACCEPTABLE)
    if given is not None and (wrong := malformed(given)):
        yield Found(f"the acceptable answers cannot be read: {wrong}", place)
        return
    if not view.acceptable or not view.in_json:
        if given == [] and view.sample.label.calls:
            yield Found("the label calls a tool, and no call is acceptable", pointer("label"))
        return
    label = view.sample.label
    if not (why := refusal(view, label)):
        return
    documents = [{"name": n, "parameters": t.parameters} for n, t in view.tools.items()]
    offered = {name.replace(".", "_"): name for name in view.tools}
    calls = first_acceptable(_under_names(view), documents)
    own = [c.model_copy(update={"name": offered.get(c.name.replace(".", "_"), c.name)}) for c in calls]
    other = Label(calls=tuple(own))
    repair = None if view.derived or refusal(view, other) else other
    causes = "; ".join(impossible(view))
    words = f"{NONE}{causes}" if causes else f"the acceptable answers refuse the label: {why}"
    yield Found(words, place, repair)


def impossible(view: Look) -> Iterator[str]:
    """Say why the acceptable answers can accept nothing.

    They and the tool demand different things.
    """
    for name, values in ((n, v) for entry in _under_names(view) for n, v in entry.items()):
        tool = view.tools.get(name)
        properties = tool.properties if tool else {}
        for parameter in tool.required if tool else ():
            schema = properties.get(parameter)
            kind = schema.get("type") if isinstance(schema, dict) else None
            if parameter not in values:
                yield f"{name} requires {parameter!r}, which the answers do not have"
            elif kind != "string" and isinstance(kind, str) and values[parameter] in ([""], []):
                yield f'the required {kind} {parameter!r} has no acceptable value but ""'
        for parameter, accepted in values.items():
            if properties and parameter not in properties and "" not in accepted:
                yield f"the answers demand {parameter!r}, which {name} does not have"


def _under_names(view: Look) -> list[dict[str, dict[str, list[object]]]]:
    return [
        {(name if name in view.tools else name.replace(".", "_")): values}
        for entry in view.acceptable or ()
        for name, values in entry.items()
    ]


def refusal(view: Look, label: Label) -> str:
    """Say why the acceptable answers refuse a label, or nothing."""
    # BFCL's checker writes underscores for the dots of names, in what was called too.
    calls = [c.model_copy(update={"name": c.name.replace(".", "_")}) for c in label.calls]
    tools = [t.model_copy(update={"name": t.name.replace(".", "_")}) for t in view.sample.tools]
    try:
        result = match_acceptable(calls, view.acceptable or [], tools)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        return f"they or their tools are malformed ({type(error).__name__}: {str(error)[:200]})"
    return "" if result.valid else "; ".join(result.errors) or result.error_type
