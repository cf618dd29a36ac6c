"""Samples and their tables: ids, lineage, what survives the disk, what is rejected."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.tables import atomic, write_json

text = st.text(st.characters(codec="utf-8"), max_size=10)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(text, v, max_size=3),
    max_leaves=6,
)
calls = st.lists(
    st.builds(ToolCall, name=text.filter(bool), arguments=st.dictionaries(text, values, max_size=3)),
    max_size=2,
).map(tuple)
tools = st.lists(
    st.builds(
        Tool, name=text.filter(bool), description=text, parameters=st.dictionaries(text, values, max_size=3)
    ),
    max_size=2,
).map(tuple)
roles = st.sampled_from(["system", "user", "assistant", "tool"])
messages = st.lists(
    st.builds(Message, role=roles, content=text, tool_calls=calls, name=st.none() | text), max_size=3
).map(tuple)
labels = st.builds(
    Label,
    calls=calls,
    reply=text,
    mentions=st.lists(st.lists(text, max_size=2).map(tuple), max_size=2).map(tuple),
    asks=st.booleans(),
)
samples = st.builds(
    Sample,
    tools=tools,
    messages=messages,
    label=labels,
    kind=text,
    meta=st.dictionaries(text, values, max_size=2),
    parent=st.none() | text,
)

PLAIN = Sample(
    tools=(
        Tool(
            name="find",
            parameters={"type": "object", "properties": {"größe": {"type": "integer", "minimum": 1}}},
        ),
    ),
    messages=(Message(role="user", content="Größe 3, bitte 🙂\u2028\x00"),),
    label=Label(calls=(ToolCall(name="find", arguments={"größe": 3, "x": {"b": [], "a": {}}}),)),
    kind="single",
    meta={"noise": None},
)


def test_the_id_is_the_same_in_another_process_whatever_the_hash_seed() -> None:
    code = (
        "import sys, json; from looptool_kit.core.samples import Sample;"
        " print(Sample.model_validate(json.load(sys.stdin)).id)"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONUTF8": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=PLAIN.model_dump_json(),
            env=environment,
            capture_output=True,
            encoding="utf-8",
        )
        assert done.stdout.strip() == PLAIN.id, done.stderr
    assert PLAIN.id == "fed267e0f883f08b"


def test_the_id_ignores_key_order_and_everything_but_tools_messages_and_label() -> None:
    turned = PLAIN.model_dump()
    turned["tools"][0]["parameters"] = {
        "properties": {"größe": {"minimum": 1, "type": "integer"}},
        "type": "object",
    }
    turned["label"]["calls"][0]["arguments"] = {"x": {"a": {}, "b": []}, "größe": 3}
    turned |= {"kind": "other", "meta": {"y": 1}, "parent": "p", "iteration": 4, "split": "s"}
    assert Sample.model_validate(turned).id == PLAIN.id


@pytest.mark.parametrize(
    "change",
    [
        {"label": Label(reply="no")},
        {"label": Label(calls=PLAIN.label.calls, asks=True)},
        {"label": Label(calls=PLAIN.label.calls * 2)},
        {"label": Label(calls=(ToolCall(name="find", arguments={"größe": True, "x": {"b": [], "a": {}}}),))},
        {"messages": (*PLAIN.messages, *PLAIN.messages)},
        {"tools": ()},
    ],
)
def test_the_id_changes_with_the_content(change: dict[str, object]) -> None:
    assert PLAIN.id  # computed before the copy is made
    other = PLAIN.model_copy(update=change)
    assert other.id != PLAIN.id
    assert Sample.model_validate(other.model_dump()).id == other.id


def test_ids_are_those_that_earlier_versions_wrote() -> None:
    """Manifests, decisions and lineage name rows by them."""
    recorded = Path(__file__).parents[2] / "sample_data" / "run" / "iterations" / "02" / "samples.parquet"
    assert [s.id for s in Samples.read(recorded)] == pq.read_table(recorded)["id"].to_pylist()


def test_a_copy_of_a_tool_is_written_as_it_is_now() -> None:
    tool = Tool(name="play", description="Plays")
    before = Sample(tools=(tool,), messages=(), label=Label()).id
    other, new = tool.model_copy(update={"name": "pause"}), Tool(name="pause", description="Plays")
    assert (
        Sample(tools=(other,), messages=(), label=Label()).id
        == Sample(tools=(new,), messages=(), label=Label()).id
    )
    assert (
        tool.model_copy() == tool == Tool(name="play", description="Plays")
        and Sample(tools=(tool,), messages=(), label=Label()).id == before
    )


def test_a_changed_label_is_a_new_sample_with_a_parent() -> None:
    changed = PLAIN.relabelled(Label(reply="no"), iteration=2, strategy="judges.evidence", why="x")
    assert (changed.parent, changed.iteration, changed.strategy, changed.source) == (
        PLAIN.id,
        2,
        "judges.evidence",
        "judge",
    )
    assert changed.id != PLAIN.id and changed.meta == {"noise": None, "why": "x"}
    assert changed.relabelled(PLAIN.label, iteration=3, strategy="s").id == PLAIN.id
    with pytest.raises(ValueError, match="frozen"):
        PLAIN.kind = "other"  # type: ignore[misc]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
@given(rows=st.lists(samples, max_size=4))
@settings(max_examples=40)
def test_a_table_comes_back_from_disk_as_it_was(
    suffix: str, rows: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = Samples(rows)
    path = table.write(tmp_path_factory.mktemp("t") / f"rows.{suffix}")
    back = Samples.read(path)
    assert back == table
    assert [r.id for r in back] == [r.id for r in table]
    assert [repr(r.model_dump()) for r in back] == [
        repr(r.model_dump()) for r in table
    ]  # repr: 1, 1.0 and True are apart


@pytest.mark.parametrize(
    "rows",
    [
        range(0),
        range(0, 3),
        range(2, 5000),
        range(4000, 4200),
        range(4999, 9000),
        range(6000, 7000),
        range(5, 2),
    ],
)
def test_some_rows_of_a_table_are_read_alone(rows: range, tmp_path: Path) -> None:
    table = Samples(
        Sample(tools=(), messages=(Message(role="user", content=str(i)),), label=Label()) for i in range(5000)
    )
    path = table.write(tmp_path / "samples.parquet")
    assert Samples.read(path, rows=rows) == table[rows.start : rows.stop]


def test_samples_read_from_disk_share_the_tools_that_they_have_in_common(tmp_path: Path) -> None:
    tools = (Tool(name="f"), Tool(name="g"))
    rows = [
        Sample(tools=tools, messages=(Message(role="user", content=str(n)),), label=Label(reply="x"))
        for n in range(3)
    ]
    path = Samples(rows).write(tmp_path / "s.parquet")
    first, *others = Samples.read(path)
    assert all(
        ours is theirs for other in others for ours, theirs in zip(first.tools, other.tools, strict=True)
    )


@pytest.mark.parametrize("enabled", [True, False])
def test_reading_leaves_the_collector_of_cycles_as_it_was(enabled: bool, tmp_path: Path) -> None:
    path = Samples([PLAIN] * 3).write(tmp_path / "samples.jsonl")
    (tmp_path / "broken.jsonl").write_text("{")
    try:
        (gc.enable if enabled else gc.disable)()
        assert len(Samples.read(path)) == 3
        assert gc.isenabled() is enabled
        with pytest.raises(ValueError, match="broken"):
            Samples.read(tmp_path / "broken.jsonl")
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_an_empty_table_comes_back_empty(suffix: str, tmp_path: Path) -> None:
    assert Samples.read(Samples().write(tmp_path / f"none.{suffix}")) == Samples()


def test_parquet_is_readable_without_this_package(tmp_path: Path) -> None:

    row = pq.read_table(Samples([PLAIN]).write(tmp_path / "rows.parquet")).to_pylist()[0]
    assert row["id"] == PLAIN.id and row["kind"] == "single"
    assert json.loads(row["label"])["calls"][0]["arguments"]["größe"] == 3


BAD = [
    ("{", "Expecting"),
    ("[]", "valid dictionary"),
    ('{"tools": [], "messages": []}', "label"),
    ('{"tools": [], "messages": [{"role": "robot"}], "label": {}}', "messages.0.role"),
    ('{"tools": [{"name": ""}], "messages": [], "label": {}}', "tools.0.name"),
    ('{"tools": [], "messages": [], "label": {}, "colour": 1}', "colour"),
    ('{"tools": [], "messages": [], "label": {"calls": [{"name": "f", "arguments": {"a": NaN}}]}}', "NaN"),
    ('{"tools": [], "messages": [], "label": {"reply": "\\ud800"}}', "surrogates"),
    (
        '{"tools": [], "messages": [], "label": {}, "meta": {"a": ' + "[" * 90_000 + "]" * 90_000 + "}}",
        "nested",
    ),
    ('{"tools": [], "messages": [], "label": {}, "meta": {"a": ' + "[" * 500 + "]" * 500 + "}}", "meta"),
]


def test_malformed_rows_are_set_aside_with_file_and_row_and_the_others_go_on(tmp_path: Path) -> None:
    good = PLAIN.model_dump_json()
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + "\n".join([good, *(bad for bad, _ in BAD), "", good]).encode() + b"\n\xff\xfe\n"
    )
    rejected: list[tuple[int, str, str]] = []
    table = Samples.read(path, on_reject=lambda number, raw, reason: rejected.append((number, raw, reason)))
    assert table == Samples([PLAIN, PLAIN])
    assert [number for number, _, _ in rejected] == [*range(2, 2 + len(BAD)), 4 + len(BAD)]
    for (_, raw, reason), (bad, word) in zip(rejected, BAD, strict=False):
        assert raw == bad and word in reason
    with pytest.raises(ValueError, match=r"mixed\.jsonl, row 2: "):
        Samples.read(path)
    Samples([s for s in table]).write(tmp_path / "again.jsonl")


def test_a_broken_parquet_row_or_file_is_named(tmp_path: Path) -> None:
    import pyarrow as pa

    path = Samples([PLAIN, PLAIN]).write(tmp_path / "rows.parquet")
    content = pq.read_table(path).to_pylist()
    content[1]["label"] = "{"
    pq.write_table(pa.Table.from_pylist(content), path)
    rejected: list[int] = []
    assert len(
        Samples.read(path, on_reject=lambda number, raw, reason: rejected.append(number))
    ) == 1 and rejected == [2]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"rows\.parquet is not a readable Parquet file"):
        Samples.read(path)
    with pytest.raises(FileNotFoundError):
        Samples.read(tmp_path / "none.parquet")


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    Samples([PLAIN]).write(path)
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):
        Samples([PLAIN, PLAIN.model_copy(update={"kind": "\ud800"})]).write(path)
    with pytest.raises(RuntimeError), atomic(path) as tmp:
        tmp.write_text("half")
        raise RuntimeError("stopped")
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["rows.jsonl"]
    write_json(path, {"a": "ü"})
    assert path.read_text(encoding="utf-8") == '{\n  "a": "ü"\n}\n'


def test_a_table_is_a_sequence() -> None:
    other = PLAIN.relabelled(Label(reply="no"), iteration=1, strategy="s")
    table = Samples([PLAIN]) + [other]
    assert (len(table), table[1], table[:1], table.by_id()[other.id]) == (2, other, Samples([PLAIN]), other)
    assert table.where(lambda s: s.parent is not None) == Samples([other])
    assert (
        PLAIN.request.startswith("Größe")
        and PLAIN.tool("find") is PLAIN.tools[0]
        and PLAIN.tool("no") is None
    )
