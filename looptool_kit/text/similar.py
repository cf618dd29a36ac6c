"""How alike texts are: TF-IDF vectors of characters, and their cosines.

Character runs find what words miss: "booking" and "book", `camelCase` and `snake_case`, a plural.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from looptool_kit.core.samples import Tool
from looptool_kit.text.words import COMMANDS, STOP, alike, stems

if TYPE_CHECKING:
    import numpy as np

PREFIXES = frozenset({"api", "app", "tool"})
"""Words before the verb of a tool's name, which say nothing."""
LENGTHS = (3, 4, 5)
"""Characters of a run, spaces between words among them."""
BLOCK = 256
"""Texts whose vectors are held at once: a matrix of them takes some tens of megabytes."""


def tool_text(tool: Tool) -> str:
    """Return what a tool says of itself.

    Name, description, and its parameters with theirs. Words that a name joins by style stand apart.
    """
    parts = [tool.name, tool.description, *_described(tool.parameters)]
    return " ".join(re.sub(r"(?<=[a-z\d])(?=[A-Z])|[\W_]+", " ", part).strip() for part in parts).lower()


def _described(schema: Any) -> Iterable[str]:
    """The names, descriptions and choices of the properties, at any depth."""
    if not isinstance(schema, dict):
        return
    for name, inner in (schema.get("properties") or {}).items():
        yield name
        if isinstance(inner, dict):
            yield str(inner.get("description", ""))
            yield " ".join(map(str, inner.get("enum", ())))
        yield from _described(inner)
    yield from _described(schema.get("items"))


def different_things(a: Tool, b: Tool) -> bool:
    """Whether two tools are about different things.

    Each is about something that the other never mentions. Moving a viewing and moving a vet appointment share
    the rest.
    """
    return _about_more(a, b) and _about_more(b, a)


def _about_more(tool: Tool, other: Tool) -> bool:
    """Whether name and description of a tool agree on a thing that another never mentions."""
    name = [w for w in stems(tool.name) if w not in PREFIXES]
    description = stems(tool.description)
    # Both begin with what is done ("fetch_order", "Fetch an order."); a synonym of it makes no other tool.
    verbs = {w for w in name[:1] if w in COMMANDS or [w] == [*description[:1]]}
    things = (set(name) & set(description)) - verbs - STOP
    words = frozenset(stems(" ".join((other.name, other.description, *other.properties)))) - STOP
    return any(not any(alike(w, o) for o in words) for w in things)


def runs(text: str) -> Counter[str]:
    """The character runs of a text, each with its count."""
    line = " ".join(text.split())
    return Counter(line[at : at + n] for n in LENGTHS for at in range(len(line) - n + 1))


class Similarity:
    """Cosines of texts by their rare character runs.

    By how rare the runs are in a corpus. A run weighs (1 + ln count) * (1 + ln((1 + N) / (1 + df))),
    where df of the N texts of the corpus have it (log counts and smoothed inverse document frequency);
    vectors have unit length.
    """

    def __init__(self, corpus: Sequence[str]) -> None:
        self._documents = len(corpus)
        self._frequency = Counter(run for text in corpus for run in runs(text))

    def cosines(self, texts: Sequence[str], others: Sequence[str]) -> np.ndarray:
        """Return a matrix: a row for each text, columns for `others`.

        0 for a text without words.
        """
        import numpy as np

        counted = [runs(text) for text in texts]
        columns = {run: at for at, run in enumerate(dict.fromkeys(r for c in counted for r in c))}
        rows = self._matrix(counted, columns)
        blocks = [others[at : at + BLOCK] for at in range(0, len(others), BLOCK)]
        products = [rows @ self._matrix([runs(t) for t in block], columns).T for block in blocks]
        return np.hstack(products) if products else np.zeros((len(texts), 0))

    def _matrix(self, counted: Sequence[Counter[str]], columns: dict[str, int]) -> np.ndarray:
        """Unit vectors, of which only the columns are kept that the other side has too."""
        import numpy as np

        matrix = np.zeros((len(counted), len(columns)))
        for row, counts in enumerate(counted):
            rarity = np.log(
                (1 + self._documents) / (1 + np.array([self._frequency[r] for r in counts] or [0]))
            )
            weights = (1 + np.log(np.array([*counts.values()] or [1]))) * (1 + rarity)
            weights /= np.linalg.norm(weights)
            for run, weight in zip(counts, weights, strict=False):
                if run in columns:
                    matrix[row, columns[run]] = weight
        return matrix
