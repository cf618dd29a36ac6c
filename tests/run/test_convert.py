"""A run folder of format 1, recorded by the version of then, is converted and resumes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from scripted_runs import files, go
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Expansions, Probes, Scores, Verdicts
from looptool_kit.core.samples import Samples
from looptool_kit.report.plan import plan, stages
from looptool_kit.run import convert as converter
from looptool_kit.run.convert import convert
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parent / "data" / "format1"
"""A loop stopped behind compose 1, its adapter left out: what the commit that recorded it wrote."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = shutil.copytree(RECORDED, tmp_path / "run")
    (folder / "iterations/01/policy/sft/adapter").mkdir()
    return folder


def test_a_folder_of_format_1_is_refused_with_the_command_that_converts_it(old: Path) -> None:
    before = files(old)
    with pytest.raises(RunError, match=r"format 1.*Nothing in it was touched. `looptool convert .*run`"):
        Run.open(old)
    assert files(old) == before


def test_what_had_finished_stands_and_what_cannot_be_carried_over_is_said(
    old: Path, trained: list[int]
) -> None:
    before = files(old)
    text = (old / "run.toml").read_text()
    (old / "run.toml").write_text("# From the attic.\n" + text)
    done = CliRunner().invoke(app, ["convert", str(old)])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    for part in (
        "evaluate.base was 6, the number of held-out samples",
        "stands at true; the number cannot be carried over",
        "model was embedded, which then was SmolLM2 without the adapter",
        "scores were on 6 of 90 held-out samples",
        "Taken as finished: seed, train 1, evaluate 1, probe 1, probe, states 1, verify 1, expand 1, compose",
    ):
        assert part in said
    run = Run.open(old)
    assert (run.settings.model, run.settings.evaluate.base) == ("embedded-base", True)
    assert (old / "run.toml").read_text().startswith("# From the attic.")
    assert [len(run.table(kind, name, 1)) for kind, name in (  # type: ignore[type-var]
        (Samples, "samples"), (Probes, "probes"), (Verdicts, "verdicts"), (Expansions, "expansions"),
        (Scores, "scores"),
    )] == [40, 40, 22, 236, 90]  # fmt: skip
    left = [(s.name, s.iteration, s.state) for s in plan(run) if s.state != "done"]
    assert left[:2] == [("scores", 0, "to do"), ("policy", 2, "to do")]
    assert {state for _, _, state in left} == {"to do"}, "nothing finished is made again"
    after = files(old)
    kept = [n for n, content in before.items() if content not in after.values()]
    assert kept == [], "each file is there as it was, in its place or in superseded/"
    assert "superseded/0001/run.toml" in {str(p.relative_to(old)) for p in old.rglob("run.toml")}
    go(run)
    assert trained == [2, 3] and len(run.table(Scores, "scores", 0)) == 90
    assert {n: c for n, c in files(old).items() if n in before and n.endswith("parquet") and "/01/" in n} == {
        n: c for n, c in before.items() if n.endswith("parquet") and "/01/" in n
    }


def test_the_embedded_model_with_the_adapter_stays_what_it_was(old: Path) -> None:
    text = (old / "run.toml").read_text().replace("base = 6", "base = true")
    (old / "run.toml").write_text(text.replace("[sft]\n", "[sft]\nrehearsal = 0.2\n"))
    said = "\n".join(convert(old, stages))
    assert "model was embedded" not in said and "switch" not in said
    assert Run.open(old).settings.model == "embedded"


def test_a_stopped_conversion_is_started_again(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, written = files(old), []

    def third(path: Path, value: object) -> None:
        written.append(path)
        if len(written) == 3:
            raise KeyboardInterrupt
        path.write_text(json.dumps(value))

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(converter, "write_json", third)
        convert(old, stages)
    with pytest.raises(RunError, match="format 1"):
        Run.open(old)
    convert(old, stages)
    assert [s for s in plan(Run.open(old)) if s.state in ("again", "follows")] == []
    after = files(old).values()
    assert [n for n, content in before.items() if content not in after] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("format = 1", "format = 2"), "is of format 2, and only format 1 is converted"),
        (("rank = 16", "ranks = 16"), "no setting lora.ranks .*Nothing was changed"),
        (("rank = 16", "rank = ="), "cannot be read"),
    ],
)
def test_what_is_not_of_format_1_is_left_alone(old: Path, change: tuple[str, str], said: str) -> None:
    file = old / "run.toml"
    file.write_text(file.read_text().replace(*change))
    before = files(old) | {"": file.read_bytes()}
    with pytest.raises(RunError, match=said):
        convert(old, stages)
    assert files(old) | {"": file.read_bytes()} == before
