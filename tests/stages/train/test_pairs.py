"""Pairs from the token tree of rollouts: by hand, as a property, and made and trained on in a run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from tiny_models import tiny_tokenizer  # noqa: E402

from looptool_kit.config import PairsSettings  # noqa: E402
from looptool_kit.core.errors import RunError  # noqa: E402
from looptool_kit.core.records import Pairs, Rollout, Rollouts  # noqa: E402
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall  # noqa: E402
from looptool_kit.core.toolcalls import Answer, parse, render_answer  # noqa: E402
from looptool_kit.policy.engines.transformers import TransformersEngine  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.stages.seed.stage import seed  # noqa: E402
from looptool_kit.stages.train.pairs import pick, tree  # noqa: E402
from looptool_kit.stages.train.stage import train  # noqa: E402

NUMBER = {"type": "integer"}
F = Tool(name="f", parameters={"type": "object", "properties": {"a": NUMBER, "b": NUMBER}})
G = Tool(name="g")


def call(name: str, **arguments: int) -> str:
    return render_answer(Label(calls=(ToolCall(name=name, arguments=dict(arguments)),)))


SAMPLE = Sample(
    tools=(F, G),
    messages=(Message(role="user", content="f of one and two"),),
    label=Label(calls=(ToolCall(name="f", arguments={"a": 1, "b": 2}),)),
)
RIGHT, OTHER_B, OTHER_A, OTHER_TOOL = call("f", a=1, b=2), call("f", a=1, b=3), call("f", a=2, b=2), call("g")


def rollouts(*texts: str, finish: str = "stop") -> list[Rollout]:
    return [
        Rollout(step=1, sample_id=SAMPLE.id, text=text, finish_reason=finish, reward=0.0) for text in texts
    ]


def pairs_of(*texts: str, **settings: Any) -> list[Any]:
    leaves = tree.leaves(tiny_tokenizer(), SAMPLE, rollouts(*texts))
    return tree.pairs_of(SAMPLE.id, leaves, PairsSettings(**settings))


# ------------------------------------------------------------------- tree


def test_four_rollouts_give_three_pairs() -> None:
    found = pairs_of(RIGHT, OTHER_B, OTHER_A, OTHER_TOOL)
    assert [pair.gap for pair in found] == pytest.approx([1 + 2 / 3, 1.25, 0.625])
    assert {pair.chosen for pair in found} == {RIGHT}
    assert [pair.rejected for pair in found] == [OTHER_TOOL, OTHER_B, OTHER_A]
    at = [pair.branch for pair in found]
    assert [RIGHT[n] for n in at] == ["f", "2", "1"]  # the tokenizer has one token a byte
    assert [OTHER_TOOL[at[0]], OTHER_B[at[1]], OTHER_A[at[2]]] == ["g", "3", "2"]
    assert found[0].why == "branches worth 0.167 and -1.500, of 4 rollouts"


def test_every_side_is_a_whole_rollout() -> None:
    texts = [RIGHT, OTHER_B, f"Let me see. {RIGHT}", "<tool_call>{", "I cannot do that."]
    known = {text: parse(text) for text in texts}
    found = pairs_of(*texts, least=-3.0, gap=0.0)
    assert found and all(parse(side) == known[side] for p in found for side in (p.chosen, p.rejected))


def test_rollouts_that_agree_give_no_pair() -> None:
    assert pairs_of(RIGHT, RIGHT, RIGHT) == [] == pairs_of()


def test_a_branch_is_worth_its_mean_and_not_its_sum() -> None:
    """Fault of the reference: values are sums, so that a branch with more rollouts looks better or worse."""
    once, often = pairs_of(RIGHT, OTHER_A), pairs_of(RIGHT, *[OTHER_A] * 5)
    assert [p.gap for p in once] == [p.gap for p in often] == pytest.approx([1.25])


def test_what_was_cut_at_the_limit_is_no_side() -> None:
    cut = rollouts(OTHER_B[:-9], finish="length")
    assert tree.leaves(tiny_tokenizer(), SAMPLE, [*rollouts(RIGHT), *cut])[0].text == RIGHT
    assert len(tree.leaves(tiny_tokenizer(), SAMPLE, cut)) == 0


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"gap": 0.7}, 2),
        ({"gap": 2.0}, 0),
        ({"most_per_sample": 1}, 1),
        ({"least": 1.1}, 0),
        ({"overlap": 0.5}, 1),  # f against g
    ],
)
def test_pairs_are_dropped_by_the_settings(settings: dict[str, Any], count: int) -> None:
    assert len(pairs_of(RIGHT, OTHER_B, OTHER_A, OTHER_TOOL, **settings)) == count


def test_overlap_of_texts() -> None:
    assert tree.overlap("a b c", "a b d") == 0.5 and tree.overlap("a a", "a") == 0.5
    assert tree.overlap("", "") == 1.0 and tree.overlap("a", "") == 0.0


@given(st.lists(st.tuples(st.text("ab", max_size=5), st.floats(-2, 1)), max_size=8))
def test_pairs_part_at_their_branch_and_the_better_one_is_chosen(found: list[tuple[str, float]]) -> None:
    value = dict(found)
    leaves = [tree.Leaf((*map(ord, text), 0), text, value[text]) for text, _ in found]
    settings = PairsSettings(gap=0.0, overlap=1.0, least=-3.0, most_per_sample=99)
    made = tree.pairs_of("s", leaves, settings)
    assert len({(p.chosen, p.rejected) for p in made}) == len(made) < max(1, len(value))
    for pair in made:
        chosen, rejected = (f"{text}\0" for text in (pair.chosen, pair.rejected))
        assert chosen[: pair.branch] == rejected[: pair.branch]
        assert chosen[pair.branch] != rejected[pair.branch]
        assert value[pair.chosen] >= value[pair.rejected] and pair.gap >= 0


# ------------------------------------------------------------------- pick


def labelled(number: int, calls: bool) -> Sample:
    label = Label(calls=(ToolCall(name="g"),)) if calls else Label(reply="No.")
    return SAMPLE.model_copy(
        update={"label": label, "messages": (Message(role="user", content=str(number)),)}
    )


def test_ten_calls_and_ten_replies_give_three_of_each() -> None:
    samples = [labelled(n, calls) for n in range(10) for calls in (True, False)]
    losses = {s.id: float(s.request) + 100 * bool(s.label.calls) for s in samples}
    found = pick(samples, losses, 0.3)
    assert [(s.request, bool(s.label.calls)) for s in found] == [
        *((n, True) for n in "987"),
        *((n, False) for n in "987"),
    ]


def test_equal_losses_are_picked_by_id() -> None:
    samples = [labelled(n, True) for n in range(10)]
    found = pick(samples, dict.fromkeys((s.id for s in samples), 1.0), 0.3)
    assert [s.id for s in found] == sorted(s.id for s in samples)[:3]


# ------------------------------------------------------------------ a run

SETTINGS: dict[str, Any] = {
    "seeds__first": 6,
    "seeds__held_out": 1,
    "seeds__fresh": [1],
    "seeds__domains": ["music"],
    "lora__rank": 4,
    "sft__epochs": 1,
    "grpo__steps_first": 2,
    "grpo__prompts": 2,
    "grpo__group": 4,
    "grpo__max_new_tokens": 12,
    "probe__batch": 2,
    "pairs__strategy": "tree",
    "pairs__share": 1.0,
    "pairs__n": 4,
    "pairs__least": -3.0,
    "preference__epochs_first": 1,
    "preference__batch": 2,
    "preference__learning_rate": 1e-3,
}


def valued(answer: Answer, _: Sample) -> float:
    """A random policy answers nothing right: what it writes gets some value."""
    return hashlib.sha256(answer.text.encode()).digest()[0] / 255


@pytest.fixture
def make(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("looptool_kit.policy.models.default_dtype", lambda: torch.float32)
    monkeypatch.setattr(tree, "reward", valued)

    def made(name: str, **changes: Any) -> Run:
        run = Run.create(tmp_path / name, "cpu-quick", model=str(tiny_checkpoint), **(SETTINGS | changes))
        seed(run)
        return run

    return made


def adapter(run: Run, phase: str = "preference") -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(run.folder(1) / "policy" / phase / "adapter" / "adapter_model.safetensors")


def test_a_run_trains_on_pairs_of_grpos_rollouts_and_new_ones(make: Any) -> None:
    run = make("run")
    policy = train(run)
    assert Path(policy.adapter).parent.name == "preference"
    trainings = run.manifest("policy", 1)["trainings"]
    assert [t["trainer"] for t in trainings] == ["sft", "grpo", "preference"]
    facts, place = trainings[-1], run.folder(1) / "policy" / "preference"
    pairs = Pairs.read(place / "pairs.parquet")
    asked = {
        r.sample_id
        for s in (1, 2)
        for r in Rollouts.read(place.parent / f"grpo/rollouts/step-000{s}.parquet")
    }
    assert 0 < facts["pairs"] == len(pairs) - sum(facts["rejected"].values())
    assert facts["samples_picked"] == 6
    assert facts["samples_of_grpo"] == len(asked) == 4
    assert 0 < facts["generated"] <= 2 * 4 * 12 and facts["tokens"] > 0  # two samples, four rollouts each
    texts = {
        r.text for s in (1, 2) for r in Rollouts.read(place.parent / f"grpo/rollouts/step-000{s}.parquet")
    }
    of_grpo = [p for p in pairs if p.sample_id in asked]
    assert of_grpo and all({p.chosen, p.rejected} <= texts for p in of_grpo)
    moved, before = adapter(run), adapter(run, "grpo")
    assert any(not torch.equal(moved[k], before[k]) for k in before)
    assert not list(run.folder(1).glob("pair_*.parts"))


def test_a_killed_run_makes_no_rollout_twice_and_ends_with_the_same_adapter(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"sft__epochs": 0, "grpo__steps_first": 0}
    whole = make("whole", **settings)
    train(whole)
    cut, real, calls = make("cut", **settings), TransformersEngine.generate, []

    class Stop(Exception):
        pass

    def dying(self: Any, chats: Any, *rest: Any) -> Any:
        calls.append([s.id for s in chats])
        if len(calls) == 2:
            raise Stop
        return real(self, chats, *rest)

    monkeypatch.setattr(TransformersEngine, "generate", dying)
    with pytest.raises(Stop):
        train(cut)
    monkeypatch.setattr(TransformersEngine, "score", lambda *_: pytest.fail("labels are scored again"))
    train(cut)
    assert [*calls[0], *(i for c in calls[2:] for i in c)] != [] and calls[1] == calls[2]
    assert sum(len(c) for c in calls) - len(calls[1]) == 6
    a, b = adapter(whole), adapter(cut)
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    facts = [run.manifest("policy", 1)["trainings"] for run in (whole, cut)]
    assert facts[0] == facts[1] and len(facts[0]) == 1
    before = json.dumps(facts[1])
    train(cut)
    assert json.dumps(cut.manifest("policy", 1)["trainings"]) == before


def test_pairs_of_grpos_own_alone_generate_nothing(make: Any) -> None:
    run = make("run", pairs__n=0)
    train(run)
    facts = run.manifest("policy", 1)["trainings"][-1]
    assert facts["generated"] == 0 and facts["samples_picked"] == facts["samples_of_grpo"] == 4


@pytest.mark.parametrize(
    ("changes", "why", "error"),
    [
        ({"pairs__strategy": "none"}, "names nobody who makes its pairs", RunError),
        ({"pairs__strategy": "nobody"}, "choose one of search, tree", ValueError),
        ({"trainer": "unsloth"}, "only trl has it", RunError),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_trained(
    make: Any, changes: dict[str, Any], why: str, error: type[Exception]
) -> None:
    run = make("run", **changes)
    with pytest.raises(error, match=why):
        train(run)
    assert not (run.folder(1) / "policy" / "sft").exists()


def test_without_preference_training_nothing_is_made(make: Any) -> None:
    run = make("run", preference__epochs_first=0, preference__epochs=1)
    train(run)
    assert [t["folder"] for t in run.manifest("policy", 1)["trainings"]] == ["sft", "grpo"]
    assert not (run.folder(1) / "policy" / "preference").exists()
