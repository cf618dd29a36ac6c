"""Commands that look: what runs there are, what a setting means, which version it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import looptool
from scripted_runs import SMALL, finished_loop, scripted
from typer.main import get_command
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.config import Settings, deciding, load_preset, presets
from looptool_kit.core.records import Probes, Verdicts
from looptool_kit.core.samples import Samples
from looptool_kit.policy.policy import untrained
from looptool_kit.report.settings import NOTHING, settings
from looptool_kit.run.folder import Run
from looptool_kit.run.stage import TITLES, Stage
from looptool_kit.stages._find import check_strategies
from looptool_kit.stages.compose import sections
from looptool_kit.stages.compose.augmented import augmented_stage
from looptool_kit.stages.evaluate import held_out
from looptool_kit.stages.evaluate.stage import stage as evaluate_stage
from looptool_kit.stages.expand.stage import seeds_of
from looptool_kit.stages.expand.stage import stage as expand_stage
from looptool_kit.stages.probe import stages as probe_stages
from looptool_kit.stages.seed.stage import stage as seed_stage
from looptool_kit.stages.train.frontier import stage as frontier_stage
from looptool_kit.stages.train.stage import recipe
from looptool_kit.stages.verify.stage import stage as verify_stage

ROOT = Path(__file__).parents[2]
JUDGE = {"base_url": "http://localhost:8000/v1", "model": "judge"}


# ------------------------------------------------------------------------ runs


def test_runs_says_how_far_each_run_is_and_why_one_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch)
    finished_loop(tmp_path / "study" / "arm").close()
    Run.create(tmp_path / "new", "cpu-quick").close()
    half = tmp_path / "half"
    shutil.copytree(tmp_path / "study" / "arm", half)
    shutil.rmtree(half / "iterations" / "03")
    finished_loop(tmp_path / "one", iterations=1, seeds__fresh=[4]).close()
    for name, gone in (("scored", ["scores.json"]), ("trained", ["scores.json", "policy.json"])):
        shutil.copytree(tmp_path / "one", tmp_path / name)
        for file in gone:
            (tmp_path / name / "iterations" / "02" / file).unlink()
    shutil.copytree(tmp_path / "one", tmp_path / "begun")
    shutil.rmtree(tmp_path / "begun" / "iterations" / "02")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.toml").write_text("format = ")
    result = looptool("runs", str(tmp_path))
    said = result.stdout
    rows = {line.split("│")[1].strip(): line for line in said.splitlines() if line.startswith("│")}
    assert "finished" in rows["study/arm"] and "base " in rows["study/arm"] and "D3 " in rows["study/arm"]
    assert "of 6" in rows["study/arm"]
    assert "iteration 2 of 2" in rows["half"] and "D2 " in rows["half"]
    assert "finished" in rows["one"] and "iteration 1 of 1" in rows["begun"]
    assert "D2 to evaluate" in rows["scored"] and "D2 to train" in rows["trained"]
    assert "not started" in rows["new"] and "cpu-quick" in rows["new"]
    assert "cannot be read" in rows["broken"] and "not valid TOML" in result.stderr
    assert len(rows) == 8, "the folders of a run are no runs"


def test_runs_in_a_folder_without_any_says_how_to_make_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["runs", str(tmp_path)])
    assert result.exit_code == 0 and "looptool loop" in result.output
    gone = looptool("runs", str(tmp_path / "nowhere"))
    assert gone.returncode == 1 and "is not a folder" in gone.stderr


def test_before_the_first_run_there_is_none_and_that_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["runs"])
    assert (result.exit_code, result.output) == (0, "no run yet: looptool loop\n")


@pytest.mark.parametrize("preset", ["", "cpu-quick"])
def test_a_loop_without_a_folder_is_where_make_has_it(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch)
    monkeypatch.chdir(tmp_path)
    beside = f"{preset or 'cpu'}s"
    Run.create(tmp_path / "runs" / beside).close()
    small = [
        word for name, value in SMALL.items() for word in ("--set", f"{name.replace('__', '.')}={value}")
    ]
    result = CliRunner().invoke(app, ["loop", *(["--preset", preset] if preset else []), *small])
    assert result.exit_code == 0, result.output
    place = Path("runs") / (preset or "cpu")
    assert f"{place} is a new run, with the preset {place.name} (did you mean {beside}?)" in result.output
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {place.name, beside}
    command = ["make", "--no-print-directory", "-n", "loop", *(["QUICK=1"] if preset else [])]
    made = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert f"looptool loop runs/{preset or 'cpu'} --preset" in made


# -------------------------------------------------------------------- settings


def test_settings_are_found_by_name_meaning_and_stage() -> None:
    lines = {line.name: line for line in settings()}
    assert set(lines) >= {"sft.epochs", "judge_llm.base_url", "evaluate.base"}
    assert [line.name for line in settings(("SFT", "epochs"))] == ["sft.epochs", "sft.epochs_later"]
    assert [line.name for line in settings(("Seed",))] == ["seed"], "a name, not what is made again by it"
    assert "seeds.noise" in {line.name for line in settings(("annotator",))}
    assert lines["compose.unjudged"].values == "keep | discard" and lines["sft.epochs"].default == "2"
    assert lines["seeds.noise"].values == "number from 0 to 0.9"
    assert lines["verify.judge"].values == "text: combined, evidence, labels, llm"
    assert "music" in lines["seeds.domains"].values
    assert all(line.meaning for name, line in lines.items() if name not in ("preset", "seed"))


def test_settings_of_a_run_or_a_preset_have_its_values(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", sft__epochs=7).close()
    said = CliRunner().invoke(app, ["settings", "sft.epochs", "--run", str(tmp_path / "run")]).output
    assert "sft.epochs = 7" in said and "redoes: train and what follows" in said
    quick = CliRunner().invoke(app, ["settings", "seeds.first", "--preset", "cpu-quick"]).output
    assert f"seeds.first = {load_preset('cpu-quick').seeds.first}" in quick
    assert CliRunner().invoke(app, ["settings", "nonsense"]).exit_code == 1
    # Without either they are those of the preset that a loop takes by default.
    plain = CliRunner().invoke(app, ["settings", "compose.hppl"]).output
    assert f"compose.hppl = {load_preset('cpu').compose.hppl}\n" in plain
    assert "1 setting, with the values of the preset cpu." in plain


def test_what_a_setting_redoes_is_what_the_stages_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said are exactly the stages that name a setting among those that decide their result."""
    scripted(monkeypatch)
    run = finished_loop(tmp_path / "run")
    found: dict[str, set[str]] = {}
    init = Stage.__init__

    def spy(self: Stage, run: Run, name: str, j: int, files: Any, of: Any = (), **inputs: Any) -> None:
        names, title = tuple(of), TITLES.get(name, name).partition(",")[0].partition(" on ")[0]
        for setting in names:
            found.setdefault(setting, set()).add(title)
        init(self, run, name, j, files, names, **inputs)

    monkeypatch.setattr(Stage, "__init__", spy)
    original = run.settings
    (run.path / "tools.json").write_text('[{"name": "ping", "description": "Ping the server."}]')
    for change in VARIANTS:
        run.settings = load_preset("cpu", **change).model_copy(update={"iterations": original.iterations})
        for j in (1, 2):
            for name in recipe(run.settings, j):
                found.setdefault(name, set()).add("train")
        for name in sections(run.settings):
            found.setdefault(name, set()).add("compose")
        verify_stage(run, run.table(Probes, "probes", 1), 1)
        expand_stage(run, seeds_of(run, run.table(Verdicts, "verdicts", 1), 1), 1)
        probe_stages(run, Samples(), untrained(run.settings), 1)
        frontier_stage(run, Samples(), 1)
        evaluate_stage(run, untrained(run.settings), held_out.category(run))
        if run.settings.augment.perturbations:
            augmented_stage(run)
        seed_stage(run)
    found["model"].add("train")  # through the policy that training starts from
    wrong = {}
    for line in settings():
        parts = line.name.split(".")
        reads = {s for n in range(1, len(parts) + 1) for s in found.get(".".join(parts[:n]), ())}
        said = set(line.redoes.removesuffix(" and what follows").split(", ")) - {"nothing"}
        if said != reads and line.redoes != "nothing":
            wrong[line.name] = (said, reads)
        if line.redoes == "nothing" and line.name not in (*NOTHING, *Settings.machine):
            with pytest.raises(ValueError, match="no setting decides"):
                deciding(load_preset("cpu"), [line.name])
    assert wrong == {}


VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"trainer": "unsloth"},
    {"grpo__steps_first": 1},
    {"grpo__steps_first": 1, "episodes__prompts": True},
    {"sft__epochs": 1, "sft__epochs_later": 1, "sft__rehearsal": 0.5},
    {
        "verify__judge": "llm",
        "judge_llm": JUDGE,
        "generator_llm": JUDGE,
        "expand__expanders": ["llm", "hardgen"],
    },
    {"verify__judge": "llm", "generator_llm": JUDGE},
    {"probe__threshold": 1.0},
    {"expand__expanders": ["reverse"]},
    {"preference__epochs": 1, "preference__epochs_first": 1},
    {"augment__perturbations": ["typos"]},
    {"seeds__source": "evolved"},
    {"seeds__source": "search", "search__share": 0.5},
    {"seeds__source": "search", "search__file": "a.jsonl", "judge_llm": JUDGE, "generator_llm": JUDGE},
    {"seeds__source": "procedural", "expand__expanders": ["procedural"]},
    {"seeds__source": "samples.jsonl"},
    {"seeds__source": "templates"},
    {"seeds__source": "trees", "judge_llm": JUDGE, "generator_llm": JUDGE, "check__experts": True},
    {"band__low": 0.1, "band__high": 2.0},
)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("sft.epochz=3", "sft.epochs"),
        ("epochs=3", "sft.epochs or preference.epochs"),
        ("iteration=3", "iterations"),
        ("judge_llm.modell=x", "judge_llm.model"),
        ("grpos.steps=3", "grpo"),
        ("seed.first=10", "seeds.first"),
    ],
)
def test_an_unknown_setting_names_the_nearest(tmp_path: Path, given: str, meant: str) -> None:
    said = looptool("init", str(tmp_path / "run"), "--set", given)
    assert said.returncode == 1 and f"did you mean {meant}" in said.stderr, said.stderr
    assert "looptool settings" in said.stderr and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("verify.judge=evidense", "evidence"),
        ("seeds.source=worl", "world"),
        ('expand.expanders=["slots", "wrld"]', "world"),
    ],
)
def test_a_mistyped_strategy_is_said_before_anything_has_run(tmp_path: Path, given: str, meant: str) -> None:
    said = looptool("init", str(tmp_path / "run"), "--set", given)
    assert said.returncode == 1 and f"did you mean {meant}?" in said.stderr and "choose from" in said.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("grpo.steps=two", "grpo.steps is 'two', and should be a valid integer."),
        ("grpo.steps=-1", "grpo.steps is -1, and should be greater than or equal to 0."),
        ("cluster.address=foo", "cluster.address is 'foo'; `looptool settings cluster.address` says what"),
        ("engine=foo", "engine is 'foo', and should be 'transformers', 'vllm' or 'served'."),
    ],
)
def test_a_value_that_does_not_fit_is_shown_with_what_would(tmp_path: Path, given: str, said: str) -> None:
    assert said in looptool("init", str(tmp_path / "run"), "--set", given).stderr


@pytest.mark.parametrize("preset", presets())
def test_every_preset_names_strategies_that_are_there(preset: str) -> None:
    check_strategies(load_preset(preset), preset)
    check_strategies(load_preset(preset, pairs__strategy="tree"), preset)


def test_a_mistyped_strategy_in_the_runs_file_is_said_before_a_loop_begins(tmp_path: Path) -> None:
    Run.create(tmp_path / "run").close()
    file = tmp_path / "run" / "run.toml"
    file.write_text(re.sub("^judge = .*", 'judge = "evidense"', file.read_text(), flags=re.MULTILINE))
    said = looptool("loop", str(tmp_path / "run"))
    words = "verify.judge names 'evidense' (did you mean evidence?); choose from"
    assert said.returncode == 1 and f"{file}: {words}" in said.stderr, said.stderr
    assert not list((tmp_path / "run").glob("iterations/*/*"))


@pytest.mark.parametrize(
    ("given", "meant"), [("sft.epochz", "sft.epochs"), ("judge_llm.modell", "judge_llm.model")]
)
def test_asked_about_an_unknown_setting_the_nearest_is_named(given: str, meant: str) -> None:
    asked = looptool("settings", given)
    assert asked.returncode == 1 and f"(did you mean {meant}?)" in asked.stderr, asked.stderr


def test_an_unknown_setting_in_a_file_names_file_and_nearest(tmp_path: Path) -> None:
    Run.create(tmp_path / "run").close()
    file = tmp_path / "run" / "run.toml"
    file.write_text(file.read_text().replace("quantile =", "quantil ="))
    said = looptool("plan", str(tmp_path / "run"))
    assert said.returncode == 1 and str(file) in said.stderr and "did you mean probe.quantile?" in said.stderr


# ------------------------------------------------------------------- version, help


def test_the_version_is_said() -> None:
    from importlib.metadata import version

    assert looptool("--version").stdout == f"looptool {version('looptool-kit')}\n"


def test_the_help_has_panels_and_every_command_is_in_one() -> None:
    said = looptool("--help").stdout
    titles = [line for line in said.splitlines() if line.startswith("╭─")]
    for panel in ("Start", "Look at a run", "One stage at a time", "Compare and measure", "Data in and out"):
        assert any(panel in title for title in titles), panel
    assert not any(" Commands " in title for title in titles)
    for command in app.registered_commands:
        assert (command.name or command.callback.__name__.replace("_", "-")) in said  # type: ignore[union-attr]


def test_paragraphs_of_the_help_break_where_the_terminal_ends() -> None:
    shown = CliRunner().invoke(app, ["compare", "--help"], env={"COLUMNS": "200"}, terminal_width=200)
    assert "are scored on the same held-out samples. It says first" in shown.output, shown.output[:2000]


def test_the_help_of_a_loop_names_every_preset() -> None:
    said = looptool("loop", "--help", COLUMNS="200").stdout
    assert [name for name in presets() if name not in said] == []


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        below = hasattr(command, "commands")
        yield from commands(command, (*words, name)) if below else [((*words, name), command)]


@pytest.mark.parametrize(
    ("words", "command"), [pytest.param(w, c, id=" ".join(w)) for w, c in commands(get_command(app))]
)
def test_the_help_shows_all_that_is_written(words: tuple[str, ...], command: Any) -> None:
    """What stands in square brackets is markup to who renders it: it is gone, or colours the rest."""
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "1000", "TERM": "dumb"}).output
    said = " ".join(shown.replace("│", " ").split())
    written = [command.help or "", *(getattr(p, "help", None) or "" for p in command.params)]
    for text in written:
        for part in text.split("\n\n"):
            assert " ".join(part.split()) in said, part
        assert re.search(r"\(\W*\)|\[\W*\]|``|“”", text) is None, text
        assert all(text.count(a) == text.count(b) for a, b in ("()", "[]", "{}", "“”")), text
        assert text.count("`") % 2 == 0, text


# ------------------------------------------------------------------------ progress


def test_a_loop_without_a_terminal_says_lines_with_what_is_left_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch)
    small = [f"{name.replace('__', '.')}={value}" for name, value in SMALL.items()]
    options = [word for pair in small for word in ("--set", pair)]
    result = CliRunner().invoke(app, ["loop", str(tmp_path / "run"), "--preset", "cpu-quick", *options])
    assert result.exit_code == 0, result.output
    first, *lines = result.stderr.splitlines()
    assert "is a new run" in first
    assert "\r" not in result.stderr and all("%, " in line for line in lines)
    assert any(line.startswith("scores 0: 100%") and "whole loop: about" in line for line in lines)
    assert "of the loop: about" in result.stdout and "Ctrl-C" in result.stdout, "the estimate comes first"
    assert result.stdout.index("of the loop: about") < result.stdout.index("D1: ")
    with Run.open(tmp_path / "run", read_only=True) as run:
        apart = len(run.table(Samples, "held_out", 0))
    assert f"; {apart} more are held out for scores" in result.stdout and apart > 0
