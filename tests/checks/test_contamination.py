"""Fingerprints of benchmarks, the guard, and answers read in a form."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from looptool_kit import formats
from looptool_kit.checks import contamination
from looptool_kit.cli import app
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool
from looptool_kit.llm.structured import Failed, dialogue_part, read, tools_part
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand.llm import Child
from looptool_kit.stages.seed.stage import seed

QUESTION = "Would the ferry to Lundey still sail tomorrow if the wind turns north after noon?"

NEAR = "Could you hold two quiet cabins on the seven o'clock boat to Grimsey?"


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """A folder as benchmarks are laid out: JSON lines under several names, a whole JSON file, and things to
    leave alone.
    """
    folder = tmp_path / "ferry_bench" / "data"
    folder.mkdir(parents=True)
    port = {"type": "string", "description": "The name of the port the ferry is to leave from."}
    text = "Tells whether a ferry sails on a given day in a given wind."
    tool = {
        "name": "ferry.sails_today",
        "description": text,
        "parameters": {"type": "dict", "properties": {"port": port}},
    }
    rows = [{"id": "a_1", "question": [[{"role": "user", "content": QUESTION}]], "function": [tool]}]
    (folder / "items.json").write_text("\n".join(map(json.dumps, rows)))
    (folder / "short.json").write_text(
        json.dumps({"query": "Lower the harbour boom now", "tiny": "Yes please do"})
    )
    (folder / "notes.txt").write_text("The words of this note are not part of any fingerprint list.")
    (folder / "broken.json").write_text("{")
    return folder


def sample(text: str, reply: str = "Yes.", tools: tuple[Tool, ...] = ()) -> Sample:
    return Sample(tools=tools, messages=(Message(role="user", content=text),), label=Label(reply=reply))


@pytest.mark.parametrize(
    "text, hit",
    [
        (QUESTION, True),
        ("well -- " + QUESTION.upper().replace(" ", "\n"), True),
        ("Would the ferry to Lundey still sail tomorrow?", True),  # eight of its words in a row
        ("Would the ferry to Lundey still sail?", False),
        ("lower the HARBOUR boom, now!", True),
        ("Please lower the harbour boom now", False),  # a longer text that holds a short one
        ("Yes please do", False),
        ("The words of this note are not part of any fingerprint list.", False),
        ("The name of the port the ferry is to leave from.", False),  # a parameter's description is nobody's
        ("", False),
    ],
)
def test_a_text_is_contaminated_where_it_shares_eight_words_in_a_row(
    text: str, hit: bool, benchmark: Path
) -> None:
    known = contamination.build([benchmark])
    assert contamination.check_sample(sample(text), known).passed is not hit
    assert contamination.check_sample(sample("Hello there.", text), known).passed is not hit


def test_a_tool_is_contaminated_by_name_or_description(benchmark: Path) -> None:
    known = contamination.build([benchmark])
    for name in ("ferry_sails_today", "FerrySailsToday", "ferry.sails_today"):
        check = contamination.check_tool(Tool(name=name), known)
        assert not check.passed and check.detail == f"the tool name {name} is one of ferry_bench/data"
    own = Tool(
        name="boat_leaves",
        description="It tells whether a ferry sails on a given day in a given wind, or not.",
    )
    assert "shares" in contamination.check_tool(own, known).detail
    assert contamination.check_tool(
        Tool(name="boat_leaves", description="Departure of a boat."), known
    ).passed


def test_the_list_holds_hashes_only_and_survives_the_disk(benchmark: Path, tmp_path: Path) -> None:
    known = contamination.build([benchmark])
    contamination.write(known, tmp_path / "list.json")
    text = (tmp_path / "list.json").read_text()
    assert contamination.read(tmp_path / "list.json") == known and known.files == 2 and len(known.names) == 1
    assert not any(word in text.lower() for word in ("lundey", "sail", "harbour"))
    (tmp_path / "list.json").write_text(text.replace('"words": 8', '"words": 5'))
    with pytest.raises(ValueError, match="build it again"):
        contamination.read(tmp_path / "list.json")
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(ValueError, match="is not a list of fingerprints"):
        contamination.read(tmp_path / "other.json")
    with pytest.raises(ValueError, match="no readable"):
        contamination.build([tmp_path / "ferry_bench" / "nothing"])


def test_a_short_request_with_a_word_changed_is_a_near_duplicate(benchmark: Path, tmp_path: Path) -> None:
    (benchmark / "more.json").write_text(json.dumps({"question": NEAR}))
    contamination.write(contamination.build([benchmark]), tmp_path / "list.json")
    known = contamination.read(tmp_path / "list.json")
    # No eight of its words stand in a row in the original.
    check = contamination.check_sample(sample(NEAR.replace("on the", "for the")), known)
    assert not check.passed and "near-duplicate" in check.detail
    assert contamination.check_sample(
        sample("Please tell the ferry office that two cabins for Friday are to be cancelled."), known
    ).passed


def test_seeds_that_a_benchmark_holds_are_rejected(benchmark: Path, tmp_path: Path) -> None:
    contamination.write(contamination.build([benchmark]), tmp_path / "list.json")
    own = [
        sample(f"Tell me number {i} of your {word} stories, please.")
        for i, word in enumerate(("old", "short", "funny", "sad"))
    ]
    Samples([*own, sample(QUESTION)]).write(tmp_path / "seeds.jsonl")
    run = Run.create(
        tmp_path / "run",
        seeds__source=str(tmp_path / "seeds.jsonl"),
        contamination=str(tmp_path / "list.json"),
    )
    made = seed(run)
    everything = [*run.table(Samples, "pool", 0), *made]
    assert everything and all(s.request != QUESTION for s in everything)
    aside = [json.loads(line) for line in (run.path / "rejected.jsonl").read_text().splitlines()]
    held = [s.request for s in run.table(Samples, "held_out", 0)]
    assert QUESTION in held or ("contamination" in aside[0]["reason"] and QUESTION in aside[0]["raw"])


def looptool(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "looptool_kit.cli", "contamination", *map(str, arguments)],
        capture_output=True,
        text=True,
    )


def test_the_command_builds_a_list_and_reports_on_a_dataset(benchmark: Path, tmp_path: Path) -> None:
    built = looptool("build", tmp_path / "list.json", "--from", benchmark)
    assert built.returncode == 0 and "1 tool names" in built.stdout and "ferry_bench/data" in built.stdout
    tools = (Tool(name="ferry_sails_today"),)
    Samples([sample("Is it raining?", tools=tools), bad := sample(QUESTION, tools=tools)]).write(
        tmp_path / "data.jsonl"
    )
    checked = looptool("check", tmp_path / "list.json", tmp_path / "data.jsonl")
    assert (
        checked.returncode == 1 and f"{bad.id}: turn 1 (user) shares 8 of 8 runs of words" in checked.stdout
    )
    assert checked.stdout.endswith("1 of 2 samples and 1 tools share something with the benchmark\n")
    missing = looptool("check", tmp_path / "nothing.json", tmp_path / "data.jsonl")
    assert (
        missing.returncode == 1
        and "looptool contamination build" in missing.stderr
        and "Traceback" not in missing.stderr
    )


# ----------------------------------------------------------------------- forms


@given(st.text())
def test_reading_an_answer_never_raises(text: str) -> None:
    assert isinstance(read(Child, text), Failed)


texts = st.text(st.characters(exclude_categories=["Cs"]))
names = texts.filter(bool)
calls = st.fixed_dictionaries(
    {"name": names, "arguments": st.dictionaries(texts, st.none() | st.booleans() | texts, max_size=2)}
)
turns = st.builds(
    dict,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=texts | st.just("<think>\n\n</think>\r\n```"),
    tool_calls=st.lists(calls, max_size=2),
    name=st.none() | texts,
)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


PACKAGE = Path(contamination.__file__).parents[1]
BFCL = os.environ.get("LOOPTOOL_BFCL", "")


@pytest.mark.skipif(
    not BFCL, reason="set LOOPTOOL_BFCL to a folder with bfcl-eval 2026.3.23 (pip install --no-deps --target)"
)
@pytest.mark.parametrize(
    "source",
    [
        p
        for folder in ("stages", "world")
        for p in sorted((PACKAGE / folder).rglob("*"))
        if p.suffix in (".py", ".toml")
    ]
    + [PACKAGE / "llm/structured.py"],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_what_we_tell_a_generator_or_a_judge_holds_nothing_of_bfcl(
    source: Path, bfcl: contamination.Fingerprints
) -> None:
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".toml":
        said = list(strings(tomllib.loads(text)))
    else:
        said = [
            n.value
            for n in ast.walk(ast.parse(text))
            if isinstance(n, ast.Constant) and isinstance(n.value, str)
        ]
    hits = [check.detail for s in said if not (check := contamination.check_sample(sample(s), bfcl)).passed]
    # A tool's name in the middle of a sentence: what is written as names of functions are.
    names = {n for s in said for n in re.findall(r"[A-Za-z]+(?:[._][A-Za-z]+)+|[a-z]+[A-Z][A-Za-z]+", s)}
    hits += [
        check.detail
        for n in sorted(names)
        if not (check := contamination.check_tool(Tool(name=n), bfcl)).passed
    ]
    assert hits == []


@pytest.fixture(scope="module")
def bfcl() -> contamination.Fingerprints:
    known = contamination.build([Path(BFCL) / "bfcl_eval" / "data"])
    assert not contamination.check_tool(Tool(name="calculate_triangle_area"), known).passed, (
        "the data are there"
    )
    return known


@given(st.lists(turns, max_size=4), texts, st.booleans())
def test_every_text_of_an_answer_survives_byte_for_byte(
    messages: list[dict], reply: str, ascii_only: bool
) -> None:
    answer = {"messages": messages, "calls": [], "reply": reply, "changed": ""}
    child = read(Child, json.dumps(answer, ensure_ascii=ascii_only))
    assert isinstance(child, Child) and child.reply == reply
    assert [t.model_dump(mode="json") for t in child.messages] == messages


@given(st.lists(st.builds(Message, role=st.sampled_from(["user", "assistant"]), content=texts)))
def test_every_text_of_a_prompt_survives_byte_for_byte(messages: list[Message]) -> None:
    shown = dialogue_part(messages)
    assert [Message(**m) for m in json.loads(shown.partition("\n")[2])] == messages
    assert json.loads(
        tools_part([Tool(name="t", description=m.content) for m in messages]).partition("\n")[2]
    ) == [
        {"name": "t", "description": m.content, "parameters": {"type": "object", "properties": {}}}
        for m in messages
    ]


@pytest.mark.parametrize(
    "text, why",
    [
        ("sure", "not JSON"),
        ("[]", "not JSON"),
        ('{"messages": [], "calls": [], "reply": ""}', "changed"),
        ('{"messages": [], "calls": [], "reply": 5, "changed": ""}', "reply"),
        ('{"messages": [], "calls": [{"name": "a"}], "reply": "", "changed": ""}', "calls.0.arguments"),
        (
            '{"messages": [], "calls": [{"name": "", "arguments": {}}], "reply": "", "changed": ""}',
            "calls.0.name",
        ),
        (
            '{"messages": [{"role": "narrator", "content": ""}], "calls": [], "reply": "", "changed": ""}',
            "messages.0.role",
        ),
        ('{"messages": [], "calls": [], "reply": NaN, "changed": ""}', "not JSON"),
    ],
)
def test_an_answer_out_of_form_says_where(text: str, why: str) -> None:
    failed = read(Child, text)
    assert isinstance(failed, Failed) and why in failed.reason and failed.raw == text


def test_a_run_and_rows_in_any_form_are_checked(benchmark: Path, tmp_path: Path) -> None:
    known = tmp_path / "list.json"
    contamination.write(contamination.build([benchmark]), known)
    rows = Samples([sample("Tell me one of your old stories, please."), sample(QUESTION)])
    with Run.create(tmp_path / "run") as run:
        rows.write(run.folder(1) / "samples.parquet")
    formats.write(rows, tmp_path / "openai.jsonl", "openai")
    (tmp_path / "empty.jsonl").write_text("")
    for data in (rows.write(tmp_path / "rows.jsonl"), tmp_path / "run", tmp_path / "openai.jsonl"):
        said = CliRunner().invoke(app, ["contamination", "check", str(known), str(data)])
        assert said.exit_code == 1 and "1 of 2 samples" in said.output, said.output
    none = CliRunner().invoke(app, ["contamination", "check", str(known), str(tmp_path / "empty.jsonl")])
    assert "holds no rows" in str(none.exception)
