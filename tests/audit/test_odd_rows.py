"""Whatever stands in a row, the audit tells of it and does not raise."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tool_calls import calls, values, words

from looptool_kit.audit.audit import audit
from looptool_kit.audit.look import ACCEPTABLE, DERIVED, LANGUAGE
from looptool_kit.audit.read import Row, rows
from looptool_kit.audit.repair import repaired
from looptool_kit.audit.show import page
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool

names = st.sampled_from(["find", "book", "get.weather", "größe"])
keywords = st.sampled_from(
    ["type", "properties", "required", "enum", "default", "format", "items", "$ref", "description", "anyOf"]
)
kinds_of_value = st.sampled_from(["string", "integer", "object", "array", "boolean", "null", "dict"])
schemas = st.recursive(
    st.dictionaries(keywords, values | kinds_of_value | st.lists(kinds_of_value), max_size=4),
    lambda s: st.dictionaries(keywords, s | st.dictionaries(words, s) | kinds_of_value, max_size=4),
    max_leaves=6,
)
objects = st.builds(
    lambda properties, required: {"type": "object", "properties": properties, "required": required},
    st.dictionaries(st.sampled_from(["a", "b", "date"]), schemas, max_size=3),
    st.lists(st.sampled_from(["a", "b"]), max_size=2),
)
tools = st.builds(Tool, name=names, description=words, parameters=objects | schemas)
odd_calls = (
    calls.map(lambda c: c.model_copy(update={"arguments": {**c.arguments, "a": c.name, "b": None}})) | calls
)
labels = st.builds(Label, calls=st.lists(odd_calls, max_size=3).map(tuple), reply=words)
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=words,
    tool_calls=st.lists(odd_calls, max_size=2).map(tuple),
    name=st.none() | names,
)
accepted = values | st.lists(
    st.dictionaries(
        names, values | st.dictionaries(st.sampled_from(["a", "b"]), st.lists(values)), max_size=2
    )
)
metas = st.fixed_dictionaries(
    {}, optional={ACCEPTABLE: accepted, DERIVED: st.booleans(), LANGUAGE: values, "failed_call": values}
)
samples = st.builds(
    Sample,
    tools=st.lists(tools, max_size=3).map(tuple),
    messages=st.lists(messages, max_size=4).map(tuple),
    label=labels,
    meta=metas,
)


@settings(max_examples=150)
@given(st.lists(samples, min_size=1, max_size=3))
def test_no_sample_stops_the_audit(given_: list[Sample]) -> None:
    found = audit(Samples([*given_, given_[0]]), against=Samples(given_[:1]), progress=False)
    assert [f for f in found.findings if f.kind == "unreadable"] == []
    assert all(f.reason for f in found.findings)
    for finding in found.findings:
        assert finding.model_dump_json()
    repaired(given_[0], ("type", "enum", "foreign_parameter", "missing_parameter", "unknown_tool", "refused"))


@settings(max_examples=60)
@given(
    st.lists(
        values | words | st.dictionaries(words, values) | samples.map(lambda s: s.model_dump(mode="json"))
    )
)
def test_no_row_of_a_file_stops_the_audit(tmp_path_factory, given_: list[object]) -> None:  # type: ignore[no-untyped-def]
    file = Path(tmp_path_factory.mktemp("odd") / "rows.jsonl")
    file.write_text("\n".join(json.dumps(v) for v in given_), encoding="utf-8")
    audit(rows(file), progress=False)


def test_a_kind_that_fails_is_told_and_the_others_go_on(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from looptool_kit.audit.kinds import markup

    def fails(view: object) -> list[object]:
        raise KeyError("x")

    monkeypatch.setattr(markup, "look", fails)
    sample = Sample(tools=(), messages=(), label=Label())
    found = audit([Row(1, sample), Row(2, None, "not JSON")], progress=False).findings
    told = {(f.row, f.reason) for f in found if f.kind == "unreadable"}
    assert told == {(1, "markup could not look at it: KeyError: 'x'"), (2, "not JSON")}
    assert any(f.kind == "empty" for f in found)


def test_what_stands_in_a_row_is_never_html() -> None:
    text = "<script>alert(1)</script>"
    sample = Sample(
        tools=(), messages=(Message(role="user", content=text),), label=Label(reply=text + "<|im_end|>")
    )
    shown = page(audit(Samples([sample]), progress=False), f"{text}.jsonl")
    assert "<script" not in shown and "&lt;script&gt;" in shown
    assert "Content-Security-Policy" in shown and "http://" not in shown and "https://" not in shown
