"""Parameters of file tools that are paths, whatever they are called."""

from __future__ import annotations

import re

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.world.core import Type

PLACE_OF_FILE = r"\b(?:paths?|directory|folder)\b"
"""In a description, of something that is a file's or folder's place."""


def in_a_folder(words: str, description: str, context: str) -> Type | None:
    """Recognise `source`, `from` and the like of file tools.

    A path, and not a city.
    """
    if not (
        re.search(PLACE_OF_FILE, description.lower())
        or (description == "" and re.search(r"\b(?:files?|directory|folders?|rename)\b", context))
    ):
        return None
    if not re.search(
        r"^(?:source|destination|from|to|src|dst|dest|target|location|paths?|root|directory|folder)$", words
    ):
        return None
    return (
        lex.FOLDER if re.search(r"\b(?:directory|folder)\b", f"{words} {description.lower()}") else lex.PATH
    )
