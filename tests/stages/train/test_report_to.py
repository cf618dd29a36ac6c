"""`report_to`: training logs to TensorBoard or trackio where it is asked to, else imports neither."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from scripted_runs import finished_loop, scripted  # noqa: E402

from looptool_kit import world  # noqa: E402
from looptool_kit.config import GrpoSettings, LoraSettings, Settings, SftSettings  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.stages.train import sft  # noqa: E402
from looptool_kit.stages.train import stage as train_stage  # noqa: E402
from looptool_kit.stages.train.recipe import REPORT_TO, grpo_arguments, sft_arguments  # noqa: E402


@pytest.fixture
def to() -> object:
    """Sets where to, for one test."""
    token = REPORT_TO.set("none")
    yield REPORT_TO.set
    REPORT_TO.reset(token)


def test_every_phase_is_told_and_says_which_run_it_is(to) -> None:
    folder = Path("runs/mine/iterations/02/policy/sft")
    for given, expected in (("none", []), ("trackio", ["trackio"]), ("tensorboard", ["tensorboard"])):
        to(given)
        for arguments in (
            sft_arguments(SftSettings(), 1, folder, 0),
            grpo_arguments(GrpoSettings(), 1, folder, 0),
        ):
            assert arguments["report_to"] == expected
            assert arguments["run_name"] == "mine/iterations/02/policy/sft"


def test_what_is_not_installed_is_said_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = scripted(monkeypatch)
    finished_loop(tmp_path / "run").close()
    count, find = len(trained), train_stage.importlib.util.find_spec
    monkeypatch.setattr(
        train_stage.importlib.util,
        "find_spec",
        lambda name, *a: None if name == "trackio" else find(name, *a),
    )
    with pytest.raises(ValueError, match=r'report_to = "trackio" needs the package .* `pip install trackio`'):
        train_stage._can_do(Settings(report_to="trackio"), 0)
    with Run.open(tmp_path / "run") as run:
        run.set(report_to="trackio")
        train_stage.train(run, iteration=1)  # finished: where it logged to decides no result
    assert len(trained) == count


def test_tensorboard_gets_what_the_history_gets(tiny_loader, tmp_path: Path, to) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    to("tensorboard")
    settings = SftSettings(epochs=1, batch=4, micro_batch=2)
    sft.train(
        tiny_loader,
        None,
        world.generate(8, seed=3),
        settings,
        LoraSettings(rank=4, alpha=8),
        tmp_path,
        seed=0,
    )
    [events] = {path.parent for path in tmp_path.rglob("events.out.tfevents*")}
    found = EventAccumulator(str(events)).Reload().Scalars("train/loss")
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert len(losses) == 2 and [e.value for e in found] == pytest.approx(losses)


def test_trackio_gets_what_the_history_gets_and_nothing_leaves_this_machine(
    tiny_loader, tmp_path: Path, to, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read when it is imported
    monkeypatch.delenv("TRACKIO_SPACE_ID", raising=False)
    trackio = pytest.importorskip("trackio")
    to("trackio")
    sft.train(
        tiny_loader,
        None,
        world.generate(8, seed=3),
        SftSettings(epochs=1, batch=4, micro_batch=2),
        LoraSettings(rank=4, alpha=8),
        tmp_path / "mine" / "iterations" / "01" / "policy" / "sft",
        seed=0,
    )
    [run] = trackio.Api().runs("looptool")
    logs = trackio.SQLiteStorage.get_logs("looptool", run.name)
    found = [row for row in logs if "train/loss" in row]
    assert (
        tmp_path / "trackio" / "looptool.db"
    ).exists() and trackio.context_vars.current_space_id.get() is None
    history = tmp_path / "mine" / "iterations" / "01" / "policy" / "sft" / "history.jsonl"
    losses = [row["loss"] for row in map(json.loads, history.read_text().splitlines()) if "loss" in row]
    assert run.name == "mine/iterations/01/policy/sft" and len(losses) == 2
    assert [row["train/loss"] for row in found] == pytest.approx(losses)


def test_nothing_of_it_is_imported_otherwise() -> None:
    code = (
        "import sys; from looptool_kit.stages.train import sft, grpo, recipe; from trl import SFTTrainer;"
        "print([m for m in ('trackio', 'tensorboard', 'wandb') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip().endswith("[]"), said
