"""How people ask: phrases, clauses, and frames put together.

A tool has phrases, its parameters have clauses. A rendered value stands between two marks until the end, so
that noise and capitals never touch it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any, NamedTuple

from looptool_kit.world import frames
from looptool_kit.world.spec import SLOT, Param, Spec, reserved, slots
from looptool_kit.world.types import Surface, Type

OPEN, CLOSE = "\ue000", "\ue001"
"""The marks: characters of Unicode's private use area, which no text holds."""
SHUFFLED, IN_OWN_SENTENCE = 0.5, 0.3
"""Shares of the requests whose clauses stand in another order, and of the clauses said as a sentence."""
WITH_REASON, WITH_GREETING, WITH_THANKS = 0.25, 0.08, 0.1
"""Shares of the requests that begin with a reason or a greeting, or end with thanks."""
LOWER_CASE_BELOW, TYPO_BELOW, NO_STOP = 0.1, 0.15, 0.12
"""A tenth of the requests are in lower case, half as many have a typo, some no full stop: as in chats."""
LONG = 45
"""Clauses of more characters come late."""
_MARKS = str.maketrans("", "", OPEN + CLOSE)


@dataclass
class Scene:
    """What one sample is drawn with."""

    rng: Random
    today: date
    held: bool = False
    """Draw held-out values."""
    unseen: bool = False
    """Use reserved phrasings."""
    used: list[str] = field(default_factory=list)
    """The wordings that were chosen."""
    given: dict[str, Any] = field(default_factory=dict)
    """Of a request that leaves something out: the arguments that it does give."""
    values: list[dict[str, Any]] = field(default_factory=list)
    """Arguments of the plan's first calls, to be taken from the front instead of drawn."""
    results: list[dict[str, Any]] = field(default_factory=list)
    """Results of its first calls, to be taken likewise instead of executing them."""

    def choose(self, options: tuple[str, ...], suits: Callable[[str], bool] = lambda _: True) -> str:
        """Choose a wording that suits and that this split may use."""
        kept = reserved(options)
        fit = [o for o in options if suits(o)]
        free = [o for o in fit if (o in kept) == self.unseen] or fit
        choice = free[int(self.rng.random() * len(free))]
        self.used.append(choice)
        return choice


class Said(NamedTuple):
    """A request for one call before its frame."""

    form: str
    """do, ask or need."""
    body: str
    tail: str
    """Sentences that follow it."""
    implicit: tuple[str, ...]
    """The parameters that were said implicitly."""


def surface(t: Type, value: Any, scene: Scene, how: str | None, implicit: bool) -> Surface:
    """Choose one way to say a value and mark it.

    It suits the slot (`how`: None, "@" or "#noun"), and is implicit if wanted and possible, plain otherwise.
    """
    if t.item is not None:
        return Surface(listed([surface(t.item, v, scene, None, False).text for v in value]))
    if t.fields:
        return Surface(
            SLOT.sub(
                lambda m: f"{OPEN}{t.fields[m[1]].say(value[m[1]], scene.today)[0].text}{CLOSE}", t.template
            )
        )
    every = t.say(value, scene.today)
    fit = (
        [Surface(s.adverb or s.text, "", s.implicit) for s in every]
        if how == "@"
        else [s for s in every if s.text]
    )
    if not fit:
        fit = [Surface(s.adverb, "", s.implicit) for s in every]
    some = [s for s in fit if s.implicit == implicit] or [s for s in fit if not s.implicit] or fit
    template = some[int(scene.rng.random() * len(some))]
    text = f"{OPEN}{template.text}{CLOSE}"
    if how and how[0] == "#":
        one, _, many = how[1:].partition("/")
        text += " " + (one if value == 1 else many or one + "s")
    return Surface(text, "", template.implicit)


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


_BEFORE_SLOT = re.compile(r"\b(?:the|an?|my) (?:\w+ )?(?=\{(\w*)[@#}])")


def _once(template: str, spec: Spec, own: str, refs: dict[str, str]) -> str:
    """Remove a noun beside a slot that `refs` fills.

    "The last song on the list" brings its own into "play the song {title}".
    """

    def before(m: re.Match[str]) -> str:
        return "" if (m[1] or own) in refs else m[0]

    def after(m: re.Match[str]) -> str:
        name = m[1] or own
        return f"{{{m[1]}}}" if name in refs and m[3] == spec.by_name[name].type.noun else m[0]

    return re.sub(r"\{(\w*)(@|#[^}]*)?\} (\w+)", after, _BEFORE_SLOT.sub(before, template))


def render(
    template: str,
    spec: Spec,
    arguments: dict[str, Any],
    scene: Scene,
    *,
    own: str = "",
    refs: dict[str, str] | None = None,
    implicit: tuple[str, ...] = (),
) -> tuple[str, list[str]]:
    """Fill a wording's slots; also return the parameters said implicitly.

    `own` names the parameter behind `{}`; `refs` gives words in place of values.
    """
    hints: list[str] = []
    if refs:
        template = _once(template, spec, own, refs)

    def fill(m: re.Match[str]) -> str:
        name = m[1] or own
        if refs and name in refs:
            return f"on {refs[name]}" if m[2] == "@" else refs[name]
        surface_of = surface(spec.by_name[name].type, arguments[name], scene, m[2], name in implicit)
        if surface_of.implicit:
            hints.append(name)
        return surface_of.text

    return SLOT.sub(fill, template), hints


def clause(
    p: Param,
    spec: Spec,
    arguments: dict[str, Any],
    scene: Scene,
    implicit: tuple[str, ...] = (),
    refs: dict[str, str] | None = None,
) -> tuple[str, list[str]]:
    """One mention of a parameter."""
    if p.name in arguments and arguments[p.name] is None:
        return render("{@}", spec, arguments, scene, own=p.name)
    return render(scene.choose(p.clauses), spec, arguments, scene, own=p.name, implicit=implicit, refs=refs)


def say(
    spec: Spec,
    arguments: dict[str, Any],
    scene: Scene,
    *,
    implicit: tuple[str, ...] = (),
    refs: dict[str, str] | None = None,
    only_do: bool = False,
    skip: str = "",
    late: frozenset[str] = frozenset(),
) -> Said:
    """Word a request for a call, with every argument mentioned once.

    `refs` holds the words for what comes from an earlier result. The parameter `skip` is not mentioned, and
    those of `late` by a clause, where they have one.
    """
    said_names = set(arguments) | set(refs or ())
    form, phrase = _phrase(spec, said_names, scene, only_do, skip, late)
    body, hints = render(phrase, spec, arguments, scene, refs=refs, implicit=implicit)
    rest = [p for p in spec.params if p.name in said_names and p.name not in slots(phrase) and p.name != skip]
    if scene.rng.random() < SHUFFLED:
        scene.rng.shuffle(rest)
    parts, tails = [], []
    for p in rest:
        can_stand_alone = p.also and not only_do and not (refs and p.name in refs)
        if can_stand_alone and arguments.get(p.name) is not None and scene.rng.random() < IN_OWN_SENTENCE:
            alone = scene.choose(p.also)
            alone = alone if alone[-1] in ".!?" else alone + "."
            words, more = render(alone, spec, arguments, scene, own=p.name, implicit=implicit)
            tails.append(capital(words))
        else:
            words, more = clause(p, spec, arguments, scene, implicit, refs)
            parts.append(words)
        hints += more
    return Said(form, body + _in_order(parts), " ".join(tails), tuple(hints))


def _phrase(
    spec: Spec, names: set[str], scene: Scene, only_do: bool, skip: str, late: frozenset[str] = frozenset()
) -> tuple[str, str]:
    """Choose a phrase for the parameters `names`, with its form."""
    # What has no clause of its own belongs into the phrase.
    inside = {n for n in names if spec.by_name[n].bare and n != skip}

    def sayable(phrase: str) -> bool:
        if (only := _LOOK_UP.fullmatch(phrase)) and only[1] in late:
            return False
        return inside <= slots(phrase) <= names - (late - inside) and skip not in slots(phrase)

    if not (usable := usable_phrases(spec, scene, only_do, sayable)):
        raise ValueError(
            f"tool {spec.name!r} has no `do` phrase that can be said with {sorted(names)} and holds"
            f" {sorted(inside)}; give it one"
        )
    form, phrase = usable[int(scene.rng.random() * len(usable))]
    scene.used.append(phrase)
    return form, phrase


def usable_phrases(
    spec: Spec, scene: Scene, only_do: bool, sayable: Callable[[str], bool]
) -> list[tuple[str, str]]:
    """Return the phrases to draw one from, each with its form.

    An order or a question stands in it three times for a wish once, as people say them. Where the reserved
    wordings (or the others) give nothing, all orders count.
    """
    forms = [("do", spec.do)] * 3
    if not only_do:
        forms += [("ask", spec.ask)] * 3 + [("need", spec.need)]
    fitting = [
        (form, phrase)
        for form, options in forms
        for phrase in options
        if (phrase in reserved(options)) == scene.unseen and sayable(phrase)
    ]
    return fitting or [("do", phrase) for phrase in spec.do if sayable(phrase)]


_WHERE_AND_WHEN = ("at", "in", "on")


def _in_order(clauses: list[str]) -> str:
    """The clauses behind a phrase."""
    # Long and quoted ones read best near the end, afterthoughts at the very end.
    last = ("and ", ",", ":")
    late = sorted(clauses, key=lambda c: ('"' in c or len(c) > LONG) + 2 * c.lstrip(OPEN).startswith(last))
    text, before = "", ""
    for part in late:
        first = part.split(" ", 1)[0]
        # "To six people and to ten at night", but "on my family calendar on that day".
        alike = first == before and first.strip(OPEN + CLOSE) not in _WHERE_AND_WHEN
        text += part if part[0] in ",:" else f" and {part}" if alike else f" {part}"
        before = first
    return text


def frame(said: Said, scene: Scene, why: tuple[str, ...] = ()) -> str:
    """Make a whole request of what is said, without marks.

    `why` are sentences that may stand before it.
    """
    options = (
        frames.LISTED
        if said.body.startswith(("two things:", "three things:", "first "))
        else {"do": frames.DO, "ask": frames.ASK, "need": frames.NEED}[said.form]
    )
    opener = bool(why) and scene.rng.random() < WITH_REASON

    bare = re.sub(f"{OPEN}[^{CLOSE}]*{CLOSE}", "", said.body)
    to_me = said.form == "do" and (_ME.search(said.body) or _FOR_ME.search(bare))
    several = ". " in bare

    def suits(template: str) -> bool:
        # "Help me send me ...", "I have to show ..."; "Could you do this. Also, do that?"; "I'm hungry.
        # Hello, ...".
        return not (
            (to_me and _SELF.search(template))
            or (several and "?" in template)
            or (opener and _GREETING.match(template))
        )

    text = fit(scene.choose(options, suits), said.body)
    if said.tail:
        text += (" " if text[-1] in ".?!" else ". ") + said.tail
    if opener:
        text = f"{scene.choose(why)} {capital(text)}"
    roll = scene.rng.random()
    if roll < WITH_GREETING and not _GREETING.match(text):
        text = f"{scene.choose(frames.HELLO)} {capital(text)}"
    elif roll > 1 - WITH_THANKS and "hank" not in text:
        text += (" " if text[-1] in ".?!" else ". ") + scene.choose(frames.BYE)
    return noise(text, scene.rng)


def fit(template: str, body: str) -> str:
    """A body in its frame."""
    return template.replace("{X}", capital(body)).replace("{x}", body)


def joined(template: str, bodies: dict[str, str]) -> str:
    """Join several bodies into one.

    After a full stop inside the template a sentence begins.
    """
    return re.sub(
        r"(\. )?\{(\w)\}", lambda m: f". {capital(bodies[m[2]])}" if m[1] else bodies[m[2]], template
    )


def capital(text: str) -> str:
    """First letter upper case, unless it belongs to a value."""
    return text[:1].upper() + text[1:]


_GREETING = re.compile(r"(Hi|Hey|Hello|Good morning|ok|So|Now|Next|My next|Just curious|I keep|Quick)\b")
_SELF = re.compile(r"(\bI(?:'d like| want| need| have) to|\b[Hh]elp(?:ing)? me|Let's) \{x\}")
"""Frames in which the speaker acts; "send me" does not go with them, nor does "show"."""
_FOR_ME = re.compile(
    r"(?:^|[;,.:] |\b(?:and|then|also|first|likewise|more|that|done|it),? )(?:also )?"
    r"(?:show|list|tell|read|remind|notify|alert)\b",
    re.IGNORECASE,
)
"""What is done for the one who asks; nobody has to do it themselves ("I have to show the timers")."""
_ME = re.compile(r"\b(me|us)\b")
_LOOK_UP = re.compile(r"look up \{(\w+)\}")
"""Of a value "look up flight TP610" asks for its status, of a reference ("the latest flight") for a search.
"""
_WORD = re.compile(r"\b[a-z]{5,}\b")


def noise(text: str, rng: Random) -> str:
    """Add light noise outside values, and remove the marks.

    Now and then a request is in lower case, has no final punctuation, or one typo.
    """
    roll = rng.random()
    if roll < LOWER_CASE_BELOW:
        text = "".join(
            part if part[0] == OPEN else part.lower()
            for part in re.split(f"({OPEN}[^{CLOSE}]*{CLOSE})", text)
            if part
        )
    elif roll < TYPO_BELOW:
        outside = re.sub(f"{OPEN}[^{CLOSE}]*{CLOSE}", lambda m: "0" * len(m[0]), text)
        if words := list(_WORD.finditer(outside)):
            at = rng.choice(words)
            i = at.start() + rng.randint(1, len(at[0]) - 3)
            swapped = rng.random() < 0.5
            text = text[:i] + (text[i + 1] + text[i] + text[i + 2 :] if swapped else text[i + 1 :])
    if rng.random() < NO_STOP:
        text = text.rstrip(".?")
    return plain(text)


def plain(text: str) -> str:
    """The text without marks."""
    return text.translate(_MARKS)
