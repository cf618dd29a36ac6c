"""The `repeat` expander: each error seed once more in place of a child."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from looptool_kit.core.records import Members, Verdicts
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run
from looptool_kit.stages.compose import compose
from looptool_kit.stages.expand.stage import expand, seeds_of

RECORDED = Path(__file__).parents[3] / "sample_data" / "run"


def copied(folder: Path, flag: str = "false") -> Run:
    """The recorded run, its settings as they were before the expander."""
    shutil.copytree(RECORDED, folder, ignore=shutil.ignore_patterns("policy"))
    settings = (folder / "run.toml").read_text()
    now = 'expanders = ["world", "slots"]\n'
    assert now in settings
    before = settings.replace(now, "") + f"\n[ablation]\nrepeat_error_seeds = {flag}\n"
    (folder / "run.toml").write_text(before)
    return Run.open(folder)


def test_a_run_of_before_opens_and_means_the_same(tmp_path: Path) -> None:
    assert copied(tmp_path / "off").settings.expand.expanders == ("world", "slots")
    assert copied(tmp_path / "on", "true").settings.expand.expanders == ("repeat",)


def test_seeds_come_again_as_often_as_they_would_have_children(tmp_path: Path) -> None:
    full, run = copied(tmp_path / "full"), copied(tmp_path / "repeat", "true")
    seeds = [seed.sample.id for seed in seeds_of(run, run.table(Verdicts, "verdicts", 1), 1)]
    children, again = expand(full, iteration=1), expand(run, iteration=1)
    accepted = Counter(row.seed_id for row in again if row.accepted)
    assert accepted == Counter(row.seed_id for row in children if row.accepted)
    assert {row.strategy for row in again} == {"expanders.repeat"} and set(accepted) == set(seeds)
    assert all(row.sample.id == row.seed_id for row in again)


def test_what_is_repeated_stands_last_as_it_is(tmp_path: Path) -> None:
    run = copied(tmp_path / "run", "true")
    full, mine = run.table(Samples, "samples", 2), run.table(Members, "members", 2)
    kept = [(m.sample_id, m.part) for m in mine if m.part != "EE"]
    count = len(expand(run, iteration=1).where(lambda row: row.accepted))
    rows, members = compose(run, iteration=1), run.table(Members, "members", 2)
    assert [s.id for s in rows] == [m.sample_id for m in members] and len(rows) == len(full)
    assert [(m.sample_id, m.part) for m in members[: len(kept)]] == kept
    assert {m.part for m in members[len(kept) :]} == {"ES"} and len(members) - len(kept) == count
    once = full.by_id()
    assert all(row == once[row.id] for row in rows)
