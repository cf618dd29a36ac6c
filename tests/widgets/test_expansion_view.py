"""ExpansionView: what changed, decisions on disk at once, and the dataset that follows from them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from widget_pages import asked

import looptool_kit as lt
from looptool_kit.checks.dedup import jaccard, said
from looptool_kit.core.records import Expansions, Members, Verdicts
from looptool_kit.core.samples import Label, Message, Sample, Samples
from looptool_kit.run.folder import Run

pytest.importorskip("anywidget")
from looptool_kit.widgets import ExpansionView  # noqa: E402
from looptool_kit.widgets.novelty import Dataset  # noqa: E402
from looptool_kit.widgets.text_diff import word_diff  # noqa: E402

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


def child(view: ExpansionView, state: str, calls: bool = False) -> str:
    """Moves to the first child in that state, with `calls` to the first that has a text among its arguments,
    and returns its id.
    """
    for place in range(view.count):
        view.cursor = place
        for card in view.on_seed(view.cursor)["children"]:
            arguments = [
                v
                for c in (json.loads(card["text"]["label"]) if calls else [])
                if "arguments" in c
                for v in c["arguments"].values()
            ]
            if (
                card["state"]["name"] == state
                and card["id"] not in view.decisions
                and (not calls or any(isinstance(v, str) for v in arguments))
            ):
                return str(card["id"])
    raise AssertionError(f"no child is {state}")


def card(view: ExpansionView, id: str) -> dict[str, Any]:
    return next(c for c in view.on_seed(view.cursor)["children"] if c["id"] == id)


def test_word_differences_put_together_give_both_texts() -> None:
    before, after = "Set the thermostat to  nineteen degrees,\nplease", "Set the heating to nineteen degrees"
    pieces = word_diff(before, after)
    assert ["-", " thermostat"] in pieces and ["+", " heating"] in pieces and ["=", "Set the"] in pieces
    assert "".join(t for op, t in pieces if op != "-") == after
    assert "".join(t for op, t in pieces if op != "+").split() == before.split()
    assert word_diff("a b", "a  b") == [["=", "a  b"]] and word_diff("", "") == []
    unlike = word_diff("Book a table for two at noon", "Is a table still free tonight")
    assert unlike == [
        ["-", "Book a table for two at noon"],
        ["+", "Is a table still free tonight"],
    ], "confetti says nothing"
    long = "word " * 5000
    assert word_diff(long, long + "x") == [["-", long], ["+", long + "x"]]


def test_novelty_is_one_minus_the_similarity_that_deduplication_uses() -> None:
    def sample(text: str) -> Sample:
        return Sample(tools=(), messages=(Message(role="user", content=text),), label=Label(reply="ok"))

    rows = [
        sample("book a table for two at noon"),
        sample("book a table for six at noon please"),
        sample("weather in Oslo now"),
    ]
    data = Dataset(rows)
    data.grow(0.0)
    assert data.left == 3
    data.grow(60)
    new = sample("book a table for six at midnight")
    found = data.novelty(new)
    assert found.nearest == rows[1] and found.value == pytest.approx(1 - jaccard(said(new), said(rows[1])))
    assert data.novelty(rows[2]) == (1.0, None)  # itself does not count


def test_a_seed_with_its_children(run: Run) -> None:
    view = ExpansionView(run)
    assert view.iteration == 2 and view.total == len({e.seed_id for e in view.expansions})
    # The first seed with a call, and a child that keeps an argument of it.
    view.cursor, same = next(
        (place, c)
        for place in range(view.total)
        for c in view.on_seed(place)["children"]
        if any(row[3] == "same" for p in c["calls"] for row in p["rows"])
    )
    first = view.on_seed(view.cursor)
    named = view.on_page(view.cursor, 1)["rows"][0][1]
    assert first["pattern"] == first["children"][0]["request"] or first["pattern"].startswith(named)
    children = [e for e in view.expansions if e.seed_id == first["id"]]
    assert [c["id"] for c in first["children"]] == [e.sample.id for e in children]
    assert sum(c["state"]["name"] == "accepted" for c in first["children"]) == sum(
        e.accepted for e in children
    )
    assert (
        view.on_page(view.cursor, 1)["rows"][0][-1]
        == f"{sum(e.accepted for e in children)} of {len(children)}"
    )
    assert any(
        row[3] == "differs" for c in first["children"] for p in c["calls"] for row in p["rows"]
    ) and same["checks"][0] == ["tools", True, ""]
    # A contrast says so: another kind of answer is right there.
    kinds = {e.sample.id: e.sample.kind for e in children}
    assert {c["id"]: c["kinds"][1] for c in first["children"]} == kinds and len(set(kinds.values())) > 1
    assert all(c["kinds"][0] == first["detail"]["facts"][0][1] for c in first["children"])
    assert "contrast: decline" in view.static_html()
    novelty = asked(view, "novelty", seed=first["id"])
    assert (
        novelty["left"] == 0
        and len(novelty["rows"]) == len(children)
        and all(0 <= n[0] <= 1 for n in novelty["rows"])
    )
    assert (
        len(json.dumps(first)) < 2_500 * len(children)
        and len(view.static_html()) < 60_000
        and "<script" not in view.static_html()
    )


def test_decisions_are_on_disk_at_once_and_in_another_view(run: Run) -> None:
    view, other = ExpansionView(run, 1), ExpansionView(run, 1)
    id = child(view, "accepted")
    before = view.on_page(view.cursor, 1)["rows"][0][-1]
    asked(view, "decide", id=id, value="reject")
    asked(view, "decide", id=id, value="reject")  # once is enough
    lines = [json.loads(line) for line in (run.path / "decisions.jsonl").read_text().splitlines()]
    assert [(d["subject"], d["row"], d["value"], d["iteration"]) for d in lines] == [
        ("expansion", id, "reject", 1)
    ]
    assert list(other.decisions) == [id] and card(view, id)["state"]["words"].startswith("rejected by ")
    assert view.on_page(view.cursor, 1)["rows"][0][-1] != before and id not in view.selection.by_id()
    undone = asked(view, "undo", id=id)["message"]
    assert undone.startswith("Taken back: reject of child ") and undone.endswith(
        ", which is now accepted by the rules."
    )
    assert (
        view.decisions == {}
        and view.on_page(view.cursor, 1)["rows"][0][-1] == before
        and id in view.selection.by_id()
    )
    assert "no decision" in asked(view, "undo", id=id)["message"]


def test_a_decision_is_on_the_child_it_names_whichever_is_current(run: Run) -> None:
    view = ExpansionView(run)
    cards = view.on_seed(0)["children"]
    first, last = cards[0], cards[-1]
    view.child, place = first["id"], f"child {len(cards)} of {len(cards)}"
    assert len(cards) > 2
    assert asked(view, "decide", id=last["id"], value="reject")["message"] == f"Rejected {place}; on disk."
    assert asked(view, "decide", id=last["id"], value="accept")["message"] == f"Accepted {place}; on disk."
    assert {row: d.value for row, d in view.decisions.items()} == {last["id"]: "accept"}
    now = card(view, last["id"])["state"]["words"]
    undone = asked(view, "undo", id=last["id"])["message"]
    before = card(view, last["id"])["state"]["words"]
    assert (
        now.startswith("accepted by ") and undone == f"Taken back: accept of {place}, which is now {before}."
    )
    text = card(view, last["id"])["text"]
    edited = asked(
        view, "edit", id=last["id"], request=f"Good morning. {text['request']}", label=text["label"]
    )
    assert edited["message"] == f"Edited and accepted {place}; on disk." and list(view.decisions) == [
        last["id"]
    ]
    assert asked(view, "undo", id=last["id"])["message"].startswith(
        f"Taken back: edit of {place}, which is now "
    )
    assert f"no decision on child 1 of {len(cards)} " in asked(view, "undo", id=first["id"])["message"]


def test_the_last_decision_is_taken_back_wherever_it_is(run: Run) -> None:
    view = ExpansionView(run)
    assert "nothing to take back" in asked(view, "undo_last")["message"]
    first, second = ([card["id"] for card in view.on_seed(place)["children"]] for place in (0, 1))
    for id in (second[0], first[0], second[1]):
        asked(view, "decide", id=id, value="reject")
    asked(view, "decide", id=first[0], value="accept")  # decided again, so it is the last one
    answer = asked(view, "undo_last")
    assert (answer["place"], answer["id"]) == (0, first[0]) and "Taken back: accept of" in answer["message"]
    seeds = {seed.sample.id: seed for seed in view.seeds}
    shown = view.on_seed(0)["id"]
    view.search = seeds[shown].sample.request
    hidden = asked(view, "undo_last")
    assert hidden["place"] is None and "filter hides its seed" in hidden["message"]
    # Its reject from before is in force again.
    assert list(view.decisions) == [second[0], first[0]]


def test_a_question_about_a_place_is_answered_for_that_place(run: Run) -> None:
    view = ExpansionView(run)
    ids = [asked(view, "seed", place=i)["id"] for i in range(view.count)]
    assert len(set(ids)) == view.count and view.cursor == 0
    view.filters = {"error": "wrong tool"}
    assert 0 < view.count < len(ids) and asked(view, "seed", place=10_000)["id"] in ids
    view.search = "no seed says this"
    assert asked(view, "seed", place=0)["id"] is None


def test_a_read_only_run_takes_no_decision() -> None:
    view = ExpansionView(Run.open(RECORDED, read_only=True))
    id = view.on_seed(view.cursor)["children"][0]["id"]
    assert (
        "opened read-only" in view.blocked
        and "opened read-only" in asked(view, "decide", id=id, value="accept")["error"]
    )


def test_what_is_wrong_with_an_edit_is_said(run: Run) -> None:
    view = ExpansionView(run)
    id = child(view, "accepted", calls=True)
    text = card(view, id)["text"]
    call = json.loads(text["label"])[0]
    unsaid = [
        {
            **call,
            "arguments": {
                **call["arguments"],
                next(k for k, v in call["arguments"].items() if isinstance(v, str)): "Zanzibar",
            },
        }
    ]
    for request, label, error in (
        (" ", text["label"], "the request is empty"),
        (text["request"], text["label"], "nothing was changed"),
        (text["request"], "[{", "not valid JSON at line 1"),
        (text["request"], json.dumps([{"name": "fly", "arguments": {}}]), "fly is not on offer"),
        (text["request"], json.dumps(unsaid), "grounding|is not one of|calls"),
    ):
        assert re.search(error, asked(view, "edit", id=id, request=request, label=label)["error"]), error
    assert not (run.path / "decisions.jsonl").exists()
    held_out = run.table(Samples, "held_out", 0)
    leaking = next(s for s in held_out if s.label.calls)
    row = view._by_id[id]
    view._by_id[id] = row.model_copy(update={"sample": leaking})
    assert "repeats held-out sample" in asked(view, "decide", id=id, value="accept")["error"]


def test_decisions_change_the_composed_dataset(run: Run) -> None:
    """End to end: one rejected candidate accepted, one accepted rejected, one edited; then compose."""
    before = lt.compose(run, iteration=2)
    view = ExpansionView(run)
    taken = child(view, "left over")
    asked(view, "decide", id=taken, value="accept")
    dropped = child(view, "accepted")
    asked(view, "decide", id=dropped, value="reject")
    changed = child(view, "accepted")
    text, parent = card(view, changed)["text"], view.on_seed(view.cursor)["id"]
    view.drafts = {changed: text}
    answer = asked(view, "edit", id=changed, request=f"Hello there! {text['request']}", label=text["label"])
    assert (
        re.fullmatch(r"Edited and accepted child \d+ of \d+; on disk\.", answer["message"])
        and view.drafts == {}
        and view.editing == ""
    )
    shown = card(view, changed)
    assert shown["state"]["name"] == "edited" and shown["text"]["request"].startswith("Hello there!")
    edited = next(s for s in view.selection if s.request.startswith("Hello there!"))

    after = lt.compose(Run.open(run.path), iteration=2)
    rows, members = after.by_id(), {m.sample_id: m for m in run.table(Members, "members", 3)}
    assert set(rows) - set(before.by_id()) == {taken, edited.id} and set(before.by_id()) - set(rows) == {
        dropped,
        changed,
    }
    joined = rows[edited.id]
    assert (joined.parent, joined.strategy, joined.source, joined.iteration) == (
        parent,
        "person",
        "person",
        2,
    )
    assert (
        joined.label == view._by_id[changed].sample.label
        and joined.tools == view._by_id[changed].sample.tools
    )
    assert (
        members[edited.id].part == members[taken].part == "EE"
        and members[edited.id].why == "person"
        and members[edited.id].came_from == parent
    )
    assert {m for m, row in members.items() if row.part == "EE"} == set(view.selection.by_id())
    for id in (taken, dropped, changed):
        asked(view, "undo", id=id)
    assert lt.compose(run, iteration=2) == before


def test_an_edit_that_is_no_sample_is_named(run: Run) -> None:
    before, id = lt.compose(run, iteration=2), run.table(Expansions, "expansions", 2)[0].sample.id
    with pytest.raises(ValueError, match="is not a sample: tools: "):
        run.decide("expansion", id, {"edit": {"tools": "none"}})
    line = {"time": "", "author": "", "subject": "expansion", "row": id, "value": {"edit": {"tools": "none"}}}
    (run.path / "decisions.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="decisions.jsonl, line 1 is not a decision"):
        assert lt.compose(run, iteration=2) == before


def test_children_of_a_seed_whose_verdict_was_changed_do_not_join(run: Run) -> None:
    view = ExpansionView(run)
    child(view, "accepted")
    assert view.on_seed(view.cursor)["standing"]
    run.decide("verdict", view.seeds[view.row or 0].probe.sample_id, "BOTH_WRONG", iteration=2)
    gone = {c["id"] for c in view.on_seed(view.cursor)["children"]}
    assert not view.on_seed(view.cursor)["standing"] and not gone & set(view.selection.by_id())


def test_a_seed_without_children_says_so(run: Run) -> None:
    other = next(v.sample_id for v in run.table(Verdicts, "verdicts", 2) if v.verdict != "PRED_WRONG")
    run.decide("verdict", other, "PRED_WRONG", iteration=2)
    view = ExpansionView(run, only=[other])
    assert view.count == 1 and "none made" in view.on_page(0, 1)["rows"][0]


def test_no_expansions_yet(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "new", "cpu-quick")
    view = ExpansionView(run)
    assert view.total == 0 and "has expansions yet" in view.missing and "lt.expand(run)" in view.static_html()
    assert view.on_seed(0) == {"id": None, "children": []} and len(view.selection) == 0


def test_seeds_are_filtered_by_what_was_decided_on_their_children(run: Run) -> None:
    view = ExpansionView(run)
    first, second = (view.on_seed(place)["children"] for place in (0, 1))
    seeds = [view.on_seed(place)["id"] for place in (0, 1)]
    asked(view, "decide", id=first[0]["id"], value="accept")
    asked(view, "decide", id=first[1]["id"], value="reject")
    asked(view, "decide", id=second[0]["id"], value="reject")
    facet = next(c for c in view.columns if c["name"] == "decided")
    assert [v for v, _ in facet["values"]] == ["accepted", "edited", "not reviewed", "rejected"]
    found = {}
    for value in ("accepted", "rejected", "edited", "not reviewed"):
        view.filters = {"decided": value}
        found[value] = [view.seeds[i].sample.id for i in view.order]
    assert found["accepted"] == seeds[:1] and found["rejected"] == seeds and found["edited"] == []
    assert found["not reviewed"] == [s.sample.id for s in view.seeds[2:]]
    # Under a filter a seed stays in sight while a person decides on its children.
    here = view.on_seed(0)
    asked(view, "decide", id=here["children"][0]["id"], value="accept")
    assert view.on_seed(0)["id"] == here["id"] and view.count == len(view.seeds) - 2
    column = view.rows.names.index("decided")
    assert view.on_page(0, 1)["rows"][0][column] == "accepted"
    assert ExpansionView(Run.open(run.path, read_only=True)).rows.values("decided")[0] == ("accepted", 2)


def test_a_child_is_not_decided_while_its_edit_is_not_saved(run: Run) -> None:
    view = ExpansionView(run)
    id = child(view, "accepted")
    text = card(view, id)["text"]
    view.drafts = {id: text | {"request": "Something else."}}
    for value in ("accept", "reject"):
        assert "not saved yet" in asked(view, "decide", id=id, value=value)["error"]
    view.drafts = {id: text}
    assert "Rejected" in asked(view, "decide", id=id, value="reject")["message"]
