"""Rows as people have them: calls as text, ids, weights, reasoning, splits, encodings, odd turns."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from looptool_kit import formats
from looptool_kit.cli import app
from looptool_kit.core.samples import Samples, ToolCall

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
OSLO = ToolCall(name="get_weather", arguments={"city": "Oslo"})
USER = {"role": "user", "content": "What is the weather in Oslo?"}


def called(city: str, id_: str = "c") -> dict[str, Any]:
    return {
        "id": id_,
        "type": "function",
        "function": {"name": "get_weather", "arguments": json.dumps({"city": city})},
    }


def asked(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [USER, *messages], "tools": [WEATHER]}


def read(tmp_path: Path, *rows: Any, name: str = "data.jsonl") -> tuple[Samples, list[str]]:
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    reasons: list[str] = []
    return formats.read(path, lambda row, raw, why: reasons.append(f"{row}: {why}")), reasons


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>',
        '[get_weather(city="Oslo")]',
        '{"name": "get_weather", "parameters": {"city": "Oslo"}}',
        '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Oslo"}}]',
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>",
        '<functioncall> {"name": "get_weather", "arguments": \'{"city": "Oslo"}\'}',
        '```json\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n```',
    ],
)
def test_calls_that_stand_as_text_are_calls(text: str, tmp_path: Path) -> None:
    for row in (
        asked({"role": "assistant", "content": text}),
        {
            "conversations": [
                {"from": "human", "value": USER["content"]},
                {"from": "gpt", "value": text},
            ],
            "tools": json.dumps([WEATHER]),
        },
    ):
        (sample,), reasons = read(tmp_path, row)
        assert sample.label.calls == (OSLO,) and not reasons


def test_a_call_that_cannot_be_read_is_rejected_and_no_reply(tmp_path: Path) -> None:
    samples, reasons = read(tmp_path, asked({"role": "assistant", "content": "[get_weather(city=Oslo)]"}))
    assert not samples and "unparsable" in reasons[0] and "'Oslo' is not a literal" in reasons[0]


def test_results_stand_behind_their_calls_by_id(tmp_path: Path) -> None:
    row = asked(
        {"role": "assistant", "content": None, "tool_calls": [called("Oslo", "A"), called("Bergen", "B")]},
        {"role": "tool", "tool_call_id": "B", "content": '{"temp": 4}'},
        {"role": "tool", "tool_call_id": "A", "content": '{"temp": -3}'},
        {"role": "assistant", "content": "Oslo -3, Bergen 4."},
    )
    samples, _ = read(tmp_path, row)
    results = [m.content for m in samples[1].messages if m.role == "tool"]
    assert results == ['{"temp": -3}', '{"temp": 4}']
    out = formats.to_row(samples[1], "openai")["messages"]
    ids = [c["id"] for c in out[1]["tool_calls"]]
    assert [(m["tool_call_id"], m["content"]) for m in out if m["role"] == "tool"] == list(
        zip(ids, results, strict=True)
    )


@pytest.mark.parametrize("observed", ['[{"temp": -3}, {"temp": 4}]', "Both are cold."])
def test_one_observation_of_two_calls(observed: str, tmp_path: Path) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": c}} for c in ("Oslo", "Bergen")]
    row = {
        "conversations": [
            {"from": "human", "value": "And Oslo and Bergen?"},
            {"from": "function_call", "value": json.dumps(calls)},
            {"from": "observation", "value": observed},
            {"from": "gpt", "value": "Oslo -3, Bergen 4."},
        ],
        "tools": json.dumps([WEATHER]),
    }
    (first, reply), reasons = read(tmp_path, row)
    assert not reasons and [c.arguments["city"] for c in first.label.calls] == ["Oslo", "Bergen"]
    results = [m.content for m in reply.messages if m.role == "tool"]
    assert results == (['{"temp": -3}', '{"temp": 4}'] if observed[0] == "[" else [observed])
    assert reply.label.reply == "Oslo -3, Bergen 4."


def test_words_and_reasoning_beside_a_call_are_kept(tmp_path: Path) -> None:
    said = {"content": "Let me look.", "reasoning_content": "A city alone.", "tool_calls": [called("Oslo")]}
    (sample,), _ = read(tmp_path, asked({"role": "assistant", **said}))
    assert sample.label.calls == (OSLO,) and not sample.label.reply
    last = formats.to_row(sample, "openai")["messages"][-1]
    assert (last["content"], last["reasoning_content"]) == ("Let me look.", "A city alone.")
    thought = "<think>\nA city alone.\n</think>\n\nIt is cold."
    (sample,), _ = read(tmp_path, asked({"role": "assistant", "content": thought}))
    assert sample.label.reply == "It is cold." and sample.meta == {"reasoning": "A city alone."}


@pytest.mark.parametrize("mark", [{"weight": 0}, {"train": False}, {"loss": False}])
def test_turns_of_weight_0_are_context(mark: dict[str, Any], tmp_path: Path) -> None:
    row = asked(
        {"role": "assistant", "content": "I will not look.", **mark},
        {"role": "user", "content": "Do look: Oslo."},
        {"role": "assistant", "content": None, "tool_calls": [called("Oslo")], "weight": 1},
    )
    (sample,), reasons = read(tmp_path, row)
    assert sample.label.calls == (OSLO,) and len(sample.messages) == 3 and not reasons
    out = formats.to_row(sample, "openai")["messages"]
    assert [m.get("weight") for m in out] == [None, 0, None, 1]


def test_the_persona_beside_the_tools_stays(tmp_path: Path) -> None:
    system = (
        "You are Nora of Fjord Bank. Never give advice on taxes.\nHere are the tools in <tools> </tools>"
        f" tags.\n<tools>\n{json.dumps([WEATHER])}\n</tools>\nAnswer calls as JSON in tool_call tags. Always"
        " answer in Norwegian."
    )
    call = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
    turns = [("system", system), ("human", "And Oslo?"), ("gpt", call)]
    row = {"conversations": [{"from": who, "value": text} for who, text in turns]}
    (sample,), _ = read(tmp_path, row)
    kept = sample.messages[0].content
    assert kept == "You are Nora of Fjord Bank. Never give advice on taxes.\nAlways answer in Norwegian."


def test_arguments_that_a_table_filled_are_absent(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    datasets = pytest.importorskip("datasets")
    rows = []
    for arguments in ({"city": "Oslo", "days": None}, {"city": "Bergen", "days": 3}):
        function = {"name": "get_weather", "arguments": arguments}
        said = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"type": "function", "function": function}],
        }
        rows.append(asked(said))
    datasets.Dataset(pa.Table.from_pylist(rows)).save_to_disk(tmp_path / "folder")
    samples = formats.read(tmp_path / "folder")
    assert [s.label.calls[0].arguments for s in samples] == [{"city": "Oslo"}, {"city": "Bergen", "days": 3}]
    (as_lines, _), _ = read(tmp_path, *rows)
    assert as_lines.label.calls == (OSLO,)


def test_splits_of_a_folder_stay(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("A card.")
    for split, city in (("test", "Bergen"), ("validation", "Voss"), ("train", "Oslo")):
        row = asked({"role": "assistant", "content": None, "tool_calls": [called(city)]})
        row["messages"][0] = {"role": "user", "content": f"And {city}?"}
        Samples(formats.samples_of(row, "openai", "x"))
        formats.write(
            formats.samples_of(row, "openai", "x"),
            folder / "data" / f"{split}-00000-of-00001.parquet",
            "openai",
        )
    found = {s.label.calls[0].arguments["city"]: s.split for s in formats.read(folder)}
    assert found == {"Oslo": "train", "Bergen": "test", "Voss": "development"}


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("data.jsonl.gz", lambda text: gzip.compress(text.encode())),
        ("data.jsonl", lambda text: text.encode("utf-16")),
        ("data.json", str.encode),
        ("data.txt", str.encode),
        ("data.ndjson", str.encode),
        ("data.json", lambda text: f'{{"data": [{",".join(text.split(chr(10))[:-1])}]}}'.encode()),
    ],
)
def test_any_packing_is_read(name: str, encode: Any, tmp_path: Path) -> None:
    row = asked({"role": "assistant", "content": None, "tool_calls": [called("Oslo")]})
    other = asked({"role": "assistant", "content": "Kjølig, 東京."})
    text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in (row, other))
    (tmp_path / name).write_bytes(encode(text))
    samples = formats.read(tmp_path / name)
    assert samples[0].label.calls == (OSLO,) and samples[1].label.reply == "Kjølig, 東京."


def test_one_bad_turn_rejects_its_samples_and_not_what_was_before(tmp_path: Path) -> None:
    row = asked(
        {"role": "assistant", "content": None, "tool_calls": [called("Oslo")]},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        {"role": "assistant", "content": "Nothing came."},
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "Again."},
        {"role": "assistant", "content": '<tool_call>{"name": "get_weather"</tool_call>'},
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "Sorry."},
    )
    row["messages"].insert(0, {"role": "assistant", "content": "Hello, how can I help?"})
    samples, reasons = read(tmp_path, row)
    assert [bool(s.label.calls) for s in samples] == [True, False]
    assert samples[0].messages[0].content == "Hello, how can I help?"
    assert len(reasons) == 2 and all("turn 8: an assistant turn is unparsable" in r for r in reasons)


def test_an_import_says_what_it_left_behind(tmp_path: Path) -> None:
    picture = [{"type": "text", "text": "And Oslo?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    row = asked({"role": "assistant", "content": None, "tool_calls": [called("Oslo")]})
    row["messages"][0] = {"role": "user", "content": picture}
    row |= {"score": 3, "id": "r1"}
    path, out = tmp_path / "data.jsonl", tmp_path / "out.jsonl"
    bad = [asked({"role": "assistant", "content": f"[get_weather(city={c})]"}) for c in ("Oslo", "Bergen")]
    path.write_text("".join(json.dumps(r) + "\n" for r in (row, row, *bad)))
    done = CliRunner().invoke(app, ["import", str(path), str(out)])
    said = " ".join(done.output.split())
    assert done.exit_code == 0 and "Samples(1 rows)" in said
    for words in (
        "rejected 2 turn ...: an assistant turn is unparsable",
        "left behind 2 column 'score'",
        "left behind 2 parts of type image_url",
        "left behind 1 samples that appear twice",
    ):
        assert words in said, said


CALLS_AS_PARTS = [
    {"type": "tool_call", "value": '{"name": "get_weather", "arguments": {"city": "Oslo"}}'},
    {"type": "tool_call", "tool_call": {"name": "get_weather", "arguments": {"city": "Oslo"}}},
    {"type": "tool_use", "id": "t", "name": "get_weather", "input": {"city": "Oslo"}},
    {"type": "function_call", "name": "get_weather", "arguments": '{"city": "Oslo"}'},
]


@pytest.mark.parametrize("part", CALLS_AS_PARTS)
@pytest.mark.parametrize("key", ["text", "value"])
def test_content_in_parts_is_read_by_what_each_part_is(
    tmp_path: Path, part: dict[str, Any], key: str
) -> None:
    thought = {"type": "reasoning", "value": "I need the weather."}
    row = asked({"role": "assistant", "content": [thought, {"type": "text", key: "Let me see."}, part]})
    row["messages"][0] = {"role": "user", "content": [{"type": "text", key: "The weather in Oslo?"}]}
    samples, reasons = read(tmp_path, row)
    assert not reasons and [c.arguments for s in samples for c in s.label.calls] == [{"city": "Oslo"}]
    assert samples[0].request == "The weather in Oslo?"
    assert (samples[0].meta["words"], samples[0].meta["reasoning"]) == ("Let me see.", "I need the weather.")


def test_a_call_part_that_cannot_be_read_rejects_the_turn(tmp_path: Path) -> None:
    for part in ({"type": "tool_call", "value": "get_weather Oslo"}, {"type": "tool_use", "name": None}):
        samples, reasons = read(tmp_path, asked({"role": "assistant", "content": [part]}))
        assert not samples and "a call is an object with name and arguments" in reasons[0]


def test_a_call_of_a_custom_tool_has_its_text_as_input(tmp_path: Path) -> None:
    tool = {"type": "custom", "custom": {"name": "sql", "description": "Runs a query"}}
    call = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": '{"select": 1}'}}
    row = {"messages": [USER, {"role": "assistant", "tool_calls": [call]}], "tools": [WEATHER, tool]}
    [sample], reasons = read(tmp_path, row)
    assert sample.label.calls == (ToolCall(name="sql", arguments={"input": '{"select": 1}'}),)
    assert sample.tools[1].required == ("input",) and reasons == []
