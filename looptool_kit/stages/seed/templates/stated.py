"""What a description states of a value: a range, a length, digits, a beginning or an end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates.names import words_of
from looptool_kit.text.words import stems

_WORDS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_NUMBER = r"(-?\d[\d,]*(?:\.\d+)?)(?![\d-]*[-/:]\d)"
_GAP = r"(?: ?\([^)]*\))?(?: ?(?:%|percent|\w{1,3}))??"
_RANGES = (
    rf"\b(?:between|from) {_NUMBER}{_GAP} (?:and|to|through|up to) {_NUMBER}",
    rf"(?<![\d:./-]){_NUMBER}{_GAP} ?(?:to|through|–|—|\.\.\.?) ?{_NUMBER}",
    r"(?<![\d:./-])(-?\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)(?![-\d/:]|\.\d)",
    rf"[\[(]{_NUMBER}, ?{_NUMBER}[\])]",
)
_MOST = (
    r"\b(?:at most|no more than|not more than|up to|max(?:imum)?(?: value| allowed)?(?: is| of|:)?"
    r"|cannot exceed|must not exceed|not exceeding|less than or equal to|<=|≤)"
)
_LEAST = (
    r"(?:\bat least|\bno less than|\bnot less than|\bno fewer than|\bmin(?:imum)?(?: value| allowed)?"
    r"(?: is| of|:)?|\bgreater than or equal to|>=|≥)"
)
_BOUNDS = (
    ("maximum", rf"{_MOST} {_NUMBER}"),
    ("minimum", rf"{_LEAST} {_NUMBER}"),
    ("exclusiveMaximum", rf"(?:\b(?:less than|below|under|smaller than)|<) {_NUMBER}"),
    ("exclusiveMinimum", rf"(?:\b(?:greater than|more than|above|larger than)|>) {_NUMBER}"),
    ("multipleOf", rf"\b(?:multiples? of|in steps of|steps of) {_NUMBER}"),
)


def limits_of_number(description: str) -> dict[str, Any]:
    """Read a number's limits as JSON Schema keywords.

    "0 to 4", "at most 15", "greater than 0", "multiple of 5".
    """
    text = description.lower()
    out: dict[str, Any] = {}
    for pattern in _RANGES:
        if (match := re.search(pattern, text)) and _value(match[1]) < _value(match[2]):
            out |= {"minimum": _value(match[1]), "maximum": _value(match[2])}
            break
    for word, pattern in _BOUNDS:
        if (match := re.search(pattern, text)) and not (
            out.get("maximum") is not None and word != "multipleOf"
        ):
            out[word] = _value(match[1])
    if not out and re.search(r"\bnon-?negative\b", text):
        out["minimum"] = 0
    elif not out and re.search(r"\bpositive\b", text):
        out["exclusiveMinimum"] = 0
    return out


def _value(text: str) -> float:
    number = float(text.replace(",", ""))
    return int(number) if number.is_integer() else number


_COUNT = rf"(\d+|{'|'.join(_WORDS)})"
_AND = r",? ?(?:followed by|plus|and|then|with|\+|\(|,)? ?(?:a number of )?"
_FORM = re.compile(
    r"(?i:\b(?:digits?|letters?|char(?:acter)?s?|alphanumeric\w*|hex\w*|numeric|prefix\w*|suffix\w*|format\w*"
    r"|in (?:the|one of several) forms?|starts?|starting|begins?|beginning|ends? (?:in|with)|followed by|plus"
    r"|dash\w*|hyphen\w*|checksum|check digit|(?:upper|lower)-?case|looks? like)\b)"
    r"|(?<![\w-])[A-Z]{1,8}[-_]?(?:yyyy|yymm)|(?<![\w-])[A-Z]{1,8}[-_](?:\d|[A-Z*.…<{\[]|nn|xx|##|(?!\S))|(?<![\w-])[a-z]{2,8}_(?:[X*.…<{\[]|xx|\d)"
)
_STANDARD = re.compile(r"\b(?:UTF|ISO|RFC|IEEE|SHA|COVID)[- ]?\d+(?:[- ]\d+)?(?: formats?)?\b")


def digits_told(description: str) -> int:
    """Return how many digits a number has.

    As in "7 digits", "seven-digit"; 0 where that is not told.
    """
    match = re.search(rf"(?<!up to )(?<!at most )(?<!and )\b{_COUNT}[- ]digits?\b", description.lower())
    return _count(match[1]) if match else 0


def tells_a_form(description: str) -> bool:
    """Tell whether a description speaks of what a code looks like."""
    return _FORM.search(_STANDARD.sub("", description)) is not None


def limits_of_text(description: str) -> dict[str, Any]:
    """Read a text's length and pattern as JSON Schema keywords.

    "seven digits", "up to 64 characters", "two-letter code", "must end in `x`".
    """
    text = description.lower()
    if match := re.search(
        r"(?<![\w#])([A-Z][A-Z0-9]*(?:[-_/.]|(?=#)))((?:#+[-_/.])*#{2,})(?![\w#])", description
    ):
        digits = re.sub("#+", _digits, match[2].replace(".", "[.]"))
        return {"pattern": f"^{re.escape(match[1])}{digits}$"}
    if match := re.search(r"(?<![\w-])([A-Z][A-Z0-9]*[-_])([Xx]{2,}|[Nn]{2,})(?![\w-])", description):
        return {"pattern": f"^{re.escape(match[1])}[1-9][0-9]{{{len(match[2]) - 1}}}$"}
    if match := re.search(r"(?<![\w-])([A-Z][A-Z0-9]+[-_])(?:\.\.\.|…|\*|[XxNn]\b)", description):
        return {"pattern": f"^{re.escape(match[1])}[1-9][0-9]{{3,4}}$"}
    if match := re.search(
        rf"\b([A-Z][A-Z0-9]*[-_]?)[`'\"]?{_AND}(?:exactly )?(?:{_COUNT}[- ])?digits\b", description
    ):
        return {"pattern": f"^{re.escape(match[1])}[0-9]{{{_count((match[2] or 'five').lower())}}}$"}
    if match := re.search(
        rf"\b(?:a|one|{_COUNT}) (?:capital )?letters? (?:and|followed by|then) {_COUNT} digits\b", text
    ):
        return {"pattern": f"^[A-Z]{{{_count(match[1] or 'one')}}}[0-9]{{{_count(match[2])}}}$"}
    if count := digits_told(description):
        return {"pattern": f"^[1-9][0-9]{{{count - 1}}}$"}
    if match := re.search(rf"\b{_COUNT}(?: capital| upper-?case)?[- ]letter\b", text):
        return {"pattern": f"^[A-Z]{{{_count(match[1])}}}$"}
    if match := re.search(
        r"\b(?:must |has to |should )?(?:start|begin)s?(?:ing)? with [`'\"]([^`'\"\s]+)[`'\"]", description
    ):
        return {"pattern": f"^{re.escape(match[1])}[a-z0-9]{{4,8}}$"}
    if match := re.search(
        r"\b(?:must |has to |should )?end(?:s|ing)? (?:in|with) [`'\"]([^`'\"\s]+)[`'\"]", description
    ):
        dot = "" if match[1].startswith(".") else r"\."
        return {"pattern": f"^[a-z]{{4,8}}{dot}{re.escape(match[1])}$"}
    if match := re.fullmatch(r"(?:exactly )?(\d+) (?:characters|letters and digits)\.?", text.strip()):
        return {"pattern": f"^[A-Z0-9]{{{match[1]}}}$"}
    out: dict[str, Any] = {}
    if match := re.search(
        r"(?:up to|at most|max(?:imum)?(?: length)?(?: is| of|:)?|no more than) (\d+) char", text
    ):
        out["maxLength"] = int(match[1])
    if match := re.search(r"(?:at least|min(?:imum)?(?: length)?(?: is| of|:)?) (\d+) char", text):
        out["minLength"] = int(match[1])
    if match := re.search(r"\b(\d+)(?: ?(?:-|to|–) ?(\d+))[- ]char", text):
        out |= {"minLength": int(match[1]), "maxLength": int(match[2])}
    return out


def _digits(marks: re.Match[str]) -> str:
    return f"[0-9]{{{len(marks[0])}}}"


def _count(word: str) -> int:
    return int(word) if word.isdigit() else _WORDS.index(word)


def with_stated(schema: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The schema with what its description states; its own keywords come first."""
    description = str(schema.get("description") or "")
    if not description or kind not in ("integer", "number", "string"):
        return dict(schema)
    if kind == "string":
        free = not {"pattern", "enum", "format", "minLength", "maxLength"} & set(schema)
        return {**(limits_of_text(description) if free else {}), **schema}
    limits = limits_of_number(description)
    if {"minimum", "exclusiveMinimum"} & set(schema):
        limits = {k: v for k, v in limits.items() if k not in ("minimum", "exclusiveMinimum")}
    if {"maximum", "exclusiveMaximum"} & set(schema):
        limits = {k: v for k, v in limits.items() if k not in ("maximum", "exclusiveMaximum")}
    return {**limits, **schema}


def described(schema: Any) -> str:
    """A parameter's description, empty where it has none."""
    return str(schema.get("description") or "") if isinstance(schema, Mapping) else ""


def sentences(text: str) -> list[str]:
    """The sentences of a description, and the parts between semicolons."""
    return re.split(r"[.;]\s", text)


def is_of(name: str, subject: str) -> bool:
    """Tell whether an ID is of whom a subject speaks.

    As in "rides of a member".
    """
    if (noun := re.fullmatch(r"(.+) (?:id|number|no|uuid)", words_of(name))) is None:
        return False
    return re.search(rf"\b(?:of|for) (?:an?|one|the) {noun[1]}\b", subject) is not None


def is_a_day(name: str, schema: Any) -> bool:
    """Whether a parameter is a date.

    Beside it "which date?" does not say which one is meant.
    """
    told = isinstance(schema, Mapping) and str(schema.get("format")) in ("date", "date-time")
    return told or re.search(r"\b(?:date|day)\b", f"{words_of(name)} {described(schema).lower()}") is not None


def which_day(noun: str) -> str:
    """The question for one of several dates."""
    return (
        f"What is the {noun}{'' if re.search(r'date|day|deadline|start|end|time|month', noun) else ' date'}?"
    )


_IN_SOME_CASES = re.compile(
    r"(?<!not )\b(?:mandatory|obligatory|required|needed (?:for|if|when|with)"
    r"|must be (?:given|set|provided|filled))\b"
)


def in_some_cases(schema: Any) -> bool:
    """Tell whether a description requires a parameter in some cases."""
    told = described(schema).lower()
    return _IN_SOME_CASES.search(told) is not None and "either" not in told


def ever_required(tool: Tool) -> frozenset[str]:
    """The required parameters, and those that are in some cases.

    A description of the parameter or of the tool says so.
    """
    telling = [s for s in sentences(tool.description.lower()) if _IN_SOME_CASES.search(s)]
    said = {word for s in telling for word in stems(s)}
    return frozenset(
        name
        for name, schema in tool.properties.items()
        if name in tool.required or in_some_cases(schema) or (telling and set(stems(name)) <= said)
    )


_ONE_AT_LEAST = re.compile(
    r"\bat least one\b|\b(?:either|one|any|some) of\b.*\b(?:must|should|has to|needs? to|required|needed)\b"
    r"|\b(?:provide|give|specify|supply|pass|set|use) (?:either|one of|one or|exactly one)\b"
    r"|\beither .* or .*\b(?:must|should|has to|required|needed)\b|\bexactly one\b"
)


def one_is_needed(tool: Tool, given: Sequence[str]) -> str:
    """The sentence that wants one of several parameters.

    Empty where there is none, or one of those that it names is always given (`given`).
    """
    told = [tool.description, *(described(s) for s in tool.properties.values())]
    for sentence in (s for text in told for s in sentences(text)):
        if _ONE_AT_LEAST.search(sentence.lower()):
            said = set(stems(sentence))
            named = [n for n in tool.properties if set(stems(n)) <= said]
            of_all = not named and not given and sentence in tool.description
            if of_all or (len(named) > 1 and not set(named) & set(given)):
                return sentence.strip(" .")
    return ""


_DEMANDS = re.compile(r"\b(?:either|both|must|needs?|should|ha(?:s|ve) to|at (?:least|most))\b")
_OF_ANSWERS = re.compile(
    r"\s*(?:returns?|shows?|gives?|lists?|finds?|includes?)\b|.*\b(?:if|when|as) (?:you|it|they) needs?\b"
)


def demanded(tool: Tool) -> str:
    """The sentence of a tool's description that demands something of a call.

    Empty where there is none. What it demands ("for holidays give both dates") nobody can see a drawn call
    to keep. Not meant are sentences about what comes back, and those that `ever_required` and
    `one_is_needed` see to.
    """
    for sentence in sentences(tool.description.lower()):
        together = not tool.required and re.search(r"\w \+ \w", sentence)  # "by number or by surname + DOB"
        seen_to = _IN_SOME_CASES.search(sentence) or _ONE_AT_LEAST.search(sentence)
        demands = together or (_DEMANDS.search(sentence) and not seen_to)
        if demands and not _OF_ANSWERS.match(sentence):
            return sentence.strip(" .")
    return ""
