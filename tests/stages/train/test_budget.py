"""The account of tokens, and SFT rows that spend a budget."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import write_json
from looptool_kit.run.folder import Run
from looptool_kit.stages.train.budget import Spent, allowance, fitted, repeated, spent
from looptool_kit.stages.train.recipe import generated_tokens
from looptool_kit.world import generate

RECORDED = Path(__file__).parents[3] / "sample_data" / "run"


def manifest(run: Run, j: int, name: str, **facts: Any) -> None:
    write_json(run.folder(j) / f"{name}.json", {"stage": name, "key": "k", "seconds": 1.0, **facts})


def trained(run: Run, j: int, *trainings: dict[str, Any], **facts: Any) -> None:
    rows = [{"folder": t["trainer"], **t} for t in trainings]
    manifest(run, j, "policy", trainings=rows, **facts)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", "cpu-quick", budget__tokens=[1000, 700])


def test_what_was_spent_by_hand(run: Run) -> None:
    trained(run, 1, {"trainer": "sft", "tokens": 5000})
    manifest(run, 1, "probes_raw", rows=3)
    manifest(run, 1, "frontier", generated=40)  # rollouts that choose samples: after D1, for D2
    sft, preference = {"trainer": "sft", "tokens": 600}, {"trainer": "preference", "tokens": 50}
    trained(run, 2, sft, {"trainer": "grpo", "tokens": 200, "generated": 30}, preference)
    assert spent(run, 1) == Spent(sft=5000)
    assert spent(run, 2) == Spent(600, 200, 50, 70) and spent(run, 2).total == 920
    assert spent(run, 3) == Spent()
    # D2 was given 1000 and took 920, so that 80 are left beside the 700 of D3.
    assert allowance(run, 3) == 780
    manifest(run, 2, "expansions", generated=500)
    assert spent(run, 3).generated == 500 and allowance(run, 3) == 280
    assert allowance(run, 4) == 980, "the last number serves later iterations"
    manifest(run, 2, "expansions", generated=500, proposer_tokens=20)
    assert spent(run, 3) == Spent(0, 0, 20, 500), "a proposer that was trained"
    manifest(run, 2, "expansions", generated=500)
    trained(run, 3, sft, generated=9)
    assert spent(run, 3) == Spent(600, 0, 0, 509), "what the training itself generated before"


def test_an_older_run_counts_its_completions_by_its_log(run: Run, tmp_path: Path) -> None:
    trained(run, 2, {"trainer": "grpo", "tokens": 300})
    assert spent(run, 2) == Spent(grpo=300)
    log = run.folder(2) / "policy" / "grpo" / "history.jsonl"
    log.parent.mkdir(parents=True)
    # Two steps of 2 prompts in groups of 4, as the preset has them: 8 completions of 12.5 and 10 tokens.
    log.write_text("".join(json.dumps({"completions/mean_length": x}) + "\n" for x in (12.5, 10.0)))
    assert spent(run, 2) == Spent(grpo=300, generated=180)
    more = {"completions/mean_length": 1.0, "recoveries/generated": 7.0, "recoveries/tokens": 30.0}
    assert generated_tokens([more], 8) == 15, "answers to recoveries too"
    # The recorded run counted them itself; without that its log says the same, up to rounding.
    shutil.copytree(RECORDED, tmp_path / "older")
    file = tmp_path / "older" / "iterations" / "02" / "policy.json"
    manifest = json.loads(file.read_text())
    sft, grpo = manifest["trainings"]
    generated = grpo.pop("generated")
    file.write_text(json.dumps(manifest))
    facts = spent(Run.open(tmp_path / "older", read_only=True), 2)
    assert (facts.sft, facts.grpo) == (sft["tokens"], grpo["tokens"])
    assert facts.generated == pytest.approx(generated, abs=2)


def rows_of(ids: list[str]) -> Samples:
    drawn = generate(len(ids), seed="budget", domains=["music"])
    return Samples(drawn)


def test_rows_are_cut_or_repeated_until_the_budget_is_spent() -> None:
    samples = rows_of(["a", "b", "c"])
    cost = dict(zip(samples.by_id(), (10, 20, 30), strict=True))

    def take(tokens: float, **more: Any) -> Samples:
        return repeated(samples, tokens, random.Random(1), lambda s: cost.get(s.id, 5), **more)

    assert [len(take(n)) for n in (0, 60, 120, 600)] == [0, 3, 6, 30]
    for wanted in (1, 45, 61, 130):
        total = sum(cost[s.id] for s in take(wanted))
        assert wanted <= total < wanted + 30, "to within the last row"
    whole = [s.id for s in take(240)]
    assert all(sorted(whole[i : i + 3]) == sorted(cost) for i in range(0, 12, 3)), "pass by pass"
    assert len({tuple(whole[i : i + 3]) for i in range(0, 12, 3)}) > 1, "each shuffled for itself"
    assert whole == [s.id for s in take(240)] and whole[:5] == [s.id for s in take(100)][:5]


def test_rehearsal_is_a_share_of_the_rows_and_counts() -> None:
    samples = rows_of(["a", "b"])
    others = generate(40, seed="others", domains=["banking"])
    own = samples.by_id()

    def count(sample: Any) -> int:
        return 10 if sample.id in own else 6

    # A row of 10, and after every second row one of 6: two rows cost 26.
    rows = repeated(samples, 52, random.Random(0), count, 0.5, lambda n: Samples(others[: round(n * 0.5)]))
    mine = [s for s in rows if s.id in own]
    assert len(mine) == 4 and list(rows[4:]) == list(others[:2])
    assert sum(map(count, rows)) == 52


def test_sft_gets_what_the_other_trainings_leave(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from looptool_kit.policy.policy import load_base
    from looptool_kit.stages.train.common import encode

    small = {"model": str(tiny_checkpoint), "grpo__group": 3, "grpo__prompts": 2}
    run = Run.create(tmp_path / "run", "cpu-quick", budget__tokens=[60_000], **small)
    samples = rows_of(list("abcdef"))
    tokenizer = load_base(str(tiny_checkpoint))[1]
    sizes = {s.id: list(map(len, encode(tokenizer, s))) for s in samples}
    manifest(run, 1, "frontier", generated=1500)
    recoveries = {"trainer": "grpo", "tokens": 90, "generated": 9, "tokens_of_recoveries": 40}
    trained(run, 1, {"trainer": "preference", "tokens": 600, "generated": 60}, recoveries)
    prompts = [samples[0], samples[3]]
    answer = min(sum(a for _, a in sizes.values()) / len(sizes), run.settings.grpo.max_new_tokens)
    later = sum(3 * (sizes[s.id][0] + 2 * answer) for s in prompts) + 700
    largest = max(map(sum, sizes.values()))
    for epochs in (1, 2):
        rows = fitted(run, samples, 2, epochs, prompts, lambda _: Samples())
        taken = epochs * sum(sum(sizes[s.id]) for s in rows)
        assert 0 <= 1500 + later + taken - 60_000 < epochs * largest
    run.set(budget__tokens=[2000])
    assert fitted(run, samples, 2, 1, prompts, lambda _: Samples()) == Samples(), "GRPO takes it all"
    assert len(fitted(run, samples, 2, 1, [], lambda _: Samples())) == 1, "something has to be trained"


def test_a_budget_decides_later_policies_and_nothing_at_its_default() -> None:
    from looptool_kit.config import deciding, load_preset
    from looptool_kit.stages.train.stage import recipe

    plain, given = load_preset("cpu"), load_preset("cpu", budget__tokens=[9, 8])
    assert deciding(plain, recipe(plain, 2)) == {
        k: v for k, v in deciding(given, recipe(given, 2)).items() if k != "budget.tokens"
    }
    assert "budget.tokens" in deciding(given, recipe(given, 2))
    assert deciding(plain, recipe(plain, 1)) == deciding(given, recipe(given, 1))
    with pytest.raises(ValueError, match="at least one token"):
        load_preset("cpu", budget__tokens=[0])
