"""What perturbations draw from.

This is small talk, names' synonyms, and the other ways to write a date, a time, a duration or a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from num2words import num2words

from looptool_kit.text.mentions import Mention
from looptool_kit.text.wording import CLOCK_FORMS, DAY_FORMS

SMALL_TALK = (
    ("Do penguins have knees?", "They do; their feathers hide them."),
    (
        "Why is the sea salty?",
        "Rivers carry minerals into it, and those stay behind when the water evaporates.",
    ),
    ("I never know whether to say octopuses or octopi.", "Octopuses is fine in English."),
    ("Is a tomato a fruit?", "To a botanist it is; to a cook it is a vegetable."),
    ("What makes bread rise?", "Yeast gives off gas, and the dough traps it."),
    ("Why do we yawn?", "Nobody is quite sure. It may help to cool the brain."),
    ("What is the plural of moose?", "Just moose."),
    ("Does honey go bad?", "Hardly ever, as long as the jar stays shut."),
    ("Can fish hear?", "Quite well, although their ears cannot be seen."),
    ("How do knots hold?", "Friction does nearly all of the work."),
    ("Are mushrooms plants?", "They are fungi, which are closer to animals."),
    ("What is rubber made of?", "Often of the sap of a tree."),
    ("Why do onions make people cry?", "They release a gas that stings."),
    ("How does glue stick?", "It creeps into tiny gaps and hardens there."),
    ("Is it true that goldfish forget everything?", "They remember quite a lot, it turns out."),
    ("What is a palindrome?", "A word that reads the same backwards."),
)
"""(user, assistant): questions that no tool is for, without numbers, dates or names."""

ASIDES = (
    "My neighbour has taken up the bagpipes.", "The pigeons on the balcony are very loud.",
    "My knee still hurts a little.", "I have just finished a crossword.",
    "There is glitter everywhere and nobody admits to it.", "My handwriting gets worse and worse.",
    "I still cannot whistle.", "The old armchair squeaks again.", "My shoelaces keep coming undone.",
    "It took me ages to untangle the earphones.", "The squirrels have eaten the bulbs.",
    "I spilled ink on my sleeve.",
)  # fmt: skip

VERBS = {
    "find": "search", "search": "find", "get": "fetch", "book": "reserve", "update": "modify",
    "delete": "remove", "remove": "delete", "list": "show", "show": "display", "check": "inspect",
    "look": "search", "create": "make", "start": "begin", "stop": "end", "buy": "purchase",
}  # fmt: skip
"""Verb of a tool's name -> another that means the same."""

REAL_WORDS = frozenset(
    re.findall(
        r"\w+",
        "board broad field filed tired tried trial trail diary dairy beard bread casual causal united untied"
        " unite untie silver sliver marital martial sacred scared angel angle stain satin prefect perfect"
        " carve crave latter supper dinner dessert hopping planned ratted starring filling tilling tapping"
        " cutter hatter litter bitter ripper rudder barring mopped",
    )
)
"""What a slip of the keys must not turn another word into."""


def other_forms(mention: Mention, today: date | None, following: str) -> Iterator[str]:
    """Other ways to write what a mention says beyond doubt.

    None where its own form is not known. `following` is the text behind it. The caller makes sure that each
    reads back as the same value where it is put.
    """
    said, reading = mention.text, mention.readings[0]
    if mention.kind == "date":
        yield from _days(said, date.fromisoformat(str(reading)), today)
    elif mention.kind == "time":
        yield from _clocks(said, str(reading), following)
    elif mention.kind == "duration" and "-" not in said:
        yield from _durations(float(reading))
    elif mention.kind == "number":
        yield from _numbers(said, float(reading), mention.unit, following)


def _days(said: str, day: date, today: date | None) -> Iterator[str]:
    # The last two name no month, so that they have to be worked out.
    forms = [f(day) for f in DAY_FORMS[:-2]]
    if said.lower() not in (f.lower() for f in forms):
        return
    written = re.search(r"\d{4}", said) is not None and not re.fullmatch(r"\d{4}-\d\d-\d\d", said)
    near = today is not None and 0 <= (day - today).days < 300
    yield from (f for f in forms if str(day.year) in f or (near and not written))


def _clocks(said: str, clock: str, following: str) -> Iterator[str]:
    # 12 pm is midnight to some; the last form but one says neither morning nor evening.
    forms = [f(clock) for f in (*CLOCK_FORMS[:-2], CLOCK_FORMS[-1])]
    if clock[:2] in ("00", "12") or said.lower() not in (f.lower() for f in forms):
        return
    for form in forms:
        bare = form == clock and clock[:2] in ("10", "11")
        odd = form.startswith("quarter to") and clock[:2] in (
            "11",
            "17",
            "21",
        )  # "quarter to six in the afternoon"
        if form and not bare and not odd and not (form.endswith(".") and following[:1] in ".?!"):
            yield form


def _durations(seconds: float) -> Iterator[str]:
    minutes = seconds / 60
    if not minutes.is_integer() or not 1 < minutes < 24 * 60:
        return
    hours, rest = divmod(int(minutes), 60)
    yield f"{int(minutes)} minutes"
    yield f"{int(minutes)} min"
    if hours:
        whole = f"{hours} hour{'s' * (hours > 1)}"
        yield f"{whole} and {rest} minutes" if rest else whole
        yield f"{hours} h {rest} min" if rest else f"{hours} h"
        if rest == 30:
            yield f"{hours}.5 hours"


def _numbers(said: str, value: float, unit: str, following: str) -> Iterator[str]:
    if unit == "%":
        yield f"{value:g}%"
        yield f"{value:g} percent"
        return
    sign, word = {"USD": ("$", "dollars"), "EUR": ("€", "euros")}.get(unit, ("", ""))
    digits = f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"
    if sign and (sign in said or said.endswith(word)):
        yield sign + digits
        yield f"{digits} {word}"
        if value >= 1000 and value % 1000 == 0:
            yield f"{sign}{value / 1000:.0f}k"
    elif not unit and value.is_integer() and not re.match(r" ?(?:[a-zA-Z]{1,2}\b|x\b|[%°/:.-]\w)", following):
        if re.fullmatch(r"[\d,]+", said) and value >= 1000:
            yield digits
        elif 0 <= value <= 100 and said.lower() in (f"{value:.0f}", num2words(int(value))):
            yield f"{value:.0f}"
            yield str(num2words(int(value)))
