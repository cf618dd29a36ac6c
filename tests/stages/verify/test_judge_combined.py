"""The combined judge: Bayes' rule by hand, weights from known cases, and a model of any worth beside the
evidence.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from mock_llm import MockLLM, Scripted
from scripted_judges import Judge, Judges, Known, opinion

from looptool_kit import world
from looptool_kit.config import Settings, load_preset
from looptool_kit.core.records import VERDICTS, Probes, VerdictName
from looptool_kit.core.samples import Samples, ToolCall
from looptool_kit.core.tables import write_json
from looptool_kit.core.toolcalls import Answer, render_answer
from looptool_kit.policy.engines import Completion
from looptool_kit.run.folder import Run
from looptool_kit.stages.probe import judge_completion
from looptool_kit.stages.verify import Case, Context, combined, evidence, merits_of
from looptool_kit.stages.verify._merits import Merits, Rated, fit, likelihood, posterior
from looptool_kit.stages.verify._weights import PRIOR
from looptool_kit.stages.verify.stage import stage, verify
from looptool_kit.studies.judge_card import warning
from looptool_kit.studies.judge_check import Trials, ask, card, check, precision_at, right_samples, trials
from looptool_kit.studies.judge_merits import discarded


def settings(server: MockLLM, model: str = "m", judge: str = "combined") -> Settings:
    endpoint = {"base_url": server.url, "model": model, "key_env": "NO_KEY", "retries": 0}
    return load_preset("cpu-quick", verify__judge=judge, judge_llm=endpoint)


# ---------------------------------------------------------------------- merits


def test_with_whole_weights_it_is_bayes_rule() -> None:
    counts = {v: {v: 90, "unjudged": 10} for v in VERDICTS}
    odds: dict[VerdictName, float] = {
        "PRED_WRONG": 0.2, "LABEL_WRONG": 0.6, "BOTH_CORRECT": 0.15, "BOTH_WRONG": 0.05
    }  # fmt: skip
    right, wrong = (90 + 12) / 115, 0.75 / 115
    by_hand = {v: p * (right if v == "LABEL_WRONG" else wrong) for v, p in odds.items()}
    found = posterior(odds, "LABEL_WRONG", Merits(counts=counts))
    assert found == pytest.approx({v: p / sum(by_hand.values()) for v, p in by_hand.items()})
    # What the model leaves open as often under each verdict tells nothing.
    assert posterior(odds, "unjudged", Merits(counts=counts)) == pytest.approx(odds)
    assert posterior(odds, "LABEL_WRONG", Merits(counts=counts, model=0.0)) == pytest.approx(odds)
    assert posterior(odds, "unjudged", Merits(evidence=0.0)) == pytest.approx(PRIOR)


def test_a_model_that_was_not_measured_counts_as_a_decent_judge() -> None:
    found = likelihood({}, "LABEL_WRONG")
    assert found["LABEL_WRONG"] == pytest.approx(0.8) and found["PRED_WRONG"] == pytest.approx(0.05)
    assert sum(likelihood({}, s)["BOTH_WRONG"] for s in (*VERDICTS, "unjudged")) == pytest.approx(1)


def slip(truth: VerdictName, accuracy: float, rng: Random) -> VerdictName:
    """The truth in that share of the cases, else another verdict."""
    return truth if rng.random() < accuracy else rng.choice([v for v in VERDICTS if v != truth])


def rated(count: int, says: str, seed: int) -> list[Rated]:
    """Cases whose odds follow by Bayes' rule from one sign, right in 70%; the model errs on its own, copies
    that sign, or talks at random.
    """
    rng, out = Random(seed), []
    for i in range(count):
        truth = rng.choices(VERDICTS, [PRIOR[v] for v in VERDICTS])[0]
        sign = slip(truth, 0.7, rng)
        share = {v: PRIOR[v] * (0.7 if v == sign else 0.1) for v in VERDICTS}
        odds = {v: p / sum(share.values()) for v, p in share.items()}
        said = {"own": slip(truth, 0.8, rng), "copied": sign, "random": rng.choice(VERDICTS)}[says]
        out.append(Rated(f"g{i}", truth, said, odds))
    return out


def test_a_model_that_says_what_the_evidence_says_is_not_counted_twice() -> None:
    own, copied, chance = (fit(rated(3000, how, 1), ["m"]) for how in ("own", "copied", "random"))
    assert own.evidence >= 0.9 and own.model >= 0.9 and own.models == ("m",)
    assert copied.model + copied.evidence == pytest.approx(1.0, abs=0.2)
    odds = rated(1, "own", 3)[0].odds
    for said in VERDICTS:
        found = posterior(odds, said, chance)
        assert all(abs(found[v] - odds[v]) < 0.1 for v in VERDICTS)
    assert fit([], ["m"]) == Merits(models=("m",), counts={v: {} for v in VERDICTS})


def test_a_sample_is_not_judged_by_what_was_said_of_it() -> None:
    odds: dict[VerdictName, float] = dict.fromkeys(VERDICTS, 0.25)
    one = [Rated("same sample", "LABEL_WRONG", "PRED_WRONG", odds)] * 50
    # Counted in, the fifty would make PRED_WRONG mean LABEL_WRONG, and the model would be believed.
    assert fit(one, ["m"]).model == 0.0


# ------------------------------------------------------------ beside the evidence


@pytest.fixture(scope="module")
def right() -> Samples:
    return right_samples(world.generate(24, seed=5), {})


def known_of(right: Samples, questions: Trials) -> list[Known]:
    by_id = {s.id: s for s in right}
    return [
        Known(by_id[t.sample_id].model_copy(update={"label": t.label}), t.prediction, t.expected)
        for t in questions
    ]


@pytest.mark.parametrize("accuracy", [0.9, 0.6])
def test_it_finds_more_than_either_and_spoils_less(right: Samples, tmp_path: Path, accuracy: float) -> None:
    questions = trials(right)
    told = {}
    with MockLLM(Judges(known_of(right, questions), {"m": Judge(accuracy)})) as server:
        for judge in ("evidence", "llm", "combined"):
            asked = settings(server, judge=judge)
            told[judge], facts = ask(right, questions, asked, tmp_path / judge, repeats=1)
    assert facts["merits"]["models"] == ("m",)
    rows = {judge: card(t)[-1] for judge, t in told.items()}
    assert rows["combined"].recall.k > rows["evidence"].recall.k
    assert rows["combined"].right.k > rows["evidence"].right.k
    assert precision_at(told["combined"]) > 0.95
    assert discarded(told["combined"]).k < discarded(told["llm"]).k
    assert discarded(told["combined"]).k <= 0.03 * discarded(told["combined"]).n
    assert all(t.for_label is not None for t in told["combined"])


def test_a_model_that_sees_only_places_leaves_the_evidence_as_it_is(right: Samples, tmp_path: Path) -> None:
    questions = trials(right[:12])
    with MockLLM(lambda _: opinion("A")) as server:
        together, _ = ask(right, questions, settings(server), tmp_path, repeats=1)
        alone, _ = ask(right, questions, Settings(), tmp_path, repeats=1)
    agree = sum(a.verdict == b.verdict for a, b in zip(together, alone, strict=True))
    assert agree > 0.9 * len(questions)
    assert not any(t.verdict == "LABEL_WRONG" and t.expected == "PRED_WRONG" for t in together)


def context(asked: Settings, folder: Path, merits: dict[str, Any] | None = None) -> Context:
    return Context(asked, folder / "calls.sqlite", lambda: [], {}, merits or {})


def test_a_prediction_that_breaks_the_rules_never_becomes_the_label(right: Samples, tmp_path: Path) -> None:
    sample = next(s for s in right if s.label.calls)
    call = sample.label.calls[0]
    broken = [
        Answer(calls=(ToolCall(name="launch_rocket", arguments={}),)),
        Answer(calls=(ToolCall(name=call.name, arguments=dict.fromkeys(call.arguments, "Quetzalcoatl 77")),)),
        Answer(text="<tool_call> {", error="unparsable", detail="no JSON"),
    ]
    known = [Known(sample, p, "LABEL_WRONG") for p in broken]
    sure = Merits(models=("m",), counts={v: {v: 10_000} for v in VERDICTS}, evidence=0.0).model_dump()
    with MockLLM(Judges(known, {"m": Judge()})) as server:
        asked = context(settings(server), tmp_path, sure)
        verdicts = combined.judge([Case(k.sample, k.prediction) for k in known], asked)
    assert [v.verdict for v in verdicts] == [None] * 3
    assert all("The model says unjudged: Found right, but" in v.rationale for v in verdicts)


def test_merits_of_another_model_do_not_count(right: Samples, tmp_path: Path) -> None:
    questions = [t for t in trials(right) if t.expected == "LABEL_WRONG"]
    known = known_of(right, Trials(questions))
    cases = [Case(k.sample, k.prediction) for k in known]
    merits = Merits(models=("m",), counts={v: {v: 10_000} for v in VERDICTS}).model_dump()
    found = {}
    with MockLLM(Judges(known, {"m": Judge(), "n": Judge()})) as server:
        for model in ("m", "n"):
            asked = context(settings(server, model), tmp_path, merits)
            found[model] = combined.judge(cases, asked)
            assert asked.facts["merits"] == {"measured": 40_000 if model == "m" else 0}
    relabelled = {m: sum(v.verdict == "LABEL_WRONG" for v in rows) for m, rows in found.items()}
    assert relabelled["m"] > relabelled["n"]
    assert {v.judge for rows in found.values() for v in rows} == {"combined"}


def test_a_failed_call_is_no_verdict(right: Samples, tmp_path: Path) -> None:
    known = known_of(right, trials(right))[:40]
    cases = [Case(k.sample, k.prediction) for k in known]
    with MockLLM(Judges(known, {"m": Judge()}), fail=0.3) as server:
        verdicts = combined.judge(cases, context(settings(server), tmp_path))
    lost = [v for v in verdicts if not v.judge]
    assert lost and all(v.verdict is None and "status 503" in v.rationale for v in lost)


# ------------------------------------------------------------------------- stage


def probed(run: Run, known: Sequence[Known]) -> None:
    """Write the dataset and its failed probes."""
    Samples(k.sample for k in known).write(run.folder(1) / "samples.parquet")
    done = (Completion(render_answer(k.prediction), (1,), (-0.1,), ("x",), "stop") for k in known)
    Probes(judge_completion(k.sample, d, 1) for k, d in zip(known, done, strict=True)).write(
        run.folder(1) / "probes.parquet"
    )


def test_the_stage_takes_the_merits_of_the_card_and_new_ones_make_it_again(
    right: Samples, tmp_path: Path
) -> None:
    wrong = trials(right[:8])
    known = [
        k
        for k in known_of(right[:8], wrong)
        if k.verdict in ("LABEL_WRONG", "PRED_WRONG") and k.sample.label.calls and k.prediction.calls
    ]
    with MockLLM(Judges([*known, *known_of(right[:8], wrong)], {"m": Judge()})) as server:
        run = Run.create(tmp_path / "run", "cpu-quick", verify__judge="combined")
        endpoint = {"base_url": server.url, "model": "m", "key_env": "NO_KEY", "retries": 0}
        run.set(judge_llm=endpoint)
        probed(run, known)
        assert "never checked" in warning(run)
        verify(run)
        probes = run.table(Probes, "probes", 1)
        assert (run.manifest("verdicts", 1) or {})["merits"] == {"measured": 0}
        assert stage(run, probes, 1).done
        told = check(run.path / "judge_check" / "combined", right[:8], run.settings, repeats=1)
        assert "Fitted weights: " in told and "of m; each trial is judged" in told
        assert merits_of(run.path / "judge_check", "combined")["models"] == ["m"]
        assert merits_of(run.path / "judge_check", "evidence") == {}
        assert stage(run, probes, 1).why() == ["the judge's measured merits changed"]
        asked = len(server.log)
        verify(run)
        assert len(server.log) == asked  # the paid answers are there
        assert (run.manifest("verdicts", 1) or {})["merits"] == {"measured": len(wrong)}
        assert "never checked" not in warning(run)
        run.set(judge_llm={**endpoint, "model": "another"})
        assert "is of m, and the judge 'combined' asks another" in warning(run)
        run.set(verify__judge="evidence")
        write_json(run.path / "judge_check" / "combined" / "card.json", {"rows": []})
        assert not any("merits" in name for name in stage(run, probes, 1).made_from)
        run.set(verify__judge="combined")
        with pytest.raises(ValueError, match=r"card\.json holds no merits.*judge-check .* --judge combined"):
            verify(run)


def test_without_a_model_it_says_what_to_set(right: Samples, tmp_path: Path) -> None:
    case = Case(right[0], Answer())
    with pytest.raises(Exception, match="the judge `combined` needs a model"):
        combined.judge([case], context(Settings(verify={"judge": "combined"}), tmp_path))


def test_a_model_that_is_down_stops_it(right: Samples, tmp_path: Path) -> None:
    cases = [Case(right[0], Answer())] * 4
    with (
        MockLLM(lambda _: Scripted("{}", 503)) as server,
        pytest.raises(Exception, match="answered none of 8 calls"),
    ):
        combined.judge(cases, context(settings(server), tmp_path))


def test_the_floor_holds_labels_back_as_for_the_evidence(right: Samples, tmp_path: Path) -> None:
    known = known_of(right, Trials(t for t in trials(right) if t.expected == "LABEL_WRONG"))
    cases = [Case(k.sample, k.prediction) for k in known]
    with MockLLM(Judges(known, {"m": Judge()})) as server:
        asked = settings(server)
        strict = asked.model_copy(update={"verify": asked.verify.model_copy(update={"floor": 0.999})})
        held = combined.judge(cases, context(strict, tmp_path))
        free = combined.judge(cases, context(asked, tmp_path))
    assert sum(v.verdict == "LABEL_WRONG" for v in held) < sum(v.verdict == "LABEL_WRONG" for v in free)
    assert all(v.confidence >= 0.95 for v in free if v.verdict == "LABEL_WRONG")
    back = [v for v in held if v.rationale.startswith("Perhaps the label is wrong")]
    assert back and all(v.label is None and v.status == "unjudged" for v in back)
    assert evidence.held_back(free[0], 0.0) == free[0] and json.loads(free[0].model_dump_json())
