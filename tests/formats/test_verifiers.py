"""An environment for `verifiers`: what is written loads, answers and pays.

Where the library is not installed, a stand-in with its names takes its place: it shows that the package runs,
not that the library takes it. Both were tried with verifiers 0.4.0.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.samples import ToolCall
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed.stage import seed

REAL = importlib.util.find_spec("verifiers") is not None
A, B, C = TypeVar("A"), TypeVar("B"), TypeVar("C")


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of verifiers.v1 that the package uses."""
    if REAL:
        return
    v1 = types.ModuleType("verifiers.v1")

    class Model(BaseModel):
        pass

    class TaskData(Model):
        id: str | None = None
        prompt: str | None = None
        system_prompt: str | None = None

    class Toolset(Generic[A]):
        def __init__(self, config: Any) -> None:
            self.config = config

    class Task(Generic[A, B, C]):
        def __init__(self, data: Any, config: Any = None) -> None:
            self.data, self.config = data, config

    class Taskset(Generic[A, B]):
        def __init__(self, config: Any) -> None:
            self.config = config

    for name in ("ToolsetConfig", "TaskConfig", "TasksetConfig", "State", "Trace"):
        setattr(v1, name, type(name, (Model,), {}))
    for kind in (TaskData, Toolset, Task, Taskset):
        setattr(v1, kind.__name__, kind)
    v1.reward = lambda f: f  # type: ignore[attr-defined]
    package = types.ModuleType("verifiers")
    package.v1 = v1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "verifiers", package)
    monkeypatch.setitem(sys.modules, "verifiers.v1", v1)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    stand_in(monkeypatch)
    run = Run.create(tmp_path / "run", seeds__source=request.param, seeds__first=40, seeds__held_out=2)
    seed(run)
    run.close()
    out = tmp_path / f"episodes-{request.param}"
    done = CliRunner().invoke(app, ["export", str(run.path), str(out), "--form", "verifiers"])
    assert done.exit_code == 0, done.output
    assert "tasks for verifiers" in done.output and "left out" in done.output
    assert f"vf-eval {out.name}" in (out / "README.md").read_text()
    monkeypatch.syspath_prepend(str(out))
    name = out.name.replace("-", "_")
    assert f'packages = ["{name}"]' in (out / "pyproject.toml").read_text()
    yield importlib.import_module(f"{name}.taskset")
    for module in [m for m in sys.modules if m.split(".")[0] == name]:
        del sys.modules[module]


@pytest.mark.parametrize("package", ["world", "procedural"], indirect=True)
def test_every_task_loads_and_its_own_plan_earns_one(package: Any) -> None:
    taskset = package.EpisodeTaskset(package.EpisodeConfig())
    tasks = list(taskset.load())
    assert len(tasks) > 5 and len({t.data.prompt + str(t.data.episode["plan"]) for t in tasks}) == len(tasks)
    for task in tasks:
        plan = [ToolCall.model_validate(t["call"]) for t in task.data.episode["plan"]]
        said = [
            types.SimpleNamespace(
                tool_calls=[
                    types.SimpleNamespace(name=c.name, arguments=json.dumps(c.arguments)) for c in plan
                ]
            )
        ]
        broken = types.SimpleNamespace(tool_calls=[types.SimpleNamespace(name=plan[0].name, arguments="{")])
        assert package.rewarded(task.data, said) == package.rewarded(task.data, [broken, *said]) == 1
        assert package.rewarded(task.data, said[:0]) == 0


@pytest.mark.parametrize("package", ["world"], indirect=True)
def test_its_tools_have_their_own_schemas_and_keep_their_records(package: Any) -> None:
    pytest.importorskip("mcp")
    import asyncio

    from mcp.server.mcpserver import MCPServer

    for task in package.EpisodeTaskset(package.EpisodeConfig()).load():
        tools, server = package.EpisodeTools(package.EpisodeTaskConfig().tools), MCPServer("x")
        asyncio.run(tools.setup_task(task.data))
        tools.register(server)
        listed = {t.name: t.input_schema for t in asyncio.run(server.list_tools())}
        for tool in tools.episode.task.tools:
            schema = listed[tool.name]
            assert set(schema["properties"]) == set(tool.properties)
            assert sorted(schema.get("required", [])) == sorted(tool.required)
            for name, own in tool.properties.items():
                assert (
                    own.items() <= {**schema["properties"][name], **({} if "default" in own else {})}.items()
                )
        for told in tools.episode.task.plan:
            back = asyncio.run(server.call_tool(told.call.name, told.call.arguments))
            assert "error" not in json.loads(back.content[0].text)
        assert tools.episode.reward() == 1


def test_a_run_without_tasks_says_why(tmp_path: Path) -> None:
    from looptool_kit.formats._environment import write_environment
    from looptool_kit.world.procedural import Procedural

    with pytest.raises(ValueError, match="none of the 0 samples"):
        write_environment([], tmp_path / "out", Procedural())
    assert not (tmp_path / "out").exists()
