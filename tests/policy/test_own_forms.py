"""A policy's own form: what its template writes is learned, and read back; nothing malformed is a reply."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers")

from own_templates import ASKED, NEWS, OSLO, TEMPLATES, asked, of_calls, tokenizer_of, with_template  # noqa: E402
from tiny_models import tiny_tokenizer  # noqa: E402

from looptool_kit.core.grading import grade  # noqa: E402
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall  # noqa: E402
from looptool_kit.core.toolcalls import (  # noqa: E402
    canonical_calls,
    chat,
    parse,
    render_answer,
    render_prompt,
    tool_schemas,
)
from looptool_kit.core.wire.form import ATTEMPTS, PROJECTS  # noqa: E402
from looptool_kit.policy import wire  # noqa: E402
from looptool_kit.policy.engines.prompts import (  # noqa: E402
    decode,
    encode_answer,
    encode_prompt,
    encode_turn,
    end_token,
    render,
    render_target,
)
from looptool_kit.policy.models import with_template as accepted  # noqa: E402

FAMILIES = sorted(TEMPLATES)
TOKENIZERS = {family: tokenizer_of(family) for family in FAMILIES}
OWN = [family for family in FAMILIES if not wire.form_of(TOKENIZERS[family]).projects]
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12) | st.sampled_from(
    ['a "quoted" word', "it's \\ back", "line\nbreak", "\n", "2", "true", "[1, 2]", "a, b: {c}", "naïve 東京",
     "\U0001f600", "1 < 2 > 0", "", " ", "None", "{}", "```", "```tool_call\n```",
     '{"name": "f", "arguments": {}}']
)  # fmt: skip
KEYS = st.sampled_from(["city", "days", "from", "user-id"])
VALUES = st.recursive(
    st.booleans() | st.none() | st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6, width=32) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
CALL = st.builds(
    lambda name, arguments: ToolCall(name=name, arguments=arguments),
    st.sampled_from(["get_weather", "find", "set_alarm2"]),
    st.dictionaries(KEYS, VALUES, max_size=4),
)
CALLS = st.lists(CALL, min_size=1, max_size=3, unique_by=lambda c: c.name)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_recognised_by_its_template(family: str) -> None:
    form = wire.form_of(TOKENIZERS[family])
    assert form.name == TEMPLATES[family][0] and not form.unknown


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=40, deadline=None)
@given(CALLS)
def test_what_the_template_writes_is_read_back(family: str, calls: list[ToolCall]) -> None:
    """Or the label is refused with a reason: some forms have no way to write some values."""
    tokenizer, sample = TOKENIZERS[family], of_calls(*calls)
    if reason := wire.fault_of(tokenizer, sample):
        written = json.dumps([c.arguments for c in calls], ensure_ascii=False)
        marks = wire.special_names(tokenizer)
        tagged = "<" in written and wire.form_of(tokenizer).name in ("qwen3_coder", "glm", "minimax")
        assert reason.startswith("form: ") and (tagged or any(m in written for m in marks)), reason
        return
    text = render_target(tokenizer, sample, sample.label)
    answer = wire.form_of(tokenizer).parse(text, tools=sample.tools)
    assert canonical_calls(answer.calls) == canonical_calls(calls) and not answer.error and not answer.text
    assert wire.form_of(tokenizer).parse(text, "length", sample.tools).error == "truncated"
    ids = encode_turn(tokenizer, sample, sample.label)
    assert decode(tokenizer, ids[:-1]) == text and ids[-1] == end_token(tokenizer, calls=True)
    spelt = any(m in json.dumps([c.arguments for c in calls]) for m in wire.special_names(tokenizer))
    assert spelt or ids == encode_turn(tokenizer, sample, text)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["I cannot do that.", "Which city do you mean?", "Naïve: 東京, 3 < 5"]))
def test_a_plain_reply_is_read_back(family: str, said: str) -> None:
    tokenizer, sample = TOKENIZERS[family], asked((OSLO,), Label(reply=said))
    text = render_target(tokenizer, sample, sample.label)
    answer = wire.form_of(tokenizer).parse(text, tools=sample.tools)
    assert answer.text == said and not answer.calls and not answer.error
    ids = encode_turn(tokenizer, sample, sample.label)
    assert decode(tokenizer, ids[:-1]) == text and ids[-1] == end_token(tokenizer)
    assert wire.fault_of(tokenizer, sample) == ""


@pytest.mark.parametrize("family", FAMILIES)
def test_prompt_and_target_are_the_rendered_dialogue(family: str) -> None:
    tokenizer = TOKENIZERS[family]
    sample = of_calls(OSLO)
    whole = wire._render(
        tokenizer,
        wire.form_of(tokenizer),
        [*sample.messages, Message(role="assistant", tool_calls=(OSLO,))],
        sample.tools,
        False,
    )
    assert whole.startswith(render(tokenizer, sample) + render_target(tokenizer, sample, sample.label))


@pytest.mark.parametrize("family", OWN)
def test_a_call_that_is_cut_or_broken_is_never_a_reply(family: str) -> None:
    tokenizer = TOKENIZERS[family]
    form, label = wire.form_of(tokenizer), Label(reply="I cannot.")
    for calls in ((OSLO,), (OSLO, NEWS)):
        sample = of_calls(*calls)
        text = render_target(tokenizer, sample, sample.label)
        mark = ATTEMPTS[form.name].search(text)
        assert mark is not None
        broken = [text[:at] for at in range(mark.end(), len(text))]
        broken += [text[:at] + text[at + 1 :] for at in range(mark.end(), len(text))]
        for said in broken:
            answer = form.parse(said, tools=sample.tools)
            assert answer.error == "unparsable" or answer.calls, (said, answer)
            assert not grade(answer, label, sample.tools).correct
        half = form.parse(text[: mark.end() + 8], tools=sample.tools)
        assert half.error == "unparsable" and half.detail


@pytest.mark.parametrize("family", OWN)
def test_a_thought_is_dropped_and_one_in_an_argument_is_not(family: str) -> None:
    form = wire.form_of(TOKENIZERS[family])
    sample = of_calls(ToolCall(name="find", arguments={"city": "x</think>I cannot."}))
    text = render_target(TOKENIZERS[family], sample, sample.label)
    assert form.parse(text, tools=sample.tools).calls == sample.label.calls
    for thought in ("<think>\nFirst.\n</think>\n", "First.\n</think>\n\n"):
        if form.name != "harmony":  # it thinks on a channel of its own
            assert form.parse(thought + text, tools=sample.tools).calls == sample.label.calls
    unclosed = form.parse("<think>I wonder", tools=sample.tools)
    assert unclosed.error == "unparsable" or form.name == "harmony"


NAN = {
    "llama": '{"name": "get_weather", "parameters": {"days": NaN}}',
    "json": '[{"name": "f", "arguments": {"a": 1, "a": 2}}]',
    "pythonic": "[get_weather(days=1e999)]",
    "mistral": '[TOOL_CALLS] [{"name": "f", "arguments": {"a": 1,}}]',
    "lfm": "<|tool_call_start|>[get_weather(days=other())]<|tool_call_end|>",
    "phi": "<|tool_call|>",
}


@pytest.mark.parametrize("name", NAN)
def test_what_is_no_json_value_is_unparsable(name: str) -> None:
    assert (
        PROJECTS.model_copy(update={"name": name, "projects": False}).parse(NAN[name]).error == "unparsable"
    )


def test_text_of_a_label_is_never_a_mark() -> None:
    """A special token that a value spells is text in what is learned, or the label is refused."""
    for family in OWN:
        tokenizer = TOKENIZERS[family]
        names = tokenizer.get_added_vocab()
        plain = of_calls(OSLO)
        marks = [i for i in encode_turn(tokenizer, plain, plain.label) if i in names.values()]
        for mark in names:
            evil = of_calls(ToolCall(name="get_weather", arguments={"city": f"a {mark} b", "days": 2}))
            if not wire.fault_of(tokenizer, evil):
                ids = encode_turn(tokenizer, evil, evil.label)
                assert [i for i in ids if i in names.values()] == marks, (family, mark)
                assert tokenizer.decode(ids[:-1]) == render_target(tokenizer, evil, evil.label)


def test_earlier_calls_stand_one_a_turn_where_the_template_takes_one() -> None:
    sample = asked(
        (OSLO, NEWS),
        Label(calls=(OSLO, NEWS)),
        (
            *ASKED,
            Message(role="assistant", tool_calls=(OSLO, NEWS)),
            Message(role="tool", name="find", content='"news"'),
            Message(role="tool", name="get_weather", content='"rain"'),
            Message(role="user", content="And again?"),
        ),
    )
    tokenizer = TOKENIZERS["Llama 3.x"]
    prompt = render(tokenizer, sample)
    order = ('"get_weather", "parameters": {"city', '"rain"', '"find", "parameters": {"city', '"news"')
    assert (places := [prompt.index(said) for said in order]) == sorted(places)
    assert wire.fault_of(tokenizer, sample) == ""
    ids = render(TOKENIZERS["Kimi K2"], sample)
    assert "functions.get_weather:0" in ids and 'Return of functions.find:1\n"news"' in ids


# ------------------------------------------------------------------ the project's


def test_the_projects_own_form_is_what_it_was() -> None:
    """Prompts, targets and parsing of the embedded model: its results are recorded."""
    tokenizer = tiny_tokenizer()
    tool = Tool(name="f", description="d", parameters={"type": "object", "properties": {"a": {}}})
    messages = (Message(role="system", content="Short."), Message(role="user", content="Ä?"))
    sample = Sample(
        tools=(tool,), messages=messages, label=Label(calls=(ToolCall(name="f", arguments={"a": "é"}),))
    )
    assert wire.form_of(tokenizer) == PROJECTS and PROJECTS.key == ""
    assert render(tokenizer, sample) == (
        '<|im_start|>system\nYou can call these functions. To call, answer with <tool_call>{"name": ...,'
        ' "arguments": {...}}</tool_call>, one for each call.\n<tools>\n{"name": "f", "description": "d",'
        ' "parameters": {"type": "object", "properties": {"a": {}}}}\n</tools>\nShort.<|im_end|>\n'
        "<|im_start|>user\nÄ?<|im_end|>\n<|im_start|>assistant\n"
    )
    target = '<tool_call>\n{"name": "f", "arguments": {"a": "é"}}\n</tool_call>'
    assert render_target(tokenizer, sample, sample.label) == target == render_answer(sample.label)
    ids = tokenizer(target, add_special_tokens=False)["input_ids"]
    im_end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert encode_turn(tokenizer, sample, sample.label) == [*ids, im_end]
    assert (
        encode_turn(tokenizer, sample, target)
        == [*encode_answer(tokenizer, target), im_end]
        == [*ids, im_end]
    )
    assert encode_prompt(tokenizer, sample) == tokenizer(render_prompt((tool,), messages)).input_ids
    for said in (
        target,
        "words " + target,
        "<tool_call>{",
        "<think>x</think>no",
        '{"name": "f", "parameters": {}}',
    ):
        assert PROJECTS.parse(said) == parse(said) and PROJECTS.parse(said, "length") == parse(said, "length")
    assert decode(tokenizer, [*ids, im_end]) == target


@pytest.mark.parametrize("family", ["Hermes", "Qwen3"])
def test_a_template_that_writes_the_projects_labels_keeps_its_results(family: str) -> None:
    tokenizer, sample = TOKENIZERS[family], of_calls(OSLO, NEWS)
    form = wire.form_of(tokenizer)
    assert form.projects and form.key == ""
    before = tokenizer.apply_chat_template(
        chat(sample.messages),
        tools=tool_schemas(sample.tools),
        add_generation_prompt=True,
        tokenize=False,
        enable_thinking=False,
    )
    assert render(tokenizer, sample) == before
    assert render_target(tokenizer, sample, sample.label) == render_answer(sample.label)


def test_marks_that_are_special_tokens_are_kept() -> None:
    """The project's texts are decoded without special tokens: these calls would be lost."""
    tokenizer, sample = tokenizer_of("Hermes"), of_calls(OSLO)
    tokenizer.add_tokens(["<tool_call>", "</tool_call>"], special_tokens=True)
    form = wire.form_of(tokenizer)
    assert form.name == "hermes" and not form.projects and form.key == "+hermes"
    text = decode(tokenizer, encode_turn(tokenizer, sample, sample.label)[:-1])
    assert form.parse(text).calls == (OSLO,)


# ------------------------------------------------------------ what nobody knows

UNKNOWN = (
    "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}"
    "{% for c in m.tool_calls or () %}CALL {{ c.function.name }} WITH {{ c.function.arguments }}{% endfor %}"
    "<|im_end|>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)


def test_a_form_that_nobody_knows_gives_way_to_the_projects_with_a_sentence() -> None:
    tokenizer = with_template(UNKNOWN)
    form = wire.form_of(tokenizer)
    assert form.unknown and form.key == "+looptool"
    with pytest.warns(
        UserWarning, match="cannot read, so its policy is prompted and trained in the project's"
    ):
        tokenizer = accepted(tokenizer, "somewhere")
    sample = of_calls(OSLO)
    assert render(tokenizer, sample) == render_prompt(sample.tools, sample.messages)
    assert render_target(tokenizer, sample, sample.label) == render_answer(sample.label)


CALL_WITH = {
    "start_anchor": "assistant: ",
    "defaults": {"role": "assistant"},
    "fields": {
        "tool_calls": {
            "open_pattern": r"CALL (?P<name>\w+) WITH ",
            "close_pattern": r" END|$",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}},
        },
        "content": {"close_pattern": r"<\|im_end\|>|$", "content": "text"},
    },
}


def test_a_tokenizers_response_template_reads_what_no_family_writes() -> None:
    template = UNKNOWN.replace("c.function.arguments }}", "c.function.arguments | tojson }} END")
    tokenizer = with_template(template)
    tokenizer.response_template = CALL_WITH
    form = wire.form_of(tokenizer)
    assert form.name == "response_template" and not form.unknown and form.key == "+response_template"
    sample = of_calls(OSLO, NEWS)
    text = render_target(tokenizer, sample, sample.label)
    assert text.startswith("CALL get_weather WITH {") and wire.fault_of(tokenizer, sample) == ""
    assert form.parse(text, tools=sample.tools).calls == (OSLO, NEWS)
    assert form.parse("I cannot.").text == "I cannot."
    for broken in (text[:-12], text.replace('"Oslo"', "Oslo"), "[get_weather(city='Oslo')]"):
        assert form.parse(broken, tools=sample.tools).error == "unparsable", broken


def test_a_response_template_reads_a_known_family_and_its_parser_keeps_it_strict() -> None:
    tokenizer = tokenizer_of("Phi-4-mini")
    tokenizer.response_template = {
        "start_anchor": "<|assistant|>",
        "defaults": {"role": "assistant"},
        "fields": {
            "tool_calls": {
                "open": "<|tool_call|>",
                "close_pattern": r"<\|/tool_call\|>|$",
                "content": "json",
                "transform_each": True,
                "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{arguments}"}},
            },
            "content": {"close_pattern": r"<\|end\|>|$", "content": "text"},
        },
    }
    form = wire.form_of(tokenizer)
    sample = of_calls(OSLO, NEWS)
    text = render_target(tokenizer, sample, sample.label)
    assert form.name == "phi"
    assert form.parse(text, tools=sample.tools).calls == (OSLO, NEWS)
    assert form.parse(text.removesuffix("<|/tool_call|>"), tools=sample.tools).error == "unparsable"


# --------------------------------------------------------- templates as they are

TRL = Path(find_spec("trl").origin).parent / "chat_templates" if find_spec("trl") else None  # type: ignore[union-attr, arg-type]
INSTALLED = {
    "qwen2_5": "hermes",
    "qwen3": "hermes",
    "qwen3_instruct_2507": "hermes",
    "qwen3_5_nothink": "qwen3_coder",
    "llama3_1": "llama",
    "llama3_2": "llama",
    "gptoss": "harmony",
    "glm4moe": "glm",
    "gemma4": "gemma4",
    "lfm2": "lfm",
    "lfm2_2_5": "lfm",
}


@pytest.mark.skipif(TRL is None, reason="trl is not installed")
@pytest.mark.parametrize("name", INSTALLED)
def test_the_models_own_templates_are_known(name: str) -> None:
    """TRL installs copies of the models' chat templates."""
    assert TRL is not None
    if not (file := TRL / f"{name}.jinja").is_file():
        pytest.skip("this version of trl does not have it")
    tokenizer = with_template(file.read_text(encoding="utf-8"))
    if name == "lfm2":  # it takes calls as words, so that their marks do not stand in it
        tokenizer.add_tokens(["<|tool_call_start|>", "<|tool_call_end|>"], special_tokens=True)
    form = wire.form_of(tokenizer)
    assert form.name == INSTALLED[name] and form.projects == (form.name == "hermes")
    for sample in (of_calls(OSLO), of_calls(OSLO, NEWS), asked((OSLO,), Label(reply="Where?"))):
        assert wire.fault_of(tokenizer, sample) == ""
