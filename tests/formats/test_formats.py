"""Datasets of others in and out, and the path to verl."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import tiny_tokenizer
from typer.testing import CliRunner

import looptool_kit as lt
from looptool_kit import formats, world
from looptool_kit.cli import app
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.toolcalls import render_answer, render_prompt
from looptool_kit.formats import FORMS, detect, to_row


@pytest.fixture(scope="module")
def rows() -> Samples:
    return world.generate(60, seed=21)


def kept(sample: Sample) -> tuple[Any, ...]:
    """What every form keeps."""
    return sample.tools, sample.messages, sample.label.calls, sample.label.reply


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ending", [".jsonl", ".json", ".parquet"])
def test_what_is_written_is_read_back(form: formats.Form, ending: str, rows: Samples, tmp_path: Path) -> None:
    fit, unfit = formats.fitting(rows, form)
    if form == "xlam":  # single requests answered by calls, without a system message
        fit = Samples(
            s.model_copy(update={"messages": s.messages[1:]})
            for s in rows
            if s.kind in ("single", "choice", "parallel")
        )
        assert len(unfit) == len(rows)
    assert len(fit) > 20
    path = formats.write(fit, tmp_path / f"data{ending}", form)
    again = formats.read(path)
    whole = {kept(s) for s in map(_hashable, again)}
    assert {kept(s) for s in map(_hashable, fit)} <= whole
    if form in ("verl", "looptool"):
        assert (
            [s.id for s in again] == [s.id for s in fit]
            and again[0].label == fit[0].label
            and again[0].split == fit[0].split
        )


def _hashable(sample: Sample) -> Any:
    """Dumps as text in place of values."""

    class Flat:
        tools = json.dumps([t.model_dump() for t in sample.tools], sort_keys=True)
        messages = json.dumps([m.model_dump() for m in sample.messages], sort_keys=True)

        class label:  # noqa: N801
            calls = json.dumps([c.model_dump() for c in sample.label.calls], sort_keys=True)
            reply = sample.label.reply

    return Flat


WORDS = (
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="<>[]{}"),
        min_size=1,
        max_size=30,
    )
    .map(str.strip)
    .filter(bool)
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
CALLS = st.builds(
    lambda n, a: ToolCall(name=n, arguments=a),
    st.sampled_from(["f", "g.h", "list-all"]),
    st.dictionaries(WORDS, VALUES, max_size=3),
)
ANY = {"type": "object", "properties": {}, "additionalProperties": True}
TOOLS = tuple(Tool(name=n, description="Does it.", parameters=ANY) for n in ("f", "g.h", "list-all"))


@st.composite
def dialogues(draw: Any) -> Sample:
    messages = [Message(role="system", content=draw(WORDS))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 2))):
        calls = tuple(draw(st.lists(CALLS, min_size=1, max_size=2)))
        messages += [Message(role="user", content=draw(WORDS)), Message(role="assistant", tool_calls=calls)]
        messages += [Message(role="tool", name=c.name, content=json.dumps(draw(VALUES))) for c in calls]
        messages.append(Message(role="assistant", content=draw(WORDS)))
    messages.append(Message(role="user", content=draw(WORDS)))
    label = (
        Label(calls=tuple(draw(st.lists(CALLS, min_size=1, max_size=2))))
        if draw(st.booleans())
        else Label(reply=draw(WORDS))
    )
    return Sample(tools=TOOLS, messages=tuple(messages), label=label)


@settings(max_examples=60)
@given(dialogues(), st.sampled_from(["openai", "sharegpt", "hermes", "trl", "verl", "looptool"]))
def test_any_dialogue_survives_the_round_trip(sample: Sample, form: formats.Form) -> None:
    row = json.loads(json.dumps(to_row(sample, form)))
    assert detect(row) == form
    [again] = formats.samples_of(row, form, "x")  # earlier turns are samples of their own, and marked so
    assert json.dumps([m.model_dump() for m in again.messages]) == json.dumps(
        [m.model_dump() for m in sample.messages]
    )
    assert json.dumps([t.model_dump() for t in again.tools]) == json.dumps(
        [t.model_dump() for t in sample.tools]
    )
    assert json.dumps(again.label.model_dump()) == json.dumps(sample.label.model_dump())


WITH_BESIDE: tuple[formats.Form, ...] = ("openai", "trl", "verl", "looptool")
"""The forms that have a place for what the assistant says and thinks beside its calls."""


@st.composite
def beside(draw: Any) -> Sample:
    """A dialogue whose label has words and reasoning beside it."""
    sample = draw(dialogues())
    keys = ["words", "reasoning"] if sample.label.calls else ["reasoning"]
    meta = {key: draw(WORDS) for key in keys if draw(st.booleans())}
    return sample.model_copy(update={"meta": meta, "kind": "call" if sample.label.calls else "reply"})


def whole(sample: Sample) -> str:
    """All that a form with a place for it keeps."""
    tools, messages = [t.model_dump() for t in sample.tools], [m.model_dump() for m in sample.messages]
    return json.dumps([tools, messages, sample.label.model_dump(), sample.meta], ensure_ascii=False)


@settings(max_examples=25)
@given(st.lists(beside(), min_size=1, max_size=3, unique_by=lambda s: s.id), st.sampled_from(WITH_BESIDE))
def test_words_and_reasoning_survive_every_kind_of_file(samples: list[Sample], form: formats.Form) -> None:
    with tempfile.TemporaryDirectory() as place:
        for name in ("a.jsonl", "a.json", "a.parquet", "folder"):
            path = formats.write(samples, Path(place) / name, form)
            again = formats.read(path, form=form, mask_errors=False)
            assert list(map(whole, again)) == list(map(whole, samples)), name


@given(beside(), st.randoms(use_true_random=False))
def test_rows_for_openai_weigh_the_label_alone_and_pair_results_by_id(sample: Sample, rng: Any) -> None:
    row = json.loads(json.dumps(to_row(sample, "openai")))
    turns = row["messages"]
    assert [t["weight"] for t in turns if t["role"] == "assistant"] == [0] * sum(
        m.role == "assistant" for m in sample.messages
    ) + [1]
    ids = [c["id"] for t in turns for c in t.get("tool_calls", ())]
    answered = [t["tool_call_id"] for t in turns if t["role"] == "tool"]
    assert len(set(ids)) == len(ids) and len(set(answered)) == len(answered) and set(answered) <= set(ids)
    # Results in any order, and without names: the ids alone say whose they are.
    for at, turn in enumerate(turns):
        if turn["role"] == "tool" and turns[at - 1]["role"] != "tool":
            end = next(i for i in range(at, len(turns)) if turns[i]["role"] != "tool")
            mixed = [{k: v for k, v in t.items() if k != "name"} for t in turns[at:end]]
            rng.shuffle(mixed)
            turns[at:end] = mixed
    (again,) = formats.samples_of(row, "openai", "x")
    assert whole(again) == whole(sample)


def test_rows_of_others_are_read(tmp_path: Path) -> None:
    weather = {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    called = {
        "id": "a1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
    }
    call = '{"arguments": {"city": "Oslo"}, "name": "get_weather"}'
    block = f"<tools> {json.dumps([{'type': 'function', 'function': weather}])} </tools>"
    openai = {"messages": [
        {"role": "user", "content": "Weather in Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "a1", "content": '{"sky": "clear"}'},
        {"role": "assistant", "content": "It is clear."},
    ], "tools": [{"type": "function", "function": weather}]}  # fmt: skip
    sharegpt = {"conversations": [
        {"from": "human", "value": "Weather in Oslo?"},
        {"from": "function_call", "value": '{"name": "get_weather", "arguments": {"city": "Oslo"}}'},
        {"from": "observation", "value": '{"sky": "clear"}'}, {"from": "gpt", "value": "It is clear."},
    ], "tools": json.dumps([weather])}  # fmt: skip
    hermes = {"conversations": [
        {"from": "system", "value": f"Functions stand in <tools></tools>. {block} Answer so: ..."},
        {"from": "human", "value": "Weather in Oslo?"},
        {"from": "gpt", "value": f"<tool_call>\n{call}\n</tool_call>"},
        {"from": "tool", "value": '<tool_response>\n{"sky": "clear"}\n</tool_response>'},
        {"from": "gpt", "value": "It is clear."},
    ]}  # fmt: skip
    path = tmp_path / "data.jsonl"
    for row in (openai, sharegpt, hermes):
        path.write_text(json.dumps(row) + "\n")
        first, reply = formats.read(path)
        assert first.label.calls == (ToolCall(name="get_weather", arguments={"city": "Oslo"}),)
        assert first.tools[0].required == ("city",)
        assert reply.label.reply == "It is clear." and reply.messages[-1] == Message(
            role="tool", name="get_weather", content='{"sky": "clear"}'
        )


def test_flat_parameters_of_xlam_become_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    parameters = {
        "q": {"type": "str", "description": "What."},
        "top": {"type": "int, optional", "default": 5},
        "tags": {"type": "List[str], optional"},
    }
    flat = {"name": "find", "description": "Find.", "parameters": parameters}
    xlam = {
        "id": 3,
        "query": "Find cats",
        "answers": '[{"name": "find", "arguments": {"q": "cats"}}]',
        "tools": json.dumps([flat]),
    }
    path.write_text(json.dumps(xlam) + "\n")
    (row,) = formats.read(path)
    assert row.tools[0].parameters == {
        "type": "object",
        "properties": {
            "q": {"type": "string", "description": "What."},
            "top": {"type": "integer", "default": 5},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["q"],
    }


def test_bad_rows_are_set_aside_with_row_and_reason(tmp_path: Path, rows: Samples) -> None:
    good = json.dumps(to_row(rows[0], "openai"))
    broken = json.dumps({**to_row(rows[0], "openai"), "tools": []})
    path, out = tmp_path / "data.jsonl", tmp_path / "samples.jsonl"
    path.write_text(
        "\n".join(
            [
                good,
                "{not json",
                broken,
                '{"text": "hello"}',
                '{"conversations": [{"from": "gpt", "value": 3}]}',
            ]
        )
        + "\n"
    )
    set_aside: list[tuple[int, str]] = []
    assert len(formats.read(path, lambda row, raw, why: set_aside.append((row, why)))) >= 1
    assert [row for row, _ in set_aside] == [2, 3, 4, 5] and "belong to none of the forms" in set_aside[2][1]
    with pytest.raises(ValueError, match=r"data.jsonl, row 2"):
        formats.read(path)
    said = CliRunner().invoke(app, ["import", str(path), str(out)])
    assert said.exit_code == 0 and "4 rows rejected" in said.output and len(Samples.read(out)) >= 1
    assert [
        json.loads(line)["row"] for line in (tmp_path / "samples.rejected.jsonl").read_text().splitlines()
    ] == [2, 3, 4, 5]
    with pytest.raises(ValueError, match="choose one of openai"):
        formats.form_named("opnai")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_folder_is_a_dataset_with_exactly_the_rows(
    form: formats.Form, split: str, rows: Samples, tmp_path: Path
) -> None:
    """By `datasets` itself: no key is added, no value loses its type."""
    datasets = pytest.importorskip("datasets", reason="the library datasets is not installed")
    fit, _ = formats.fitting([s.model_copy(update={"messages": s.messages[1:]}) for s in rows], form)
    folder = formats.write(fit, tmp_path / "folder", form, split)
    loaded = datasets.load_dataset(str(folder), split=split, cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == [to_row(s, form, at) for at, s in enumerate(fit)] and len(loaded) >= 15
    again = formats.read(folder)
    assert {kept(s) for s in map(_hashable, fit)} <= {kept(s) for s in map(_hashable, again)}
    if form not in ("looptool", "verl"):
        assert {s.split for s in again} == {split}


def test_trl_takes_its_loss_on_the_completion_alone(rows: Samples) -> None:
    """TRL renders the prompt, then both, and masks what the first has."""
    data_utils = pytest.importorskip("trl.data_utils", reason="the library trl is not installed")
    tokenizer = tiny_tokenizer()
    for sample in rows:
        row = to_row(sample, "trl")
        assert data_utils.is_conversational(row)
        texts = data_utils.apply_chat_template(row, tokenizer, row["tools"])
        assert texts["prompt"] == render_prompt(sample.tools, sample.messages)
        assert texts["completion"].startswith(render_answer(sample.label))


def test_rows_of_trl_are_read_as_others_have_them(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "Does it.", "parameters": ANY}}
    call = {"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    turns = [
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call], "reasoning_content": "Hm."},
        {"role": "tool", "name": "f", "content": "2"},
        {"role": "assistant", "content": "It is 2."},
    ]
    earlier = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello!"}]
    asked = {"role": "user", "content": "What is it?"}
    row = {"prompt": [*earlier, asked], "completion": turns, "tools": json.dumps([tool])}
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(row) + "\n")
    first, second = formats.read(path)  # the turns of the completion; that of the prompt is context only
    assert first.label.calls == (ToolCall(name="f", arguments={"a": 1}),) and len(first.messages) == 3
    assert first.meta == {"words": "Let me see.", "reasoning": "Hm."}
    assert to_row(first, "trl")["completion"] == turns[:1]
    assert second.label.reply == "It is 2." and second.messages[-1].name == "f"
    path.write_text(json.dumps({"prompt": "The sky is", "completion": " blue."}) + "\n")
    with pytest.raises(ValueError, match="row 1: `prompt` and `completion` must be lists of turns"):
        formats.read(path)


# ---------------------------------------------------------------------- verl


def test_export_from_a_run(tmp_path: Path) -> None:
    run = lt.Run.create(tmp_path / "run", "cpu-quick", seeds__first=10, seeds__held_out=3)
    lt.seed(run)
    for more, count in (([], 10), (["--held-out"], 9)):
        out = tmp_path / f"{count}.parquet"
        said = CliRunner().invoke(app, ["export", str(run.path), str(out), "--form", "verl", *more])
        assert said.exit_code == 0, said.output
        assert len(formats.read(out)) == count
    said = CliRunner().invoke(app, ["export", str(run.path), str(tmp_path / "x.jsonl"), "--form", "xlam"])
    assert "no sample of" in str(said.exception) and not (tmp_path / "x.jsonl").exists()
    with pytest.raises(ValueError, match="did you mean adapter.*verifiers, adapter, merged"):
        app(["export", str(run.path), str(tmp_path / "y"), "--form", "adaptor"], standalone_mode=False)
    for iteration in ("0", "-1"):
        said = CliRunner().invoke(
            app, ["export", str(run.path), str(tmp_path / "y"), "--iteration", iteration]
        )
        assert said.exit_code == 2 and not (tmp_path / "y").exists(), iteration
