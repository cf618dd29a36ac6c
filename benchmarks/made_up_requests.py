"""Requests for calls of made-up tools: one call, several of one tool, several tools, what is missing.

A request is built from the values of its calls. Until it is finished, values stand between two marks, so that
what is done to the other words (lower case, a typo) never reaches them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from made_up_tasks import THINGS, Made, Slot, Task, an, default_of, plural_of, sentences
from made_up_values import listed, split

from looptool_kit.core.samples import ToolCall

MENTIONED = 0.4
"""Share of the optional parameters that a request mentions."""
SENTENCE = 0.2
"""Share of those that are said in a sentence of their own."""
CALLS = {2: 0.5, 3: 0.33, 4: 0.12, 5: 0.05}
"""Of one tool."""
MESSY, SETTING, TYPO = 0.25, 0.15, 0.06
_PREPOSITIONS = set(split("of|in|for|to|from|at|on|by|into|with|near|about|through|around"))
_DROPPED = {"in", "for", "to", "from", "at", "on", "by", "into"}
"""Prepositions that a request loses with the value after them."""
_APART = (
    "including",
    "without",
    "sorted",
    "limited",
    "rounded",
    "notifying",
    "showing",
    "ignoring",
    "keeping",
    "as ",
    "and pin",
)
_DO = split("""{T}.|{T}.|{T}.|{T}.|Please {t}.|Please {t}.|{T}, please.|Can you {t}?|Could you {t}?|
    Could you please {t}?|I need you to {t}.|I'd like you to {t}.|Would you {t}?|Hey, {t}.|Hi! {T}.|
    Hello, can you {t}?|Go ahead and {t}.|Next, {t}.""")
_OWN = split("I want to {t}.|I need to {t}.|Help me {t}.|I'd like to {t}.|We have to {t}.|I have to {t}.")
_THANKS = split("Thanks!|Thank you.|Thanks a lot.|Cheers!|That's all.|No rush.")

Said = dict[str, tuple[Any, str]]
"""Parameter's name in the bank -> value and words."""


START, END = "\x02", "\x03"


def _mark(words: str) -> str:
    return f"{START}{words}{END}"


def drawn(made: Made, rng: Random, mentioned: float = MENTIONED, most: int = 3, skip: str = "") -> Said:
    """Values for the required parameters and some of the optional ones, no two of one call alike."""
    optional = [s for s in made.slots if not s.required and rng.random() < mentioned][:most]
    out: Said = {}
    for slot in made.slots:
        if slot.param.name == skip or not (slot.required or slot in optional):
            continue
        for _ in range(20):
            value, words = slot.kind.draw(rng)
            default = default_of(slot.param, slot.kind)
            new = default is None or value != default or isinstance(value, bool)
            if new and words not in [w for _, w in out.values()]:
                break
        if slot.param.unit and rng.random() < 0.65:
            words += f" {slot.param.unit}"
        out[slot.param.name] = value, words
    return out


def call(made: Made, said: Said) -> ToolCall:
    """The call with those values."""
    return ToolCall(
        name=made.tool.name,
        arguments={s.name: said[s.param.name][0] for s in made.slots if s.param.name in said},
    )


def _clause(slot: Slot, value: Any, words: str, way: int) -> str:
    p = slot.param
    if isinstance(value, bool):
        return p.clauses[not value]
    if p.clauses:
        return p.clauses[way % len(p.clauses)].format(_mark(words))
    number = slot.kind.schema["type"] in ("number", "integer")
    plural = p.name.endswith("s") and not p.name.endswith(("ss", "us"))
    if number and not plural and len(p.name) > 2:
        return f"with {an(p.name)} of {_mark(words)}"
    if number:
        return f"with {_mark(words)} {p.name}" if plural else f"with {p.name} {_mark(words)}"
    return f"with the {p.name} {_mark(words)}"


def _joined(clauses: Sequence[str]) -> str:
    """Clauses in a row: those with "with" as one list, those that stand apart after a comma."""
    late = [c for c in clauses if c.startswith(_APART)]
    listed_ = [c for c in clauses if re.match(r"with (an?|the) ", c)]
    plain = [c for c in clauses if c not in late and c not in listed_]
    text = " ".join(plain)
    if listed_:
        text += " with " + listed([c.removeprefix("with ") for c in listed_])
    return f"{text}{''.join(f', {c}' for c in late)}".strip() if text else ", ".join(late)


class Phrase(NamedTuple):
    """A request's words: what stands before the first value, what follows, and sentences behind."""

    stem: str
    tail: str
    after: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The clause as a whole."""
        return f"{self.stem}{'' if self.tail.startswith(',') else ' '}{self.tail}".strip()


def phrase_of(
    made: Made,
    say: str,
    said: Said,
    rng: Random,
    way: int = 0,
    alone: bool = True,
    skip: str = "",
) -> Phrase:
    """The words for one call by one way to say it; `alone`: sentences may follow."""
    task = made.task
    if skip and f"{{{skip}}}" in say:
        say = _left_out(say, skip, task)
    names = re.findall(r"\{([^{}]*)\}", say)
    rest = [s for s in made.slots if s.param.name in said and s.param.name not in names]
    after, clauses = [], []
    for slot in rest:
        value, words = said[slot.param.name]
        clause = _clause(slot, value, words, way)
        own = alone and not slot.required and START in clause
        if own and rng.random() < SENTENCE:
            name, mark = slot.param.name, _mark(words)
            after.append(
                rng.choice(
                    (
                        f"The {name} should be {mark}.",
                        f"Use {mark} as the {name}.",
                        f"Set the {name} to {mark}.",
                    )
                )
            )
        else:
            clauses.append(clause)
    if len(clauses) > 1 and rng.random() < 0.3 and task.family != "calculation":
        rng.shuffle(clauses)
    at = say.find("{", say.find("{e}") + 3 if "{e}" in say else 0)
    if at < 0:
        stem, tail = say, ""
    else:
        before = say[:at].split()
        along = before and before[-1] in _PREPOSITIONS and say[at - 1] == " "
        cut = at - len(before[-1]) - 1 if along else at
        stem, tail = say[:cut], say[cut:]

    def fill(text: str) -> str:
        return re.sub(r"\{(.*?)\}", lambda m: task.about if m[1] == "e" else _mark(said[m[1]][1]), text)

    tail = fill(tail).strip()
    more = _joined(clauses)
    tail += more if more.startswith(",") or not tail else f" {more}" if more else ""
    return Phrase(fill(stem).strip(), tail.strip(), tuple(after))


def _left_out(say: str, name: str, task: Task) -> str:
    """A way to say it without a parameter: its preposition goes too, or an indefinite word stands for it."""
    record = f"{{e}} {{{name}}}"
    if record in say:
        return say.replace(f"the {record}" if f"the {record}" in say else record, an(task.about), 1)
    found = re.search(rf" (\w+) (?:a |an |the )?\{{{name}\}}", say)
    if found and found[1] in _DROPPED and say.count("{") > 1:
        return say.replace(found[0], "", 1)
    thing = THINGS.get(task.about, task.about) if task.family == "fact" else name
    indefinite = f"some {name}" if name.endswith("s") or name in ("text", "body") else an(thing)
    return re.sub(rf"(?:\b(?:a|an|the) )?\{{{name}\}}", indefinite, say, count=1)


def imperative(task: Task, rng: Random) -> str:
    """An imperative for a task."""
    say = rng.choice([s for s in task.says if not s.endswith("?")])
    if task.family == "fact":
        return f"{rng.choice(('find', 'look up', 'tell me', 'get', 'get me', 'check', 'give me'))} {say}"
    if task.family == "calculation":
        verbs = ("calculate", "compute", "work out", "find", "determine", "tell me", "figure out")
        return f"{rng.choice(verbs)} {say}"
    return say


def same(made: Made, rng: Random) -> tuple[str, list[ToolCall]] | None:
    """An imperative and its calls, for one tool with several values; None where it has nothing to vary."""
    task, way = made.task, rng.randrange(2)
    say = imperative(task, rng)
    k = rng.choices(list(CALLS), list(CALLS.values()))[0]
    slots = {s.param.name: s for s in made.slots}
    inner = [n for n in re.findall(r"\{([^{}]*)\}", say) if n != "e" and slots[n].kind.scalar]
    for name in rng.sample(inner, len(inner)) if rng.random() < 0.7 else ():
        # Of what is done to one record only once, several records are named.
        if "id" in slots and name != "id":
            continue
        first = drawn(made, rng, mentioned=0.25, most=1)
        values = _distinct(slots[name], first, name, k, rng)
        if values is None:
            continue
        words = [w for _, w in values]
        last = rng.choice((" and ", " and ", ", and " if k > 2 else " and ", " as well as "))
        shown = f"{f'{END}, {START}'.join(words[:-1])}{END}{last}{START}{words[-1]}"
        many = say.replace("{e}", plural_of(task.about)) if name == "id" else say
        phrase = phrase_of(made, many, {**first, name: (None, shown)}, rng, way, alone=False)
        return phrase.text, [call(made, {**first, name: v}) for v in values]
    k, several = min(k, 3), list[Said]()
    for _ in range(30):
        one = drawn(made, rng, mentioned=0.15, most=1)
        key = "id" if "id" in one else ""
        known = [s for s in several if call(made, s) == call(made, one) or (key and s[key] == one[key])]
        if not known and (not several or one.keys() == several[0].keys()):
            several.append(one)
        if len(several) == k:
            break
    else:
        return None
    many = say.replace("{e} {id}", f"{plural_of(task.about)} {{id}}")
    phrases = [phrase_of(made, many, s, rng, way, alone=False) for s in several]
    tails = [p.tail for p in phrases]
    if not all(tails):
        return None
    if any(" and " in t or ", " in t for t in tails) or len(tails[0]) > 50:
        joints = ((", then ", " and finally "), ("; ", "; and also "), (", and then ", ", and then "))
        between, last = rng.choice(joints)
        last = ", and then " if k == 2 and "finally" in last else last
    else:
        between, last = ", ", rng.choice((" and ", ", and ", " as well as ", ", and also "))
    if task.act == "create":
        between, last = ", another one ", " and another one "
    return f"{phrases[0].stem} {between.join(tails[:-1])}{last}{tails[-1]}", [call(made, s) for s in several]


def _distinct(slot: Slot, first: Said, name: str, k: int, rng: Random) -> list[tuple[Any, str]] | None:
    """`k` different values of one parameter, none of them said for another one."""
    out = [first[name]]
    others = [w for n, (_, w) in first.items() if n != name]
    for _ in range(20):
        value, words = slot.kind.draw(rng)
        if all(value != v for v, _ in out) and words not in others:
            out.append((value, words))
        if len(out) == k:
            return out
    return None


def different(several: Sequence[Made], rng: Random) -> tuple[str, list[ToolCall]]:
    """An imperative and its calls, for several tools; one of them may be called several times."""
    parts: list[str] = []
    calls: list[ToolCall] = []
    twice = rng.randrange(len(several)) if rng.random() < 0.25 and len(several) < 4 else -1
    for at, made in enumerate(several):
        made_twice = same(made, rng) if at == twice else None
        if made_twice and len(made_twice[1]) <= 3:
            parts.append(made_twice[0])
            calls += made_twice[1]
            continue
        said = drawn(made, rng, mentioned=0.25, most=1)
        phrase = phrase_of(made, imperative(made.task, rng), said, rng, rng.randrange(2), alone=False)
        parts.append(phrase.text)
        calls.append(call(made, said))
    if sum(map(len, parts)) > 170 or rng.random() < 0.3:
        joints = ("Also, {}", "Then {}", "After that, {}", "In addition, {}", "I also need you to {}", "{}")
        text = parts[0]
        for n, part in enumerate(parts[1:], 1):
            last = n > 1 and n == len(parts) - 1 and rng.random() < 0.5
            joint = "Finally, {}" if last else rng.choice(joints)
            text += f". {_capital(joint.format(part))}"
        return text, calls
    if len(parts) == 2:
        joint = rng.choice((" and ", ", and ", " and also ", ", then ", " and then ", ", and please also "))
    else:
        joint = rng.choice((" and ", ", and then ", ", and finally ", " and also "))
    return f"{', '.join(parts[:-1])}{joint}{parts[-1]}", calls


def dressed(text: str, rng: Random, after: Sequence[str] = (), plain: bool = False) -> str:
    """The request around an imperative or a question (it ends with `?`): politeness, setting, mess.

    The marks of the values are gone. `plain`: a statement, to be left as it is.
    """
    first, dot, rest = text.partition(". ")
    if text.endswith("?") or plain:
        out = _capital(text if text.endswith("?") else f"{text}.")
    else:
        to_me = re.match(r"(?:tell|show|get|give|alert) (?:me|us)\b", first)
        frames = _DO if to_me or rng.random() < 0.75 else _OWN
        out = rng.choice(frames).replace("{T}", _capital(first)).replace("{t}", first)
        out += f" {rest}." if dot else ""
    out = " ".join([out, *after])
    if rng.random() < SETTING:
        out = f"{rng.choice(sentences('settings'))} {out}"
    if rng.random() < 0.08:
        out += f" {rng.choice(_THANKS)}"
    parts = re.split(f"({START}.*?{END})", out)
    if rng.random() < MESSY:
        parts = [p if p.startswith(START) else p.lower() for p in parts]
        if parts[-1].endswith((".", "?")) and rng.random() < 0.7:
            parts[-1] = parts[-1][:-1]
    if rng.random() < TYPO:
        parts = [p if p.startswith(START) else _typo(p, rng) for p in parts[:1]] + parts[1:]
    return "".join(parts).replace(START, "").replace(END, "")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _typo(text: str, rng: Random) -> str:
    """Two neighbouring letters of one word change places."""
    words = [m for m in re.finditer(r"\b[a-z]{5,}\b", text)]
    if not words:
        return text
    word = rng.choice(words)
    at = rng.randrange(word.start() + 1, word.end() - 2)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def question(slot: Slot, task: Task, rng: Random) -> tuple[str, tuple[str, ...]]:
    """What to ask for a parameter that nobody said, and the words one of which a question has to contain."""
    name = slot.param.name
    if name == "id":
        said = rng.choice(
            (
                f"Which {task.about} do you mean? Please give me its ID.",
                f"What is the ID of the {task.about}?",
            )
        )
        return said, ("id", "which", "identifier", *task.about.split()[-1:])
    verb = "are" if name.endswith("s") and slot.kind.schema["type"] == "array" else "is"
    said = rng.choice((f"What {verb} the {name}?", *(f"{w} {name} should I use?" for w in ("Which", "What"))))
    return said, tuple(dict.fromkeys((name, name.split()[-1], "which")))


def wanted(made: Made, rng: Random, skip: str = "") -> tuple[str, list[ToolCall]]:
    """A request for one call; without the parameter `skip`."""
    task = made.task
    said = drawn(made, rng, skip=skip)
    calls = [call(made, said)]
    if rng.random() < 0.04 and said and not skip:
        shown = [(n, "yes" if v is True else "no" if v is False else w) for n, (v, w) in said.items()]
        values = ", ".join(f"{n} {_mark(w)}" for n, w in shown)
        return dressed(f"{task.gist}: {values}", rng, plain=True), calls
    asks = [s for s in task.says if s.endswith("?")]
    if task.nominal and rng.random() < 0.45:
        verb = "are" if task.plural else "is"
        lead = rng.choice(
            (
                f"what {verb}",
                f"what {verb}",
                f"what {verb}",
                "I need",
                "I'd like to know",
                "can you give me",
                "do you know",
            )
        )
        say, mark = f"{lead} {task.says[0]}", "." if lead.startswith("I") else "?"
    elif asks and rng.random() < 0.3:
        say, mark = asks[0][:-1], "?"
    else:
        say, mark = imperative(task, rng), ""
    phrase = phrase_of(made, say, said, rng, rng.randrange(2), skip=skip)
    text = phrase.text
    return dressed(text + ("?" if mark == "?" else ""), rng, phrase.after, plain=bool(mark)), calls
