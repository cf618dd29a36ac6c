"""The proposer `lm`: its prompts, a warm-up, and what it learns, on a tiny model; the paid loss by hand."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from looptool_kit.config import PreferenceSettings  # noqa: E402
from looptool_kit.core.records import Pair, Pairs  # noqa: E402
from looptool_kit.core.samples import Label, Samples  # noqa: E402
from looptool_kit.core.toolcalls import render_answer  # noqa: E402
from looptool_kit.policy.engines import Completion, Sampling  # noqa: E402
from looptool_kit.policy.engines.transformers import TransformersEngine  # noqa: E402
from looptool_kit.policy.policy import close_engines  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.stages.expand import _proposals as rounds  # noqa: E402
from looptool_kit.stages.train import preference, sft  # noqa: E402
from looptool_kit.stages.train.proposers import lm  # noqa: E402
from looptool_kit.stages.train.proposers.features import Features  # noqa: E402
from looptool_kit.world import generate  # noqa: E402
from looptool_kit.world.plans import WEIGHTS  # noqa: E402
from looptool_kit.world.proposed import Line, Preferred, Prompt, drawn, line_of, read_plan  # noqa: E402
from looptool_kit.world.spec import is_held, specs  # noqa: E402

NAMES = tuple(t.name for t in generate(1, seed=3, kinds=("ask",))[0].tools)
TOOLS = [specs()[name] for name in NAMES]
LINES = [line_of(p) for kind in WEIGHTS if (p := drawn(kind, TOOLS, Random(kind)))]
PROMPT = Prompt(tools=NAMES, examples=tuple(LINES[:3]))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("looptool_kit.policy.models.default_dtype", lambda: torch.float32)
    monkeypatch.setattr(lm, "WARMUP", 4)
    monkeypatch.setattr(lm, "MAX_TOKENS", 12)
    yield
    close_engines()


def a_run(path: Path, model: Path, **settings: Any) -> Run:
    return Run.create(path, "cpu-quick", model=str(model), lora__rank=4, probe__batch=8, **settings)


# --------------------------------------------------------------- a prompt


def test_the_warm_up_is_about_plans_of_train_tools_that_its_prompt_allows() -> None:
    rows = lm.warmup(("music", "banking"), Random(1))
    assert rows == lm.warmup(("music", "banking"), Random(1)) != lm.warmup(("music", "banking"), Random(2))
    for row in rows:
        text = row.messages[0].content
        tools = [specs()[line[2:].partition(" (")[0]] for line in text.splitlines() if line[:2] == "- "]
        assert tools and not any(is_held(s.name) for s in tools)
        plans = [line for line in text.splitlines() if line.startswith("{")]
        assert len(plans) == lm.EXAMPLES
        for line in (*plans, row.label.reply.removeprefix(lm.BEGINNING)):
            assert read_plan(line, tools)[1] == ""


# ---------------------------------------------------------------- learning


def test_a_round_of_one_step_is_the_groups_policy_gradient(tiny_loader: Any) -> None:
    """sum_i a_i grad log p(i) against the loss over pairs of neighbours, on a model."""
    model, tokenizer = tiny_loader()
    pays = (0.0, 0.96, 0.36, 1.0)
    rows = [
        rounds.Proposal(round=1, prompt=0, plan=line, passed=True, right=(1 - (1 - pay) ** 0.5) / 2)
        for line, pay in zip(LINES, pays, strict=False)
    ]
    chat = lm.chat_of(PROMPT)
    found = [
        Pair(sample_id=chat.id, chosen=p.chosen, rejected=p.rejected, gap=p.gap)
        for p in rounds.pairs(rows, [PROMPT], "uncertainty")
    ]
    given = preference.usable(tokenizer, Pairs(found), Samples([chat]), PreferenceSettings(), 4096)[0]
    weight = model.model.layers[0].self_attn.q_proj.weight
    preference.batch_loss(model, given, PreferenceSettings(), 1, paid=True)[0].backward()
    by_pairs = weight.grad.clone()
    model.zero_grad()
    paid = torch.tensor(pays)
    advantages = (paid - paid.mean()) / paid.std(correction=0)
    prompt = given[0].prompt[: len(given[0].prompt)]
    start = len(preference.encode_prompts(tokenizer, [chat])[0])
    for line, advantage in zip(LINES, advantages, strict=False):
        ids = [*prompt[:start], *preference.encode_turn(tokenizer, chat, line)]
        logps = torch.log_softmax(model(torch.tensor([ids])).logits[0, start - 1 : -1], -1)
        (-advantage * logps.gather(1, torch.tensor(ids[start:])[:, None]).sum()).backward()
    assert by_pairs.abs().max() > 0.01
    torch.testing.assert_close(by_pairs, weight.grad, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pay", ["failure", "uncertainty"])
def test_what_was_preferred_becomes_likelier(
    wordy_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pay: str
) -> None:
    monkeypatch.setattr(lm, "DPO", lm.DPO.model_copy(update={"learning_rate": 1e-3, "batch": 1}))
    monkeypatch.setattr(lm, "PAID_RATE", 1e-3)
    run = a_run(tmp_path / "run", wordy_checkpoint, reverse__proposer="lm", reverse__pay=pay)
    proposer = lm.make(run, 1, tmp_path / "place", "key", 0)

    def margin() -> float:
        engine = TransformersEngine.load(wordy_checkpoint, proposer.adapter, dtype="float32")
        chat = lm.chat_of(PROMPT)
        chosen, rejected = engine.score([chat] * 2, [lm.BEGINNING + line for line in LINES[:2]])
        return sum(chosen) - sum(rejected)

    before, tokens = margin(), proposer.trained
    assert tokens > 0
    proposer.learn([Preferred(PROMPT, LINES[0], LINES[1], 2.0)], 1)
    assert margin() > before + 1e-3 and proposer.trained > tokens
    proposer.learn([], 2)
    assert proposer.adapter.parent.name == "round-1", "nothing was trained on nothing"
    monkeypatch.setattr(sft, "lora_policy", lambda *_: pytest.fail("warmed up again"))
    monkeypatch.setattr(preference, "lora_policy", lambda *_: pytest.fail("trained again"))
    again = lm.make(run, 1, tmp_path / "place", "key", 0)
    again.learn([Preferred(PROMPT, LINES[0], LINES[1], 2.0)], 1)
    assert (again.adapter, again.facts()) == (proposer.adapter, proposer.facts())


def test_a_line_begins_with_the_kind_that_is_prescribed(wordy_checkpoint: Path, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", wordy_checkpoint, reverse__proposer="lm")
    proposer = lm.make(run, 1, tmp_path / "place", "key", 0)
    kinds = ["ask", None, "decline", "ask", None]
    one, two = (proposer.propose(PROMPT, kinds, Random(4)) for _ in range(2))
    assert one == two and len(one) == 5 and all(0 < line.tokens <= 12 for line in one)
    begins = [sum(f'{{"kind": "{kind}",' in line.text for line in one) for kind in ("ask", "decline")]
    assert begins == [2, 1]
    row = rounds.checked(one[0], PROMPT, Random(1), rounds.Deduplicator())
    assert not row.passed and row.why == "not JSON", "a random model writes no plan"


def test_rounds_of_an_expansion_train_the_proposer_once(
    wordy_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's own lines are replaced, since a random one writes no plan."""
    made: list[str] = []

    def proposed(self: lm.Lm, prompt: Prompt, kinds: Any, rng: Random) -> list[Line]:
        made.append(self.adapter.parent.name)
        return [line._replace(tokens=7) for line in Features().propose(prompt, kinds, rng)]

    class Policy:
        def plan(self, chats: Any) -> list[list[int]]:
            return [list(range(len(chats)))] if len(chats) else []

        def generate(self, chats: Any, sampling: Sampling) -> list[list[Completion]]:
            texts = [render_answer(Label(reply="?") if s.kind == "single" else s.label) for s in chats]
            return [[Completion(t, (1,), (-0.1,), ("a",), "stop")] * sampling.n for t in texts]

    monkeypatch.setattr(lm.Lm, "propose", proposed)
    monkeypatch.setattr(rounds, "open_engine", lambda *_: Policy())
    monkeypatch.setattr(rounds, "policy_of", lambda *_: None)
    run = a_run(tmp_path / "run", wordy_checkpoint, reverse__proposer="lm", reverse__proposals=16)
    found = rounds.proposals(run, 1, "key", [NAMES], [])
    assert made == ["warmup", "warmup", "round-1", "round-1"] and {row.round for row in found} == {1, 2}
    assert sum(row.generated for row in found) == 7 * len(found) + sum(
        row.passed + 10 * (row.right is not None) for row in found
    )
    told = json.loads((rounds.folder(run, 1) / "proposer.json").read_text())
    assert told["trained"] > 0 and told["rounds"][0]["failed"] > 0
    monkeypatch.setattr(preference, "lora_policy", lambda *_: pytest.fail("trained again"))
    assert rounds.proposals(run, 1, "key", [NAMES], []) == found and len(made) == 4
