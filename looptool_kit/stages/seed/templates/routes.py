"""Operations that only their method and path describe."""

from __future__ import annotations

import re

from looptool_kit.stages.seed.templates.names import words_of
from looptool_kit.stages.seed.templates.nouns import plural
from looptool_kit.text.words import stem

_BY_METHOD = {
    "GET": "get", "HEAD": "check", "POST": "create", "PUT": "set", "PATCH": "update", "DELETE": "delete",
}  # fmt: skip


def from_route(method: str, route: str) -> tuple[str, str, bool] | None:
    """What an operation does that only its method and path describe.

    `DELETE /guilds/{guild}/members/{user}` -> ("delete", "a member").
    """
    parts = [p for p in route.split("/") if p]
    words = [words_of(p) for p in parts if "{" not in p and not re.fullmatch(r"v\d+|api", p)]
    if not words or method not in _BY_METHOD:
        return None
    one = "{" in parts[-1] or method == "POST"
    noun, verb = words[-1], _BY_METHOD[method]
    if method == "GET" and not one and plural(noun):
        return "list", f"the {noun}", True
    noun = " ".join([*noun.split()[:-1], stem(noun.split()[-1])]) if one else noun
    noun = re.sub(r"\bids?$", "ID", noun)
    return verb, f"a{'n' if noun[0] in 'aeiou' else ''} {noun}" if one else f"the {noun}", True
