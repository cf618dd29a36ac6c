"""From a person's own tools to a composed dataset, without a language model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from workshop import PYTHON

import looptool_kit as lt
from looptool_kit import formats
from looptool_kit.checks.rules import check_sample
from looptool_kit.cli import app
from looptool_kit.core.records import Probes, Verdict, Verdicts
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.policy.engines import Completion
from looptool_kit.stages.probe import judge_completion
from looptool_kit.tools.own_tools import tools_of

SCHEMA = {
    "type": "object",
    "properties": {"room_id": {"type": "string"}, "day": {"type": "string", "format": "date"}},
    "required": ["room_id", "day"],
}
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
                contact:
                  type: object
                  required: [phone]
                  properties: {phone: {type: string}, email: {type: string, format: email}}
  /appointments/{appointmentId}:
    delete:
      operationId: cancelAppointment
      summary: Cancels an appointment by its ID.
      parameters:
        - {name: appointmentId, in: path, required: true, schema: {type: string, pattern: "^AP[0-9]{5}$"}}
        - name: notify
          in: query
          schema: {type: boolean, default: true}
          description: Whether to notify the patient
  /doctors:
    get:
      operationId: findDoctors
      summary: Find doctors by specialty
      parameters:
        - name: specialty
          in: query
          required: true
          schema: {type: string, enum: [cardiology, dermatology, pediatrics]}
        - {name: languages, in: query, schema: {type: array, maxItems: 2, items: {type: string}}}
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 50}}
"""
SERVER = '''
from typing import Annotated, Literal
from pydantic import Field
from mcp.server import MCPServer
server = MCPServer("home")

@server.tool()
def get_forecast(
    location: Annotated[str, Field(description="The city to look up")],
    days: Annotated[int, Field(ge=1, le=14)] = 3,
) -> str:
    """Get the weather forecast for a given city."""
    return ""

@server.tool()
def send_email(
    to: list[str], subject: str, body: str, priority: Literal["low", "normal", "high"] = "normal"
) -> str:
    """Sends an email to one or more recipients."""
    return ""

@server.tool()
def convert_currency(amount: float, from_currency: str, to_currency: str) -> float:
    """Convert an amount of money from one currency to another."""
    return 0

@server.tool()
def create_task(
    title: str, due: Annotated[str | None, Field(description="Due date as YYYY-MM-DD")] = None
) -> str:
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
    small = ["seeds.first=24", "iterations=2", "seeds.fresh=[6, 4]", "seeds.held_out=4", "expand.children=2"]
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


def test_renamed_tools_have_their_own_names_in_exports(tmp_path: Path) -> None:
    tools = [
        {"name": f"rooms.{verb}", "description": f"{verb} a room", "parameters": SCHEMA}
        for verb in ("book", "cancel")
    ]
    (tmp_path / "tools.json").write_text(
        json.dumps([*tools, {"name": "broken", "parameters": {"type": "x"}}])
    )
    run = str(tmp_path / "run")
    command = ["init", run, "--tools", str(tmp_path / "tools.json"), "--set", "seeds.first=12"]
    made = CliRunner().invoke(app, command)
    assert made.exit_code == 0
    assert "2 renamed" in made.output and "rooms.book -> rooms_book" in made.output
    assert "1 left out" in made.output and "must be a JSON Schema of type object" in made.output
    assert CliRunner().invoke(app, ["seed", run]).exit_code == 0
    for form, names in (("openai", "rooms."), ("looptool", "rooms_")):
        out = tmp_path / f"{form}.jsonl"
        done = CliRunner().invoke(app, ["export", run, str(out), "--form", form, "--held-out"])
        assert done.exit_code == 0, done.output
        samples = formats.read(out)
        called = {c.name for s in samples for c in s.label.calls}
        assert called and all(name.startswith(names) for name in called)
        assert all(t.name.startswith(names) for s in samples for t in s.tools)


def test_a_file_that_is_not_there_is_not_said_to_run(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    said = CliRunner().invoke(app, ["init", str(tmp_path / "run"), "--tools", "gone.py"])
    assert said.exit_code and "is run now" not in said.output


@pytest.mark.parametrize("schema", [{"type": "string"}, {"type": "string", "enum": ["red", "blue"]}])
def test_tools_that_nobody_can_ask_for_are_no_way_to_a_loop(schema: dict[str, Any], tmp_path: Path) -> None:
    parameters = {"type": "object", "properties": {"key": schema}, "required": ["key"]}
    tool = {"name": "get_blob", "description": "Get a blob.", "parameters": parameters}
    (tmp_path / "tools.json").write_text(json.dumps([tool]))
    made = CliRunner().invoke(app, ["init", str(tmp_path / "run"), "--tools", str(tmp_path / "tools.json")])
    assert (tmp_path / "run" / "run.toml").exists()
    if "enum" in schema:
        assert made.exit_code == 0 and "Next: looptool loop" in made.output
    else:
        assert made.exit_code == 1 and "looptool loop" not in made.output
        for remedy in ("`examples`", "seeds.source=my_samples.jsonl", "seeds.source=trees"):
            assert remedy in str(made.exception)


def test_other_tools_in_the_settings_than_in_the_run_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "run"
    made = CliRunner().invoke(
        app, ["init", str(path), "--tools", source("python", tmp_path), "--preset", "cpu-quick"]
    )
    assert made.exit_code == 0, made.output
    toml = path / "run.toml"
    toml.write_text(toml.read_text().replace("run/tools.json", "run/tools9.json"))
    with pytest.raises(lt.RunError, match=r"tools9\.json, but .* looptool init .* --tools"):
        lt.seed(lt.Run.open(path))
    # A run that was moved names its first folder.
    toml.write_text(toml.read_text().replace("run/tools9.json", "before/tools.json"))
    assert tools_of(lt.Run.open(path))
