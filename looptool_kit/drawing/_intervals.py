"""Charts of values with their intervals: forest plot, and panels of shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

from looptool_kit.core.stats import Clustered, Paired
from looptool_kit.drawing._svg import DIM, RULE, SERIES, axis_x, markup, put, short, svg, ticks, write

_BLUE, _RED, *_, _GREY = SERIES


def forest(
    rows: Sequence[tuple[str, Paired | Clustered]],
    title: str,
    say: Callable[[float], str],
    width: float = 860,
) -> str:
    """Draw a forest plot, the first row on top.

    Differences with their intervals, and a line at zero. Each random seed's own difference is a ring
    under the row's point.

    Args:
        rows: Name and difference; finite.
        title: Stands above the plot.
        say: Writes a difference, as on the axis and in the tooltips.
        width: Of the drawing, in pixels.
    """
    tall, top = 34.0, 26.0
    left = 14 + 6.4 * max((len(short(name, 48)) for name, _ in rows), default=0)
    right, bottom = width - 20, top + tall * len(rows)
    seeds = [d.by_seed if isinstance(d, Clustered) else () for _, d in rows]
    bounds = [abs(v) for (_, d), own in zip(rows, seeds, strict=True) for v in (d.lo, d.hi, *own)]
    reach = 1.05 * max(bounds, default=1.0) or 1.0

    def x_of(value: float) -> float:
        return left + (value / reach + 1) / 2 * (right - left)

    root = svg(title, width, bottom + 26, {"class": "lt-forest"})
    write(root, 4, 9, title, font_weight="600")
    axis_x(root, [(x_of(t), say(t)) for t in ticks(-reach, reach, 8)], (top, bottom))
    put(root, "line", x1=x_of(0), y1=top, x2=x_of(0), y2=bottom, style=f"stroke:{DIM};stroke-dasharray:3 3")
    for i, ((name, d), own) in enumerate(zip(rows, seeds, strict=True)):
        y = top + tall * (i + 0.4)
        colour = _GREY if d.lo <= 0 <= d.hi else _BLUE if d.lo > 0 else _RED
        write(root, left - 8, y, short(name, 48), anchor="end")
        words = f"{name}: {say(d.difference)}, 95%: {say(d.lo)} to {say(d.hi)}"
        _interval(root, (x_of(d.lo), x_of(d.difference), x_of(d.hi)), y, 4.5, colour, words)
        for one in own:
            ring = {"class": "lt-ring", "style": f"fill:none;stroke:{DIM}"}
            put(root, "circle", ring, cx=x_of(one), cy=y + 10, r=2.5, about=f"one seed: {say(one)}")
    return markup(root)


def intervals(
    rows: Sequence[tuple[str, Sequence[tuple[float, float, float] | None]]],
    columns: Sequence[str],
    title: str,
    width: float = 960,
) -> str:
    """Shares with their intervals, one panel for each column.

    Args:
        rows: name, and for each column (low, share, high), or None where there is no share.
        columns: the panels' names.
        title: for screen readers.
        width: of the drawing, in pixels.
    """
    tall, top, gap = 18.0, 34.0, 30.0
    left, bottom = 14 + 6.4 * max((len(short(name)) for name, _ in rows), default=0), top + tall * len(rows)
    wide = (width - 8 - left) / max(1, len(columns)) - gap
    root = svg(title, width, bottom + 20, {"class": "lt-intervals"})
    for i, (name, _) in enumerate(rows):
        write(root, left - 8, top + tall * (i + 0.5), short(name), anchor="end")
    for c, column in enumerate(columns):
        x0 = left + c * (wide + gap)
        write(root, x0, 20, column, font_weight="600")
        axis_x(root, [(x0 + t * wide, f"{t:g}") for t in (0, 0.5, 1)], (top, bottom))
        put(root, "rect", x=x0, y=top, width=wide, height=bottom - top, style=f"fill:none;stroke:{RULE}")
        for i, (name, shares) in enumerate(rows):
            if (share := shares[c]) is not None:
                low, value, high = share
                words = f"{name}, {column}: {value:.2f}, 95%: {low:.2f} to {high:.2f}"
                ends = (x0 + low * wide, x0 + value * wide, x0 + high * wide)
                _interval(root, ends, top + tall * (i + 0.5), 3.5, _BLUE, words)
    return markup(root)


def _interval(
    root: Element, ends: tuple[float, float, float], y: float, r: float, colour: str, about: str
) -> None:
    """A point with its interval.

    `ends`: x of its low end, the point, its high end.
    """
    low, middle, high = ends
    row = put(root, "g", about=about)
    put(row, "line", x1=low, y1=y, x2=high, y2=y, style=f"stroke:{colour};stroke-width:2")
    put(row, "circle", cx=middle, cy=y, r=r, style=f"fill:{colour}")
