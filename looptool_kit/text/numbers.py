"""How a number is read: digits, English words, sums of money, percentages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from num2words import num2words

from looptool_kit.text.mentions import Found
from looptool_kit.text.words import UNSPACED

_SMALL = {num2words(n): float(n) for n in range(20)} | {"no": 0.0}
_TENS = {num2words(n): float(n) for n in range(20, 100, 10)}
_HUNDRED, _DOZEN = 100.0, 12.0
_SCALES = {"hundred": _HUNDRED, "thousand": 1e3, "million": 1e6, "billion": 1e9, "dozen": _DOZEN}
_PHRASES = {
    "half a dozen": 6.0, "a half dozen": 6.0, "half-dozen": 6.0, "a couple": 2.0, "a pair": 2.0,
    "a few": 3.0, "a hundred": 100.0, "a thousand": 1000.0, "a million": 1e6, "a dozen": 12.0,
    "a half": 0.5, "half a": 0.5, "a quarter": 0.25, "three quarters": 0.75, "a third": 1 / 3,
    "once": 1.0, "twice": 2.0, "a single": 1.0, "half": 0.5,
}  # fmt: skip
"""Numbers that are not the sum of their words."""
_FRACTIONS = {"½": 0.5, "¼": 0.25, "¾": 0.75, "and a half": 0.5, "and a quarter": 0.25}
_SUFFIX = {
    "k": 1e3,
    "m": 1e6,
    "bn": 1e9,
    **dict.fromkeys("万萬만", 1e4),
    **dict.fromkeys("亿億억", 1e8),
} | _SCALES
_CURRENCY = {
    "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "usd": "USD", "dollar": "USD",
    "buck": "USD", "eur": "EUR", "euro": "EUR", "gbp": "GBP", "pound": "GBP", "yen": "JPY", "jpy": "JPY",
    "franc": "CHF", "chf": "CHF", "rupee": "INR", "inr": "INR", "cad": "CAD", "aud": "AUD",
}  # fmt: skip

_ANY_SMALL = "|".join(sorted((*_SMALL, *_TENS), key=len, reverse=True))
# Every repetition that a pattern may start again at each place of a text has a bound, or a run of such words
# costs the square of its length. No number has more than 24 words; a longer run is read as several.
_MORE_SMALL = (
    rf"(?:[ -](?:{_ANY_SMALL}|{'|'.join(_SCALES)})(?![a-z])|,? and (?:{_ANY_SMALL}|a half|a"
    r" quarter)(?![a-z]))"
)
WORD_NUMBER = rf"(?:{_ANY_SMALL}){_MORE_SMALL}{{0,24}}"
"""Pattern of a number in words, summed word by word."""
PHRASE_NUMBER = "|".join(sorted(map(re.escape, _PHRASES), key=len, reverse=True))
"""Pattern of a number that is a phrase, as "a couple"."""
DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
"""Pattern of a number in digits, with or without commas between the thousands."""
_MEASURE = (
    r"(?:%|€|£|°|(?:cups?|tea ?spoons?|table ?spoons?|tsp|tbsp|inch(?:es)?|feet|foot|ft|miles?|acres?|"
    r"gallons?|pints?|quarts?|ounces?|oz|pounds?|lbs?|tons?|hours?|hrs?|pages?|(?:milli|centi|kilo)?"
    r"(?:met|lit)(?:er|re)s?|(?:kilo|milli)?grams?|[kcm]?[mlg]|[kmg]?(?:hz|w|b)|v|h|euros?|bar|degrees?)"
    r"(?![a-z]))"
)
"""What follows a number that was measured: then "3/4" is not a date, and "1,82" not two numbers."""
FRACTION = rf"\d/(?:[2-68]|10|16)(?=[ -]?{_MEASURE}| of (?:an?|the|my|your) )"
"""Pattern of a fraction in digits, as in "3/4 cup"."""
_DECIMAL_COMMA = rf"(?(money)\d{{1,3}},\d\d(?!\d)|\d{{1,3}},\d{{1,2}}(?= ?{_MEASURE}))"
_SCALED = rf"(?:a )?(?:hundred|thousand)(?:,? (?:and )?(?:{_ANY_SMALL})(?:[ -](?:{_ANY_SMALL})){{0,24}})?"
_AMOUNT = re.compile(
    rf"(?:(?<![^\W{UNSPACED}])|(?<=\dx))(?<!\.)"
    rf"(?P<sign>[-−]|minus )?(?P<money>[$€£¥₹] ?)?(?:(?P<over>(?:\d{{1,3}} )?{FRACTION})|"
    rf"(?P<digits>{_DECIMAL_COMMA}|{DIGITS})(?P<mixed> and a half| and a quarter| ?[½¼¾])?"
    r"(?P<power>(?: ?[x×*] ?10 ?\^ ?|e)[-+−]?\d{1,3}(?![\w.]))?"
    rf"(?P<ord>st|nd|rd|th)?(?P<scale>(?: ?(?:k|m|bn|[万萬만亿億억])|["
    rf" -](?:hundred|thousand|million|billion|dozen))(?![a-z^/]))?"
    rf"|(?P<phrase>{_SCALED}(?![a-z])|(?:{PHRASE_NUMBER})(?![a-z]))|(?P<words>{WORD_NUMBER})(?![a-z]))"
    r"(?P<unit> ?%| per ?cent| (?:us"
    r" )?(?:dollars?|bucks?|euros?|pounds?|yen|francs?|rupees?|usd|eur|gbp|jpy|chf|inr|cad|aud)(?![a-z])|"
    r" ?[€£])?"
)
_MANY = re.compile(r" [a-z]{4,}s\b")
"""A plural noun behind "2m": what is counted in millions."""
ORDINALS = {num2words(n, to="ordinal"): n for n in range(1, 32)}
"""First to thirty-first."""
_ORDINAL = re.compile(
    r"(?<![\w-])(?<!\ba )(?<!\bper )(?<!every )(?<!\d )(?<!half )"
    rf"({'|'.join(sorted(ORDINALS, key=len, reverse=True)).replace('-', '[- ]')})(?![\w-])(?! ?[,:])"
)
"""An ordinal in words that counts something; not "a third", "per second", or the "First," of a list of steps.
"""
_NOT_COUNTED = (" things", " favour", " favor", " more thing")
"""What follows a number that is a manner of speaking: "two things", "one favour"."""


@lru_cache(4096)
def number(words: str) -> float | None:
    """The value of a number in digits or English words.

    Reads "1.5k", "two and a half", "a hundred and fifty"; None where the words are not one number.
    """
    match = _AMOUNT.fullmatch(words.lower().strip())
    return _amounts(match)[0] if match else None


def find_numbers(text: str, today: date | None) -> Iterator[Found]:
    """The numbers of a text in lower case.

    A percentage is read as written, then as a share of one.
    """
    for match in _AMOUNT.finditer(text):
        if text.startswith(_NOT_COUNTED, match.end()):
            continue
        unit = _unit(match)
        for value in _amounts(match):
            yield (
                "number",
                match,
                (value, value / 100)
                if unit == "%"
                else (value, *_other_scale(match), *_listed(match), *_minus(match)),
                unit,
            )


def find_ordinals(text: str, today: date | None) -> Iterator[Found]:
    """Find the ordinals in words of a text.

    In lower case: "the third item".
    """
    for match in _ORDINAL.finditer(text):
        yield "ordinal", match, (float(ORDINALS[match[1].replace(" ", "-")]),), ""


def _listed(match: re.Match[str]) -> tuple[float, ...]:
    """The numbers of a list without spaces, which reads as one number with commas: "[200,300]", "3,5 kg"."""
    digits, text = match["digits"] or "", match.string
    if _is_decimal_comma(digits):
        return tuple(float(part) for part in digits.split(","))
    if (
        "," not in digits
        or match["money"]
        or text[max(0, match.start() - 1) : match.start()] not in ("[", "(", ",")
    ):
        return ()
    return tuple(float(part) for part in digits.split(","))


def _minus(match: re.Match[str]) -> tuple[float, ...]:
    """The number below zero, where a minus with a space before it may be its sign: "5x - 7"."""
    return (
        tuple(-v for v in _amounts(match)) if re.search(r"[-−] $", match.string[: match.start()][-2:]) else ()
    )


def _other_scale(match: re.Match[str]) -> tuple[float, ...]:
    """The number without its "k", or with its "m" as millions, where either may be meant.

    "298K" is a temperature as well as 298,000, and "2m followers" are millions where "a 2m cable" is not.
    """
    scale = (match["scale"] or "").strip(" -") if match["digits"] else ""
    if match["money"] or scale not in ("k", "m"):
        return ()
    digits = float(_plain(match["digits"]))
    if scale == "k":
        return (digits,)
    return (digits * _SUFFIX["m"],) if _MANY.match(match.string, match.end()) else ()


def _unit(match: re.Match[str]) -> str:
    """`%`, a currency's code, or nothing.

    A currency's name counts before its sign.
    """
    name = (match["unit"] or "").strip()
    if name.startswith(("%", "per")):
        return "%"
    name = re.sub(r"^us ", "", name).rstrip("s")
    return _CURRENCY.get(name or (match["money"] or "").strip(), "")


def _amounts(match: re.Match[str]) -> list[float]:
    """The values of one match.

    "Two hundred and six" is one value, "two and three" are two.
    """
    if match["over"]:
        whole, _, fraction = match["over"].rpartition(" ")
        above, _, below = fraction.partition("/")
        values = [float(whole or 0) + float(above) / float(below)]
    elif match["digits"]:
        digits = _plain(match["digits"])
        value = float(digits) + _FRACTIONS.get((match["mixed"] or "").strip(), 0.0)
        if match["power"]:
            # As a person writes it, so that the sum of roundings is that of the same number in JSON.
            exponent = re.sub(r"^(?: ?[x×*] ?10 ?\^ ?|e)", "", match["power"]).replace("−", "-")
            value = float(f"{digits}e{int(exponent)}")
        scale = (match["scale"] or "").strip(" -")
        # A bare "m" is metres or minutes: it means millions of money alone.
        values = [value * (1.0 if scale == "m" and not _is_money(match) else _SUFFIX.get(scale, 1.0))]
    elif match["phrase"] in _PHRASES:
        values = [_PHRASES[match["phrase"]]]
    else:
        values = _sum_words(re.split(r"[\s,-]+", match["phrase"] or match["words"]))
    return [-v for v in values] if match["sign"] else values


def _plain(digits: str) -> str:
    """Digits as Python reads them."""
    return digits.replace(",", "." if _is_decimal_comma(digits) else "")


def _is_decimal_comma(digits: str) -> bool:
    """True for "1,82": a comma between thousands has three digits behind it."""
    return "," in digits and len(digits.rpartition(",")[2].partition(".")[0]) < 3


def _is_money(match: re.Match[str]) -> bool:
    return bool(match["money"] or (match["unit"] or "").strip() not in ("", "%"))


def _sum_words(words: list[str]) -> list[float]:
    """The values of a run of number words."""
    values: list[float] = []
    total, current, last = 0.0, 0.0, ""
    joined = False
    for at, word in enumerate(words):
        if word in ("and", "a"):
            joined = word == "and" or joined
            continue
        if word in ("half", "quarter"):
            current += 0.5 if word == "half" else 0.25
        elif word in _SCALES:
            scale = _SCALES[word]
            if scale in (_HUNDRED, _DOZEN):
                # "Two hundred thousand": these multiply what stands before, larger ones close a group.
                current = (current or 1.0) * scale
            else:
                total, current = total + (current or 1.0) * scale, 0.0
        elif at and last not in _SCALES and not (_is_pair(last, word) and not joined):
            # "Two three" and "twenty and six" are two numbers, "twenty six" is one.
            values.append(total + current)
            total, current = 0.0, _small(word)
        else:
            current += _small(word)
        last, joined = word, False
    return [*values, total + current]


def _is_pair(tens: str, ones: str) -> bool:
    """True where two words make one number, as "twenty" and "six"."""
    return tens in _TENS and 0 < _SMALL.get(ones, 0.0) < 10


def _small(word: str) -> float:
    return _SMALL.get(word, _TENS.get(word, 0.0))
