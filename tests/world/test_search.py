"""Searches over made-up records: hand-worked dialogues, and what holds for every generated one."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest

from looptool_kit.checks.rules import passes
from looptool_kit.checks.searches import check_record
from looptool_kit.text.similar import Similarity, tool_text
from looptool_kit.world.search import PATTERNS, Made, Setup, dialogue, dialogues, possible, samples
from looptool_kit.world.search.dialogues import retrieve
from looptool_kit.world.search.facts import Base, base, is_held
from looptool_kit.world.search.questions import chain
from looptool_kit.world.search.relations import RELATIONS
from looptool_kit.world.search.tools import ASIDE, GENERAL, SPECIFIC, VIRTUAL, bank, common_words, original


@pytest.fixture(scope="module")
def setup() -> Setup:
    tools = {kind: some[:3] for kind, some in bank(3, 0.7, 0.6, 0).items()}
    return Setup(base(120, 0), tools)


@pytest.fixture(scope="module")
def made(setup: Setup) -> list[Made]:
    stream = dialogues(setup, list(PATTERNS), 5)
    return [next(stream) for _ in range(10 * len(PATTERNS))]


def by_hand() -> Base:
    """Four facts, of which three are a chain."""
    hand, rng = Base(), Random(0)
    work = hand.add("The Iron Fig", "work", "novel")
    person, firm = hand.add("Ana Berg", "person"), hand.add("Orbis Labs", "company")
    hand.state(work, "author", "Ana Berg", rng)
    hand.state(person, "employer", "Orbis Labs", rng)
    hand.state(firm, "headquarters", "Ghent", rng)
    hand.state(firm, "founding_year", "1980", rng)
    return hand


def test_three_relations_by_hand() -> None:
    tools = {kind: [original(kind)] for kind in VIRTUAL}
    setup = Setup(by_hand(), tools, hops=(3, 3), top=(1, 1))
    for seed in range(30):  # until it is the one that ends in the city
        made = dialogue(setup, "chain_many", Random(seed))
        if made.record.answers == ("Ghent",):
            break
    assert 'the author of the novel "The Iron Fig"' in made.record.question
    assert [(c.name, c.arguments) for c in made.dialogue.calls] == [
        ("work_search", {"entity": "The Iron Fig", "about": "author"}),
        ("person_search", {"entity": "Ana Berg", "about": "employer"}),
        ("organisation_search", {"entity": "Orbis Labs", "about": "headquarters"}),
    ]
    assert [s.kind for s in made.samples] == ["single", "multi_step", "multi_step", "finish"]
    label = made.samples[-1].label
    told = (
        'The novel "The Iron Fig" was written by Ana Berg, who works for Orbis Labs, which is based in Ghent.'
    )
    assert label.reply == told and label.mentions == (("Ghent",),)


def test_a_search_that_fails_is_context_and_no_target() -> None:
    tools = {kind: [original(kind)] for kind in VIRTUAL}
    setup = Setup(by_hand(), tools, hops=(1, 1))
    made = dialogue(setup, "bad_argument", Random(1))
    wrong, right = made.dialogue.calls
    assert made.dialogue.found[0] == () and json.loads(made.dialogue.messages[3].content) == {"results": []}
    assert [s.kind for s in made.samples] == ["recovery", "finish"]
    assert [s.label.calls for s in made.samples] == [(right,), ()] and wrong != right
    assert made.samples[0].messages[-2].tool_calls == (wrong,)


# --------------------------------------------------------- what holds for all of them


def test_every_dialogue_keeps_the_rules_and_every_sample_the_rule_tier(made: list[Made]) -> None:
    assert Counter(m.samples[0].meta["pattern"] for m in made) == dict.fromkeys(PATTERNS, 10)
    for m in made:
        assert all(c.passed for c in check_record(m.dialogue, m.record))
        assert all(map(passes, m.samples))
    rows = [s for m in made for s in m.samples]
    assert len({s.id for s in rows}) == len(rows)
    kinds = {"single", "parallel", "multi_step", "recovery", "finish", "not_found"}
    assert {s.kind for s in rows} == kinds


def test_labels_are_what_the_base_says(setup: Setup, made: list[Made]) -> None:
    facts = setup.base.facts
    for m in made:
        links = m.samples[0].meta["facts"]
        assert isinstance(links, list)
        for subject, relation, value in links:  # type: ignore[misc]
            assert facts[subject, relation].value == value  # type: ignore[index]
        right = [
            c for c, fails in zip(m.dialogue.calls, m.dialogue.fails, strict=True) if fails in ("", "missing")
        ]
        asked = [[v for v in c.arguments.values() if isinstance(v, str)] for c in right]
        assert [sorted(a) for a in asked] == [sorted([s, r]) for s, r, _ in links]  # type: ignore[misc]


def test_no_value_to_be_found_stands_in_the_question(made: list[Made]) -> None:
    for m in made:
        for _, _, value in m.samples[0].meta["facts"]:  # type: ignore
            assert value.lower() not in m.record.question.lower()  # type: ignore[union-attr]
        # Nor does a search give away what a later one is for.
        for found, fails in zip(m.dialogue.found, m.dialogue.fails, strict=True):
            assert len(set(found) & set(m.record.supporting)) == (not fails)


def test_a_retry_changes_required_arguments_alone(made: list[Made]) -> None:
    seen = 0
    for m in made:
        calls, fails = m.dialogue.calls, m.dialogue.fails
        for before, after, why in zip(calls, calls[1:], fails, strict=False):
            if why == "argument":
                required = next(t.required for t in m.dialogue.tools if t.name == before.name)
                changed = {n for n in after.arguments if after.arguments[n] != before.arguments[n]}
                assert before.name == after.name and before.arguments.keys() == after.arguments.keys()
                assert changed and changed <= set(required)
                seen += 1
            if why == "tool":
                assert before.name != after.name
    assert seen >= 10


def test_one_tool_on_offer_alone_can_answer(setup: Setup, made: list[Made]) -> None:
    kind_of = {s.tool.canonical: kind for kind, some in setup.tools.items() for s in some}
    for m in made:
        kinds = [kind_of[t.canonical] for t in m.dialogue.tools]
        assert len(set(kinds)) == len(kinds) and (GENERAL not in kinds or not set(kinds) & set(SPECIFIC))
        assert {
            kind_of[t.canonical] for t in m.dialogue.tools for c in m.dialogue.calls if c.name == t.name
        }.isdisjoint(ASIDE)


def test_a_bound_that_the_user_says_goes_into_every_call_and_holds(made: list[Made]) -> None:
    bounded = 0
    for m in made:
        numbers = {v for c in m.dialogue.calls for v in c.arguments.values() if isinstance(v, int)}
        if numbers:
            (most,) = numbers
            bounded += 1
            assert all(most in c.arguments.values() for c in m.dialogue.calls)
            assert f" {most} " in m.samples[0].request and all(len(f) <= most for f in m.dialogue.found)
    assert bounded


def test_the_rank_of_what_is_looked_for_is_uniform(setup: Setup) -> None:
    counts: Counter[tuple[int, int]] = Counter()
    for seed in range(120):
        for pattern in ("direct", "chain_many", "parallel"):
            m = dialogue(setup, pattern, Random(f"{pattern}/{seed}"))
            for found in m.dialogue.found:
                (rank,) = (n for n, at in enumerate(found) if at in m.record.supporting)
                counts[len(found), rank] += 1
    for size, bound in ((2, 6.63), (3, 9.21), (4, 11.34)):  # 1% points of chi-square, size - 1 degrees
        ranks = [counts[size, rank] for rank in range(size)]
        mean = sum(ranks) / size
        assert mean > 20 and sum((n - mean) ** 2 / mean for n in ranks) < bound, (size, ranks)


def test_retrieval_takes_the_best_by_bm25(made: list[Made]) -> None:
    record = next(m.record for m in made if len(m.record.passages) > 6)
    gold = record.supporting[0]
    title = record.passages[gold].title
    found = retrieve(record, title, gold, 3, Random(0))
    assert gold in found and len(found) == 3
    best = retrieve(record, title, None, 1, Random(0))[0]
    assert title.split()[-1] in f"{record.passages[best].title} {record.passages[best].text}"


# --------------------------------------------------------------------- the base


def test_relations_are_functions_and_names_are_unique(setup: Setup) -> None:
    stated = [(f.subject.name, f.relation.name) for f in setup.base.facts.values()]
    assert len(set(stated)) == len(stated)
    sentences = [setup.base.passage(f).text for f in setup.base.facts.values()]
    assert len(set(sentences)) == len(sentences)
    names = {n.lower() for n in setup.base.entities}
    assert len(names) == len(setup.base.entities)


def test_held_out_names_are_in_no_other_base() -> None:
    train, held = base(200, 0).entities, base(200, 0, held=True).entities
    assert not train.keys() & held.keys() and held.keys().isdisjoint(base(200, 1).entities)
    assert all(map(is_held, held)) and not any(map(is_held, train))


@pytest.mark.parametrize("works", [20, 1500])
def test_the_smallest_and_the_largest_base(works: int) -> None:
    some = base(works, 3)
    assert {f.relation.name for f in some.facts.values()} == set(RELATIONS)
    for hops in (1, 2, 3):
        assert chain(some, hops, Random(0)).text.endswith("?")


def test_years_are_in_order(setup: Setup) -> None:
    facts = setup.base.facts

    def year(name: str, relation: str) -> int:
        return int(facts[name, relation].value)

    for entity in setup.base.entities.values():
        if entity.kind == "work":
            author, publisher = (facts[entity.name, r].value for r in ("author", "publisher"))
            assert year(entity.name, "publication_year") >= year(author, "birth_year") + 20
            assert year(entity.name, "publication_year") >= year(publisher, "founding_year")
        elif entity.kind in ("company", "club"):
            assert (
                year(entity.name, "founding_year")
                >= year(facts[entity.name, "founder"].value, "birth_year") + 20
            )


# -------------------------------------------------------------------- the tools


def test_variants_are_like_their_tool_and_unlike_each_other_in_words() -> None:
    similarity = Similarity([tool_text(original(kind).tool) for kind in VIRTUAL])
    for kind, some in bank(3, 0.7, 0.6, 0).items():
        first, *variants = some
        assert len(variants) == 3 and len({s.tool.name for s in some}) == 4
        for number, new in enumerate(variants, 1):
            cosine = similarity.cosines([tool_text(new.tool)], [tool_text(first.tool)])[0, 0]
            assert cosine >= 0.7, (kind, new.tool.name)
            # Every one that was there, not their mean, as in ToolForge.
            assert max(common_words(new.tool, [s.tool for s in some[:number]])) <= 0.6
            assert set(new.tool.required) == {new.entity, new.about}
            assert 1 <= len(new.tool.properties) - 2 <= 5
            assert set(new.tool.properties[new.about]["enum"]) == set(VIRTUAL[kind].about)


def test_a_copy_has_all_words_of_what_it_copies() -> None:
    tools = [original(kind).tool for kind in ("person", "place")]
    assert common_words(tools[0], tools) == pytest.approx([1.0, common_words(tools[0], tools)[1]])
    assert common_words(tools[0], tools)[1] < 0.6


def test_too_many_variants_name_the_settings() -> None:
    with pytest.raises(ValueError, match=r"search\.same = 0\.99.*search\.words.*search\.variants"):
        bank(2, 0.99, 0.6, 0)


# --------------------------------------------------------------------- the stream


def test_a_longer_stream_begins_with_a_shorter_one(setup: Setup) -> None:
    short, long = (samples(setup, n, list(PATTERNS), 9) for n in (7, 31))
    assert len(short) == 7 and len(long) == 31 and long[:7] == short


def test_patterns_need_questions_of_their_length() -> None:
    assert possible((1, 1)) == ["direct", "bad_argument", "bad_tool", "parallel", "missing"]
    assert possible((2, 3)) == ["chain_one", "chain_many", "chain_failure", "missing"]
    assert possible((1, 3)) == list(PATTERNS)


def test_a_pattern_that_stands_twice_comes_twice_as_often(setup: Setup) -> None:
    stream = dialogues(setup, ["direct", "direct", "missing"], 2)
    drawn = Counter(next(stream).samples[0].meta["pattern"] for _ in range(12))
    assert drawn == {"direct": 8, "missing": 4}
