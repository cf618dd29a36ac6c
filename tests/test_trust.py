"""A run folder from somebody else runs nothing and sends nothing before a person has confirmed it for that
folder.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from mock_llm import MockLLM
from typer.testing import CliRunner

import looptool_kit as lt
from looptool_kit import trust
from looptool_kit.cli import app
from looptool_kit.config import Settings, dump_settings, load_preset
from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Samples
from looptool_kit.llm.client import complete
from looptool_kit.llm.messages import Request
from looptool_kit.policy.policy import open_engine, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.run.run_toml import FORMAT
from looptool_kit.stages._find import names
from looptool_kit.trust import tools_kind

RECORDED = Path(__file__).parents[1] / "sample_data" / "run"
LLM = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}
SECRET = LLM | {"key_env": "AWS_SECRET_ACCESS_KEY"}


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setattr(trust, "_here", {})
    return tmp_path / "configuration"


def foreign(folder: Path, **overrides: Any) -> Path:
    """A run folder that another person has made: its settings were given in no process of ours."""
    folder.mkdir()
    (folder / "run.toml").write_text(
        dump_settings(load_preset("cpu-quick", **overrides), FORMAT), encoding="utf-8"
    )
    return folder


def script(folder: Path, ran: Path) -> Path:
    file = folder / "tools.py"
    file.write_text(
        f"open({str(ran)!r}, 'w').close()\ndef find(q: str) -> str:\n    'Find.'\n\ndef keep(q: str) ->"
        " str:\n    'Keep.'\n"
    )
    return file


def given(run: Run) -> list[str]:
    return [a.setting for a in trust.unconfirmed(run.path, run.settings)]


@pytest.mark.parametrize("kind", ["py", "mcp"])
def test_tools_that_run_are_not_run_before_they_are_confirmed(tmp_path: Path, kind: str) -> None:
    if kind == "mcp":
        pytest.importorskip("mcp")
    ran = tmp_path / "ran"
    file = script(tmp_path, ran)
    spec = str(file) if kind == "py" else f"mcp:touch {ran}"
    folder = foreign(tmp_path / "run", seeds__source="trees", synthesis__tools=spec, generator_llm=LLM)
    with pytest.raises(RunError, match=rf"synthesis\.tools runs .*looptool trust {folder}"):
        lt.seed(Run.open(folder))
    assert not ran.exists()
    said = CliRunner().invoke(app, ["trust", str(folder), "--yes"])
    assert (
        said.exit_code == 0
        and "synthesis.tools runs the" in said.output
        and f"sends samples to {LLM['base_url']}" in said.output
    )
    with pytest.raises(Exception) as error:  # noqa: PT011 - whatever comes of a server that is not there
        lt.seed(Run.open(folder))
    assert "looptool trust" not in str(error.value) and ran.exists()


def test_what_is_confirmed_is_this_very_content_for_this_very_folder(tmp_path: Path) -> None:
    file = script(tmp_path, tmp_path / "ran")
    folder = foreign(tmp_path / "run", synthesis__tools=str(file))
    CliRunner().invoke(app, ["trust", str(folder), "--yes"])
    trust.require_tools(folder, str(file))
    shutil.copytree(folder, tmp_path / "copy")
    with pytest.raises(RunError, match="copy"):
        trust.require_tools(tmp_path / "copy", str(file))
    file.write_text(file.read_text() + "# more\n")
    with pytest.raises(RunError, match="runs the Python file"):
        trust.require_tools(folder, str(file))
    command = f"mcp:python {file}"
    trust.confirm(folder, trust.acts(load_preset("cpu", synthesis__tools=command)))
    trust.require_tools(folder, command)
    file.write_text("# other\n")
    with pytest.raises(RunError, match="runs the command"):
        trust.require_tools(folder, command)


@pytest.mark.parametrize("spec", ["{}/", "{}/.", "{}//", "./{}/"])
def test_a_file_that_is_run_is_known_in_every_spelling(
    tmp_path: Path, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = tmp_path / "ran"
    script(tmp_path, ran)
    spec = spec.format("tools.py")
    folder = foreign(tmp_path / "run", seeds__source="trees", synthesis__tools=spec, generator_llm=LLM)
    with pytest.raises(RunError, match=r"synthesis\.tools runs the Python file"):
        lt.seed(Run.open(folder))
    assert not ran.exists() and tools_kind(spec) == tools_kind(Path(spec)) == "python"


@pytest.mark.parametrize(
    ("spec", "asks"),
    [
        ("tools.json", False),
        ("api.yaml", False),
        ("api.yml/", False),
        ("t.jsonl", False),
        ("", False),
        ("tools.PY", True),
        ("tools.pyc", True),
        ("tools", True),
        ("tools.json.py", True),
        ("mcp:tools.json", True),
        (" mcp:x", True),
        ("x.json ", True),
    ],
)
def test_what_is_not_plainly_a_data_file_is_asked_about(tmp_path: Path, spec: str, asks: bool) -> None:
    folder = foreign(tmp_path / "run", synthesis__tools=spec)
    assert [a.setting for a in trust.unconfirmed(folder, Run.open(folder, read_only=True).settings)] == [
        "synthesis.tools"
    ] * asks


def test_a_long_script_is_watched_to_its_end_and_what_is_not_watched_is_said(tmp_path: Path) -> None:
    file = script(tmp_path, tmp_path / "ran")
    file.write_text("#" * (3 << 20) + "\n" + file.read_text())
    for spec in (str(file), f"mcp:python {file}"):
        folder = foreign(tmp_path / spec[:3].strip("/"), synthesis__tools=spec)
        said = CliRunner().invoke(app, ["trust", str(folder), "--yes"]).output
        assert "and whatever it loads, which is not watched" in said
        trust.require_tools(folder, spec)
        file.write_text(file.read_text() + "# more\n")
        with pytest.raises(RunError, match="not watched"):
            trust.require_tools(folder, spec)


def test_each_act_stands_on_one_line(tmp_path: Path) -> None:
    for number, spec in enumerate(
        ("mcp:x|sh\nnothing\r\v\f\u2028\x85\there", "mcp:http://h/\nnothing", "a\nnothing.py", "a\nnothing")
    ):
        folder = foreign(tmp_path / str(number), synthesis__tools=spec)
        said = CliRunner().invoke(app, ["trust", str(folder)], input="n\n").output.splitlines()
        assert (
            said[0].startswith("synthesis.tools ")
            and r"\nnothing" in said[0]
            and not any(line.startswith("nothing") for line in said[:-1])
        )
        assert "\t" not in said[0] and len(said) <= 3


@pytest.mark.parametrize("inner", ["same settings", "no settings", "not TOML"])
@pytest.mark.parametrize("place", ["judge_check/llm-policy/calls.sqlite", "iterations/01/policy/sft/adapter"])
def test_a_run_toml_inside_the_run_does_not_hide_the_one_that_counts(
    tmp_path: Path, place: str, inner: str
) -> None:
    folder, endpoint = foreign(tmp_path / "run", judge_llm=SECRET), Endpoint.model_validate(SECRET)
    settings = load_preset("cpu", judge_llm=SECRET) if inner == "same settings" else load_preset("cpu")
    (folder / place).parent.mkdir(parents=True)
    planted = folder / place.split("/")[0] / "run.toml"
    planted.write_text("]" if inner == "not TOML" else dump_settings(settings, FORMAT))
    with pytest.raises(RunError, match="AWS_SECRET_ACCESS_KEY holds as the key"):
        trust.require_endpoint(folder / place, endpoint)
    (folder / "run.toml").write_text(dump_settings(load_preset("cpu"), FORMAT))  # nobody names it any more
    with pytest.raises(RunError, match="AWS_SECRET_ACCESS_KEY holds as the key"):
        trust.require_endpoint(folder / place, endpoint)
    trust.confirm(folder, trust.acts(load_preset("cpu", judge_llm=SECRET)))
    if inner != "same settings":
        trust.require_endpoint(folder / place, endpoint)
    trust.require_endpoint(tmp_path / "elsewhere" / "calls.sqlite", endpoint)


def test_a_trained_policy_is_that_of_its_run_wherever_its_adapter_lies(tmp_path: Path) -> None:
    run = Run.open(foreign(tmp_path / "run", engine="served", policy_server=LLM), read_only=True)
    (tmp_path / "out").mkdir()
    policy = policy_of(run, 0).model_copy(update={"adapter": str(tmp_path / "out"), "iteration": 1})
    with pytest.raises(RunError, match="looptool trust"):
        open_engine(policy, 8)
    link = run.path / "judge_check"
    link.symlink_to(tmp_path / "out")
    with pytest.raises(RunError, match="looptool trust"):
        trust.require_endpoint(link / "calls.sqlite", Endpoint.model_validate(LLM))


def test_judge_check_sends_no_key_that_only_the_folder_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-some-length")
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__first=8, seeds__held_out=2)
    lt.seed(run)
    run.close()
    settings = load_preset("cpu-quick", seeds__first=8, seeds__held_out=2, judge_llm=SECRET)
    (run.path / "run.toml").write_text(dump_settings(settings, FORMAT))  # somebody else's edit
    with MockLLM(lambda body: "{}") as server:
        args = [
            "judge-check",
            str(run.path),
            "--judge",
            "llm",
            "--samples",
            "1",
            "--repeats",
            "1",
            "--set",
            f"judge_llm.base_url={server.url}",
        ]
        said = CliRunner().invoke(app, args)
        assert said.exit_code and server.log == [] and "AWS_SECRET_ACCESS_KEY" in str(said.exception)
        said = CliRunner().invoke(app, [*args, "--set", "judge_llm.key_env=MY_KEY"])
        assert server.log and "MY_KEY" not in str(said.exception)


def test_a_file_from_outside_of_the_run_is_not_sent_on_unasked(tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    Run.open(RECORDED, read_only=True).table(Samples, "pool", 0).write(mine)
    folder = foreign(tmp_path / "run", seeds__source=str(mine), judge_llm=LLM, seeds__first=4)
    with pytest.raises(RunError, match=rf"seeds\.source takes the file {mine} as samples.*looptool trust"):
        lt.seed(Run.open(folder))
    CliRunner().invoke(app, ["trust", str(folder), "--yes"])
    settings = Run.open(folder, read_only=True).settings
    trust.require_source(folder, settings)
    mine.write_text(mine.read_text() + "\n")
    with pytest.raises(RunError, match="seeds.source"):
        trust.require_source(folder, settings)
    shutil.copy(mine, folder / "own.jsonl")
    inside = load_preset("cpu-quick", seeds__source=str(folder / "own.jsonl"), judge_llm=LLM)
    trust.require_source(folder, inside)
    (folder / "own.jsonl").unlink()
    (folder / "own.jsonl").symlink_to(mine)
    with pytest.raises(RunError, match="seeds.source"):
        trust.require_source(folder, inside)
    trust.require_source(folder, load_preset("cpu-quick", seeds__source=str(mine)))  # is sent nowhere
    strategies = set(names("looptool_kit.stages.seed"))
    assert set(trust.SEEDERS) == strategies - {"file"}, "all else is a file"


@pytest.mark.parametrize("place", ["calls.sqlite", "judge_check/llm/calls.sqlite"])
@pytest.mark.parametrize("setting", ["generator_llm", "judge_llm", "jury__others"])
def test_nothing_is_sent_to_an_endpoint_that_only_the_folder_names(
    tmp_path: Path, setting: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-some-length")
    with MockLLM(lambda body: json.dumps({"ok": True})) as server:
        wanted = SECRET | {"base_url": server.url}
        folder = foreign(tmp_path / "run", **{setting: [wanted] if setting.endswith("others") else wanted})
        question, endpoint = (
            [Request(messages=({"role": "user", "content": "q"},))],
            Endpoint.model_validate(wanted),
        )
        with pytest.raises(RunError, match=r"\$AWS_SECRET_ACCESS_KEY holds as the key.*looptool trust"):
            complete(question, endpoint, folder / place)
        assert server.log == []
        trust.confirm(folder, trust.acts(Run.open(folder, read_only=True).settings))
        complete(question, endpoint, folder / place)
        assert len(server.log) == 1


def test_a_policy_server_is_not_asked_either(tmp_path: Path) -> None:
    folder = foreign(tmp_path / "run", engine="served", policy_server=LLM)
    with pytest.raises(RunError, match=r"policy_server sends samples to .*looptool trust"):
        open_engine(policy_of(Run.open(folder), 0), 8)


def test_who_gives_a_setting_in_this_process_confirms_it_by_that(tmp_path: Path, configuration: Path) -> None:
    run = Run.create(
        tmp_path / "a", "cpu-quick", judge_llm=SECRET, jury__others=[LLM], synthesis__tools="mcp:x"
    )
    assert given(run) == [] and list(configuration.rglob("*.json"))
    assert all(str(tmp_path / "a") not in str(p) for p in configuration.rglob("*.json")), "named as a hash"
    run.set(generator_llm__base_url="http://127.0.0.1:8/v1", generator_llm__model="g")
    assert given(run) == []
    trust._here.clear()  # another process
    assert given(Run.open(run.path, read_only=True)) == []
    assert (
        given(Run.create(tmp_path / "a", "cpu-quick", **{k: v for k, v in run_settings(run).items()})) == []
    )


def run_settings(run: Run) -> dict[str, Any]:
    return {
        name: run.settings.model_dump(exclude_none=True)[name]
        for name in ("judge_llm", "jury", "synthesis", "generator_llm")
    }


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"iterations": 3}, ["synthesis.tools", "judge_llm"]),
        ({"judge_llm__model": "other"}, ["synthesis.tools", "judge_llm"]),
        ({"judge_llm__base_url": "http://127.0.0.1:7/v1"}, ["synthesis.tools", "judge_llm"]),
        ({"judge_llm__key_env": "MY_KEY"}, ["synthesis.tools", "judge_llm"]),
        (
            {"judge_llm__key_env": "MY_KEY", "judge_llm__base_url": "http://127.0.0.1:7/v1"},
            ["synthesis.tools"],
        ),
        ({"judge_llm": LLM}, ["synthesis.tools"]),
        ({"synthesis__tools": "mcp:mine"}, ["judge_llm"]),
        ({"synthesis__tools": "mcp:mine", "judge_llm": None}, []),
    ],
)
def test_a_setting_confirms_itself_and_nothing_that_stood_in_the_file(
    tmp_path: Path, changes: dict[str, Any], left: list[str]
) -> None:
    run = Run.open(foreign(tmp_path / "run", synthesis__tools="mcp:theirs", judge_llm=SECRET))
    run.set(**changes)
    assert given(run) == left


def test_the_key_or_the_address_alone_is_enough_where_the_other_was_confirmed(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick", judge_llm=LLM)
    run.set(judge_llm__key_env="MY_KEY")
    run.set(judge_llm__base_url="http://127.0.0.1:7/v1")
    assert given(run) == []


def test_the_command_asks_and_shows_what_it_asks_about_without_obeying_it(tmp_path: Path) -> None:
    folder = foreign(tmp_path / "run", synthesis__tools="mcp:run \x1b]0;owned\x07\x1b[2J")
    for answer, code in (("n\n", 1), ("y\n", 0)):
        said = CliRunner().invoke(app, ["trust", str(folder)], input=answer)
        assert (
            said.exit_code == code
            and "\x1b" not in said.output
            and "\x07" not in said.output
            and "␛]0;owned" in said.output
        )
        assert bool(given(Run.open(folder, read_only=True))) == bool(code)
    assert "confirmed before" in CliRunner().invoke(app, ["trust", str(folder)]).output
    assert "runs a command" in CliRunner().invoke(app, ["trust", str(foreign(tmp_path / "plain"))]).output


def test_looking_at_a_run_needs_no_confirmation(tmp_path: Path) -> None:
    sends = {"judge_llm": SECRET, "engine": "served", "policy_server": LLM}
    folder = foreign(tmp_path / "run", synthesis__tools="mcp:theirs", **sends)
    assert CliRunner().invoke(app, ["plan", str(folder)]).exit_code == 0
    assert "nothing has run" in str(CliRunner().invoke(app, ["report", str(folder)]).exception)


def test_where_the_configuration_cannot_be_written_it_holds_for_this_process(
    tmp_path: Path, configuration: Path
) -> None:
    configuration.write_text("a file where the folder would be")
    run = Run.create(tmp_path / "run", "cpu-quick", judge_llm=LLM)
    assert given(run) == []
    trust._here.clear()
    assert given(run) == ["judge_llm"]
    with pytest.raises(ValueError, match="cannot be kept"):
        CliRunner().invoke(app, ["trust", str(run.path), "--yes"], catch_exceptions=False)


def test_init_says_that_it_runs_the_file(tmp_path: Path) -> None:
    file = script(tmp_path, tmp_path / "ran")
    said = CliRunner().invoke(app, ["init", str(tmp_path / "run"), "--tools", str(file)])
    assert f"{file} is run now" in said.output and (tmp_path / "run" / "tools.json").exists()


def test_every_setting_that_runs_or_sends_is_known() -> None:
    """A new setting of that kind fails here until `trust.acts` shows it."""

    def endpoints(model: type, name: str = "") -> set[str]:
        found = set()
        for field, info in model.model_fields.items():
            full = f"{name}.{field}".strip(".")
            if "Endpoint" in str(info.annotation):
                found.add(full)
            elif isinstance(info.annotation, type) and hasattr(info.annotation, "model_fields"):
                found |= endpoints(info.annotation, full)
        return found

    assert endpoints(Settings) == {"generator_llm", "judge_llm", "policy_server", "jury.others"}
    filled = load_preset(
        "cpu",
        generator_llm=LLM,
        judge_llm=LLM,
        policy_server=LLM,
        jury__others=[LLM, SECRET],
        synthesis__tools="mcp:x",
    )
    assert {a.setting for a in trust.acts(filled)} == endpoints(Settings) | {"synthesis.tools"} and len(
        trust.acts(filled)
    ) == 6
