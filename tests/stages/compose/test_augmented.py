"""Part AUG: how many perturbed samples join, which, until when; and what a run keeps of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_runs import SMALL, Scripted, files, finished_loop, go, scripted

import looptool_kit as lt
from looptool_kit.augment.perturb import PERTURBATIONS
from looptool_kit.checks.rules import passes
from looptool_kit.config.strategies import AugmentSettings
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Members, Verdict, Verdicts
from looptool_kit.core.samples import Label, Message, Sample, Samples
from looptool_kit.lineage.fates import fates, flows
from looptool_kit.policy.label_loss import LabelLosses
from looptool_kit.report.plan import plan
from looptool_kit.report.summary import report_run
from looptool_kit.run.folder import Run
from looptool_kit.stages.compose.augmented import (
    augment,
    choice,
    hardest,
    pick,
    quota,
    stopped,
)

KINDS = ("typos", "tool_order", "longer_context", "noisy_result", "vague_request")
ON: dict[str, Any] = {"augment__perturbations": list(KINDS), "augment__share": 0.25}

# ------------------------------------------------ the rules, worked by hand


def test_the_share_is_halved_each_iteration() -> None:
    joins = [quota(200, 0.1, j) for j in (1, 2, 3, 4)]
    assert joins == [20, 10, 5, 2]
    assert sum(joins[:2]) == 0.15 * 200
    assert [quota(200, 0.1, j, halve=False) for j in (1, 2, 3, 4)] == [20] * 4
    # At least one, where the share is half a row; none below.
    assert [quota(5, 0.1, j) for j in (1, 2, 9)] == [1, 1, 1] and quota(4, 0.1, 1) == 0 == quota(0, 0.5, 1)
    assert quota(100, 0.29, 1) == 29 and quota(3, 1.0, 1) == 3


def row(number: int, kind: str = "typos", original: int | None = None) -> Sample:
    messages = (Message(role="user", content=f"{kind} {number}"),)
    parent = f"original {number if original is None else original}"
    return Sample(
        tools=(), messages=messages, label=Label(reply="Yes."), parent=parent, strategy=f"perturb.{kind}"
    )


def test_the_highest_losses_join_and_equals_by_id() -> None:
    rows = [row(n) for n in range(4)]
    losses = dict(zip((s.id for s in rows), (5.0, 1.0, 4.0, 2.0), strict=True))
    taken = pick(hardest(rows, losses), {"typos": quota(4, 0.5, 1)})
    assert taken == [rows[0], rows[2]]
    equal = hardest(rows, dict.fromkeys(losses, 1.0))
    assert [s.id for s in equal] == sorted(losses)


def test_of_one_original_one_row_joins_over_all_perturbations() -> None:
    rows = [row(n, kind, original=7) for n, kind in enumerate(KINDS)]
    losses = {s.id: float(n) for n, s in enumerate(rows)}
    wanted = dict.fromkeys(KINDS, 1)
    assert pick(hardest(rows, losses), wanted) == [rows[-1]]
    assert pick(hardest(rows, losses), wanted, per_sample=3) == rows[:1:-1]
    # A row that appears twice in the order joins once.
    assert pick([rows[0], rows[0]], {"typos": 2}, per_sample=2) == [rows[0]]


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.floats(0, 9)), max_size=40),
    st.floats(0.01, 1),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_no_choice_is_larger_than_its_bounds(
    drawn: Sequence[tuple[str, int, float]], share: float, j: int, per_sample: int
) -> None:
    rows = [row(n, kind, original) for n, (kind, original, _) in enumerate(drawn)]
    losses = {s.id: loss for s, (_, _, loss) in zip(rows, drawn, strict=True)}
    sizes = Counter(kind for kind, _, _ in drawn)
    quotas = {kind: quota(sizes[kind], share, j) for kind in KINDS}
    taken = pick(hardest(rows, losses), quotas, per_sample)
    assert len({s.id for s in taken}) == len(taken)
    assert all(n <= per_sample for n in Counter(s.parent for s in taken).values())
    assert all(Counter(s.strategy for s in taken)[f"perturb.{k}"] <= quotas[k] <= sizes[k] for k in KINDS)
    if per_sample == 1 and len({s.parent for s in rows}) == len(rows):
        assert len(taken) == sum(quotas.values())


@pytest.mark.parametrize(
    ("measure", "measured", "ends"),
    [
        ("loss", [0.9], False),
        ("loss", [0.5, 0.498], False),  # .4% less
        ("loss", [0.5, 0.499], True),  # .2% less
        ("loss", [0.5, 0.6], True),
        ("loss", [0.5, 0.4, 0.4, 0.1], True),  # once is for good
        ("loss", [0.0, 0.0], True),
        ("loss", [None, 0.5, None], False),  # not measured, not compared
        ("accuracy", [0.5, 0.51], False),
        ("accuracy", [0.5, 0.502], True),
        ("accuracy", [0.6, 0.5], True),
    ],
)
def test_when_it_ends(measure: Any, measured: list[float | None], ends: bool) -> None:
    assert stopped(measured, AugmentSettings(measure=measure)) is ends


def test_a_stop_of_nothing_ends_only_where_it_gets_worse() -> None:
    never = AugmentSettings(stop=0)
    assert not stopped([0.5, 0.5, 0.4], never) and stopped([0.5, 0.6], never)


# ------------------------------------------------------------------ a run


class Learning(Scripted):
    """A policy whose loss on a label follows from the sample, and falls from policy to policy."""

    scored: list[tuple[str, int]] = []  # noqa: RUF012 - of all engines
    factor = 0.5

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def score(self, chats: list[Sample], answers: list[str]) -> list[tuple[float, ...]]:
        self.scored.extend((c.id, self.iteration) for c in chats)
        return [(-loss(c, self.iteration, self.factor), -loss(c, self.iteration, self.factor)) for c in chats]


def loss(sample: Sample, iteration: int, factor: float = 0.5) -> float:
    return (1 + int(sample.id[:6], 16) % 97) * factor**iteration


@pytest.fixture
def learning(monkeypatch: pytest.MonkeyPatch) -> type[Learning]:
    scripted(monkeypatch)
    monkeypatch.setattr(Learning, "scored", [])
    module = import_module("looptool_kit.stages.compose.augmented")
    monkeypatch.setattr(module, "open_engine", lambda policy, batch: Learning(policy.iteration))
    return Learning


def made(path: Path, **settings: Any) -> Run:
    run = Run.create(path, "cpu-quick", **(SMALL | ON | settings))
    go(run)
    return run


def test_a_loop_composes_the_hardest_of_each_perturbation(tmp_path: Path, learning: type[Learning]) -> None:
    run = made(tmp_path / "run")
    rows, originals = run.table(Samples, "augmented", 0), run.table(Samples, "samples", 1).by_id()
    assert len(rows.by_id()) == len(rows) and all(map(passes, rows))
    apart = [s.id for n in ("pool", "held_out", "development") for s in run.table(Samples, n, 0)]
    assert not rows.by_id().keys() & set(apart)
    assert all(s.parent in originals and s.split == "train" and s.source == "perturb" for s in rows)
    kept = run.manifest("augmented", 0) or {}
    sizes = Counter(s.strategy.removeprefix("perturb.") for s in rows)
    assert kept["counts"] == {k: sizes[k] for k in PERTURBATIONS if k in KINDS}
    assert all(kept["counts"][k] + sum(kept["left_out"][k].values()) == len(originals) for k in KINDS)

    development = run.table(Samples, "development", 0)
    for j in (1, 2):
        facts = (run.manifest("composition", j) or {})["augment"]
        taken = [m for m in run.table(Members, "members", j + 1) if m.part == "AUG"]
        samples = run.table(Samples, "samples", j + 1).by_id()
        assert all(samples[m.sample_id].parent == m.came_from for m in taken)
        assert all(samples[m.sample_id].iteration == j for m in taken)
        assert len(taken) + facts["there_already"] == sum(
            f["chosen"] for f in facts["perturbations"].values()
        )
        for kind, fact in facts["perturbations"].items():
            assert fact["wanted"] == quota(sizes[kind], 0.25, j) and fact["chosen"] <= fact["wanted"]
        losses = [loss(s, j) for s in development]
        assert facts["development"] == pytest.approx(sum(losses) / len(losses)) and not facts["stopped"]
        chosen = choice(run, j, lt.verify(run, iteration=j)).samples
        assert facts["threshold"] == pytest.approx(min(loss(s, j) for s in chosen))
        # What could have joined in its place is no harder, or its original is there already.
        used, wrong = {s.parent for s in chosen}, facts["original_judged_wrong"]
        assert wrong == len(rows) - len([s for s in rows if s.id not in judged_wrong(run, j, rows)])
        for s in rows:
            kind = s.strategy.removeprefix("perturb.")
            fact = facts["perturbations"][kind]
            if s.parent not in used and s.id not in judged_wrong(run, j, rows) and fact["chosen"]:
                assert loss(s, j) <= fact["threshold"]
    assert facts["development_before"] == pytest.approx(2 * facts["development"])
    assert facts["perturbations"]["typos"]["wanted"] < quota(sizes["typos"], 0.25, 1)


def judged_wrong(run: Run, j: int, rows: Samples) -> set[str]:
    names = ("LABEL_WRONG", "BOTH_WRONG")
    wrong = {v.sample_id for i in range(1, j + 1) for v in lt.verify(run, iteration=i) if v.verdict in names}
    return {s.id for s in rows if s.id in wrong or s.parent in wrong}


def test_lineage_map_and_report_know_the_part(tmp_path: Path, learning: type[Learning]) -> None:
    run = made(tmp_path / "run")
    aug = {m.sample_id for m in run.table(Members, "members", 2) if m.part == "AUG"}
    assert aug and {f.sample_id for f in fates(run) if f.iteration == 2 and f.part == "AUG"} == aug
    into = {s.sample_id for s in flows(run) if s.target == "D2/part/AUG"}
    assert into == aug
    assert {s.source for s in flows(run) if s.target == "D2/part/AUG"} <= {"D1/new/perturbed"}
    d1, d2, _ = lt.composition(run)
    assert d1["AUG"] == 0 and d2["AUG"] == len(aug) and list(d2)[-2:] == ["AUG", "total"]
    from looptool_kit.widgets.loopmap import LoopMap

    view = LoopMap(run)
    view.selected = ["flow", "D1/new/perturbed", "D2/part/AUG"]
    assert {s.id for s in view.selection} == aug
    page = report_run(run).read_text(encoding="utf-8")
    assert ">AUG</a></th>" in page and "perturbed ones (AUG)" in page


def test_random_takes_as_many_and_scores_only_the_development_samples(
    tmp_path: Path, learning: type[Learning]
) -> None:
    hard = made(tmp_path / "hard", augment__per_sample=5)
    assert {s.id for s in hard.table(Samples, "augmented", 0)} <= {i for i, _ in learning.scored}
    learning.scored.clear()
    by_chance = made(tmp_path / "chance", augment__choice="random", augment__per_sample=5)
    assert {i for i, _ in learning.scored} == {s.id for s in by_chance.table(Samples, "development", 0)}
    picked = []
    for run in (hard, by_chance):
        found = choice(run, 1, lt.verify(run, iteration=1))
        picked.append(found.samples)
        assert found.facts["threshold"] is None or run is hard
    assert len(picked[0]) == len(picked[1]) > 3 and picked[0] != picked[1]
    kinds = [Counter(s.strategy for s in some) for some in picked]
    assert kinds[0] == kinds[1]
    assert choice(by_chance, 1, lt.verify(by_chance, iteration=1)).samples == picked[1]


def test_it_ends_where_the_development_loss_falls_no_more(
    tmp_path: Path, learning: type[Learning], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "factor", 1.0)
    said: list[str] = []
    run = Run.create(tmp_path / "run", "cpu-quick", **(SMALL | ON | {"iterations": 3}))
    lt.Loop(run, said.append).run()
    counts = [row["AUG"] for row in lt.composition(run)]
    assert counts[0] == 0 < counts[1] and counts[2:] == [0, 0]
    assert sum("no perturbed samples join" in line and "0.003" in line for line in said) == 2
    assert (run.manifest("composition", 2) or {})["augment"]["stopped"]
    # Nothing is scored once it has ended.
    assert {j for _, j in learning.scored} == {1, 2}


def test_without_development_samples_nothing_ends_it_and_it_says_so(
    tmp_path: Path, learning: type[Learning]
) -> None:
    run = made(tmp_path / "run")
    Samples().write(run.folder(0) / "development.parquet")
    found = augment(run, 1, lt.verify(run, iteration=1))
    assert found.samples and found.facts["development"] is None
    assert "no development samples" in found.facts["note"]


def test_accuracy_is_that_of_the_development_scores(tmp_path: Path, learning: type[Learning]) -> None:
    run = made(tmp_path / "run", augment__measure="accuracy", augment__stop=0.0)
    right = [sum(s.correct for s in lt.scores(run, "development_scores")[f"D{j}"]) for j in (1, 2)]
    facts = (run.manifest("composition", 2) or {})["augment"]
    count = len(run.table(Samples, "development", 0))
    assert (facts["development_before"], facts["development"]) == tuple(n / count for n in right)
    (run.folder(2) / "development_scores.json").unlink()
    with pytest.raises(RunError, match="no scores on the development samples"):
        augment(run, 2, lt.verify(run, iteration=2))


def test_an_original_whose_label_was_judged_wrong_lends_no_row(
    tmp_path: Path, learning: type[Learning]
) -> None:
    run = made(tmp_path / "run")
    verdicts = lt.verify(run, iteration=1)
    first = choice(run, 1, verdicts)
    wrong = str(first.samples[0].parent)
    told = Verdict(sample_id=wrong, iteration=1, status="judged", verdict="LABEL_WRONG", judge="person:me")
    again = choice(run, 1, Verdicts([*verdicts, told]))
    assert wrong not in {s.parent for s in again.samples}
    more = sum(s.parent == wrong for s in run.table(Samples, "augmented", 0))
    assert again.facts["original_judged_wrong"] == first.facts["original_judged_wrong"] + more


# --------------------------------------------- keys, plans, resuming


def test_off_it_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    run = finished_loop(tmp_path / "run")
    assert not [name for name in files(run.path) if "augment" in name]
    facts = run.manifest("composition", 1) or {}
    assert "AUG" not in facts and "augment" not in facts and "AUG" not in lt.composition(run)[0]
    assert not [name for name in facts["made_from"] if "aug" in name]
    # Settings of a part that is off decide nothing.
    run.set(augment__share=0.5)
    assert {step.state for step in plan(run)} == {"done"}


def test_a_finished_run_stands_and_a_longer_one_keeps_its_d_aug(
    tmp_path: Path, learning: type[Learning]
) -> None:
    run = made(tmp_path / "run")
    assert {step.state for step in plan(run)} == {"done"}
    assert [s.name for s in plan(run) if "augment" in s.name] == ["augmented", *["augment_losses"] * 2]
    before, scored = files(run.path), len(learning.scored)
    go(run)
    assert files(run.path) == before and len(learning.scored) == scored
    run.set(iterations=3)
    go(run)
    assert files(run.path)["seed/augmented.parquet"] == before["seed/augmented.parquet"]
    assert {j for _, j in learning.scored[scored:]} == {3}
    run.set(augment__share=0.5)
    again = {(s.name, s.iteration) for s in plan(run) if s.state == "again"}
    assert again == {("composition", 1)}, "another share scores nothing again"


def test_a_stopped_scoring_repeats_no_batch(
    tmp_path: Path, learning: type[Learning], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path / "run")
    whole = run.table(LabelLosses, "augment_losses", 1)
    for name in ("augment_losses.json", "augment_losses.parquet"):
        (run.folder(1) / name).unlink()
    learning.scored.clear()
    score = Learning.score

    def dies(self: Learning, chats: list[Sample], answers: list[str]) -> list[tuple[float, ...]]:
        if len(learning.scored) > 10:
            raise KeyboardInterrupt
        return score(self, chats, answers)

    monkeypatch.setattr(Learning, "score", dies)
    with pytest.raises(KeyboardInterrupt):
        lt.compose(run, iteration=1)
    monkeypatch.setattr(Learning, "score", score)
    lt.compose(run, iteration=1)
    assert run.table(LabelLosses, "augment_losses", 1) == whole
    assert len(learning.scored) == len(whole) == len({i for i, _ in learning.scored})


def test_a_tenth_is_set_apart_where_there_are_no_development_samples(
    tmp_path: Path, learning: type[Learning]
) -> None:
    plain = lt.seed(Run.create(tmp_path / "plain", "cpu-quick", **(SMALL | {"seeds__development": 0})))
    run = Run.create(tmp_path / "run", "cpu-quick", **(SMALL | ON | {"seeds__development": 0}))
    assert lt.seed(run) == plain, "D1 is the same"
    development = run.table(Samples, "development", 0)
    assert run.settings.development == 2 == len(development)
    assert not development.by_id().keys() & run.table(Samples, "pool", 0).by_id().keys()
    go(run)
    ids = {s.id for j in run.iterations for s in run.table(Samples, "samples", j)}
    assert not ids & development.by_id().keys()
    off = Run.create(tmp_path / "off", "cpu-quick", **(SMALL | {"seeds__development": 0}))
    assert off.settings.development == 0


def test_a_wrong_name_is_an_error_before_anything_is_made(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick", augment__perturbations=["rain"])
    with pytest.raises(ValueError, match="no perturbation 'rain'; choose among typos"):
        lt.seed(run)
    assert json.dumps(sorted(p.name for p in run.path.iterdir() if p.name != ".lock")) == '["run.toml"]'
