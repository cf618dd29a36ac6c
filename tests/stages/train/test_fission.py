"""Recoveries: a failed call and its true error become a prompt; the wrong turn is context and no target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from looptool_kit import world  # noqa: E402
from looptool_kit.config import FissionSettings, GrpoSettings, LoraSettings, RewardSettings  # noqa: E402
from looptool_kit.core.records import Rollout, Rollouts  # noqa: E402
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall  # noqa: E402
from looptool_kit.core.toolcalls import render_answer, render_calls  # noqa: E402
from looptool_kit.policy.engines import Completion  # noqa: E402
from looptool_kit.policy.engines.prompts import encode_prompt, end_token  # noqa: E402
from looptool_kit.stages.train import common, grpo  # noqa: E402
from looptool_kit.stages.train.fission import error_of, joined, recoveries, recovery, waiting_file  # noqa: E402

LORA = LoraSettings(rank=4, alpha=8)
LIGHTS = Tool(
    name="set_lights",
    parameters={
        "type": "object",
        "properties": {"brightness": {"type": "integer"}},
        "required": ["brightness"],
    },
)
OWN = Sample(
    tools=(LIGHTS,),
    messages=(Message(role="user", content="Dim the lights to 20."),),
    label=Label(calls=(ToolCall(name="set_lights", arguments={"brightness": 20}),)),
)


def said(name: str, **arguments: Any) -> str:
    return render_calls([ToolCall(name=name, arguments=arguments)])


def test_a_wrong_call_with_the_rules_error_becomes_a_prompt() -> None:
    made = recovery(OWN, said("set_lights", brightness="high"))
    assert made is not None and made.label == OWN.label and made.parent == OWN.id and made.id != OWN.id
    wrong, result = made.messages[-2:]
    assert wrong.tool_calls[0].arguments == {"brightness": "high"} and wrong.role == "assistant"
    assert result.role == "tool" and result.name == "set_lights"
    assert json.loads(result.content) == {"error": 'set_lights.brightness: "high" is not of type "integer"'}


@pytest.mark.parametrize(
    "text",
    [
        said("set_lights", brightness=30),  # legal, but wrong
        "Which lamp?",
        "<tool_call>{",
        said("set_lights", brightness="high") + "\n" + said("set_lights", brightness=20),  # one went through
    ],
)
def test_where_there_is_no_error_there_is_no_recovery(text: str) -> None:
    assert recovery(OWN, text) is None
    assert recovery(OWN, said("set_lights", brightness="high"), "length") is None


def test_the_worlds_tools_say_what_is_wrong_themselves() -> None:
    errors = set()
    for sample in world.generate(200, seed=8):
        for call in sample.label.calls:
            assert error_of(call, sample) == "", "what the label calls is never an error"
            for name, value in call.arguments.items():
                last = {"1": "2"}.get(value[-1:], "1") if isinstance(value, str) else ""
                other = {**call.arguments, name: value[:-1] + last if isinstance(value, str) else "high"}
                errors.add(error_of(call.model_copy(update={"arguments": other}), sample))
    assert any(e.endswith('is not of type "integer"') for e in errors)
    assert any("is not one of" in e for e in errors)
    # A record that is neither in the dialogue nor what the label is about.
    assert any(e.startswith("no event EV-") for e in errors)
    unknown = error_of(ToolCall(name="no_such_tool"), OWN)
    assert unknown == "no_such_tool is not on offer"


def test_groups_with_a_hit_give_none_and_equal_mistakes_one() -> None:
    def row(text: str, correct: bool = False) -> Rollout:
        facts = {"step": 1, "sample_id": OWN.id, "finish_reason": "stop", "reward": float(correct)}
        return Rollout(text=text, correct=correct, **facts)

    high, low = said("set_lights", brightness="high"), said("set_lights", brightness="low")
    rows = Rollouts(
        [row(high), row(high), row(low), row(high), row(low), row(render_answer(OWN.label), True)]
    )
    made = recoveries([OWN] * 6, rows, 3)
    assert [m.messages[-2].tool_calls[0].arguments["brightness"] for m in made] == ["high", "low"]


def test_further_rows_are_filled_up_on_the_right_sides() -> None:
    scored = {
        "prompt_ids": torch.tensor([[9, 1], [2, 3]]),
        "prompt_mask": torch.tensor([[0, 1], [1, 1]]),
        "completion_ids": torch.tensor([[4, 5, 6], [4, 9, 9]]),
        "completion_mask": torch.tensor([[1, 1, 1], [1, 0, 0]]),
        "advantages": torch.tensor([1.0, -1.0]),
        "num_items_in_batch": torch.tensor(4),
    }
    more = {"prompt_ids": [[7, 7, 7]], "completion_ids": [[8, 8]], "advantages": torch.tensor([0.5])}
    out = joined(scored, more | {"logprobs": None}, 9)
    assert out["prompt_ids"].tolist() == [[9, 9, 1], [9, 2, 3], [7, 7, 7]]
    assert out["prompt_mask"].tolist() == [[0, 0, 1], [0, 1, 1], [1, 1, 1]]
    assert out["completion_ids"].tolist() == [[4, 5, 6], [4, 9, 9], [8, 8, 9]]
    assert out["completion_mask"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert out["advantages"].tolist() == [1.0, -1.0, 0.5] and int(out["num_items_in_batch"]) == 6


# ------------------------------------------------------------------- training

RIGHT, WRONG = render_answer(OWN.label), said("set_lights", brightness="high")


class Scripted:
    """Fails on a sample itself in as many ways as asked; behind an error, each second answer is right."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.asked: list[tuple[Sample, ...]] = []

    def generate(self, chats: list[Sample], sampling: Any) -> list[list[Completion]]:
        self.asked.append(tuple(chats))
        return [[self.answer(c, i) for i in range(sampling.n)] for c in chats]

    def answer(self, chat: Sample, number: int) -> Completion:
        recovering = chat.messages[-1].role == "tool"
        text = (
            RIGHT if recovering and number % 2 else said("set_lights", brightness=f"{number}{chat.meta['n']}")
        )
        ids = [*self.tokenizer(text, add_special_tokens=False)["input_ids"], end_token(self.tokenizer)]
        return Completion(text, tuple(ids), (-1.0,) * len(ids), (), "stop")

    def sleep(self) -> bool:
        return False


SETTINGS = GrpoSettings(steps=3, prompts=2, group=2, max_new_tokens=120, learning_rate=1e-3)
PROMPTS = Samples([OWN.model_copy(update={"meta": {"n": n}}) for n in "abcdef"])


def trained(loader: Any, folder: Path, fission: int, seen: list[Any] | None = None) -> tuple[Any, Scripted]:
    writer = Scripted(loader()[1])
    facts = grpo.train(
        loader,
        lambda *_: writer,
        None,
        PROMPTS,
        SETTINGS,
        LORA,
        folder,
        seed=0,
        reward=RewardSettings(name="match"),
        fission=FissionSettings(group=fission),
    )
    return facts, writer


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter" / "adapter_model.safetensors")


def test_failures_are_trained_as_recoveries_at_the_next_step(
    tiny_loader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trl")
    real = grpo.shared_prefix_trainer()
    seen: list[dict[str, Any]] = []

    class Trainer(real):  # type: ignore[misc, valid-type]
        def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
            seen.append(inputs)
            return super()._compute_loss(model, inputs)

    monkeypatch.setattr(grpo, "shared_prefix_trainer", lambda: Trainer)
    facts, writer = trained(tiny_loader, tmp_path, 4)
    # Two prompts a step; from the second on the newest failure of the step before, one since prompts / 2 is.
    assert [len(chats) for chats in writer.asked] == [2, 2, 1, 2, 1]
    waiting = Samples.read(waiting_file(tmp_path, 1))
    assert len(waiting) == 4 and writer.asked[2] == (waiting[-1],)
    # Last in, first out: the next one is of the second step, and older ones wait.
    second = Samples.read(waiting_file(tmp_path, 2))
    assert second[:3] == waiting[:3] and len(second) == 7 and writer.asked[4] == (second[-1],)
    # Groups of the samples are all wrong, and have no advantage; those of recoveries do.
    advantages = seen[1]["advantages"].tolist()
    assert len(advantages) == 8 and sum(a != 0 for a in advantages) == 4
    tokenizer = writer.tokenizer
    (row,) = {at for at, a in enumerate(advantages) if a > 0} & {advantages.index(max(advantages))}
    prompt = seen[1]["prompt_ids"][row][seen[1]["prompt_mask"][row].bool()].tolist()
    answer = seen[1]["completion_ids"][row][seen[1]["completion_mask"][row].bool()].tolist()
    assert prompt == encode_prompt(tokenizer, waiting[-1]) and tokenizer.decode(answer[:-1]) == RIGHT
    assert waiting[-1].messages[-2].tool_calls[0].arguments["brightness"] in tokenizer.decode(prompt)
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [r["recoveries/groups"] for r in history] == [0, 1, 1] and history[1]["recoveries/correct"] == 0.5
    assert [r["grad_norm"] > 0 for r in history] == [False, True, True]
    assert facts["groups"] == 6 and facts["groups_of_recoveries"] == 2
    rollouts = Rollouts.read(tmp_path / "rollouts" / "recoveries-0002.parquet")
    assert [r.correct for r in rollouts] == [False, True] * 2 and {r.sample_id for r in rollouts} == {
        waiting[-1].id
    }
    assert len(Rollouts.read(tmp_path / "rollouts" / "step-0002.parquet")) == 4


def test_without_fission_nothing_is_asked_twice(tiny_loader: Any, tmp_path: Path) -> None:
    pytest.importorskip("trl")
    facts, writer = trained(tiny_loader, tmp_path, 0)
    assert [len(chats) for chats in writer.asked] == [2, 2, 2] and "groups_of_recoveries" not in facts
    assert not (tmp_path / "recoveries").exists()


def test_a_training_that_was_stopped_resumes_with_what_waited(
    tiny_loader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trl")
    trained(tiny_loader, tmp_path / "whole", 4)

    class Stop(Exception):
        pass

    original = common.progress

    def stopping(text: str) -> Any:
        bar = original(text)
        step_end = bar.on_step_end

        def on_step_end(args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            step_end(args, state, control, **kwargs)
            if state.global_step == 2:
                raise Stop

        bar.on_step_end = on_step_end
        return bar

    with monkeypatch.context() as patch:
        patch.setattr(grpo, "progress", stopping)
        with pytest.raises(Stop):
            trained(tiny_loader, tmp_path / "cut", 4)
    _, writer = trained(tiny_loader, tmp_path / "cut", 4)
    assert [len(chats) for chats in writer.asked] == [2, 1, 2, 1], "the first step is not repeated"
    a, b = adapter(tmp_path / "whole"), adapter(tmp_path / "cut")
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
