"""Nothing finished is lost: longer and shorter runs, parts of tables, runs opened to look at, other tools,
broken folders, locks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import SMALL, files, go
from typer.testing import CliRunner

import looptool_kit as lt
from looptool_kit import world
from looptool_kit.cli import app
from looptool_kit.config import load_settings
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Samples
from looptool_kit.loop import Loop
from looptool_kit.report.plan import plan
from looptool_kit.report.summary import print_scoreboard, report_run
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate.stage import scores
from looptool_kit.stages.seed.stage import seed
from looptool_kit.tools.own_tools import init

TOOLS = '''
def book_room(hotel: str, nights: int, breakfast: bool = False):
    """Book a hotel room.

    Args:
        hotel: Name of the hotel.
        nights: How many nights.
        breakfast: With breakfast.
    """

def order_taxi(street: str, minutes: int):
    """Order a taxi.

    Args:
        street: Street where it shall come.
        minutes: In how many minutes.
    """
'''


def slow(run: Run, seconds: float = 100.0) -> None:
    """Let the manifests say that each stage took long."""
    for path in run.path.glob("*/**/*.json"):
        if "superseded" not in path.parts and path.parent.name != "adapter":
            path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": seconds}))


# ----------------------------------------------------- the seed pool is a stream


def new_run(path: Path, source: str, **settings: Any) -> Run:
    if source == "templates":
        (path.parent / "tools.py").write_text(TOOLS)
        return init(path, path.parent / "tools.py", "cpu-quick", **(SMALL | {"seeds__noise": 0.2} | settings))
    if source == "file":
        if not (path.parent / "mine.jsonl").exists():
            world.generate(80, seed=5).write(path.parent / "mine.jsonl")
        source = str(path.parent / "mine.jsonl")
    return Run.create(path, "cpu-quick", **(SMALL | {"seeds__source": source} | settings))


def seeded(run: Run) -> dict[str, Any]:
    first = seed(run)
    names = {"pool": Samples, "held_out": Samples, "development": Samples, "truth": Truths}
    return {"first": list(first)} | {name: list(run.table(kind, name, 0)) for name, kind in names.items()}  # type: ignore[type-var]


@pytest.mark.parametrize("source", ["world", "templates", "file"])
@pytest.mark.parametrize(
    "longer",
    [
        {"iterations": 5},
        {"iterations": 2, "seeds__fresh": [9, 7]},
        {"seeds__fresh": [4, 2, 120], "iterations": 3},
    ],
)
def test_a_longer_pool_begins_with_the_shorter_one(
    tmp_path: Path, source: str, longer: dict[str, Any]
) -> None:
    run = new_run(tmp_path / "run", source)
    short = seeded(run)
    run.set(**longer)
    long = seeded(run)
    for name in ("first", "held_out", "development"):
        assert long[name] == short[name]
    count = len(short["pool"])
    assert long["pool"][:count] == short["pool"] and long["truth"][: len(short["truth"])] == short["truth"]
    ids = [s.id for s in (*long["pool"], *long["held_out"])]
    assert len(set(ids)) == len(ids)
    if source != "file":
        assert len(long["pool"]) == SMALL["seeds__first"] + sum(
            run.settings.seeds.slices(run.settings.iterations)
        )
        assert {t.sample_id for t in long["truth"]} <= {s.id for s in long["pool"]}
    assert not (run.path / "superseded").exists()
    assert seeded(new_run(tmp_path / "at_once", source, **longer)) == long, (
        "as if it had been that long from the start"
    )
    before = files(run.path)
    run.set(iterations=1)
    assert seeded(run) == long and files(run.path) == before, "a shorter run keeps what was drawn"


def test_planted_errors_are_as_many_in_the_stream_as_asked_for(tmp_path: Path) -> None:
    run = Run.create(
        tmp_path / "run",
        "cpu-quick",
        seeds__first=20,
        seeds__fresh=[200],
        seeds__noise=0.15,
        seeds__held_out=1,
        iterations=1,
    )
    rows = seeded(run)
    planted, fresh = {t.sample_id for t in rows["truth"]}, {s.id for s in rows["pool"][20:]}
    assert len(fresh) == 200 and 26 <= len(planted & fresh) <= 30


def test_one_more_iteration_adds_and_redoes_nothing(run: Run, trained: list[int]) -> None:
    before = files(run.path)
    run.decide("threshold", "", 1.5, iteration=3)
    run.set(iterations=3)
    assert [(s.name, s.iteration) for s in plan(run) if s.state != "done"][0] == ("probes_raw", 3)
    go(run)
    after = files(run.path)
    kept = {n for n in before if not n.startswith("seed/")}
    assert {n: after[n] for n in kept} == {n: before[n] for n in kept}
    assert (
        trained == [4]
        and list(scores(run)) == ["base", "D1", "D2", "D3", "D4"]
        and not (run.path / "superseded").exists()
    )


def test_fewer_iterations_show_fewer_and_lose_none(
    run: Run, trained: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(run.path)
    assert report_run(run).read_text().count(">D3<")
    run.set(iterations=1)
    go(run)
    assert (
        run.iterations == [1, 2]
        and list(scores(run)) == ["base", "D1", "D2"]
        and [r["dataset"] for r in lt.composition(run)] == ["D1", "D2"]
    )
    print_scoreboard(run)
    assert "D3" not in capsys.readouterr().out and ">D3<" not in report_run(run).read_text()
    run.set(iterations=2)
    go(run)
    assert files(run.path) == before and trained == [] and list(scores(run))[-1] == "D3"


def test_a_step_past_the_settings_makes_the_run_longer(run: Run, trained: list[int]) -> None:
    with pytest.raises(ValueError, match=r"run\.set\(iterations=3\)"):
        lt.compose(run, iteration=3)
    Loop(run, lambda _: None).step(run.iteration)
    assert run.settings.iterations == 3 == load_settings(run.path / "run.toml").iterations
    assert lt.train(run).name == "D4" and trained == [4] and lt.composition(run)[-1]["seed"] == 2


# ----------------------------------------------------------------- other tools


def test_init_with_other_tools_leaves_a_run_with_results_alone(tmp_path: Path, trained: list[int]) -> None:
    for name, text in (("mine", TOOLS), ("other", TOOLS.replace("Order a taxi", "Call a cab"))):
        (tmp_path / f"{name}.py").write_text(text)
    command = ["init", str(tmp_path / "run"), "--preset", "cpu-quick", "--tools"]
    assert CliRunner().invoke(app, [*command, str(tmp_path / "mine.py")]).exit_code == 0
    with Run.open(tmp_path / "run") as run:
        seed(run)
    before = files(tmp_path / "run")
    refused = CliRunner().invoke(app, [*command, str(tmp_path / "other.py")])
    assert refused.exit_code and isinstance(refused.exception, RunError)
    assert "new folder" in str(refused.exception) and "looptool plan" in str(refused.exception)
    assert CliRunner().invoke(app, [*command, str(tmp_path / "mine.py")]).exit_code == 0
    assert files(tmp_path / "run") == before


def test_an_edited_catalogue_is_noticed_before_anything_is_made_again(
    tmp_path: Path, trained: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run(tmp_path / "run", "templates")
    go(run)
    slow(run)
    (run.path / "tools.json").write_text(
        (run.path / "tools.json").read_text().replace("Order a taxi", "Call a cab")
    )
    before = files(run.path)
    steps = plan(run)
    assert (steps[0].name, steps[0].state, steps[0].why) == ("seed", "again", "tools.json changed")
    assert {s.state for s in steps[1:]} == {"follows"} and files(run.path) == before
    capsys.readouterr()
    seed(run)
    said = capsys.readouterr().out
    assert (
        "seed is made again: tools.json changed" in said and "What follows from it" in said and "min" in said
    )


def test_a_moved_threshold_is_named_as_what_it_is(
    run: Run, trained: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    run.set(probe__quantile=0.3)
    go(run)
    slow(run)
    capsys.readouterr()
    for value in (1.1, "undo"):
        run.decide("threshold", "", value, iteration=1)
        lt.probe(run, iteration=1)
        said = capsys.readouterr().out
        assert "a decided threshold changed" in said and "quantile" not in said
        assert "is made again when it is run" in said


# ------------------------------------------------------------ what is superseded

CHANGES = {
    "sft__learning_rate": 1e-5,
    "probe__max_new_tokens": 5,
    "probe__quantile": 0.9,
    "verify__judge": "labels",
    "expand__children": 2,
    "compose__hppl": 1,
    "evaluate__max_new_tokens": 5,
    "seeds__held_out": 3,
    "seeds__noise": 0.5,
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_new_result_supersedes_is_kept(
    run: Run, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    slow(run)
    before = files(run.path)
    run.set(**{name: CHANGES[name]})
    dotted = name.replace("__", ".")
    planned = CliRunner().invoke(app, ["plan", str(run.path)]).output
    line = next(line for line in planned.splitlines() if line.startswith("again"))
    assert f"{dotted} is {json.dumps(CHANGES[name])}, it was " in line and (
        "(took 1 min 40 s)" in line or name == "probe__quantile"
    )
    assert "Of what has finished" in planned and "nothing is deleted" in planned and files(run.path) == before
    capsys.readouterr()
    go(run)
    said = capsys.readouterr().out
    assert (
        f"is made again: {dotted} is" in said
        and "It had taken " in said
        and " min " in said
        and "superseded" in said
    )
    after = files(run.path)
    assert [n for n, content in before.items() if content not in after.values()] == []
    assert {s.state for s in plan(run)} == {"done"}


STAGE_MANIFESTS = {
    "seed/seed": "seeds__noise",
    "iterations/01/probes_raw": "probe__max_new_tokens",
    "iterations/01/verdicts": "verify__judge",
    "iterations/01/expansions": "expand__children",
    "iterations/01/composition": "compose__hppl",
    "iterations/01/scores": "evaluate__max_new_tokens",
    "iterations/01/policy": "sft__learning_rate",
}


@pytest.mark.parametrize("text", [None, "{"])
@pytest.mark.parametrize("name", STAGE_MANIFESTS)
def test_a_result_whose_manifest_is_lost_is_kept_all_the_same(run: Run, name: str, text: str | None) -> None:
    setting = STAGE_MANIFESTS[name]
    manifest = run.path / f"{name}.json"
    manifest.unlink()
    before = files(run.path)
    if text:
        manifest.write_text(text)
    run.set(**{setting: CHANGES[setting]})
    go(run)
    after = files(run.path).values()
    assert [n for n, content in before.items() if content not in after] == []


def test_set_changes_nothing_else_in_the_file(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", "cpu-quick") as one, Run.open(tmp_path / "run") as two:
        one.set(seed=3)
        file = one.path / "run.toml"
        file.write_text(file.read_text().replace("seed = 3", "seed = 5"))
        two.set(iterations=4)
        one.set(compose__hppl=2)
        found = load_settings(file)
        assert (found.seed, found.iterations, found.compose.hppl) == (5, 4, 2) and one.settings == found
        text = file.read_text()
        file.write_text("seed = [\n" + text)
        for call in (lambda: one.set(seed=1), lambda: (file.unlink(), one.set(seed=1))):
            with pytest.raises(
                RunError, match="(run.toml is not valid TOML|there is no run in .*no run.toml)"
            ):
                call()
        assert one.settings == found


def test_what_was_cheap_is_made_again_without_a_word(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.set(compose__hppl=1)
    lt.compose(run, iteration=1)
    assert capsys.readouterr().out == ""


def test_a_half_trained_policy_with_other_settings_is_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(run: Run, samples: Samples, before: Any, place: Path, *_: object) -> None:
        (place / "half").write_text(f"half trained at {run.settings.sft.learning_rate}")
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["looptool_kit.stages.train.stage"], "_train", stopped)
    for rate in (1e-5, 1e-6):
        run.set(sft__learning_rate=rate)
        with pytest.raises(KeyboardInterrupt):
            lt.train(run, iteration=1)
    kept = {p.read_text() for p in run.path.rglob("half")}
    assert (
        kept == {"half trained at 1e-05", "half trained at 1e-06"}
        and len(list(run.path.rglob("01/policy/sft/adapter/weights"))) == 1
    )


def test_only_clean_deletes_and_asks_first(run: Run) -> None:
    run.set(probe__quantile=0.9)
    go(run)
    run.close()
    old = run.path / "superseded"
    kept = len(files(old))
    asked = CliRunner().invoke(app, ["clean", str(run.path)], input="n\n")
    assert kept and asked.exit_code and f"{kept} files" in asked.output and len(files(old)) == kept
    assert CliRunner().invoke(app, ["clean", str(run.path), "--yes"]).exit_code == 0 and not old.exists()
    assert "holds nothing" in CliRunner().invoke(app, ["clean", str(run.path)]).output
    with Run.open(run.path) as again:
        assert {s.state for s in plan(again)} == {"done"}


def test_batches_survive_another_batch_size(run: Run) -> None:
    rows, worked = world.generate(9, seed=1), []

    def work(batch: Any) -> Samples:
        worked.append(list(batch))
        if len(worked) == 3:
            raise KeyboardInterrupt
        return Samples(rows[i] for i in batch)

    with pytest.raises(KeyboardInterrupt):
        run.batches("probes", 1, "k", [[8, 7], [6, 5], [4, 3], [2, 1, 0]], Samples, work)
    assert run.batches("probes", 1, "k", [[8, 7], [6, 5, 4], [3, 2, 1, 0]], Samples, work) == rows
    assert worked[3:] == [[6, 5, 4], [3, 2, 1, 0]]
