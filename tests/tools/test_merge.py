"""Near-duplicate tools become one, different ones never, and samples follow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner

from looptool_kit import world
from looptool_kit.augment.edits import calls_of
from looptool_kit.augment.perturb import perturb
from looptool_kit.checks.rules import check_sample
from looptool_kit.cli import app
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed.stage import seed
from looptool_kit.text.similar import Similarity, tool_text
from looptool_kit.tools.merge import SLACK, Merges, differ, merge, merged_sample, verb
from looptool_kit.tools.own_tools import tools_of

SAME = 0.6
TEXT = {"type": "string"}


def tool(name: str, description: str, required: dict[str, Any], **optional: Any) -> Tool:
    schema = {"type": "object", "properties": {**required, **optional}, "required": list(required)}
    return Tool(name=name, description=description, parameters=schema)


def copy(sample: Sample, number: int) -> Sample:
    """The sample over tools with other names, of themselves and of their parameters."""
    for name in ("renamed_tools", "renamed_parameters"):
        sample = perturb(name, sample, Random(number), Samples()) or sample
    return sample.model_copy(update={"split": "train"})


def copies(tools: list[Tool], start: int) -> Iterator[tuple[Tool, Tool]]:
    for number, t in enumerate(tools, start):
        sample = Sample(tools=(t,), messages=(Message(role="user", content="?"),), label=Label(reply="."))
        yield t, copy(sample, number).tools[0]


def test_copies_under_other_names_are_found_and_no_two_tools_of_the_world_are_merged() -> None:
    tools = world.catalogue()
    assert len(list(combinations(tools, 2))) == 5151
    alone = merge(tools, SAME)
    assert alone.tools == tools and not alone.merges
    for start in (0, 1000):
        pairs = list(copies(tools[:70], start))
        merging = merge([*tools, *(c for _, c in pairs)], SAME)
        assert len(merging.tools) == len(tools)
        for own, other in pairs:
            assert merging.members[own.canonical].into == merging.members[other.canonical].into
        assert {r.fate for r in merging.merges} == {"kept", "merged"}


def test_a_worked_example() -> None:
    day = {"type": "string", "format": "date"}
    guests = {"type": "integer"}
    one = tool(
        "book_table", "Book a table at a restaurant.", {"restaurant": TEXT, "date": day}, guests=guests
    )
    two = tool(
        "reserveTable",
        "Reserve a table at a restaurant.",
        {"restaurantName": TEXT, "theDate": day, "guests": guests},
        note=TEXT,
    )
    merging = merge([one, two], SAME)
    (merged,) = merging.tools
    assert (merged.name, merged.description) == (one.name, one.description)
    assert list(merged.properties) == ["restaurant", "date", "guests", "note"]
    assert merged.required == ("restaurant", "date")  # what both require
    call = ToolCall(
        name="reserveTable", arguments={"restaurantName": "Fig", "theDate": "2026-01-02", "guests": 2}
    )
    member = merging.members[two.canonical]
    made = member.forward(call)
    assert made.name == "book_table" and made.arguments == {
        "restaurant": "Fig",
        "date": "2026-01-02",
        "guests": 2,
    }
    assert member.backward(made) == call
    kept, gone = merging.merges
    assert (kept.fate, gone.fate, gone.into, gone.cluster) == ("kept", "merged", "book_table", kept.cluster)
    assert gone.parameters == {
        "restaurantName": "restaurant",
        "theDate": "date",
        "guests": "guests",
        "note": "note",
    }


ORDER = "the order of a customer in the shop, by its number"


@pytest.mark.parametrize(
    ("one", "two", "why"),
    [
        (("cancel_order", f"Cancel {ORDER}.", {"order": TEXT}),
         ("track_order", f"Track {ORDER}.", {"order": TEXT}), "one does 'cancel'"),
        (("lock_door", "Lock the door of the house.", {"door": TEXT}),
         ("unlock_door", "Unlock the door of the house.", {"door": TEXT}), "one does 'lock'"),
        (("get_user", "Get the user of the shop, by its number.", {"number": TEXT}),
         ("get_order", "Get the order of the shop, by its number.", {"number": TEXT}), "never mentions"),
        (("get_order", f"Get {ORDER}.", {"number": TEXT}),
         ("find_order", f"Find {ORDER}.", {"number": {"type": "integer"}}), "two types"),
        (("list_orders", "List orders of the shop.", {"start_date": TEXT}),
         ("show_orders", "Show orders of the shop.", {"end_date": TEXT}), "no counterparts"),
        (("list_orders", "List orders of the shop.", {"state": {"enum": ["open"]}}),
         ("show_orders", "Show orders of the shop.", {"state": {"enum": ["open", "paid"]}}), "two types"),
    ],
)  # fmt: skip
def test_what_differs_stays_apart_however_alike(one: Any, two: Any, why: str) -> None:
    pair = [tool(*one), tool(*two)]
    assert why in differ(*pair)
    merging = merge(pair, 0.3)
    assert merging.tools == pair
    (row,) = merging.merges
    assert row.fate == "apart" and why in row.why and row.cluster == 0


def test_defaults_of_two_meanings_stay_apart() -> None:
    number = {"number": TEXT}
    pair = [
        tool("get_order", f"Get {ORDER}.", number, limit={"type": "integer", "default": 5}),
        tool("find_order", f"Find {ORDER}.", number, limit={"type": "integer", "default": 50}),
    ]
    assert "two types" in differ(*pair)


def test_of_a_chain_of_likes_the_ends_stay_apart() -> None:
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "theta", "omega", "kappa", "sigma"]
    chain = [
        tool(f"find_{n}", f"Find {' '.join(words[n : n + 6])}", {"name": TEXT}) for n in range(len(words) - 5)
    ]
    texts = [tool_text(t) for t in chain]
    cosines = Similarity([tool_text(t) for t in world.catalogue()] + texts).cosines(texts, texts)
    assert all(cosines[n, n + 1] >= SAME for n in range(4)) and cosines[0, 4] < SAME - SLACK
    merging = merge(chain, SAME)
    groups: dict[str, set[str]] = {}
    for row in merging.merges.where(lambda r: r.cluster > 0):
        groups.setdefault(row.into, set()).add(row.tool)
    assert groups and not any({"find_0", "find_4"} <= group for group in groups.values())


def test_the_verb_of_a_tool() -> None:
    assert verb(tool("api_reserve_table", "x", {})) == verb(tool("bookTable", "Book a table", {})) == "make"
    assert verb(tool("city_weather", "Get the weather of a city.", {})) == "look up"
    assert verb(tool("track_order", "Track an order.", {})) == "track"
    assert verb(Tool(name="_")) == ""


def test_samples_follow_their_tools_and_map_back() -> None:
    own = world.generate(60, seed=4)
    other = [copy(s, n) for n, s in enumerate(own)]
    samples = [s for pair in zip(own, other, strict=True) for s in pair]
    merging = merge([t for s in samples for t in s.tools], SAME)
    rewritten = 0
    for sample in samples:
        made = merged_sample(sample, merging)
        assert isinstance(made, Sample)
        members = {t.name: merging.members.get(t.canonical) for t in sample.tools}
        before = [c for c in calls_of(sample)]
        for call, new in zip(before, calls_of(made), strict=True):
            if member := members[call.name]:
                assert new.name == member.into.name and member.backward(new) == call
        assert [c.detail for c in check_sample(made) if not c.passed] == [
            c.detail for c in check_sample(sample) if not c.passed
        ]
        assert {t.canonical for t in made.tools} <= {t.canonical for t in merging.tools}
        rewritten += made != sample
    assert rewritten >= 60


def asked(tools: list[Tool], label: Label) -> Sample:
    return Sample(tools=tuple(tools), messages=(Message(role="user", content="Get the order."),), label=label)


def test_a_sample_whose_label_cannot_follow_is_refused_with_the_reason() -> None:
    number = {"number": TEXT}
    strict = tool("get_order", f"Get {ORDER}.", number, shop=TEXT)
    loose = tool("find_order", f"Find {ORDER}.", {**number, "shop": TEXT})
    merging = merge([strict, loose], SAME)
    assert len(merging.tools) == 1
    question = merged_sample(asked([loose], Label(reply="Which shop?", asks=True)), merging)
    assert isinstance(question, str) and "may not require" in question
    same = [ToolCall(name=n, arguments={"number": "7", "shop": "A"}) for n in ("get_order", "find_order")]
    twice = merged_sample(asked([strict, loose], Label(calls=tuple(same))), merging)
    assert twice == "two of its calls become one"


def test_names_that_belong_to_other_tools_are_not_taken() -> None:
    number = {"number": TEXT}
    one, two = tool("get_order", f"Get {ORDER}.", number), tool("find_order", f"Find {ORDER}.", number)
    taken = [
        tool("get_order", "Convert money between currencies.", {"amount": TEXT}),
        tool("find_order", "Water the plants of a garden.", {"garden": TEXT}),
    ]
    free = merge([one, two, taken[0]], SAME)
    assert sorted(t.name for t in free.tools) == ["find_order", "get_order"]
    assert next(t for t in free.tools if t.name == "find_order").description == two.description
    none = merge([one, two, *taken], SAME)
    assert len(none.tools) == 4
    assert [r.why for r in none.merges if r.cosine >= SAME] == ["other tools have their names"]


TOOLS = [
    {"type": "function", "function": tool(*row).model_dump()}
    for row in (
        ("get_order", f"Get {ORDER}.", {"number": {**TEXT, "examples": ["A-1042"]}}),
        (
            "fetchOrder",
            f"Fetch {ORDER}.",
            {"orderNumber": {**TEXT, "examples": ["A-1042"], "description": "The number of the order"}},
        ),
        ("cancel_order", f"Cancel {ORDER}.", {"number": {**TEXT, "examples": ["A-1042"]}}),
    )
]


def test_init_merges_a_catalogue_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(json.dumps(TOOLS))
    run = str(tmp_path / "run")
    command = ["init", run, "--tools", str(tmp_path / "tools.json"), "--set", "seeds.source=world"]
    assert "nothing is trained on the tools" in str(CliRunner().invoke(app, command).exception)
    done = CliRunner().invoke(app, ["init", run, "--merge"])
    assert "name these with --tools" in str(done.exception)
    done = CliRunner().invoke(app, ["init", run, "--tools", str(tmp_path / "tools.json"), "--merge"])
    assert done.exit_code == 0, done.output
    assert "1 merged into others" in done.output and "fetchOrder -> get_order" in done.output
    assert "cancel_order" in done.output and "stay apart" in done.output
    opened = Run.open(run, read_only=True)
    assert [t.name for t in tools_of(opened)] == ["get_order", "cancel_order"]
    assert opened.settings.merge.tools
    rows = Merges.read(opened.path / "merges.parquet")
    assert [(r.tool, r.fate) for r in rows][:2] == [("get_order", "kept"), ("fetchOrder", "merged")]


def test_a_file_of_samples_is_rewritten(tmp_path: Path) -> None:
    own = world.generate(30, seed=5)
    file = Samples([*own, *(copy(s, n) for n, s in enumerate(own))]).write(tmp_path / "samples.jsonl")
    usual = {"seeds__source": str(file), "seeds__first": 40}
    names = {}
    for merges in (False, True):
        run = Run.create(tmp_path / f"run{merges}", **usual, merge__tools=merges)
        seed(run)
        pool = run.table(Samples, "pool", 0)
        names[merges] = {t.name for s in pool for t in s.tools}
        assert (run.path / "seed" / "merges.parquet").exists() == merges
    assert len(names[True]) < len(names[False]) / 2
