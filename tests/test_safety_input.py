"""Broken and hostile input: it costs time by its length, is named where it cannot be used, overwrites
nothing, and is never obeyed by a terminal.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

import looptool_kit as lt
from looptool_kit import doctor, formats, world
from looptool_kit.checks.rules import check_sample
from looptool_kit.cli import app
from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.records import Score, Scores
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.terminal import visible
from looptool_kit.formats import to_row
from looptool_kit.run.folder import Run
from looptool_kit.tools.catalog import load_tools
from looptool_kit.tools.own_tools import init, tools_of
from looptool_kit.tools.schema import plain_parameters
from looptool_kit.trust import tools_kind

RECORDED = Path(__file__).parents[1] / "sample_data" / "run"
CODES = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202e"


def sample(text: str, arguments: dict[str, Any] | None = None, **more: Any) -> Sample:
    properties = {
        "day": {"type": "string", "format": "date"},
        "time": {"type": "string"},
        "n": {"type": "number"},
        "text": {"type": "string"},
    }
    tool = Tool(name="find", parameters={"type": "object", "properties": properties})
    values = (
        {"day": "2026-01-08", "time": "09:00", "n": 7, "text": text[: len(text) // 2]}
        if arguments is None
        else arguments
    )
    return Sample(
        tools=(tool,),
        messages=(Message(role="user", content=text),),
        label=Label(calls=(ToolCall(name="find", arguments=values),)),
        **more,
    )


# ------------------------------------------------------------------ recogniser

HOSTILE = (
    "1/", "one one ", "1", "2026-01-", "twenty", "twenty ", "+1 ", "a@", "a.", "_", "1,", "today is 12 ",
    "555 ", "7:30 for 2 hours ", "jan 5 2026 for 3 days ", "ab-12 ", "$5 ", "no find ",
)  # fmt: skip


def test_a_long_text_costs_time_by_its_length() -> None:
    """40 KB of each, through the recogniser and the rules: seconds. What grows with the square takes
    minutes.
    """
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_safety_input import HOSTILE, sample; from"
        " looptool_kit.checks.rules import check_sample\nfor unit in HOSTILE: check_sample(sample((unit *"
        " 40_000)[:40_000]))"
    )
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent)], check=True, timeout=240)


@given(
    st.lists(
        st.sampled_from([*HOSTILE, "9999-12-31", "for ", "9" * 400, "years ", "from 9 ", "\ufdfa", "x"]),
        max_size=12,
    ).map("".join)
)
def test_no_text_breaks_the_rules(text: str) -> None:
    for value in ("9999-12-31", "2026-13-45", "٢٠٢٦-01-01", "25:99", "9999-12-31T25:99", "x", text):
        check_sample(sample(text, {"time": value, "text": value}))
    for number in (10**400, 1e308, -1, 0.5):
        check_sample(sample(text, {"n": number}))


# ------------------------------------------------------------------ schemas

WORDS = re.findall(
    r"\S+",
    "type properties required items allOf anyOf oneOf $ref enum const default description nullable example a"
    " if additionalProperties exclusiveMinimum minimum title format not prefixItems patternProperties $defs"
    " readOnly",
)
LEAF = st.sampled_from(
    [None, True, 0, 2.5, 10**400, "object", "string", "#", "#/properties/a", "a", "(", [], {}]
)
ANY = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=20,
)
BROKEN = [
    {"properties": {}, "required": [{}]},
    {"properties": {"a": {"type": "array"}}, "required": [["a"]]},
    {"properties": [], "required": ["a"]},
    {"properties": "a", "required": ["a"]},
    {"properties": True, "required": ["a"]},
    {"properties": 0, "required": ["a"]},
    {"allOf": [{"type": "object", "properties": []}, {"type": "object"}]},
    {"properties": {"a": {"nullable": True, "oneOf": 3}}},
    {"properties": {"a": {"nullable": True, "anyOf": {"type": "null"}}}},
    {"patternProperties": []},
    {"dependentSchemas": 1},
    {"prefixItems": {}},
]


@given(st.dictionaries(st.sampled_from(WORDS), ANY, max_size=5))
@example({"required": 2.5})
def test_a_schema_is_used_or_refused_in_words(schema: dict[str, Any]) -> None:
    try:
        tool = Tool(name="t", parameters=plain_parameters(schema))
    except ValueError:
        return
    arguments = dict.fromkeys(tool.properties, "a")
    check_sample(
        Sample(
            tools=(tool,),
            messages=(Message(role="user", content="a"),),
            label=Label(calls=(ToolCall(name="t", arguments=arguments),)),
        )
    )


@pytest.mark.parametrize("schema", BROKEN, ids=str)
def test_a_broken_schema_is_one_rejected_tool_among_good_ones(schema: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a JSON Schema"):
        plain_parameters(schema)
    path, rejected = tmp_path / "tools.json", list[int]()
    good = {"name": "good", "parameters": {"type": "object", "properties": {}}}
    path.write_text(json.dumps([{"name": "bad", "parameters": schema}, good]))
    assert [t.name for t in load_tools(path, lambda row, *_: rejected.append(row))] == [
        "good"
    ] and rejected == [1]


@given(ANY, st.sampled_from(["schema", "content", "requestBody", "parameters", "operation", "paths"]))
def test_a_broken_openapi_file_is_named(
    tmp_path_factory: pytest.TempPathFactory, value: Any, at: str
) -> None:
    media = {"application/json": {"schema": value if at == "schema" else {"type": "object"}}}
    body = value if at == "requestBody" else {"content": value if at == "content" else media}
    operation = (
        value
        if at == "operation"
        else {"operationId": "o", "requestBody": body, "parameters": value if at == "parameters" else []}
    )
    path = tmp_path_factory.mktemp("api") / "api.json"
    path.write_text(
        json.dumps({"openapi": "3.0.0", "paths": value if at == "paths" else {"/x": {"post": operation}}})
    )
    try:
        load_tools(path, lambda *_: None)
    except ValueError as error:
        assert str(path) in str(error) or "digits" in str(error)


# ------------------------------------------------------------------ terminal


def clean(text: str) -> bool:
    return not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_what_an_import_says_is_not_obeyed_by_the_terminal(tmp_path: Path) -> None:
    path, out = tmp_path / "data.jsonl", tmp_path / "out.jsonl"
    rows = [to_row(sample("find 7", {"n": 7}), "openai"), {CODES: 1}, {"messages": [{"role": CODES}]}]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    said = CliRunner().invoke(app, ["import", str(path), str(out)])
    assert (
        said.exit_code == 0 and clean(said.output) and "␛]0;owned␇␛[31mred⟨U+009B⟩2J⟨U+202E⟩" in said.output
    )
    assert json.loads((tmp_path / "out.rejected.jsonl").read_text().splitlines()[0])["row"] == 2


def test_an_import_without_a_usable_row_has_failed(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "hello"}]}\n{"a": 1}\n')
    done = CliRunner().invoke(app, ["import", str(path), str(tmp_path / "out.jsonl")])
    assert isinstance(done.exception, ValueError) and "no row of" in str(done.exception)
    assert not (tmp_path / "out.jsonl").exists(), "the mended file can be imported under that name"
    assert len((tmp_path / "out.rejected.jsonl").read_text().splitlines()) == 2


def test_what_a_report_says_is_not_obeyed_by_the_terminal(tmp_path: Path) -> None:
    run = Run.create(tmp_path / f"run{CODES}", "cpu-quick", seeds__first=4, seeds__held_out=2)
    run.folder(0).mkdir()
    run.folder(1).mkdir(parents=True)
    world.generate(4, seed=1).write(run.folder(1) / "samples.parquet")
    for j, policy in enumerate(("base", f"D1{CODES}[bold]x[/]")):
        rows = [
            Score(
                sample_id=str(i),
                suite="held_out",
                split=f"s{CODES}[red]",
                kind="k",
                policy=policy,
                correct=bool(i),
            )
            for i in range(2)
        ]
        Scores(rows).write(run.folder(j) / "scores.parquet")
        run.finish("scores", j, "", 0.0, policy=policy)
    said = CliRunner().invoke(app, ["report", str(run.path)])
    assert said.exit_code == 0 and clean(said.output) and "owned" in said.output
    assert clean(CliRunner().invoke(app, ["export", str(run.path), str(tmp_path / f"x{CODES}.jsonl")]).output)


def test_all_that_the_command_prints_goes_through_one_function() -> None:
    files = sorted((Path(lt.__file__).parent / "cli").rglob("*.py"))
    assert len(files) >= 5
    for file in files:
        source = file.read_text(encoding="utf-8")
        assert not re.findall(r"\b(?:typer\.s?echo|print|sys\.std\w+\.write)\(", source), file
    assert visible("a\tb\nc é 漢 😀") == "a\tb\nc é 漢 😀"


# ------------------------------------------------------------------ files


def test_neither_import_nor_export_writes_over_anything(tmp_path: Path) -> None:
    run = lt.Run.create(tmp_path / "run", "cpu-quick", seeds__first=6, seeds__held_out=2)
    lt.seed(run)
    data = tmp_path / "data.jsonl"
    formats.write(run.table(Samples, "samples", 1), data, "looptool")
    (tmp_path / "fresh.rejected.jsonl").write_text("of an earlier import")
    (tmp_path / "folder").mkdir()
    there = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    d1 = run.folder(1) / "samples.parquet"
    for command in (
        ["import", data, data],
        ["import", data, d1],
        ["import", data, tmp_path / "fresh.jsonl"],
        ["export", run.path, d1],
        ["export", run.path, tmp_path / "folder"],
        ["export", run.path, tmp_path / "folder", "--form", "adapter"],
        ["export", run.path, tmp_path / "folder", "--form", "merged"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", "from looptool_kit.cli import main; main()", *map(str, command)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 1 and "exists already" in done.stderr and "Traceback" not in done.stderr, (
            command,
            done.stderr,
        )
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == there


# ------------------------------------------------------------------ length


def test_a_sample_that_is_longer_than_the_context_is_set_aside_at_seed_time(
    tmp_path: Path, tiny_checkpoint: Path
) -> None:
    context = json.loads((tiny_checkpoint / "config.json").read_text())["max_position_embeddings"]
    rows = [
        sample(f"find {n}", {"n": n}, split=split)
        for n, split in ((1, "train"), (2, "train"), (3, "train"), (4, "mine"), (5, "development"))
    ]
    long = [
        sample("find 7" + " x" * context, {"n": 7}, split=split) for split in ("train", "mine", "development")
    ]
    source = tmp_path / "data.jsonl"
    Samples([*rows[:1], *long, *rows[1:]]).write(source)
    run = Run.create(
        tmp_path / "run", "cpu-quick", seeds__source=str(source), model=str(tiny_checkpoint), seeds__first=3
    )
    assert lt.seed(run).by_id().keys() == {s.id for s in rows[:3]}
    assert run.table(Samples, "held_out", 0).rows == (rows[3],) and run.table(
        Samples, "development", 0
    ).rows == (rows[4],)
    aside = [json.loads(line) for line in (run.path / "rejected.jsonl").read_text().splitlines()]
    assert [(r["file"], r["row"]) for r in aside] == [(str(source), n) for n in (2, 3, 4)]
    for row in aside:
        length, limit = map(
            int,
            re.search(
                r"length: it has (\d+) tokens, and the context of .* has (\d+)", row["reason"]
            ).groups(),
        )  # type: ignore[union-attr]
        assert limit == context < length


def test_the_longest_sample_that_passes_can_be_probed(tmp_path: Path, tiny_checkpoint: Path) -> None:
    """The measure of the seed stage and that of the engines are one."""
    from looptool_kit.core.toolcalls import render_answer
    from looptool_kit.policy.lengths import too_long
    from looptool_kit.policy.policy import base_policy, open_engine

    engine, fault = open_engine(base_policy(str(tiny_checkpoint)), 1), too_long(str(tiny_checkpoint))
    fits, breaks = 0, 0
    for count in range(engine.context - 700, engine.context, 60):
        row = sample("find 7 " + "x" * count, {"n": 7})
        try:
            engine.score([row], [render_answer(row.label)])
            fits += not fault(row)
        except ValueError:
            breaks += 1
            assert fault(row)
    assert fits and breaks


# ----------------------------------------------------- what names something else


def test_a_path_is_a_file_whatever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tools = [
        {
            "name": "find",
            "description": "Find.",
            "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
        }
    ]
    Path("tools.json").write_text(json.dumps(tools))
    folder = Path("mcp:touch owned #")
    run = init(folder, "tools.json", "cpu-quick")
    assert [t.name for t in load_tools(folder / "tools.json")] == [t.name for t in tools_of(run)] == ["find"]
    assert tools_kind(run.settings.synthesis.tools) == "data" and Path(run.settings.synthesis.tools).is_file()
    with pytest.raises(FileNotFoundError):
        load_tools(Path("mcp:touch owned"))
    assert not Path("owned").exists()


def test_no_module_of_the_working_directory_is_run() -> None:
    """Every call of an interpreter with -m says -P, or it takes modules from the folder that it is started
    in.
    """
    package = Path(lt.__file__).parent
    calls = [
        (p.name, line.strip())
        for p in package.rglob("*.py")
        for line in p.read_text().splitlines()
        if '"-m", "' in line
    ]
    assert len(calls) >= 4 and [c for c in calls if '"-P", "-m"' not in c[1]] == []


def test_pip_is_not_taken_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.py").write_text("open('owned', 'w').close()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    doctor._index("none-such==1")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "odd",
    [
        "\n",
        "\r",
        "\t",
        " ",
        "\x00",
        "\x1b",
        "\x7f",
        "\x85",
        "\xa0",
        "\u200b",
        "\u2028",
        "\u202e",
        "\u3000",
        "\ufeff",
    ],
)
def test_an_address_holds_nothing_that_does_not_show(odd: str) -> None:
    for address in (
        f"http://api.example.com{odd}.evil.example/v1",
        f"{odd}http://h/v1",
        f"http://h/v1{odd}",
        f"http://h/{odd}/v1",
    ):
        with pytest.raises(ValueError, match="white space"):
            Endpoint(base_url=address, model="m")
