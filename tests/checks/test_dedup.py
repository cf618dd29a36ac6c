"""Deduplication: exact, near, and what is no duplicate."""

from __future__ import annotations

import pickle
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from looptool_kit import cluster, world
from looptool_kit.checks import dedup, near
from looptool_kit.checks.dedup import Deduplicator, deduplicate, jaccard, normalised, repeats, shingles
from looptool_kit.config.sections import ClusterSettings
from looptool_kit.core.samples import Label, Message, Sample, Samples, ToolCall
from looptool_kit.core.tables import Stored

LONG = (
    "Could you please book a table for six people at Chez Louis this coming Friday at half past six in the"
    " evening"
)


def sample(request: str, place: str = "Chez Louis", context: tuple[Message, ...] = ()) -> Sample:
    call = ToolCall(name="book", arguments={"place": place})
    return Sample(
        tools=(), messages=(*context, Message(role="user", content=request)), label=Label(calls=(call,))
    )


def test_shingles_and_similarity() -> None:
    assert shingles("One, two THREE four!") == {"one two three", "two three four"}
    assert shingles("Hi there") == {"hi there"} and normalised("Ä-b c") == "ä b c"
    assert jaccard(shingles("a b c d"), shingles("a b c e")) == 1 / 3


def test_exact_up_to_case_and_punctuation() -> None:
    there = sample(LONG)
    seen = Deduplicator([there])
    assert seen.duplicate_of(sample(LONG.upper() + "?!")) == there.id


def test_near_with_the_same_answer_but_not_with_another() -> None:
    there = sample(LONG)
    seen = Deduplicator([there])
    reworded = LONG.replace("Could you please book", "Would you kindly book")
    assert seen.duplicate_of(sample(reworded)) == there.id
    assert seen.duplicate_of(sample(reworded, place="Casa Nova")) is None
    assert seen.duplicate_of(sample(LONG + " thanks", place="Casa Nova")) == there.id
    assert seen.duplicate_of(sample("What else is on at Chez Louis tonight?")) is None


def test_the_same_words_after_another_context_are_new() -> None:
    one = (
        Message(role="user", content="Find restaurants in Oslo that serve Greek food"),
        Message(role="assistant", content="Two."),
    )
    two = (
        Message(role="user", content="Which bakeries around Porto are open on Sundays?"),
        Message(role="assistant", content="Two."),
    )
    seen = Deduplicator([sample("The first one, please", context=one)])
    assert seen.duplicate_of(sample("The first one, please", context=two)) is None
    assert seen.duplicate_of(sample("the first one please", context=one)) is not None


def test_deduplicate_keeps_the_first_of_each() -> None:
    rows = [
        sample(LONG),
        sample("Something else entirely, with other words"),
        sample(LONG + "!"),
        sample(LONG + " please"),
    ]
    kept, dropped = deduplicate(rows)
    assert [s.id for s in kept] == [rows[0].id, rows[1].id]
    assert dropped == {rows[2].id: rows[0].id, rows[3].id: rows[0].id}


def test_a_whole_table_comes_out_as_row_by_row() -> None:
    originals = list(world.generate(300, seed=7))
    rows = [
        *originals,
        *(
            s.model_copy(update={"messages": (*s.messages[:-1], _louder(s.messages[-1]))})
            for s in originals[::7]
        ),
        originals[3],
    ]
    random.Random(0).shuffle(rows)
    seen, kept, dropped = Deduplicator(), [], {}
    for row in rows:
        if (duplicate := seen.duplicate_of(row)) is None:
            seen.add(row)
            kept.append(row)
        else:
            dropped[row.id] = duplicate
    assert len(dropped) >= len(originals) // 7
    assert deduplicate(rows) == (Samples(kept), dropped)
    assert deduplicate([]) == (Samples(), {}) and deduplicate(rows[:1]) == (Samples(rows[:1]), {})


@pytest.mark.parametrize("seed", range(6))
def test_a_whole_table_comes_out_as_row_by_row_where_many_are_alike(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chains of rows, each like the next: which of them stay depends on those that stayed before."""
    monkeypatch.setattr(near, "BATCH_ROWS", 7)
    rng, text = random.Random(seed), LONG.split()
    rows = []
    for _ in range(120):
        if rng.random() < 0.2:
            text = [rng.choice("abcdefgh") + str(rng.randrange(30)) for _ in range(rng.choice([1, 2, 3, 18]))]
        elif rng.random() < 0.7:
            text = [*text]
            text[rng.randrange(len(text))] = f"w{rng.randrange(9)}"
        rows.append(sample(" ".join(text), place=f"Place {rng.randrange(3)}"))
    rng.shuffle(rows)
    seen, dropped = Deduplicator(), dict[int, str]()
    for at, row in enumerate(rows):
        if (duplicate := seen.duplicate_of(row)) is None:
            seen.add(row)
        else:
            dropped[at] = duplicate
    assert 20 < len(dropped) < 115 and repeats(rows) == dropped


def test_workers_of_a_cluster_find_the_same_whatever_order_they_end_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = random.Random(5)
    originals = list(world.generate(40, seed=9))
    rows = [s.model_copy(update={"messages": (*s.messages[:-1], _louder(s.messages[-1]))}) for s in originals]
    rows = [*originals, *rows, *originals[::3]]
    plain, sent = repeats(rows), list[int]()

    def each(items: list[Any], work: Callable[[Any], Any]) -> Iterator[tuple[Any, Any]]:
        sent.append(len(items))
        for item in rng.sample(items, len(items)):
            yield item, pickle.loads(pickle.dumps(work))(pickle.loads(pickle.dumps(item)))

    monkeypatch.setattr(cluster, "each", each)
    monkeypatch.setattr(near, "BATCH_ROWS", 16)
    with cluster.of(ClusterSettings(address="local")):
        assert repeats(rows) == plain and len(plain) >= 40
    assert sent[:2] == [6, near.BANDS] and len(sent) == 3, "sketches, bands and pairs"


def _louder(message: Message) -> Message:
    return message.model_copy(update={"content": message.content.upper() + " PLEASE"})


def test_a_table_on_disk_is_passed_over_and_equal_rows_are_told_by_place(tmp_path: Path) -> None:
    rows = [sample(f"{LONG} {n} {'and more ' * (n % 3)}", f"Place {n % 5}") for n in range(300)]
    rows += [
        rows[7],
        sample("Something else, in other words", "Here"),
        *[sample("Twice the same", "There")] * 2,
    ]
    path = Samples(rows).write(tmp_path / "samples.parquet")
    found = repeats(Stored(Samples, path))
    kept, dropped = deduplicate(rows)
    assert 300 in found and 301 not in found and 302 not in found and found[303] == rows[302].id
    assert [s.id for s in kept] == [s.id for at, s in enumerate(rows) if at not in found]
    assert dropped == {rows[at].id: other for at, other in found.items()}


def test_near_duplicates_are_found_among_many_without_comparing_with_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = []
    monkeypatch.setattr(dedup, "jaccard", lambda a, b: compared.append(1) or jaccard(a, b))
    rows = [
        sample(" ".join(f"w{(i * 7919 + k * 104729) % 5003}" for k in range(14)), place=str(i))
        for i in range(4000)
    ]
    seen = Deduplicator(rows)
    for s in rows[::20]:
        assert (
            seen.duplicate_of(sample(s.request + " indeed", place=s.label.calls[0].arguments["place"]))
            == s.id
        )  # type: ignore[arg-type]
    assert 200 <= len(compared) < 0.01 * 200 * len(rows)


@given(st.text())
def test_words_are_runs_of_letters_and_digits(text: str) -> None:
    assert normalised(text) == " ".join(re.findall(r"[^\W_]+", text.casefold()))


def test_plain_replies_are_answers_too() -> None:
    def asked(reply: str, request: str = LONG) -> Sample:
        return Sample(tools=(), messages=(Message(role="user", content=request),), label=Label(reply=reply))

    there = asked("For which day?")
    seen = Deduplicator([there])
    reworded = LONG.replace("Could you please book", "Would you kindly book")
    assert seen.duplicate_of(asked("for which day", reworded)) == there.id
    assert seen.duplicate_of(asked("At what time?", reworded)) is None
    assert seen.duplicate_of(sample(reworded)) is None
