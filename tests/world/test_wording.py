"""How the procedural world words requests and replies."""

from __future__ import annotations

import re
from datetime import date
from random import Random

from looptool_kit import world
from looptool_kit.world import core, grammar, spec, types

SPECS = spec.specs()


def test_titles_and_lists_name_nothing_twice() -> None:
    rng, today = Random(1), date(2026, 11, 23)
    for _ in range(300):
        nouns = [
            w
            for w in core.draw(types.WORK, rng, today).replace("&", " ").split()
            if w not in ("The", "the", "and", "of", "in")
        ]
        assert len(set(nouns)) == len(nouns), nouns
        foods = core.draw(SPECS["logMeal"].by_name["foods"].type, rng, today)
        assert len({f["food"] for f in foods}) == len(foods), foods


def test_large_amounts_have_their_separators() -> None:
    texts = [s.text for s in types.money(100_000, 900_000).say(510_000, date(2026, 11, 23))]
    assert "$510,000" in texts and "510,000 dollars" in texts and not any("510000" in t for t in texts)


def test_frames_suit_what_they_hold() -> None:
    two = grammar.Said("do", f"send {grammar.OPEN}Dr. Rao{grammar.CLOSE} a note. Also, call the bank", "", ())
    mine = grammar.Said("do", f"send me {grammar.OPEN}Dr. Rao{grammar.CLOSE}'s number", "", ())
    seen = set()
    for seed in range(400):
        scene = grammar.Scene(Random(seed), date(2026, 11, 23), unseen=seed % 2 == 0)
        assert "?" not in grammar.frame(two, scene)
        said = grammar.frame(mine, scene, ("I am tired.",))
        assert not grammar._SELF.search(said.replace("send me", "{x}")), said
        assert not said.startswith(("I am tired. Hi", "I am tired. Hey", "I am tired. Hello")), said
        seen.add("?" in said)
    assert seen == {True, False}


def test_a_follow_up_says_about_once() -> None:
    said = [
        m.content
        for s in world.generate(300, 3, kinds=["multi_turn"])
        for m in s.messages
        if m.role == "user"
    ]
    assert not [t for t in said if "about about" in t.lower()]


def test_days_of_the_week_stand_in_their_order() -> None:
    week = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    choices = [
        (s, p, p.type.item.schema.get("enum", [""])) for s in SPECS.values() for p in s.params if p.type.item
    ]
    lists = [(s, p) for s, p, values in choices if str(values[0]).startswith("mon")]
    assert {s.name for s, _ in lists} == {"create_device_timer", "set_alarm_clock"}
    for s, p in lists:
        for seed in range(100):
            days = core.draw(p.type, Random(seed), date(2026, 11, 23))
            places = [next(i for i, day in enumerate(week) if day.startswith(d)) for d in days]
            assert places == sorted(places), days
            scene = grammar.Scene(Random(seed), date(2026, 11, 23))
            said = grammar.surface(p.type, days, scene, None, False).text.lower()
            assert [said.index(week[i]) for i in places] == sorted(said.index(week[i]) for i in places), (
                s.name,
                said,
            )


def test_openers_do_not_place_in_time_what_has_a_date() -> None:
    timed = {types.DATE.name, types.TIME.name, types.DATETIME.name}
    kinds = {"date", "time", "datetime"}
    for s in SPECS.values():
        if any(p.type.name in timed or kinds & set(p.type.name.split()) for p in s.params):
            placed = r"\b(just|tonight|today|tomorrow|yesterday|last night|this \w+ing|gym|sweaty)\b"
            bad = [w for w in s.why if re.search(placed, w)]
            assert not bad, (s.name, bad)


def test_nobody_has_to_show_things_themselves() -> None:
    own = re.compile(
        r"(?i)\b(have to|need to|want to|like to|help me|helping me|let's) (show|list|tell|read)\b"
    )
    said = [m.content for s in world.generate(1500, 5) for m in s.messages if m.role == "user"]
    assert not [t for t in said if own.search(t)]
    show = grammar.Said("do", "look up the weather, and once that's done show the timers", "", ())
    for seed in range(300):
        text = grammar.frame(show, grammar.Scene(Random(seed), date(2026, 11, 23)))
        assert not re.match(r"(?i)i(?:'d like| have| want| need) to|let's|help me", text), text


def test_a_reference_brings_its_own_noun() -> None:
    rng, today = Random(3), date(2026, 11, 23)
    for _, _, name, part in spec.links():
        s = SPECS[name]
        noun = s.by_name[part].type.noun
        args = {p.name: core.draw(p.type, rng, today) for p in s.params}
        for ref in (f"the last {noun} on the list", f"that {noun}"):
            for wording in (*s.do, *s.by_name[part].clauses):
                text, _ = grammar.render(
                    wording, s, args, grammar.Scene(Random(1), today), own=part, refs={part: ref}
                )
                text = text.replace(ref, "REF")
                assert not re.search(r"\b(the|an?|my) (\w+ )?REF\b", text) and f"REF {noun}" not in text, text
    refs, scene = {"title": "the last song on the list"}, grammar.Scene(rng, today)
    said, _ = grammar.render("play the song {title}", SPECS["startSong"], {}, scene, refs=refs)
    assert said == "play the last song on the list"


def test_what_is_needed_can_be_got() -> None:
    # "Can I get to be reminded?"
    assert not [(s.name, n) for s in SPECS.values() for n in s.need if n.startswith("to ")]
