"""Your own tools: from a Python file, an OpenAPI file and an MCP server to a composed dataset, without a
language model.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import looptool_kit as lt
from looptool_kit.checks.rules import check_sample
from looptool_kit.cli import app
from looptool_kit.core.records import Probes, Verdict, Verdicts
from looptool_kit.core.samples import Sample, Samples, Tool
from looptool_kit.core.toolcalls import canonical_calls, render_answer
from looptool_kit.policy.engines import Completion
from looptool_kit.stages.probe import judge_completion
from looptool_kit.stages.seed.templates import SPLITS, generate, held_tools, usable
from looptool_kit.stages.seed.templates.headlines import headline
from looptool_kit.stages.seed.templates.scalars import boolean_clauses, unit_of, words_of
from looptool_kit.tools.of_run import tools_of

PYTHON = '''
"""Tools of a bicycle workshop."""
import datetime
from typing import Literal, Optional

def book_repair(customer: str, day: datetime.date, bike: Literal["road", "mountain", "cargo"], express: bool = False, note: Optional[str] = None):
    """Book a repair for a customer.

    Args:
        customer: Full name of the customer.
        day: Day on which the bike is brought in.
        express: Whether the repair should be done within a day.
    """

def order_part(part_number: str, quantity: int = 1):
    """Order a spare part.

    Args:
        part_number: Number of the part, e.g. "BK-2041".
        quantity: How many to order.
    """

def repair_status(repair_id: str):
    """Get the status of a repair."""

def send_invoice(repair_id: str, email: str, amount_eur: float, due_date: Optional[datetime.date] = None):
    """Send the invoice for a repair by email.

    Args:
        amount_eur: Amount in euros.
    """
'''
OPENAPI = """
openapi: 3.0.3
info: {title: Practice, version: "1"}
paths:
  /appointments:
    post:
      operationId: createAppointment
      summary: Create an appointment
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [patientId, start]
              properties:
                patientId: {type: integer, minimum: 1}
                start: {type: string, format: date-time}
                durationMinutes: {type: integer, minimum: 10, maximum: 120, multipleOf: 5, default: 20}
                contact: {type: object, required: [phone], properties: {phone: {type: string}, email: {type: string, format: email}}}
  /appointments/{appointmentId}:
    delete:
      operationId: cancelAppointment
      summary: Cancels an appointment by its ID.
      parameters:
        - {name: appointmentId, in: path, required: true, schema: {type: string, pattern: "^AP[0-9]{5}$"}}
        - {name: notify, in: query, schema: {type: boolean, default: true}, description: Whether to notify the patient}
  /doctors:
    get:
      operationId: findDoctors
      summary: Find doctors by specialty
      parameters:
        - {name: specialty, in: query, required: true, schema: {type: string, enum: [cardiology, dermatology, pediatrics]}}
        - {name: languages, in: query, schema: {type: array, maxItems: 2, items: {type: string}}}
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 50}}
"""
SERVER = '''
from typing import Annotated, Literal
from pydantic import Field
from mcp.server import MCPServer
server = MCPServer("home")

@server.tool()
def get_forecast(location: Annotated[str, Field(description="The city to look up")], days: Annotated[int, Field(ge=1, le=14)] = 3) -> str:
    """Get the weather forecast for a given city."""
    return ""

@server.tool()
def send_email(to: list[str], subject: str, body: str, priority: Literal["low", "normal", "high"] = "normal") -> str:
    """Sends an email to one or more recipients."""
    return ""

@server.tool()
def convert_currency(amount: float, from_currency: str, to_currency: str) -> float:
    """Convert an amount of money from one currency to another."""
    return 0

@server.tool()
def create_task(title: str, due: Annotated[str | None, Field(description="Due date as YYYY-MM-DD")] = None) -> str:
    """Use this tool to create a new task on the board."""
    return ""

server.run("stdio")
'''


def source(name: str, folder: Path) -> str:
    if name == "mcp":
        pytest.importorskip("mcp", reason="the optional package mcp is not installed")
        (folder / "server.py").write_text(SERVER)
        return f"mcp:{sys.executable} {folder / 'server.py'}"
    path = folder / {"python": "my_tools.py", "openapi": "api.yaml"}[name]
    path.write_text({"python": PYTHON, "openapi": OPENAPI}[name])
    return str(path)


def answered(sample: Sample, text: str, logprob: float) -> Any:
    return judge_completion(sample, Completion(text, (1, 2), (logprob, logprob), ("a", "b"), "stop"), 1)


@pytest.mark.parametrize("name", ["python", "openapi", "mcp"])
def test_from_tools_to_a_composed_dataset(name: str, tmp_path: Path) -> None:
    """init --tools, seed, then expand and compose on probes and verdicts made up here; no model anywhere."""
    from typer.testing import CliRunner

    path = tmp_path / "run"
    small = ["seeds.first=24", "seeds.fresh=[6, 4]", "seeds.held_out=4", "expand.children=2"]
    sets = [part for s in small for part in ("--set", s)]
    made = CliRunner().invoke(
        app, ["init", str(path), "--tools", source(name, tmp_path), "--preset", "cpu-quick", *sets]
    )
    assert made.exit_code == 0, made.output
    run = lt.Run.open(path)
    assert (
        {t.name for t in tools_of(run)}
        and run.settings.seeds.source == "templates"
        and run.settings.seeds.noise == 0
    )
    first = lt.seed(run)
    assert len(first) == 24 and all(all(c.passed for c in check_sample(s)) for s in first)
    assert {t.name for s in first for t in s.tools} <= {t.name for t in tools_of(run)}
    held = run.table(Samples, "held_out", 0)
    assert {"unseen_values", "unseen_phrasings"} <= {s.split for s in held}
    assert not {s.id for s in held} & {s.id for s in run.table(Samples, "pool", 0)}

    calls = [s for s in first if s.label.calls]
    wrong = {s.id for s in calls[: len(calls) // 2]}
    probes = Probes(answered(s, "no idea" if s.id in wrong else render_answer(s.label), -0.3) for s in first)
    verdicts = Verdicts(
        Verdict(sample_id=p.sample_id, iteration=1, status="judged", verdict="PRED_WRONG", judge="evidence")
        for p in probes
        if p.sample_id in wrong
    )
    probes.write(run.folder(1) / "probes.parquet")
    verdicts.write(run.folder(1) / "verdicts.parquet")
    expanded = lt.expand(run, verdicts, 1)
    children = [e.sample for e in expanded if e.accepted]
    assert children and {e.strategy for e in expanded} == {"expanders.slots"}
    second = lt.compose(run, probes, verdicts, expanded, 1)
    assert {s.id for s in children} | wrong <= {s.id for s in second} and all(
        s.split == "train" for s in second
    )


def tools_from(text: str, tmp_path: Path) -> list[Tool]:
    (tmp_path / "my_tools.py").write_text(text)
    return lt.load_tools(tmp_path / "my_tools.py")


def test_one_seed_gives_the_same_samples_and_no_two_alike(tmp_path: Path) -> None:
    tools = tools_from(PYTHON, tmp_path)
    rows = generate(tools, 80, seed=4)
    assert rows == generate(tools, 80, seed=4) and rows != generate(tools, 80, seed=5)
    assert (
        len(
            {
                (s.request.lower(), canonical_calls(s.label.calls), *sorted(t.name for t in s.tools))
                for s in rows
            }
        )
        == len(rows)
        == 80
    )
    assert {s.kind for s in rows} == {"single", "choice", "parallel", "ask", "decline"}
    for s in rows:
        assert [c.detail for c in check_sample(s) if not c.passed] == []
        assert (len(s.label.calls) == 2) == (s.kind == "parallel") and s.label.asks == (s.kind == "ask")
        assert s.kind != "decline" or (not s.label.calls and s.label.mentions)


def test_held_out_values_and_wordings_are_never_trained_on(tmp_path: Path) -> None:
    tools = tools_from(PYTHON, tmp_path)
    train = generate(tools, 80, seed=1, kinds=["single"])
    values = {
        json.dumps(v)
        for s in train
        for c in s.label.calls
        for v in c.arguments.values()
        if isinstance(v, str) and len(v) > 8
    }
    phrases = {p for s in train for p in s.meta["phrases"]}  # type: ignore[union-attr]
    for s in generate(tools, 20, seed=1, split="unseen_values", kinds=["single"], avoid=train):
        assert any(json.dumps(v) not in values for c in s.label.calls for v in c.arguments.values())
    for s in generate(tools, 20, seed=1, split="unseen_phrasings", kinds=["single"], avoid=train):
        assert not set(s.meta["phrases"]) <= phrases  # type: ignore[arg-type]


def test_some_tools_of_a_large_catalogue_are_kept_for_evaluation() -> None:
    schema = {"type": "object", "properties": {"house_id": {"type": "string"}}}
    tools = [Tool(name=f"get_{w}", description=f"Get the {w} of a house.", parameters=schema)
             for w in ("price", "age", "owner", "roof", "garden", "tax", "height", "history", "colour", "heating")]  # fmt: skip
    held = held_tools(tools)
    assert len(held) == 2 and held_tools(tools[:7]) == frozenset()
    assert not held & {t.name for s in generate(tools, 40, seed=0) for t in s.tools}
    assert {t.name for s in generate(tools, 8, seed=0, split="unseen_tools") for t in s.tools} == held


def test_what_the_tools_do_not_allow_is_said(tmp_path: Path) -> None:
    one = [Tool(name="ping", description="Ping the server.")]
    with pytest.warns(
        UserWarning, match="made 0 of 3 different samples of split train from 1 tools; there are no more"
    ):
        assert generate(one, 3, seed=0, kinds=["parallel"]) == Samples()
    assert {c.name for s in generate(one, 6, seed=0) for c in s.label.calls} == {"ping"}
    nothing = Tool(
        name="odd",
        description="Do it.",
        parameters={"type": "object", "properties": {"x": {"type": "null"}}, "required": ["x"]},
    )
    assert usable([nothing])[1] == {"odd": "x can only be null"}
    with pytest.raises(ValueError, match="none of the 1 tools"):
        generate([nothing], 3, seed=0)
    with pytest.raises(ValueError, match="unknown split"):
        generate(one, 3, seed=0, split="nope")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        lt.init(tmp_path / "run", tmp_path / "nothing.py")
    lt.init(tmp_path / "run", [generate_report], preset="cpu-quick")
    (tmp_path / "run" / "tools.json").unlink()
    with pytest.raises(lt.RunError, match="looptool init"):
        lt.seed(lt.Run.open(tmp_path / "run"))


def generate_report(year: int) -> str:
    """Generate the yearly report."""
    return str(year)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("x", "Get the current weather for a given city.", ("get", "the current weather for a given city")),
        ("x", "This tool can be used to search for flights, and returns them sorted.", ("search", "flights")),
        ("x", "Retrieves user details", ("get", "user details")),
        ("x", "A tool for converting units.", ("convert", "units")),
        ("x", "Use this tool when you need to delete a file", ("delete", "a file")),
        ("x", "Current exchange rate", ("get", "the current exchange rate")),
        ("github_create_issue", "", ("create", "an issue")),
        ("users.list", "", ("list", "users")),
        ("getPetById", "", ("get", "the pet")),
    ],
)
def test_headlines(name: str, text: str, expected: tuple[str, str]) -> None:
    assert headline(Tool(name=name, description=text)) == expected


def test_booleans_units_and_names_are_read() -> None:
    assert boolean_clauses("notify", "Whether to notify the guests.")[1][0] == "and do not notify the guests"
    assert boolean_clauses("virtual", "True if the meeting is online")[0] == (", and the meeting is online",)
    assert boolean_clauses("include_tax", "")[1][0] == "without tax"
    assert (
        unit_of("timeout seconds", "") == "second"
        and unit_of("amount", "Amount in euros") == "€"
        and unit_of("count", "") == ""
    )
    assert words_of("maxPrice_USD") == "max price usd"


NAMES = st.sampled_from(
    [
        "city",
        "start_date",
        "email",
        "count",
        "x",
        "userId",
        "note",
        "tags",
        "mode",
        "lat",
        "price_usd",
        "is_on",
        "from",
        "to",
        "when",
    ]
)
LEAVES = st.one_of(
    st.just({"type": "string"}),
    st.sampled_from(
        [{"type": "string", "format": f} for f in ("date", "date-time", "time", "email", "uuid", "uri")]
    ),
    st.builds(
        lambda a, n: {"type": "integer", "minimum": a, "maximum": a + n},
        st.integers(-50, 500),
        st.integers(0, 400),
    ),
    st.builds(lambda a: {"type": "number", "minimum": a}, st.integers(0, 50)),
    st.just({"type": "boolean", "description": "Whether to do it twice."}),
    st.just({"enum": ["low", "in_progress", "High"]}),
    st.just({"type": ["string", "null"], "default": None}),
    st.just({"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3,5}$"}),
    st.just({"type": "string", "minLength": 3, "maxLength": 6}),
    st.just({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda i: {"type": "array", "items": i}, inner),
        st.builds(
            lambda p: {"type": "object", "properties": p, "required": sorted(p)},
            st.dictionaries(NAMES, inner, min_size=1, max_size=2),
        ),
    ),
    max_leaves=4,
)


@settings(max_examples=40)
@given(st.dictionaries(NAMES, SCHEMAS, min_size=1, max_size=4), st.randoms(use_true_random=False))
@example(
    {
        "city": {
            "type": "object",
            "properties": {"userId": {"type": "integer", "minimum": 0, "maximum": 0}},
            "required": ["userId"],
        }
    },
    Random(0),
)
def test_any_schema_gives_samples_that_pass_the_rules(properties: dict[str, Any], rng: Random) -> None:
    import warnings

    required = [n for n in properties if rng.random() < 0.6]
    tool = Tool(
        name="do_thing",
        description="Book a thing.",
        parameters={"type": "object", "properties": properties, "required": required},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = generate(
            [tool], 4, seed=rng.randrange(1000), split=rng.choice(SPLITS[:3]), kinds=["single", "ask"]
        )
    for s in rows:
        assert [c.detail for c in check_sample(s) if not c.passed] == []
