"""A label as text for editing: read back as it is shown, and what is wrong with it is named."""

from __future__ import annotations

import json

import pytest

from looptool_kit import world
from looptool_kit.core.samples import Label, Sample

pytest.importorskip("anywidget")

from looptool_kit.widgets.labels import label_text, read_label  # noqa: E402


@pytest.fixture(scope="module")
def sample() -> Sample:
    return next(s for s in world.generate(8, seed=3, kinds=["single"]) if s.label.calls[0].arguments)


@pytest.fixture(scope="module")
def question() -> Sample:
    return world.generate(4, seed=3, kinds=["ask"])[0]


def test_a_label_reads_back_as_it_is_shown(sample: Sample, question: Sample) -> None:
    for s, other in ((sample, question), (question, sample)):
        changed = s.model_copy(update={"label": Label(reply="something else")})
        assert read_label(label_text(s.label), changed) == s.label
        with pytest.raises(ValueError, match="has this label already"):
            read_label(label_text(s.label), s)
        assert read_label("Sorry, no.", s) == Label(reply="Sorry, no.") and other.label != s.label


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('[{"name": "a",\n "arguments": }]', "line 2, column 15"),
        ('[{"name": "a", "name": "b", "arguments": {}}]', "'name' appears twice"),
        ('{"name": "no_such_tool", "arguments": {}}', "no_such_tool is not on offer"),
        ('[{"arguments": {}}]', "call 1.name: Field required"),
        ('[{"name": "a", "arguments": []}]', "call 1.arguments: "),
        ('[{"name": "a", "args": {}}]', "call 1.args: "),
        ('{"reply": "Which day?", "mentions": [["city"]], "asks": true}', "must be or hold: city"),
        ('{"answer": "x"}', "answer: "),
        ("", "neither a call nor a reply"),
        ("[]", "neither a call nor a reply"),
        ('{"calls": [{"name": "no_such_tool"}], "reply": "both"}', "not both"),
        ('"name": "a", "arguments": {}', "a plain reply"),
    ],
)
def test_a_bad_label_is_named(sample: Sample, text: str, wrong: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_label(text, sample)
    assert wrong in str(caught.value)


def test_a_calls_arguments_are_checked_against_the_tool(sample: Sample) -> None:
    call = sample.label.calls[0]
    with pytest.raises(ValueError, match=f"{call.name}: .*nonsense"):
        read_label(json.dumps({"name": call.name, "arguments": {**call.arguments, "nonsense": 1}}), sample)
