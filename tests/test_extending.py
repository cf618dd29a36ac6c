"""The files of docs/extending.md, put where such modules lie and run."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
from scripted_runs import Scripted, finished_loop, scripted

from looptool_kit import world
from looptool_kit.checks.rules import passes
from looptool_kit.core.records import Expansions, Rollouts, Verdicts
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import Answer, render_answer
from looptool_kit.policy.engines import Completion
from looptool_kit.policy.engines.prompts import end_token
from looptool_kit.policy.policy import Policy, policy_of
from looptool_kit.stages import _find
from looptool_kit.stages import evaluate as suites
from looptool_kit.stages import expand as expanders
from looptool_kit.stages import verify as judges
from looptool_kit.stages.evaluate.stage import evaluate, failures
from looptool_kit.stages.train import rewards

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
FILES = dict(re.findall(r'```python title="([^"]+)"\n(.*?)```', PAGE.read_text(encoding="utf-8"), re.DOTALL))
"""Path in the repository -> text, as the page shows them."""
PACKAGES = {"verify": judges, "expand": expanders, "evaluate": suites, "rewards": rewards}
NAMES = {Path(path).parent.name: Path(path).stem for path in FILES}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's files as modules of their packages, for one test."""
    names = {}
    for path, text in FILES.items():
        kind = Path(path).parent.name
        file = tmp_path / "extended" / kind / Path(path).name
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
        names[f"{PACKAGES[kind].__name__}.{file.stem}"] = PACKAGES[kind]
        monkeypatch.setattr(PACKAGES[kind], "__path__", [*PACKAGES[kind].__path__, str(file.parent)])
    importlib.invalidate_caches()
    yield
    for name, package in names.items():
        sys.modules.pop(name, None)
        if isinstance(getattr(package, name.rsplit(".", 1)[1], None), ModuleType):
            delattr(package, name.rsplit(".", 1)[1])


def test_the_page_shows_one_of_each_at_a_path_that_is_free() -> None:
    root = PAGE.parent.parent
    assert sorted(Path(path).parent.name for path in FILES) == sorted(PACKAGES)
    assert all((root / path).parent.is_dir() and not (root / path).exists() for path in FILES)
    assert max(text.count("\n") for text in FILES.values()) <= 150
    assert max(len(line) for text in FILES.values() for line in text.splitlines()) <= 110


@pytest.mark.usefixtures("installed")
def test_a_loop_runs_with_the_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    run = finished_loop(tmp_path / "run", verify__judge=NAMES["verify"], seeds__first=24)
    verdicts = run.table(Verdicts, "verdicts", 1)
    assert {v.judge for v in verdicts} == {NAMES["verify"]}, [v.rationale for v in verdicts]
    assert {v.status for v in verdicts} == {"judged", "unjudged"}


@pytest.mark.usefixtures("installed")
def test_a_loop_runs_with_the_expander(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    expander = NAMES["expand"]
    run = finished_loop(tmp_path / "run", verify__judge="labels", expand__expanders=[expander])
    expansions = run.table(Expansions, "expansions", 1)
    assert {e.strategy for e in expansions} == {f"expanders.{expander}"}
    assert any(e.accepted for e in expansions)


@pytest.mark.usefixtures("installed")
def test_the_judge_names_the_side_that_breaks_the_rules() -> None:
    sample = next(s for s in world.generate(8, seed=1, kinds=("single",)) if passes(s))
    call = sample.label.calls[0]
    broken = sample.label.model_copy(update={"calls": (call.model_copy(update={"name": "no_such_tool"}),)})
    judge = import_module(f"looptool_kit.stages.verify.{NAMES['verify']}").judge_one
    assert judge(sample, Answer.of(broken)).verdict == "PRED_WRONG"
    wrong: Sample = sample.model_copy(update={"label": broken})
    repaired = judge(wrong, Answer.of(sample.label))
    assert repaired.verdict == "LABEL_WRONG" and repaired.label == sample.label
    assert judge(sample, Answer.of(sample.label)).status == "unjudged"
    assert judge(wrong, Answer(error="truncated", detail="cut")).status == "unjudged"


@pytest.mark.usefixtures("installed")
def test_the_expander_keeps_to_its_contract() -> None:
    pool = world.generate(24, seed=2, kinds=("single", "choice"))
    expander = import_module(f"looptool_kit.stages.expand.{NAMES['expand']}").children
    families = [(seed, expander(seed, (), 2, Random(3), pool)) for seed in pool]
    children = [(seed, child) for seed, family in families for child in family]
    assert children and all(len(family) <= 2 for _, family in families)
    assert all(child.parent == seed.id != child.id and child.source == "expander" for seed, child in children)
    assert families[0][1] == expander(pool[0], (), 2, Random(3), pool)


@pytest.mark.usefixtures("installed")
def test_the_suite_scores_once_and_shows_what_failed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scripted(monkeypatch)
    run = finished_loop(tmp_path / "run")
    opened: list[int] = []

    def open_engine(policy: Policy, batch: int) -> Scripted:
        opened.append(batch)
        return Scripted()

    name = NAMES["evaluate"]
    monkeypatch.setattr(import_module("looptool_kit.stages.evaluate.stage"), "open_engine", open_engine)
    run.table(Samples, "held_out", 0).write(run.path / f"{name}.jsonl")
    policy = policy_of(run, run.iteration)
    scores = evaluate(run, policy, name)
    assert len(scores) == len(run.table(Samples, "held_out", 0)) and {s.suite for s in scores} == {name}
    assert evaluate(run, policy, name) == scores and len(opened) == 1
    suites.find_suite(name).print_scores(run, policy, scores)
    right = sum(s.correct for s in scores)
    assert f"{right} of {len(scores)} right" in capsys.readouterr().out
    probes, samples = failures(run, policy, name)
    assert [p.sample_id for p in probes] == [s.id for s in samples]
    assert len(samples) == len(scores) - right > 0


@pytest.mark.usefixtures("installed")
def test_grpo_trains_by_the_reward(tiny_loader: Any, tmp_path: Path) -> None:
    pytest.importorskip("trl")
    from looptool_kit.config import GrpoSettings, LoraSettings, RewardSettings
    from looptool_kit.stages.train import grpo

    name = NAMES["rewards"]
    sample = world.generate(1, seed=1, kinds=("single",))[0]
    (call,) = sample.label.calls
    less = call.model_copy(update={"arguments": {}})
    other = call.model_copy(update={"name": "no_such_tool"})
    texts = [render_answer(Label(calls=(c,))) for c in (call, less, other)]
    tokenizer = tiny_loader()[1]

    class Writer:
        def generate(self, chats: list[Sample], sampling: Any) -> list[list[Completion]]:
            ids = [tokenizer(t, add_special_tokens=False)["input_ids"] for t in texts]
            ends = [(*i, end_token(tokenizer)) for i in ids]
            made = [Completion(t, i, (-1.0,) * len(i), (), "stop") for t, i in zip(texts, ends, strict=True)]
            return [made for _ in chats]

        def sleep(self) -> bool:
            return False

    grpo.train(
        tiny_loader,
        lambda *_: Writer(),  # type: ignore[arg-type, return-value]
        None,
        Samples([sample]),
        GrpoSettings(steps=1, prompts=1, group=3, max_new_tokens=200),
        LoraSettings(rank=4, alpha=8),
        tmp_path,
        seed=0,
        reward=RewardSettings(name=name),
    )
    rows = Rollouts.read(tmp_path / "rollouts" / "step-0001.parquet")
    assert [r.reward for r in rows] == [1.0, 0.2, 0.0] and [r.correct for r in rows] == [True, False, False]
    assert name in _find.names(rewards.__name__)
