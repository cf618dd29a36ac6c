"""Talking to a policy: what it answers, what speaks against it, what its calls lead to, and samples of it."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("anywidget")

from speaker import ARGUMENTS, CALL, Speaker  # noqa: E402
from widget_pages import asked  # noqa: E402

from looptool_kit.checks.rules import check_sample  # noqa: E402
from looptool_kit.core.errors import RunError  # noqa: E402
from looptool_kit.core.samples import Samples  # noqa: E402
from looptool_kit.policy.policy import close_engines  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.widgets import TryView  # noqa: E402

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


def test_an_answer_has_its_call_its_log_probabilities_and_no_objection(run: Run, speaker: Speaker) -> None:
    view = TryView(run)
    assert view.policy == "D3" and "create_device_timer" in view.chosen and "Today is" in view.system
    said = asked(view, "ask", request="Set up a timer for the humidifier to switch off at 6:30am.")
    assert said["sample"]["label"]["calls"][0]["name"] == "create_device_timer"
    assert said["sample"]["tokens"] == [["a", -0.25], ["b", -1.5]] and said["objections"] == []
    assert json.loads(said["label"]) == [CALL]
    heard = speaker.heard[0]
    assert [m.role for m in heard.messages] == ["system", "user"] and len(heard.tools) == len(view.chosen)


@pytest.mark.parametrize(
    ("says", "objection"),
    [
        (json.dumps(CALL | {"name": "no_such_tool"}), "no_such_tool"),
        (json.dumps(CALL | {"arguments": ARGUMENTS | {"time": "09:15"}}), "09:15"),
        ('{"name": "create_device_timer", "arguments": {', "unparsable"),
    ],
)
def test_the_rules_object_and_what_they_call_wrong_is_not_executed(
    run: Run, speaker: Speaker, says: str, objection: str
) -> None:
    speaker.says = f"<tool_call>\n{says}\n</tool_call>"
    view = TryView(run)
    said = asked(view, "ask", request="Set up a timer for the humidifier to switch off at 6:30am.")
    assert any(objection in text for text in said["objections"]), said["objections"]
    if "09:15" not in says:  # a made-up value is for the person to judge, a false call for nobody
        assert "error" in asked(view, "execute", number=1) and said["runs"] == ""
        assert bool(said["stuck"]) == bool(said["sample"]["label"]["calls"])
        assert [m.role for m in view.sample.messages] == ["system", "user"]


def test_a_first_request_is_suggested_for_the_tools_on_offer(run: Run, speaker: Speaker) -> None:
    view = TryView(run)
    [first] = run.table(Samples, "samples", run.iteration)[:1]
    said = next(m.content for m in first.messages if m.role == "user")
    assert view.example == " ".join(said.split()) and view.chosen == [t.name for t in first.tools]


def test_calls_run_in_the_world_and_the_dialogue_goes_on(run: Run, speaker: Speaker) -> None:
    view = TryView(run)
    asked(view, "ask", request="Set up a timer for the humidifier to switch off at 6:30am.")
    shown = asked(view, "execute", number=view._number)["sample"]["messages"]
    assert [m["role"] for m in shown] == ["system", "user", "assistant", "tool"]
    assert "error" not in json.loads(shown[-1]["content"])
    speaker.says = "The timer is set."
    said = asked(view, "ask", request="")
    assert said["sample"]["label"]["reply"] == "The timer is set." and said["runs"] == ""
    assert "type a request" in asked(view, "ask", request="")["error"]
    assert asked(view, "fresh")["sample"]["messages"] == [{**shown[0]}]


def test_calls_run_in_functions_of_ones_own_and_their_errors_are_results(run: Run, speaker: Speaker) -> None:
    ran: list[Any] = []

    def create_device_timer(device: str, action: str, time: str) -> dict[str, str]:
        ran.append((device, action, time))
        if len(ran) > 1:
            raise RuntimeError("no such device")
        return {"timer": "T1"}

    view = TryView(run, functions=[create_device_timer])
    said = asked(view, "ask", request="Humidifier off at 6:30am.")
    assert said["runs"].startswith("your functions: create_device_timer(") and ran == []
    results = [asked(view, "execute", number=view._number)["sample"]["messages"][-1]["content"]]
    asked(view, "ask", request="Again, please: humidifier off at 6:30am.")
    results.append(asked(view, "execute", number=view._number)["sample"]["messages"][-1]["content"])
    assert ran == [("humidifier", "off", "06:30")] * 2
    assert json.loads(results[0]) == {"timer": "T1"}
    assert json.loads(results[1]) == {"error": "RuntimeError: no such device"}


def test_an_answer_becomes_a_sample_with_its_provenance_and_nothing_is_lost(
    run: Run, speaker: Speaker, tmp_path: Path
) -> None:
    view = TryView(run, "D2")
    for request, label in (
        ("Humidifier off at 6:30am.", json.dumps([CALL])),
        ("Good morning!", "Good morning! What can I do?"),
    ):
        asked(view, "ask", request=request)
        assert "kept as sample" in asked(view, "save", text=label, number=view._number)["message"]
        asked(view, "fresh")
    kept = view.samples
    assert [s.request for s in kept] == ["Humidifier off at 6:30am.", "Good morning!"]
    first, second = kept
    assert first.label.calls[0].arguments == ARGUMENTS and second.label.reply.startswith("Good")
    assert (first.source, first.strategy, first.split) == ("person", "try", "train")
    assert first.meta["policy"] == "D2" and first.meta["answer"] == speaker.says and first.meta["author"]
    assert Samples.read(run.path / "tried.jsonl") == kept, "a seed file as any other"
    assert TryView(run).samples == kept


def test_a_sample_is_of_the_policy_and_the_tools_that_were_asked(run: Run, speaker: Speaker) -> None:
    view = TryView(run)
    said = asked(view, "ask", request="Humidifier off at 6:30am.")
    offered = list(view.chosen)
    view.policy, view.chosen, view.system = "base", ["searchLyrics"], "Another day."
    assert asked(view, "state")["by"] == said["by"] == "D3"
    asked(view, "save", text=json.dumps([CALL]), number=said["number"])
    asked(view, "save", text=json.dumps([CALL]), number=said["number"])  # a second press
    [made] = view.samples
    assert made.meta["policy"] == "D3" and [t.name for t in made.tools] == offered
    assert made.messages[0].content != "Another day."


def test_an_answer_that_fails_leaves_the_dialogue_as_it_was(run: Run, speaker: Speaker) -> None:
    view = TryView(run)
    speaker.says = None  # type: ignore[assignment]
    assert "error" in asked(view, "ask", request="Humidifier off.")
    assert [m.role for m in view.sample.messages] == ["system"]


def test_the_kernel_answers_other_questions_while_the_policy_writes(
    run: Run, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, heard, may_write = TryView(run), [], threading.Event()
    view.send = heard.append

    loading = threading.Event()

    def slowly(*_: Any) -> Speaker:
        loading.set()
        assert may_write.wait(60)
        return speaker

    monkeypatch.setattr("looptool_kit.widgets.trial.open_engine", slowly)  # a model may load for a minute

    def say(kind: str, **values: Any) -> None:
        view._received(view, {"type": kind, "req": kind, **values}, [])

    async def talk() -> None:
        say("ask", request="Humidifier off at 6:30am.")
        await asyncio.to_thread(loading.wait, 60)
        assert heard == [], "nothing is answered before it is written"
        [turn] = view.pending["messages"]
        assert turn["content"] == "Humidifier off at 6:30am." and view.pending["by"] == "D3"
        say("state")
        for kind, values in (("ask", {"request": "more"}), ("fresh", {}), ("execute", {"number": 0})):
            say(kind, **values)
            assert heard.pop()["error"] == "the policy is still writing: wait for its answer"
        say("check", text="[]", tools=[])
        assert heard.pop()["req"] == "check" and not closing.is_alive() and heard == []
        closing.start()
        closing.join(0.2)
        assert closing.is_alive(), "an engine that writes is not closed"
        may_write.set()
        while len(heard) < 2:
            await asyncio.sleep(0.01)

    closing = threading.Thread(target=close_engines)
    asyncio.run(talk())
    closing.join(60)
    assert not closing.is_alive()
    answers = {answer["req"]: answer for answer in heard}
    assert view.pending == {}
    # A page that was loaded again meanwhile shows the answer too.
    for kind in ("ask", "state"):
        assert answers[kind]["sample"]["label"]["calls"][0]["name"] == "create_device_timer"
    assert asked(view, "execute", number=1)["executed"]


def test_a_label_that_the_tools_do_not_allow_is_refused(run: Run, speaker: Speaker) -> None:
    view = TryView(run)
    assert "no answer" in asked(view, "save", text="x", number=0)["error"]
    asked(view, "ask", request="Humidifier off at 6:30am.")
    wrong = json.dumps([{"name": "create_device_timer", "arguments": {"device": 5}}])
    assert "create_device_timer" in asked(view, "save", text=wrong, number=1)["error"]
    assert not (run.path / "tried.jsonl").exists() and len(view.samples) == 0


def test_what_cannot_be_done_is_said(run: Run, speaker: Speaker, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there are base, D1, D2, D3"):
        TryView(run, "D9")
    with pytest.raises(RunError, match="looptool loop"):
        TryView(Run.create(tmp_path / "new"))
    read_only = TryView(Run.open(run.path, read_only=True))
    asked(read_only, "ask", request="Humidifier off at 6:30am.")
    assert "read-only" in read_only.blocked and "error" in asked(read_only, "save", text="Hello.", number=1)
    asked(read_only, "fresh")
    read_only.chosen = []
    assert "at least one tool" in asked(read_only, "ask", request="x")["error"]


def test_an_earlier_answer_is_not_kept_for_a_later_request(run: Run, speaker: Speaker) -> None:
    view = TryView(run)
    speaker.says = "Good morning!"
    first = asked(view, "ask", request="Good morning!")
    second = asked(view, "ask", request="What can you do?")
    assert second["number"] != first["number"]
    assert "gone on" in asked(view, "save", text="Hello!", number=first["number"])["error"]
    assert "gone on" in asked(view, "execute", number=first["number"])["error"]
    assert len(view.samples) == 0


def test_a_dialogue_goes_on_behind_calls_with_results_alone(run: Run, speaker: Speaker) -> None:
    view = TryView(run)
    said = asked(view, "ask", request="Humidifier off at 6:30am.")
    assert "execute the calls" in asked(view, "ask", request="And the lamp?")["error"]
    asked(view, "execute", number=said["number"])
    speaker.says = "The timer is set."
    said = asked(view, "ask", request="")
    asked(view, "save", text="The timer is set.", number=said["number"])
    [kept] = view.samples
    assert all(check.passed for check in check_sample(kept)), "a training takes it"


def test_an_executed_answer_can_still_be_corrected_and_shows_what_speaks_against_it(
    run: Run, speaker: Speaker
) -> None:
    speaker.says = (
        f"<tool_call>\n{json.dumps(CALL | {'arguments': ARGUMENTS | {'time': '09:15'}})}\n</tool_call>"
    )
    view = TryView(run)
    said = asked(view, "ask", request="Set up a timer for the humidifier to switch off at 6:30am.")
    view.chosen = ["searchLyrics"]
    done = asked(view, "execute", number=said["number"])
    for same in ("objections", "label", "by", "number"):
        assert done[same] == said[same] != "", same
    for same in ("tokens", "perplexity", "label", "tools"):
        assert done["sample"][same] == said["sample"][same], same
    assert done["runs"] == "" and done["executed"] and not done["stuck"] and "09:15" in done["objections"][0]
    assert [m["role"] for m in done["sample"]["messages"]] == ["system", "user", "assistant", "tool"]
    again = asked(view, "execute", number=said["number"])
    assert "already" in again["error"] and len(view.sample.messages) == 4, "its calls run once"
    asked(view, "save", text=json.dumps([CALL]), number=said["number"])
    [kept] = view.samples
    assert [m.role for m in kept.messages] == ["system", "user"] and kept.label.calls[
        0
    ].arguments == ARGUMENTS
    assert len(kept.tools) == len(said["sample"]["tools"]), "the tools that were on offer then"
    view.chosen = [t.name for t in kept.tools]
    later = asked(view, "ask", request="Thank you.")
    assert later["number"] != said["number"] and view.kept == ""
    assert "gone on" in asked(view, "save", text="You are welcome.", number=said["number"])["error"]
    asked(view, "fresh")
    assert "no answer" in asked(view, "save", text="x", number=later["number"])["error"]


def test_policies_without_weights_are_said_to_be_so_and_not_chosen(tmp_path: Path) -> None:
    run = Run.open(RECORDED, read_only=True)
    view = TryView(run)
    assert view.lost == ["D1", "D2", "D3"] and view.policy == "base" and view.policies[1:] == view.lost
    with pytest.raises(ValueError, match="weights of D2 are not in .*base"):
        TryView(run, "D2")


def test_the_dialogue_goes_on_from_the_right_answer_where_a_call_cannot_be_executed(
    run: Run, speaker: Speaker
) -> None:
    speaker.says = f"<tool_call>\n{json.dumps(CALL | {'arguments': {'device': 'humidifier'}})}\n</tool_call>"
    view = TryView(run)
    said = asked(view, "ask", request="Set up a timer for the humidifier to switch off at 6:30am.")
    number = said["number"]
    assert "breaks its tool's schema" in said["stuck"] and said["runs"] == "" and said["made"] is None
    told = asked(view, "ask", request="And now?")["error"]
    assert "keep the right answer" in told and "execute the calls" not in told
    kept = asked(view, "save", text=json.dumps([CALL]), number=number)
    assert kept["made"]["calls"] and "06:30" in kept["runs"] and kept["stuck"] == ""
    assert asked(view, "take_back", id=view.kept)["stuck"] == said["stuck"], "taken back, it stands no more"
    asked(view, "save", text=json.dumps([CALL]), number=number)
    assert "execute the calls" in asked(view, "ask", request="And now?")["error"]
    done = asked(view, "execute", number=number)["sample"]["messages"]
    assert [m["role"] for m in done] == ["system", "user", "assistant", "tool"]
    assert done[2]["calls"][0]["arguments"] == [[k, json.dumps(v)] for k, v in ARGUMENTS.items()]
    assert "error" not in json.loads(done[3]["content"])
    # What is kept later is a sample, and the dialogue has what was executed.
    other = json.dumps([CALL | {"arguments": ARGUMENTS | {"time": "09:15"}}])
    assert not asked(view, "state")["late"] and asked(view, "save", text=other, number=number)["late"]
    # A call corrected to a reply is a turn as it is.
    asked(view, "fresh")
    number = asked(view, "ask", request="Good morning!")["number"]
    asked(view, "save", text="Good morning! What can I do?", number=number)
    turns = asked(view, "ask", request="Nothing.")["sample"]["messages"]
    assert [m["content"] for m in turns[1:]] == ["Good morning!", "Good morning! What can I do?", "Nothing."]


def test_another_policy_is_asked_the_same_again(run: Run, speaker: Speaker) -> None:
    view = TryView(run)
    first = asked(view, "ask", request="Humidifier off at 6:30am.")
    asked(view, "save", text=json.dumps([CALL]), number=first["number"])
    view.policy = "base"
    second = asked(view, "ask", request="", again=True)
    assert second["by"] == "base" and second["number"] != first["number"] and second["made"] is None
    assert second["sample"]["messages"] == first["sample"]["messages"] and len(view.samples) == 1
    assert speaker.heard[0].messages == speaker.heard[1].messages
    asked(view, "execute", number=second["number"])
    assert "no answer to ask for again" in asked(view, "ask", request="", again=True)["error"]


def test_a_dialogue_comes_back_with_what_was_executed_and_kept(run: Run, speaker: Speaker) -> None:
    view = TryView(run)
    asked(view, "ask", request="Set up a timer for the humidifier to switch off at 6:30am.")
    asked(view, "execute", number=view._number)
    speaker.says = "The timer is set."
    asked(view, "ask", request="")
    said = asked(view, "save", text="It is set.", number=view._number)
    assert asked(view, "state")["memory"] == said["memory"] != ""
    close_engines()
    later = TryView(run)  # of another kernel
    assert asked(later, "state")["memory"] == ""
    back, before = asked(later, "resume", memory=said["memory"]), asked(view, "state")
    for name in ("message", "number"):
        back.pop(name), before.pop(name)
    assert back == before
    assert later.sample == view.sample and later.kept == view.kept and later._state == view._state != {}
    asked(later, "ask", request="Thanks!")
    heard = speaker.heard[-1].messages
    assert [m.role for m in heard] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert heard[-2].content == "It is set."
    assert asked(later, "resume", memory=said["memory"])["memory"] != said["memory"], "the newer one stays"
    assert "taken back" in asked(later, "take_back", id=view.kept)["message"]
    assert asked(TryView(run), "resume", memory=said["memory"])["by"] == "D3" and not later.samples


@pytest.mark.parametrize("memory", ["", "{}x", '{"messages": 3}', '{"colour": 1}', "[" * 99_999])
def test_a_dialogue_that_cannot_be_read_is_a_new_one(run: Run, speaker: Speaker, memory: str) -> None:
    view = TryView(run)
    assert "a new one begins" in asked(view, "resume", memory=memory)["message"]
    assert view.sample.messages[-1].role == "system" and asked(view, "state")["memory"] == ""
