"""Episodes pay for what came of a request, by whatever legal path."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from looptool_kit import world
from looptool_kit.core.samples import Label, Message, Sample, ToolCall
from looptool_kit.core.toolcalls import canonical
from looptool_kit.world.core import draw
from looptool_kit.world.episode import Episode, Task, Told, task_of
from looptool_kit.world.spec import specs

TABLE = {"restaurant": "The Copper Fig", "date": "2026-05-08", "time": "19:00", "guests": 4}
OTHER = {"restaurant": "The Quiet Mill", "date": "2026-05-09", "time": "20:00", "guests": 2}


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


def task(*plan: ToolCall, more: Sequence[str] = (), turns: Sequence[str] = ("Do it.",)) -> Task:
    names = dict.fromkeys([*(c.name for c in plan), *more])
    system = (Message(role="system", content="Today is Monday, 2026-05-04."),)
    tools = tuple(specs()[n].tool for n in names)
    told = tuple(Told(call=c) for c in plan)
    return Task(tools=tools, system=system, turns=tuple(turns), plan=told, today="2026-05-04")


def played(episode: Episode, *calls: ToolCall) -> float:
    episode.reset()
    for c in calls:
        episode.step([c])
    return episode.reward()


def tasks(split: str = "train", count: int = 120) -> list[tuple[Sample, Task]]:
    out = []
    for sample in world.generate(count, seed=3, split=split):
        try:
            out.append((sample, task_of(sample)))
        except ValueError:
            assert not sample.label.calls or sample.meta["mode"] == "first"
    return out


@pytest.mark.parametrize("split", world.SPLITS)
def test_every_task_is_solved_by_its_own_plan_in_any_order_of_what_is_asked_at_once(split: str) -> None:
    for sample, t in tasks(split):
        episode = Episode(t)
        assert episode.reward() == 0
        plan = [told.call for told in t.plan]
        assert played(episode, *plan) == 1, plan
        if sample.kind == "parallel":
            assert played(episode, *reversed(plan)) == 1, plan
            episode.reset()
            episode.step(plan)
            assert episode.reward() == 1
            assert played(episode, *plan[:-1]) == 0


def test_a_wrong_argument_earns_nothing() -> None:
    wrong = 0
    for sample, t in tasks():
        *before, last = [told.call for told in t.plan]
        spec = specs()[last.name]
        for name, value in last.arguments.items():
            p = spec.by_name[name]
            other = draw(p.type, Random(sample.id), t.today)
            if other == value or other == p.default:
                continue
            changed = ToolCall(name=last.name, arguments={**last.arguments, name: other})
            assert played(Episode(t), *before, changed) == 0, (last, changed)
            wrong += 1
    assert wrong > 100


def test_two_tables_in_either_order_and_errors_on_the_way() -> None:
    one, two = call("book_table", **TABLE), call("book_table", **OTHER)
    episode = Episode(task(one, two))
    assert played(episode, one, two) == played(episode, two, one) == 1
    invalid = call("book_table", **{**TABLE, "guests": "many"})
    assert played(episode, invalid, one, two) == 1  # it did nothing
    assert played(episode, one, one, two) == played(episode, one) == played(episode) == 0


def test_what_is_undone_does_not_count_against_it() -> None:
    right, wrong = call("book_table", **TABLE), call("book_table", **OTHER)
    episode = Episode(task(right, more=["cancel_reservation", "list_reservations", "update_reservation"]))
    assert played(episode, wrong, right) == 0
    key = json.loads(episode.messages[3].content)["reservation_id"]
    undo = call("cancel_reservation", reservation_id=key)
    look = ToolCall(name="list_reservations", arguments={"name": "Ada Novak"})
    assert played(episode, wrong, right, undo) == played(episode, look, wrong, undo, look, right) == 1
    # Another way to the same table.
    late = call("book_table", **{**TABLE, "time": "20:00"})
    played(episode, late)
    key = json.loads(episode.messages[3].content)["reservation_id"]
    assert played(episode, late, call("update_reservation", reservation_id=key, time="19:00")) == 1


def test_to_book_and_to_cancel_is_not_to_do_nothing() -> None:
    book = call("book_table", **TABLE)
    episode = Episode(task(book, more=["cancel_reservation"]))
    played(episode, book)
    key = json.loads(episode.messages[3].content)["reservation_id"]
    cancel = call("cancel_reservation", reservation_id=key)
    both = Episode(task(book, cancel))
    assert played(both, book, cancel) == 1 and played(both) == played(both, book) == 0


def test_a_record_from_before_the_dialogue_can_be_cancelled_and_no_other() -> None:
    cancel = call("cancel_reservation", reservation_id="RES-1234")
    episode = Episode(task(cancel))
    assert played(episode, cancel) == 1
    assert played(episode, call("cancel_reservation", reservation_id="RES-4321")) == 0
    assert "error" in episode.messages[-1].content


def test_acts_without_records_count_and_look_ups_are_free() -> None:
    pay = call("transfer_money", recipient="Ada Novak", amount=50)
    rate = call("convert_money", amount=50, from_currency="USD", to_currency="EUR")
    episode = Episode(task(pay, more=["convert_money"]))
    assert played(episode, rate, rate, pay) == 1
    assert played(episode, pay, pay) == 0
    assert played(Episode(task(rate, more=["transfer_money"])), pay, rate) == 0


def test_progress_pays_for_parts_and_one_for_nothing_else() -> None:
    one, two, pay = (
        call("book_table", **TABLE),
        call("book_table", **OTHER),
        call("transfer_money", recipient="Ada Novak", amount=50),
    )
    episode = Episode(task(one, two, more=["transfer_money"]), progress=True)
    assert played(episode) == 0 and played(episode, one) == 1 / 2 and played(episode, one, two) == 1
    assert played(episode, one, pay) == 1 / 3
    assert played(episode, one, two, pay) == 2 / 3


def test_a_dialogue_goes_on_after_a_plain_reply_and_ends_after_the_last() -> None:
    one, two = call("book_table", **TABLE), call("book_table", **OTHER)
    episode = Episode(task(one, two, turns=("First.", "Second.")), most=5)
    messages, tools = episode.reset()
    assert [m.content for m in messages][1:] == ["First."] and [t.name for t in tools] == ["book_table"]
    assert episode.step([one])[0].role == "tool" and not episode.done
    assert episode.step(reply="Done.") == [Message(role="user", content="Second.")]
    episode.step([two])
    assert episode.step(reply="Done.") == [] and episode.done and episode.reward() == 1
    with pytest.raises(ValueError, match="over"):
        episode.step()
    episode.reset()
    for _ in range(5):
        episode.step([one])
    assert episode.done


def test_results_repeat_and_are_those_of_the_sample() -> None:
    for sample, t in tasks():
        if sample.kind != "multi_turn":
            continue
        episode = Episode(t)
        seen = []
        for _ in range(2):
            episode.reset()
            back = [episode.step([told.call])[0].content for told in t.plan]
            seen.append(back)
        assert seen[0] == seen[1]
        shown = [m.content for m in sample.messages if m.role == "tool"]
        assert [canonical(json.loads(b)) for b in seen[0][: len(shown)]] == [
            canonical(json.loads(s)) for s in shown
        ]


def test_what_is_no_task_says_why() -> None:
    kinds = Counter(s.kind for s, _ in tasks())
    assert {"single", "choice", "parallel", "multi_step", "multi_turn"} <= kinds.keys()
    talk = Sample(tools=(), messages=(Message(role="user", content="Hi"),), label=Label(reply="Hi"))
    with pytest.raises(ValueError, match="no calls"):
        task_of(talk)
    with pytest.raises(ValueError, match="a date in its system message"):
        task_of(talk.model_copy(update={"label": Label(calls=(call("x"),))}))
    foreign = task(call("book_table", **TABLE))
    with pytest.raises(ValueError, match="does not run"):
        Episode(foreign.model_copy(update={"tools": (foreign.tools[0].model_copy(update={"name": "x"}),)}))
    with pytest.raises(ValueError, match="own plan fails at book_table"):
        Episode(task(call("book_table")))
