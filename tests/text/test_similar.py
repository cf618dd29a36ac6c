"""TF-IDF of characters tells tools apart, and finds the same tool under another name."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from looptool_kit import world
from looptool_kit.augment.perturb import perturb
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool
from looptool_kit.text.similar import Similarity, runs, tool_text


def test_a_worked_example() -> None:
    similarity = Similarity(["abc", "abc abd"])
    # "abc" has one run, which both texts have: rarity 1 + ln(3/3) = 1, so the vector is (1).
    # "abd" has one run, which one text has: 1 + ln(3/2); as the only run it has length 1 as well.
    assert similarity.cosines(["abc"], ["abc", "abd", ""]) == pytest.approx(np.array([[1.0, 0.0, 0.0]]))
    # Twice "abc" among "abcabc": runs abc 2, bca, cab and four longer ones, each unknown: rarity 1 + ln 3.
    rare = 1 + np.log(3)
    length = np.sqrt((1 + np.log(2)) ** 2 + 7 * rare**2)
    assert similarity.cosines(["abc"], ["abcabc"])[0, 0] == pytest.approx((1 + np.log(2)) / length)


def test_runs_cross_words_and_styles_are_one() -> None:
    assert dict(runs("ab  c")) == {"ab ": 1, "b c": 1, "ab c": 1}
    names = [Tool(name=n, description="Book a Table.") for n in ("bookTable", "book_table", "Book-Table")]
    assert {tool_text(t) for t in names} == {"book table book a table"}


def test_what_a_tool_says_of_itself() -> None:
    inner = {"type": "object", "properties": {"zipCode": {"type": "string", "description": "Five digits"}}}
    items = {"type": "array", "items": {"type": "object", "properties": {"dish": {"enum": ["soup", "pie"]}}}}
    tool = Tool(name="order", parameters={"type": "object", "properties": {"address": inner, "items": items}})
    said = tool_text(tool).split()
    assert said == ["order", "address", "zip", "code", "five", "digits", "items", "dish", "soup", "pie"]


def test_the_worlds_tools_are_apart_and_their_copies_are_found() -> None:
    tools = world.catalogue()
    texts = [tool_text(t) for t in tools]
    similarity = Similarity(texts)
    apart = similarity.cosines(texts, texts)
    np.fill_diagonal(apart, 0)
    at = {t.name: n for n, t in enumerate(tools)}
    assert apart[at["move_viewing"], at["move_vet_appointment"]] < 0.45
    copies = []
    for number, tool in enumerate(tools[:70]):
        sample = Sample(tools=(tool,), messages=(Message(role="user", content="?"),), label=Label(reply="."))
        for name in ("renamed_tools", "renamed_parameters"):
            sample = perturb(name, sample, Random(number), Samples()) or sample
        copies.append(float(similarity.cosines([tool_text(sample.tools[0])], [texts[number]])[0, 0]))
    # What `trees` takes for one tool lies between: every copy is found, and no two tools are merged.
    assert apart.max() < 0.6 < min(copies)


def test_many_texts_are_compared_in_blocks() -> None:
    texts = [f"tool number {n}" for n in range(600)]
    similarity = Similarity(texts[:50])
    whole = similarity.cosines(texts[:2], texts)
    assert whole.shape == (2, 600) and whole[0, 0] == pytest.approx(1)
    assert whole[1, 599] == pytest.approx(similarity.cosines([texts[599]], [texts[1]])[0, 0])
    assert similarity.cosines(texts[:2], []).shape == (2, 0)
