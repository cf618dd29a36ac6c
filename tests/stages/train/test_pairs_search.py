"""Pairs by search: where answers are cut, what is continued, and a run that trains on them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tiny_models import tiny_tokenizer  # noqa: E402

from looptool_kit.core.records import Pairs  # noqa: E402
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall  # noqa: E402
from looptool_kit.core.toolcalls import render_answer  # noqa: E402
from looptool_kit.policy.engines import Completion, Sampling  # noqa: E402
from looptool_kit.policy.engines.prompts import Begun, decode, encode_turn  # noqa: E402
from looptool_kit.policy.engines.transformers import TransformersEngine  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.stages.seed.stage import seed  # noqa: E402
from looptool_kit.stages.train.pairs import search  # noqa: E402
from looptool_kit.stages.train.pairs.search import Node, Tree, cuts  # noqa: E402
from looptool_kit.stages.train.stage import train  # noqa: E402

VALUE: dict[str, Any] = {}
F = Tool(name="f", parameters={"type": "object", "properties": {"a": VALUE, "b": VALUE}})
G = Tool(name="g")
TOKENIZER = tiny_tokenizer()


def text(*calls: tuple[str, dict[str, Any]]) -> str:
    return render_answer(Label(calls=tuple(ToolCall(name=n, arguments=a) for n, a in calls)))


def f(a: Any, b: Any) -> str:
    return text(("f", {"a": a, "b": b}))


SAMPLE = Sample(
    tools=(F, G),
    messages=(Message(role="user", content="f of one and two"),),
    label=Label(calls=(ToolCall(name="f", arguments={"a": 1, "b": 2}),)),
)


def ids_of(answer: str) -> tuple[int, ...]:
    return tuple(encode_turn(TOKENIZER, SAMPLE, answer))


def fragments(answer: str) -> list[str]:
    ids = ids_of(answer)
    bounds = [0, *cuts(TOKENIZER, SAMPLE, ids), len(ids)]
    return [decode(TOKENIZER, ids[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)]


# ------------------------------------------------------------------- cuts


def test_an_answer_is_cut_behind_name_arguments_and_call() -> None:
    start, middle = '<tool_call>\n{"name": "f', '", "arguments": {"a": 1'
    assert fragments(f(1, 2)) == [start, middle, ', "b": 2', "}}\n</tool_call>", ""], "the end is the last"
    two = text(("f", {"a": 1, "b": "x, b: 2"}), ("g", {}))
    assert fragments(two) == [
        *(start, middle, ', "b": "x, b: 2"', "}}\n</tool_call>"),
        *('\n<tool_call>\n{"name": "g', '", "arguments": {}}\n</tool_call>', ""),
    ]


@pytest.mark.parametrize("value", ["Zoë 🙂", {"x": [1, 2.5, None]}, ["a", True], "", 'a "b"', 0.5, False])
def test_any_value_is_one_fragment_and_the_fragments_are_the_answer(value: Any) -> None:
    answer = f(value, value)
    found = fragments(answer)
    assert len(found) == 5 and "".join(found) == answer
    assert found[2] == f', "b": {json.dumps(value, ensure_ascii=False)}'


@pytest.mark.parametrize("answer", ["I cannot do that.", "<tool_call>{", "", "f of a"])
def test_what_is_no_call_is_one_fragment(answer: str) -> None:
    assert cuts(TOKENIZER, SAMPLE, ids_of(answer)) == []


# ----------------------------------------------------------------- search


class Policy:
    """Writes given answers, in turn, where they begin as it is told to."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.begun = answers, []

    def generate(self, chats: Any, sampling: Sampling) -> list[list[Completion]]:
        assert all(isinstance(chat, Begun) for chat in chats)
        self.begun += [decode(TOKENIZER, chat.ids) for chat in chats]
        return [[self.answer(chat.ids, i) for i in range(sampling.n)] for chat in chats]

    def answer(self, begun: tuple[int, ...], number: int) -> Completion:
        fit = [ids for a in self.answers if (ids := ids_of(a))[: len(begun)] == begun]
        ids = fit[number % len(fit)][len(begun) :]
        return Completion(decode(TOKENIZER, ids), ids, (-0.1,) * len(ids), ("",) * len(ids), "stop")


def searched(policy: Policy, limit: int = 300) -> tuple[Tree, list[str]]:
    tree = Tree(TOKENIZER, SAMPLE, limit)
    (group,) = search.search(policy, [tree], Sampling(limit, 1.0, search.CONTINUATIONS))  # type: ignore[arg-type]
    return tree, [r.text for r in group.rollouts]


def test_the_most_promising_beginning_is_continued_and_none_twice() -> None:
    policy = Policy(f(1, 2), f(1, 3), f(2, 2), text(("g", {})))
    tree, texts = searched(policy)
    name = '<tool_call>\n{"name": "f'
    assert policy.begun[:2] == ["", name], "the first answers are f three times"
    assert policy.begun[2] == name + '", "arguments": {"a": 1', "worth more than a = 2"
    assert len(policy.begun) == search.ITERATIONS == len(set(policy.begun))
    assert len(texts) == 15 and set(texts) <= set(policy.answers)
    node = tree.root.children[ids_of(f(1, 2))[: len(name)]]
    through = [r.reward for r in tree.rollouts if r.text.startswith(name)]
    assert node.visits == len(through) and node.total == pytest.approx(sum(through))
    assert node.chance == pytest.approx(math.exp(-0.1))
    assert all(
        at.ids in [ids[: len(at.ids)] for ids in map(ids_of, policy.answers)] for at in nodes(tree.root)
    )


def nodes(node: Node) -> list[Node]:
    return [node, *(n for child in node.children.values() for n in nodes(child))]


def test_a_node_that_was_visited_more_is_not_better_for_that() -> None:
    """Fault of the reference: its values are sums."""
    parent = Node(visits=12)
    once, often = Node(visits=2, total=1.0, chance=0.0), Node(visits=10, total=5.0, chance=0.0)
    assert once.score(parent) == often.score(parent) == 0.5
    seldom = Node(visits=2, total=1.0, chance=0.6)
    assert seldom.score(parent) == pytest.approx(0.5 + 0.6 * math.sqrt(math.log(12) / 3))


def test_plain_replies_leave_nothing_to_continue() -> None:
    policy = Policy("I cannot do that.", "No.")
    _, texts = searched(policy)
    assert policy.begun == [""] and texts == ["I cannot do that.", "No.", "I cannot do that."]


def test_an_answer_beyond_the_limit_is_cut_and_worth_what_a_cut_one_is() -> None:
    tree, _ = searched(Policy(f(1, 2)), limit=40)
    assert {(r.finish_reason, r.reward) for r in tree.rollouts} == {("length", -2.0)}
    assert all(len(node.ids) < 40 for node in nodes(tree.root) if not node.whole)


# ------------------------------------------------------------------ a run


def test_a_run_trains_on_searched_pairs_and_resumes(
    wordy_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("looptool_kit.policy.models.default_dtype", lambda: torch.float32)
    worth = {"pairs__least": -3.0, "pairs__share": 1.0, "pairs__strategy": "search", "pairs__gap": 0.0}
    settings = {
        **{"seeds__first": 4, "seeds__held_out": 1, "seeds__fresh": [1], "seeds__domains": ["music"]},
        **{"sft__epochs": 0, "grpo__max_new_tokens": 12, "lora__rank": 4, "probe__batch": 2},
        **{"preference__epochs_first": 1, "preference__batch": 2},
    }
    monkeypatch.setattr(
        "looptool_kit.stages.train.pairs.tree.reward", lambda answer, _: len(answer.text) / 100
    )
    real, calls = TransformersEngine.generate, []

    class Stop(Exception):
        pass

    def dying(self: Any, chats: Any, *rest: Any) -> Any:
        calls.append([(c.chat.id, c.ids) for c in chats])
        if len(calls) == 2:
            raise Stop
        return real(self, chats, *rest)

    monkeypatch.setattr(TransformersEngine, "generate", dying)
    run = Run.create(tmp_path / "run", "cpu-quick", model=str(wordy_checkpoint), **(settings | worth))
    seed(run)
    with pytest.raises(Stop):
        train(run)
    train(run)
    assert calls[1] == calls[2] and calls[0] not in calls[1:], "a finished batch is not asked again"
    facts = run.manifest("policy", 1)["trainings"][-1]
    pairs = Pairs.read(run.folder(1) / "policy" / "preference" / "pairs.parquet")
    assert facts["samples_picked"] == 4 and facts["generated"] > 0 == facts["samples_of_grpo"]
    assert len(pairs) == facts["pairs"] + sum(facts["rejected"].values())
