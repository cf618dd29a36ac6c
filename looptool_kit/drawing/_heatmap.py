"""Heat maps."""

from __future__ import annotations

from collections.abc import Sequence

from looptool_kit.drawing._svg import RULE, SERIES, markup, put, short, svg, write

_BLUE, _RED, _AMBER, *_ = SERIES


def heatmap(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    title: str,
    *,
    diverging: bool = False,
    width: float = 640,
) -> str:
    """A table of coloured cells with their numbers.

    Cells that are not zero carry `data-row`, `data-column` and `data-value` for the page.

    Args:
        rows: names of the rows.
        columns: names of the columns.
        values: `values[r][c]`.
        title: stands above the map.
        diverging: show signed numbers, positive in one colour and negative in another.
        width: wanted, in pixels; long names and many columns make the map wider.
    """
    most = max((abs(v) for line in values for v in line), default=0) or 1.0
    left = min(230.0, 14 + 6.4 * max((len(short(r)) for r in rows), default=0))
    head = 26 + min(120.0, 4.6 * max((len(short(c)) for c in columns), default=0))
    cell, tall = min(64.0, max(30.0, (width - left - 70) / max(1, len(columns)))), 21.0
    size = left + cell * len(columns) + 76, head + tall * len(rows) + 6
    root = svg(title, *size, {"class": "lt-heat", "role": "group"})
    write(root, 4, 9, title, font_weight="600")
    for c, name in enumerate(columns):
        x = left + cell * (c + 0.5)
        write(root, x, head - 8, short(name), transform=f"rotate(-38 {x:g} {head - 8:g})")
    for r, name in enumerate(rows):
        y = head + tall * r
        write(root, left - 6, y + tall / 2, short(name), anchor="end")
        for c, value in enumerate(values[r]):
            x = left + cell * c
            box = {"x": x + 1, "y": y + 1, "width": cell - 2, "height": tall - 2}
            if not value:
                put(root, "rect", {**box, "style": f"fill:{RULE};fill-opacity:.12"})
                continue
            colour = _AMBER if not diverging else _BLUE if value < 0 else _RED
            words = f"{value:+g}".replace("-", "−") if diverging else f"{value:g}"
            facts = {"class": "lt-cell", "data-row": r, "data-column": c, "data-value": f"{value:g}"}
            group = put(root, "g", facts, about=f"{name}, {columns[c]}: {words}")
            look = f"fill:{colour};fill-opacity:{0.12 + 0.58 * abs(value) / most:.2f}"
            put(group, "rect", {**box, "style": look})
            write(group, x + cell / 2, y + tall / 2, words, anchor="middle")
    return markup(root)
