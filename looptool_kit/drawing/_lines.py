"""Line charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from xml.etree.ElementTree import Element

from looptool_kit.core.terminal import visible
from looptool_kit.drawing._svg import (
    SERIES,
    axis_x,
    axis_y,
    finite,
    markup,
    number,
    put,
    svg,
    ticks,
    write,
)

Points = Sequence[tuple[float, float]]
MIN_LINE = 5
"""Points of a line; fewer are dots alone, since a line between two says more than is known."""
MAX_DOTS = 24
"""Points that have a dot each, with their values as tooltip."""
_DASHES = ("", "6 3", "2 2", "8 3 2 3", "1 3", "10 4")


def lines(
    series: Mapping[str, Points],
    title: str,
    y_label: str = "",
    x_label: str = "step",
    y_range: tuple[float, float | None] | None = None,
    width: float = 420,
    height: float = 200,
    names: Sequence[str] = (),
) -> str:
    """A line chart.

    Args:
        series: name -> points (x, y). A point that is not finite interrupts its line.
        title: stands above the chart.
        y_label: name of the y axis.
        x_label: name of the x axis.
        y_range: lowest and highest y; None, for both or for the highest: from the data.
        width: of the drawing, in pixels.
        height: of the drawing, in pixels.
        names: of all series of a set of charts, so that each has one colour in all of them.
    """
    root = svg(title, width, height, {"class": "lt-lines"})
    x0, x1, y0, y1 = _bounds(series, y_range)
    named = len(series) > 1
    left, top, right, bottom = 52.0, 38.0 if named else 24.0, width - 10, height - 34

    def at(x: float, y: float) -> tuple[float, float]:
        y = min(max(y, y0), y1)
        return left + (x - x0) / (x1 - x0) * (right - left), bottom - (y - y0) / (y1 - y0) * (bottom - top)

    write(root, left, 10, title, font_weight="600")
    y_marks = [(at(x0, y)[1], number(y)) for y in ticks(y0, y1)]
    axis_y(root, y_marks, (left, right), label=y_label, middle=(top + bottom) / 2)
    steps = [x for x in ticks(x0, x1, 6) if x == int(x)] or ticks(x0, x1, 6)
    x_marks = [(at(x, y0)[0], number(x)) for x in steps]
    axis_x(root, x_marks, (top, bottom), label=x_label, middle=(left + right) / 2)
    place = left
    order = list(names) or list(series)
    for name, points in series.items():
        i = order.index(name)
        colour, dash = SERIES[i % len(SERIES)], _DASHES[i % len(_DASHES)]
        look = f"stroke:{colour};stroke-width:1.8;fill:none" + (f";stroke-dasharray:{dash}" if dash else "")
        _line(root, name, points, at, look, colour)
        if named:
            put(root, "line", x1=place, y1=26, x2=place + 18, y2=26, style=look)
            write(root, place + 22, 26, name)
            place += 34 + 6.2 * len(visible(name))
    return markup(root)


def _bounds(
    series: Mapping[str, Points], y_range: tuple[float, float | None] | None
) -> tuple[float, float, float, float]:
    """Lowest and highest x and y of the plot, never equal."""
    shown = [(x, y) for points in series.values() for x, y in points if finite(x, y)]
    xs, ys = [x for x, _ in shown] or [0.0, 1.0], [y for _, y in shown] or [0.0, 1.0]
    x0, x1 = min(xs), max(xs)
    y0, y1 = y_range[0] if y_range else min(ys), max(ys)
    if y_range and y_range[1] is not None:
        y1 = y_range[1]
    if x0 == x1:
        x0, x1 = x0 - 0.5, x1 + 0.5
    if y0 == y1:
        y0, y1 = y0 if y_range else y0 - (abs(y0) or 1) / 10, y1 + (abs(y1) or 1) / 10
    elif y_range is None:
        y0, y1 = y0 - (y1 - y0) * 0.05, y1 + (y1 - y0) * 0.05
    return x0, x1, y0, y1


def _line(
    root: Element,
    name: str,
    points: Points,
    at: Callable[[float, float], tuple[float, float]],
    look: str,
    colour: str,
) -> None:
    """One line with a dot for each point, where they are few; of fewer than five the dots alone."""
    path, pen, single = [], "M", []
    few = len(points) < MIN_LINE
    for i, (x, y) in enumerate(points):
        if not finite(x, y):
            pen = "M"
            continue
        px, py = at(x, y)
        path.append(f"{pen}{px:.1f},{py:.1f}")
        alone = pen == "M" and (i + 1 == len(points) or not finite(*points[i + 1]))
        if alone or len(points) <= MAX_DOTS:
            single.append((px, py, f"{name}: {number(y)} at {number(x)}", 2.5 if alone or few else 1.5))
        pen = "L"
    if path and not few:
        put(root, "path", d="".join(path), style=look, about=name, data_series=visible(name))
    for px, py, words, radius in single:
        put(root, "circle", cx=px, cy=py, r=radius, style=f"fill:{colour}", about=words)
