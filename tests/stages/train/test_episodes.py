"""GRPO over whole dialogues: tools answer, their words are no target, and what came of it is paid."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from looptool_kit import world  # noqa: E402
from looptool_kit.config import EpisodeSettings, GrpoSettings, LoraSettings, Settings, with_overrides  # noqa: E402
from looptool_kit.core.records import Rollouts  # noqa: E402
from looptool_kit.core.samples import Message, Sample, Samples  # noqa: E402
from looptool_kit.core.toolcalls import Answer, render_answer  # noqa: E402
from looptool_kit.policy.engines import Completion, Sampling  # noqa: E402
from looptool_kit.policy.engines.prompts import encode_prompt, encode_turn, end_token  # noqa: E402
from looptool_kit.stages.train import grpo  # noqa: E402
from looptool_kit.stages.train.episodes import episode_of, known_tools, play  # noqa: E402
from looptool_kit.stages.train.stage import _can_do, recipe  # noqa: E402
from looptool_kit.stages.train.turns import advantages, by_token  # noqa: E402
from looptool_kit.world.procedural import Procedural, environment, sample_of  # noqa: E402

ON = EpisodeSettings(prompts=True)
HOW = Procedural()


class Scripted:
    """Plays each sample's own plan, call by call; of a group's completions the second makes a mistake."""

    context = 100_000

    def __init__(self, tokenizer: Any, samples: list[Sample], known: Any) -> None:
        self.tokenizer, self.asked = tokenizer, list[tuple[int, int]]()
        self.plans = {}
        for s in samples:
            episode = episode_of(s, known, ON)
            self.plans[s.opening] = [t.call for t in episode.task.plan] if episode else []

    def generate(self, chats: list[Sample], sampling: Sampling) -> list[list[Completion]]:
        self.asked.append((len(chats), sampling.n))
        return [[self.answer(c, i) for i in range(sampling.n)] for c in chats]

    def answer(self, chat: Sample, number: int) -> Completion:
        plan = self.plans[chat.opening]
        done = [c for m in chat.messages for c in m.tool_calls]
        said = Answer(text="Done.")
        idle = any(m.role == "assistant" for m in chat.messages) and not done
        if number % 2 == 0 and not idle and len(done) < len(plan):
            said = Answer(calls=(plan[len(done)],))
        text = render_answer(said)
        ids = [*self.tokenizer(text, add_special_tokens=False)["input_ids"], end_token(self.tokenizer)]
        return Completion(text, tuple(ids), (-1.0,) * len(ids), (), "stop")

    def sleep(self) -> bool:
        return False


def of_kinds(*kinds: str) -> list[Sample]:
    rows = world.generate(60, seed=4)
    return [next(s for s in rows if s.kind == k and s.meta["mode"] != "first") for k in kinds]


def test_a_completion_is_the_dialogue_and_only_the_policys_words_are_targets(tiny_loader: Any) -> None:
    tokenizer = tiny_loader()[1]
    samples = of_kinds("single", "parallel", "multi_step", "multi_turn", "ask")
    known = known_tools(samples, HOW)
    engine = Scripted(tokenizer, samples, known)
    out = play(engine, tokenizer, samples, known, Sampling(80, 1.0, 2, 5), ON)
    assert out["episode"] == [1.0, 0.0] * 4 + [None, None] and set(out["finish"]) == {"stop"}
    for at, sample in enumerate(s for s in samples for _ in range(2)):
        prompt, ids, mask = (out[name][at] for name in ("prompt_ids", "completion_ids", "env_mask"))
        assert len(ids) == len(mask) and mask[0] == mask[-1] == 1
        episode = episode_of(sample, known, ON)
        if episode is None:
            assert prompt == encode_prompt(tokenizer, sample) and all(mask)
            continue
        messages, _ = episode.reset()
        assert prompt == encode_prompt(tokenizer, sample.model_copy(update={"messages": messages}))
        plan = [t.call for t in episode.task.plan] if at % 2 == 0 else []
        own: list[int] = []
        turns = [Answer(calls=(c,)) for c in plan] + [Answer(text="Done.")] * len(episode.task.turns)
        for said in turns:
            if episode.done:
                break
            chat = sample.model_copy(update={"messages": tuple(episode.messages)})
            own += encode_turn(tokenizer, chat, said)
            episode.step(said.calls, said.text)
        assert [i for i, m in zip(ids, mask, strict=True) if m] == own
        # Prompt and completion together are the dialogue as it would be a prompt.
        whole = [*episode.messages[:-1]]
        said = Message(role="assistant", content="Done.")
        if episode.messages[-1] == said:
            last = sample.model_copy(update={"messages": tuple(whole)})
            assert [*prompt, *ids] == [
                *encode_prompt(tokenizer, last),
                *encode_turn(tokenizer, last, Answer(text="Done.")),
            ]
    results = [m.content for m in episode_of(samples[0], known, ON).messages if m.role == "tool"]
    assert not results  # an episode of its own for each completion


def test_unreadable_and_cut_answers_end_an_episode(tiny_loader: Any) -> None:
    tokenizer = tiny_loader()[1]
    samples = of_kinds("single")
    known = known_tools(samples, HOW)
    engine = Scripted(tokenizer, samples, known)
    right = engine.answer(samples[0], 0)
    for bad in (right._replace(text="<tool_call>{"), right._replace(finish_reason="length")):
        engine.answer = lambda *_, bad=bad: bad  # type: ignore[method-assign]
        engine.asked.clear()
        out = play(engine, tokenizer, samples, known, Sampling(80, 1.0, 2, 5), ON)
        assert out["episode"] == [0.0, 0.0] and engine.asked == [(1, 2)]
    engine.answer = lambda *_: right  # type: ignore[method-assign]
    engine.asked.clear()
    play(engine, tokenizer, samples, known, Sampling(80, 1.0, 2, 5), ON)
    assert len(engine.asked) == ON.turns, "who never replies is stopped"


def test_procedural_samples_are_played_where_they_are_whole() -> None:
    rng, seen = Random(3), set()
    for _ in range(20):
        made = environment(rng, HOW)
        for turn in range(len(made.turns) + 1):
            sample = sample_of(made, turn)
            episode = episode_of(sample, known_tools([sample], HOW), ON)
            assert (episode is not None) == (turn >= len(made.turns) - 1)
            seen.add(episode is not None)
            if episode:
                for told in made.task.plan:
                    assert episode.step([told.call])[0].role == "tool"
                assert episode.reward() == 1
    assert seen == {True, False}


SETTINGS = GrpoSettings(steps=2, prompts=2, group=2, max_new_tokens=120, learning_rate=1e-3)


def trained(
    loader: Any,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    lr: float = 1e-3,
    on: EpisodeSettings = ON,
) -> tuple[Any, list[Any]]:
    real, seen = grpo.shared_prefix_trainer(), list[dict[str, Any]]()

    class Trainer(real):  # type: ignore[misc, valid-type]
        def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
            seen.append(inputs)
            return super()._compute_loss(model, inputs)

    monkeypatch.setattr(grpo, "shared_prefix_trainer", lambda: Trainer)
    samples = Samples(of_kinds("single", "multi_step", "choice", "ask"))
    known = known_tools(samples, HOW)
    writer = Scripted(loader()[1], list(samples), known)
    settings = SETTINGS.model_copy(update={"learning_rate": lr})
    lora = LoraSettings(rank=4, alpha=8)
    facts = grpo.train(
        loader, lambda *_: writer, None, samples, settings, lora, folder, seed=0, episodes=on, known=known
    )
    return facts, seen


def test_grpo_trains_on_episodes(tiny_loader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trl")
    facts, seen = trained(tiny_loader, tmp_path, monkeypatch)
    assert facts["groups"] == 4 and facts["groups_without_variance"] == 1  # the question is answered alike
    first = Rollouts.read(tmp_path / "rollouts" / "step-0001.parquet")
    assert [r.reward for r in first] == [1.0, 0.0] * 2 and [r.correct for r in first] == [True, False] * 2
    assert "tool" in first[2].text
    masks = seen[0]["tool_mask"]
    assert masks.shape == seen[0]["completion_mask"].shape and 0 < int((masks == 0).sum())
    assert sorted(a > 0 for a in seen[0]["advantages"].tolist()) == [False, False, True, True]
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert all(row["grad_norm"] > 0 for row in history)
    # Tokens that were generated: the policy's own, none of the tools'.
    own = sum(int(x["tool_mask"].mul(x["completion_mask"]).sum()) for x in seen)
    assert facts["generated"] == own


def test_two_dialogues_that_part_at_their_second_turn_by_hand() -> None:
    """The first call of a dialogue that fails later is not punished for it."""
    right, wrong = advantages([[0.5, 0.5], [0.5, 0.0]])  # the deviation of .5 .5 .5 0 is .25
    assert right == pytest.approx([0, 0.9996], abs=1e-4) and wrong == pytest.approx([0, -0.9996], abs=1e-4)
    # All at once, one after the other, and an answer that ended it: .4183 is the deviation of 1 0 .5 .5 0.
    at_once, after, ended = advantages([[1.0, 0.0], [0.5, 0.5], [0.0]])
    assert at_once == pytest.approx([1.1950, -0.5975], abs=1e-3)
    assert after == pytest.approx([0, 0.5975], abs=1e-3) and ended == pytest.approx([-1.1950], abs=1e-3)
    assert advantages([[0.0], [0.0]]) == [[0.0], [0.0]]
    # Dialogues of one turn each: what GRPO does with their rewards.
    rewards = torch.tensor([1.0, 0.0, 0.25])
    assert [a for (a,) in advantages([[r] for r in rewards.tolist()])] == pytest.approx(
        ((rewards - rewards.mean()) / (rewards.std() + 1e-4)).tolist()
    )


def test_each_token_has_the_advantage_of_its_turn() -> None:
    mask = torch.tensor([[1, 1, 0, 0, 1, 0], [1, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]])
    whole = torch.tensor([9.0, 9.0, 2.0, -2.0])
    found = by_token(whole, mask, [[0.5, 0.5], [0.5, 0.0], None, None], 2)
    assert found[0].tolist() == pytest.approx([0, 0, 0, 0, 0.9996, 0], abs=1e-4)
    assert found[1].tolist() == pytest.approx([0, 0, 0, -0.9996, -0.9996, -0.9996], abs=1e-4)
    assert found[2:].tolist() == [[2, 2, 2, 0, 0, 0], [-2, -2, 0, 0, 0, 0]], "no episodes"


def test_grpo_pays_each_turn_for_its_progress(
    tiny_loader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trl")
    on = EpisodeSettings(prompts=True, progress=True, credit="turn")
    _, seen = trained(tiny_loader, tmp_path, monkeypatch, on=on)
    first = Rollouts.read(tmp_path / "rollouts" / "step-0001.parquet")
    assert [r.reward for r in first] == [1.0, 0.0] * 2
    given, own = seen[0]["advantages"], seen[0]["tool_mask"] * seen[0]["completion_mask"]
    assert given.shape == own.shape and not given[own == 0].any()
    for row in given:
        # The plan's turns are better than a reply in their place; the reply after them brings nothing.
        assert len(set(row[row != 0].sign().tolist())) == 1
    assert sorted((row.max() > 0).item() for row in given) == [False, False, True, True]
    last = [row[mask.nonzero()[-1]].item() for row, mask in zip(given, own, strict=True) if row.max() > 0]
    assert last == [0.0, 0.0]
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert all(row["grad_norm"] > 0 for row in history)
    with pytest.raises(ValueError, match=r"set episodes\.progress = true"):
        EpisodeSettings(prompts=True, credit="turn")


def test_settings_that_do_not_go_with_episodes_are_named() -> None:
    both = with_overrides(Settings(), episodes__prompts=True, fission__group=4)
    with pytest.raises(ValueError, match="set fission.group = 0"):
        _can_do(both, 1)
    gpu = with_overrides(Settings(), episodes__prompts=True, trainer="unsloth")
    with pytest.raises(ValueError, match=r"has no episodes\.prompts"):
        _can_do(gpu, 1)
    assert "episodes" in recipe(with_overrides(Settings(), grpo__steps=1), 2)
