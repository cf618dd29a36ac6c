"""The judge's check from its view: what it costs is said first, it can be stopped, and its card is shown."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("anywidget")

from typer.main import get_command  # noqa: E402
from widget_pages import asked  # noqa: E402

from looptool_kit.cli import app  # noqa: E402
from looptool_kit.core.endpoint import Endpoint  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.studies.judge_check import Trials  # noqa: E402
from looptool_kit.studies.judge_target import REPEATS, SAMPLES  # noqa: E402
from looptool_kit.widgets import JudgeCheckView, page  # noqa: E402

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


@pytest.fixture
def own(tmp_path: Path) -> Run:
    """A copy of the recorded run that may be written."""
    return Run.open(shutil.copytree(RECORDED, tmp_path / "run"))


def ended(view: JudgeCheckView) -> None:
    assert view._checking is not None
    view._checking.wait()
    assert not view.running and "error" not in asked(view, "renew")


def test_a_free_check_runs_as_the_command_does_and_its_card_is_shown(own: Run) -> None:
    view = JudgeCheckView(own)
    assert view.count == 0 and "costs nothing" in view.offer
    assert "Press the button, or in a terminal: looptool judge-check " in view.missing
    assert asked(view, "cost")["question"] == ""
    asked(view, "check")
    assert view.running and "under way" in asked(view, "check")["error"]
    assert not page._is_empty(view), "a tab that is left and shown again keeps it"
    ended(view)
    assert not view.failed and not view.missing and "this is its card" in view.progress
    kept = Trials.read(own.path / "judge_check" / "evidence" / "trials.parquet")
    assert view.selection == kept and view.count == len(kept) > 1000
    assert view.shown == 1 and "The last one took" in view.offer and len(view.card) > 5


def test_a_check_can_be_stopped_and_says_so(own: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started = threading.Event()
    view = JudgeCheckView(own)
    script = "import sys, time\nprint('judge: 10%', file=sys.stderr, flush=True)\ntime.sleep(600)\n"
    (own.path / "python").write_text(f"#!{sys.executable}\n{script}")
    (own.path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(own.path / "python"))
    view.observe(lambda change: started.set() if "10%" in change["new"] else None, "progress")
    asked(view, "check")
    assert started.wait(60), "its progress is shown"
    asked(view, "stop")
    ended(view)
    assert view.failed and "was stopped" in view.progress and view.shown == 0 and view.missing


def test_a_check_that_fails_says_why_in_the_commands_words(own: Run) -> None:
    view = JudgeCheckView(own)
    (own.path / "judge_check").write_text("in the way")
    asked(view, "check")
    ended(view)
    assert view.failed and "judge_check" in view.progress and "Traceback" not in view.progress


def test_a_model_that_may_cost_money_is_named_and_asked_about(own: Run) -> None:
    model = Endpoint(base_url="https://example.invalid/v1", model="big-judge")
    own.set(verify__judge="llm", judge_llm=model.model_dump())
    view = JudgeCheckView(own)
    assert "big-judge at https://example.invalid/v1" in view.offer and "may cost money" in view.offer
    question = asked(view, "cost")["question"]
    votes = own.settings.jury.votes
    calls = 2 * votes * REPEATS * 1176
    assert f"up to {calls:,} times" in question and question.endswith("Check now?")
    assert not view.running and not (own.path / "judge_check").exists(), "nothing is asked before the answer"


def test_where_no_check_can_be_made_there_is_no_button(own: Run, tmp_path: Path) -> None:
    for view in (JudgeCheckView(Run.open(RECORDED, read_only=True)), JudgeCheckView(Trials(), [])):
        assert "Press the button" not in view.missing
        assert view.offer == "" and "error" in asked(view, "check") and not view.running
    own.set(verify__judge="llm")  # and no model for it
    assert JudgeCheckView(own).offer == ""


def test_the_check_is_the_one_that_the_command_makes_by_default() -> None:
    command: Any = get_command(app)
    defaults = {p.name: p.default for p in command.commands["judge-check"].params}
    assert (defaults["samples"], defaults["repeats"]) == (SAMPLES, REPEATS)
