"""How people ask: phrases of a tool, clauses of its parameters, and the frames that put them together.

A rendered value stands between two marks until the end, so that noise and capitals never touch it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any, NamedTuple

from looptool_kit.world.spec import SLOT, Param, Spec, reserved, slots
from looptool_kit.world.types import Surface, Type

OPEN, CLOSE = "\ue000", "\ue001"
_MARKS = str.maketrans("", "", OPEN + CLOSE)

DO = (
    "{X}.", "{X}.", "{X}, please.", "Please {x}.", "Can you {x}?", "Could you {x}?", "Could you please {x}?", "Would you please {x}?",
    "I need you to {x}.", "I'd like you to {x}.", "Hey, can you {x}?", "Hi! Could you {x}? Thanks!", "I was wondering if you could {x}.",
    "It would be great if you could {x}.", "I want you to {x}.", "When you get a chance, {x}.", "Go ahead and {x}.", "Do me a favour and {x}.",
    "Would you be able to {x}?", "Any chance you could {x}?", "Quick one: {x}.", "{X} — thanks.", "{X}. Thank you!", "Hello, please {x}.",
    "Can you help me? I need to {x}.", "I have to {x}.", "I'd like to {x}.", "I want to {x}.", "Help me {x}.", "Good morning! Please {x}.",
    "ok, {x}", "Now {x}.", "Next, {x}.", "So, {x}.", "Would you mind helping me {x}?", "Let's {x}.", "My next request: {x}.",
    "Are you able to {x}?", "For me, please {x}.", "Here's what I need: {x}.",
)  # fmt: skip
ASK = (
    "{X}?", "{X}?", "Hey, {x}?", "Hi, {x}?", "Quick question: {x}?", "Tell me, {x}?", "Just curious: {x}?", "One question: {x}?",
    "Sorry to bother you, but {x}?", "Hello! {X}?", "{X}? Thanks!", "I have a question: {x}?", "So, {x}?", "I keep wondering: {x}?",
    "Could you check for me: {x}?", "Please tell me: {x}?",
)  # fmt: skip
NEED = (
    "I need {x}.", "I'd like {x}.", "{X}, please.", "Can I get {x}?", "Could I have {x}?", "I want {x}.", "Can you get me {x}?", "Get me {x}.",
    "I could use {x}.", "Hi, I need {x}.", "Could you get me {x}, please?", "I would like {x}, please.", "What I need is {x}.",
    "Please get me {x}.", "May I have {x}?", "{X}. Thanks!",
)  # fmt: skip
BOTH = (
    "{a} and {b}", "{a}, and {b}", "{a} and also {b}", "{a}. Also, {b}", "{a}. Then {b}", "two things: {a}, and {b}", "{a}, and on top of that {b}",
    "{a}. While you're at it, {b}",
)  # fmt: skip
ALL = (
    "{a}, {b}, and {c}",
    "{a}, {b} and also {c}",
    "three things: {a}, {b}, and {c}",
    "{a}. Also, {b}, and {c}",
    "{a}; {b}; and {c}",
)
SAME = (
    "{a}, and do the same {b}",
    "{a}, then do the same {b}",
    "{a}. Also do the same {b}",
    "{a}, and likewise {b}",
    "{a}, and once more {b}",
)
STEPS = (
    "{a}, then {b}", "{a} and then {b}", "{a}. Then {b}", "first {a}, then {b}", "{a}; after that, {b}", "{a}, and once that's done {b}",
    "{a} and after that {b}",
)  # fmt: skip
HELLO = (
    "Hi there!",
    "Hey!",
    "Good evening.",
    "Hello again.",
    "Hi, it's me again.",
    "Good afternoon!",
    "Morning!",
    "Hello!",
)
BYE = (
    "Thanks!", "Thank you.", "Many thanks.", "That would help a lot.", "I appreciate it.", "Cheers.", "That's all for now.", "Thanks in advance.",
    "No rush.",
)  # fmt: skip
LISTED = ("{X}.", "{X}.", "{X}, please.", "Hi! {X}.", "{X}. Thanks!", "Hey, {x}.", "Good morning! {X}.")
NEXT = (
    "{X}.", "Great, {x}.", "Thanks! Now {x}.", "Perfect, please {x}.", "OK, {x}.", "Now {x}, please.", "Good. Can you {x}?", "Nice. Could you {x}?",
    "Thank you. Next, {x}.", "Alright, {x}.", "That works. Please {x}.", "Okay great, now {x}.",
)  # fmt: skip
BACK = (
    "Actually, {x}.", "Hmm, something came up. Please {x}.", "Wait, {x}.", "Sorry, change of plans: {x}.", "On second thought, {x}.",
    "Oh, could you {x}?", "My plans changed, so please {x}.",
)  # fmt: skip
AGAIN = (
    "Now do the same {x}.", "And the same {x}, please.", "Can you do that again {x}?", "Thanks! Same thing {x}.", "Great. Please do the same {x}.",
    "Could you repeat that {x}?", "Okay, and now the same {x}.", "I also need the same {x}.",
)  # fmt: skip
AND_WHAT = (
    "What about {x}?", "And {x}?", "How about {x}?", "Thanks. And {x}?", "OK, and {x}?", "Good to know. What about {x}?", "And what about {x}?",
    "Okay. How about {x}?",
)  # fmt: skip


@dataclass
class Scene:
    """What one sample is drawn with: the random stream, today's date, and which parts are allowed."""

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
        """One of the wordings that this split may use and that suit."""
        kept = reserved(options)
        fit = [o for o in options if suits(o)]
        free = [o for o in fit if (o in kept) == self.unseen] or fit
        said = free[int(self.rng.random() * len(free))]
        self.used.append(said)
        return said


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
    """One marked way of saying a value that suits the slot (`how`: None, "@" or "#noun"), implicit if wanted
    and possible, plain otherwise.
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
    said = some[int(scene.rng.random() * len(some))]
    text = f"{OPEN}{said.text}{CLOSE}"
    if how and how[0] == "#":
        one, _, many = how[1:].partition("/")
        text += " " + (one if value == 1 else many or one + "s")
    return Surface(text, "", said.implicit)


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


_BEFORE_SLOT = re.compile(r"\b(?:the|an?|my) (?:\w+ )?(?=\{(\w*)[@#}])")


def _once(template: str, spec: Spec, own: str, refs: dict[str, str]) -> str:
    """The wording with no noun beside a slot that `refs` fills: "the last song on the list" brings its own
    into "play the song {title}".
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
    """A wording with its slots filled (`own` names the parameter behind `{}`; `refs` gives words instead of
    values), and the parameters said implicitly.
    """
    hints: list[str] = []
    if refs:
        template = _once(template, spec, own, refs)

    def fill(m: re.Match[str]) -> str:
        name = m[1] or own
        if refs and name in refs:
            return refs[name]
        said = surface(spec.by_name[name].type, arguments[name], scene, m[2], name in implicit)
        if said.implicit:
            hints.append(name)
        return said.text

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
) -> Said:
    """A request for a call with these arguments, every one of them mentioned once (but `skip`); `refs` words
    what comes from an earlier result.
    """
    known = set(arguments) | set(refs or ())
    # What has no clause of its own belongs into the phrase.
    inside = {n for n in known if spec.by_name[n].bare and n != skip}
    forms = (
        [("do", spec.do)] * 3
        if only_do
        else [("do", spec.do)] * 3 + [("ask", spec.ask)] * 3 + [("need", spec.need)]
    )
    usable = [
        (form, p)
        for form, options in forms
        for p in options
        if (p in reserved(options)) == scene.unseen and inside <= slots(p) <= known and skip not in slots(p)
    ]
    usable = usable or [("do", p) for p in spec.do if inside <= slots(p) <= known and skip not in slots(p)]
    if not usable:
        raise ValueError(
            f"tool {spec.name!r} has no `do` phrase that can be said with {sorted(known)} and holds"
            f" {sorted(inside)}; give it one"
        )
    form, phrase = usable[int(scene.rng.random() * len(usable))]
    scene.used.append(phrase)
    body, hints = render(phrase, spec, arguments, scene, refs=refs, implicit=implicit)
    rest = [p for p in spec.params if p.name in known and p.name not in slots(phrase) and p.name != skip]
    if scene.rng.random() < 0.5:
        scene.rng.shuffle(rest)
    parts, tails = [], []
    for p in rest:
        if (
            p.also
            and not only_do
            and not (refs and p.name in refs)
            and arguments.get(p.name) is not None
            and scene.rng.random() < 0.3
        ):
            alone = scene.choose(p.also)
            said, more = render(
                alone if alone[-1] in ".!?" else alone + ".",
                spec,
                arguments,
                scene,
                own=p.name,
                implicit=implicit,
            )
            tails.append(capital(said))
        else:
            said, more = clause(p, spec, arguments, scene, implicit, refs)
            parts.append(said)
        hints += more
    # Long and quoted parts read best near the end, afterthoughts at the very end.
    parts.sort(key=lambda c: ('"' in c or len(c) > 45) + 2 * c.startswith(("and ", ",", ":")))
    before = ""
    for part in parts:
        first = part.split(" ", 1)[0]
        body += part if part[0] in ",:" else f" and {part}" if first == before else f" {part}"
        before = first
    return Said(form, body, " ".join(tails), tuple(hints))


def frame(said: Said, scene: Scene, why: tuple[str, ...] = ()) -> str:
    """A whole request: opener, frame, the sentences that follow, noise; marks removed."""
    options = (
        LISTED
        if said.body.startswith(("two things:", "three things:", "first "))
        else {"do": DO, "ask": ASK, "need": NEED}[said.form]
    )
    opener = bool(why) and scene.rng.random() < 0.25

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
    if roll < 0.08 and not _GREETING.match(text):
        text = f"{scene.choose(HELLO)} {capital(text)}"
    elif roll > 0.9 and "hank" not in text:
        text += (" " if text[-1] in ".?!" else ". ") + scene.choose(BYE)
    return noise(text, scene.rng)


def fit(template: str, body: str) -> str:
    """A body in its frame."""
    return template.replace("{X}", capital(body)).replace("{x}", body)


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
_WORD = re.compile(r"\b[a-z]{5,}\b")


def noise(text: str, rng: Random) -> str:
    """Light noise outside values (now and then lower case, no final punctuation, one typo), and the marks
    removed.
    """
    roll = rng.random()
    if roll < 0.1:
        text = "".join(
            part if part[0] == OPEN else part.lower()
            for part in re.split(f"({OPEN}[^{CLOSE}]*{CLOSE})", text)
            if part
        )
    elif roll < 0.15:
        outside = re.sub(f"{OPEN}[^{CLOSE}]*{CLOSE}", lambda m: "0" * len(m[0]), text)
        if found := list(_WORD.finditer(outside)):
            at = rng.choice(found)
            i = at.start() + rng.randint(1, len(at[0]) - 3)
            text = (
                text[:i] + text[i + 1] + text[i] + text[i + 2 :]
                if rng.random() < 0.5
                else text[:i] + text[i + 1 :]
            )
    if rng.random() < 0.12:
        text = text.rstrip(".?")
    return plain(text)


def plain(text: str) -> str:
    """The text without marks."""
    return text.translate(_MARKS)
