"""Languages, currencies and countries by their codes and other names.

The names, in the languages most used, are those of Unicode's CLDR, as Babel has them. What people call them
in English besides ("bucks") stands in `words.SYNONYMS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from looptool_kit.text.grounding.phrases import phrase_places
from looptool_kit.text.grounding.scores import SYNONYM
from looptool_kit.text.grounding.support import Support
from looptool_kit.text.passages import Dialogue
from looptool_kit.text.words import whole_stems

_LOCALES = (
    *("en", "zh", "hi", "es", "ar", "fr", "bn", "pt", "ru", "id", "de", "ja", "sw", "tr", "vi", "ko", "it"),
    *("th", "pl", "uk", "nl", "ro", "el", "cs", "hu", "sv", "da", "nb", "fi", "he", "fa", "zh_Hant"),
)
_TABLES = {
    "languages": {"language", "lang", "locale", "dialect"},
    "currencies": {"currency"},
    "territories": {"country", "nation", "nationality", "region", "territory", "market"},
}
"""Babel's table -> the words of parameters whose values it names."""
_SHORTEST = 2
"""Letters that a name has at least; the Chinese ones have two."""


@lru_cache(3)
def _table(table: str) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """Code -> names and name -> codes, all in lower case."""
    from babel import Locale

    names: dict[str, set[str]] = {}
    codes: dict[str, set[str]] = {}
    for locale in _LOCALES:
        for code, name in getattr(Locale.parse(locale), table).items():
            if len(name) >= _SHORTEST:
                names.setdefault(code.lower(), set()).add(name.lower())
                codes.setdefault(name.lower(), set()).add(code.lower())
    return {k: frozenset(v) for k, v in names.items()}, {k: frozenset(v) for k, v in codes.items()}


@lru_cache(4096)
def _other_names(value: str, table: str) -> list[tuple[str, ...]]:
    """What else a code or name is called, each as its stems, in a fixed order."""
    names, codes = _table(table)
    low = value.strip().lower().replace("-", "_")
    found = set(names.get(low, ()))
    if table == "languages":  # "pt-BR" is Portuguese too
        found.update(names.get(low.partition("_")[0], ()))
    found = found or {other for code in codes.get(value.strip().lower(), ()) for other in names[code]}
    return sorted({stems for name in found if (stems := whole_stems(name))})


def named_places(value: str, words: set[str], d: Dialogue) -> Iterator[Support]:
    """Other names of a language, currency or country, where they are said.

    Args:
        value: A code ("fr", "pt-BR", "USD") or a name.
        words: Stems of the parameter's name and description.
        d: What was said.
    """
    for table, told in _TABLES.items():
        if told & words:
            for name in _other_names(value, table):
                yield from phrase_places(name, d, SYNONYM)
