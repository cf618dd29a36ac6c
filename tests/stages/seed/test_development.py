"""Development samples stand apart, and choose the policy that is kept."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from looptool_kit import world
from looptool_kit.config import load_preset
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Score, Scores
from looptool_kit.core.samples import Samples
from looptool_kit.report.summary import headline
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate.stage import best_policy
from looptool_kit.stages.seed.stage import seed
from looptool_kit.tools.own_tools import init
from looptool_kit.world import generate

SMALL = {"seeds__first": 20, "iterations": 2, "seeds__fresh": [6, 4], "seeds__held_out": 6}


def parts(run: Run) -> list[Samples]:
    seed(run)
    return [run.table(Samples, name, 0) for name in ("pool", "held_out", "development")]


def test_worlds_development_samples_stand_apart_and_change_nothing_else(tmp_path: Path) -> None:
    pool, held_out, development = parts(
        Run.create(tmp_path / "a", "cpu-quick", seeds__development=12, **SMALL)
    )
    assert 10 <= len(development) <= 12 and {s.split for s in development} == {"train"}
    ids = [s.id for part in (pool, held_out, development) for s in part]
    assert len(set(ids)) == len(ids)
    own = {name for domain in load_preset("cpu-quick").seeds.domains for name in world.domains()[domain]}
    assert {call.name for s in development for call in s.label.calls} <= own
    assert parts(Run.create(tmp_path / "b", "cpu-quick", **SMALL)) == [pool, held_out, Samples()]


def test_a_files_development_rows_are_taken_first(tmp_path: Path) -> None:
    rows = world.generate(40, seed=1)
    marked = Samples(
        s.model_copy(update={"split": "development"}) if n < 3 else s for n, s in enumerate(rows)
    )
    for name, table, count in (("marked", marked, 3), ("plain", rows, 5)):
        path = table.write(tmp_path / f"{name}.jsonl")
        run = Run.create(
            tmp_path / name,
            "cpu-quick",
            seeds__source=str(path),
            seeds__development=5,
            **SMALL | {"seeds__first": 10},
        )
        pool, held_out, development = parts(run)
        assert count <= len(development) <= 8 and len(held_out) >= 1
        assert sorted(s.id for part in (pool, held_out, development) for s in part) == sorted(
            s.id for s in table
        )
        if name == "marked":
            assert [s.id for s in development] == [s.id for s in marked[:3]]


def test_tools_of_ones_own_have_development_samples(tmp_path: Path) -> None:
    tools = tmp_path / "tools.py"
    doc = [
        "Book a hotel room.",
        "",
        "Args:",
        "    city: Name of the city.",
        "    nights: How many nights.",
        "    breakfast: With breakfast.",
    ]
    body = "\n".join(f"    {line}" for line in (f'"""{doc[0]}', *doc[1:], '"""'))
    tools.write_text(f"def book_room(city: str, nights: int, breakfast: bool = False):\n{body}\n")
    run = init(tmp_path / "run", str(tools), "cpu-quick", seeds__development=6, **SMALL)
    pool, held_out, development = parts(run)
    assert development and not {s.request for s in development} & {s.request for s in (*pool, *held_out)}


def record(run: Run, iteration: int, policy: str, name: str, right: int) -> None:
    samples = run.table(Samples, "held_out" if name == "scores" else "development", 0)
    rows = [
        Score(sample_id=s.id, suite="held_out", split=s.split, kind=s.kind, policy=policy, correct=n < right)
        for n, s in enumerate(samples)
    ]
    Scores(rows).write(run.folder(iteration) / f"{name}.parquet")
    run.finish(name, iteration, "key", time.monotonic(), policy=policy)


@pytest.mark.parametrize(
    ("right", "kept"), [((3, 4, 8, 5), "D2"), ((3, 7, 7, 7), "D1"), ((6, 5, 2, 6), "base")]
)
def test_the_policy_with_most_development_samples_right_is_kept(
    tmp_path: Path, right: tuple[int, ...], kept: str
) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__development=12, **SMALL)
    first = seed(run)
    for j, count in enumerate(right):
        if j:
            first.write(run.folder(j) / "samples.parquet")
            run.finish("policy", j, "key", time.monotonic(), trainings=[{"folder": "sft"}])
        name = f"D{j}" if j else "base"
        record(run, j, name, "development_scores", count)
        record(run, j, name, "scores", 4 + 3 * j)
    assert best_policy(run).name == kept
    said = "\n".join(headline(run))
    assert f"By the development samples {kept} is the best policy." in said
    assert ("So nothing was gained" in said) == (kept == "base") and (f"against {kept})" in said) == (
        kept != "base"
    )


def test_without_development_samples_the_last_policy_is_taken(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick", **SMALL)
    first = seed(run)
    for j in (1, 2):
        first.write(run.folder(j) / "samples.parquet")
        run.finish("policy", j, "key", time.monotonic(), trainings=[{"folder": "sft"}])
    assert best_policy(run).name == "D2"


def test_a_file_of_which_nothing_is_left_to_train_on_is_an_error_at_once(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    [sample] = generate(1, seed=1)
    Samples([sample, sample]).write(file)  # kept twice, it is one
    run = Run.create(
        tmp_path / "run", "cpu-quick", seeds__source=str(file), **(SMALL | {"seeds__held_out": 1})
    )
    with pytest.raises(RunError, match=r"no sample to train on \(1 held out"):
        seed(run)
    assert not (run.folder(1) / "samples.parquet").exists()
