"""Renamed tools and parameters: the label follows."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from looptool_kit.augment import perturb as p
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.toolcalls import match, parse, render_answer


def test_labels_follow_names(made: dict[str, list[tuple[Sample, Sample]]]) -> None:
    for name in ("renamed_tools", "renamed_parameters"):
        for s, other in made[name]:
            new: dict[str, str] = other.meta["renamed"]  # type: ignore[assignment]
            assert not set(new) & set(new.values())

            def follow(
                calls: Sequence[ToolCall], new: dict[str, str] = new, tools: bool = name == "renamed_tools"
            ) -> tuple[ToolCall, ...]:
                return tuple(
                    (
                        ToolCall(name=new[c.name], arguments=c.arguments)
                        if tools
                        else ToolCall(name=c.name, arguments={new[k]: v for k, v in c.arguments.items()})
                    )
                    for c in calls
                )

            answer = parse(render_answer(s.label.model_copy(update={"calls": follow(s.label.calls)})))
            assert match(answer, other.label) and (
                not s.label.calls or not match(parse(render_answer(s.label)), other.label)
            )
            for a, b in zip(s.messages, other.messages, strict=True):
                assert b.tool_calls == follow(a.tool_calls) and a.content == b.content
                assert b.name == (new[a.name] if a.name and name == "renamed_tools" else a.name)
            assert (
                not {t.name for t in other.tools} & {t.name for t in s.tools} or name == "renamed_parameters"
            )
            if name == "renamed_parameters":
                for t, u in zip(s.tools, other.tools, strict=True):
                    assert list(u.properties) == [new[k] for k in t.properties] and set(u.required) == {
                        new[k] for k in t.required
                    }
                    assert list(u.properties.values()) == list(t.properties.values())


def test_names_in_descriptions_and_texts_follow() -> None:
    one = Tool(
        name="find_boat",
        description="Find a boat; then call book_boat.",
        parameters={"type": "object", "properties": {"date": {}}},
    )
    boat = {"type": "string", "description": "The boat_id of find_boat, a date"}
    two = Tool(name="book_boat", parameters={"type": "object", "properties": {"boat_id": boat}})
    sample = Sample(tools=(one, two), messages=(Message(role="user", content="Use find_boat, find a boat."),),
                    label=Label(calls=(ToolCall(name="find_boat"),)))  # fmt: skip
    other = p.perturb("renamed_tools", sample, Random(3), Samples())
    assert other is not None
    new: dict[str, str] = other.meta["renamed"]  # type: ignore[assignment]
    assert other.tools[0].description == f"Find a boat; then call {new['book_boat']}."
    assert other.request == f"Use {new['find_boat']}, find a boat."
    assert other.tools[1].properties["boat_id"]["description"] == f"The boat_id of {new['find_boat']}, a date"
    other = p.perturb("renamed_parameters", sample, Random(3), Samples())
    assert other is not None
    new = other.meta["renamed"]  # type: ignore[assignment]
    assert (
        other.tools[1].properties[new["boat_id"]]["description"]
        == f"The {new['boat_id']} of find_boat, a date"
    )
    odd = two.model_copy(update={"parameters": {**two.parameters, "anyOf": [{"required": ["boat_id"]}]}})
    assert (
        p.perturb("renamed_parameters", sample.model_copy(update={"tools": (one, odd)}), Random(3), Samples())
        is None
    )
