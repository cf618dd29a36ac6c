"""Histograms over a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from xml.etree.ElementTree import Element

from looptool_kit.core.records import State
from looptool_kit.drawing._svg import (
    INK,
    STATE_COLOURS,
    axis_x,
    axis_y,
    markup,
    number,
    put,
    svg,
    ticks,
    write,
)

Scale = Callable[[float], float]
MAX_MARKS = 16
"""Marks of an axis; more would run into each other."""
NEAR_ONE = 0.999
"""Origin of an axis of perplexities.

A trained policy is nearly sure of most answers: on an axis of plain logarithms they stand in one bar, and the
threshold that is to part them is somewhere in it. At 1 itself an answer of perplexity 1 would have no place.
"""


def histogram(
    edges: Sequence[float],
    counts: Mapping[State, Sequence[int]],
    title: str,
    x_label: str,
    width: float = 960,
    height: float = 210,
    origin: float = 0.0,
    threshold: float | None = None,
) -> str:
    """Stacked bars over a logarithmic axis.

    The first and last bin hold whatever lies beyond. For the page, `data-left`, `data-right`, `data-top` and
    `data-bottom` give the place of the plot, `data-low` and `data-high` the logarithms of what the outer
    edges have above `data-origin`.
    Each bin's rectangle has `data-bin` and its numbers as tooltip.

    Args:
        edges: the B + 1 bounds of B bins, above the origin.
        counts: state -> B counts, the first state at the bottom.
        title: for screen readers.
        x_label: name of the x axis.
        width: of the drawing, in pixels.
        height: of the drawing, in pixels.
        origin: the axis is logarithmic in what a value has above it.
        threshold: for a still, a line at it and a key of the colours, which the page has beside the drawing.
    """
    left, top, right, bottom = 48.0, 8.0 if threshold is None else 26.0, width - 8, height - 34
    low, high = math.log(edges[0] - origin), math.log(edges[-1] - origin)
    place = {
        "data-left": left,
        "data-right": right,
        "data-top": top,
        "data-bottom": bottom,
        "data-low": repr(low),
        "data-high": repr(high),
        "data-origin": repr(origin),
    }
    root = svg(title, width, height, {"class": "lt-histogram", **place})
    most = max((sum(bars) for bars in zip(*counts.values(), strict=True)), default=0) or 1

    def x_of(value: float) -> float:
        return left + (math.log(value - origin) - low) / (high - low) * (right - left)

    def y_of(count: float) -> float:
        return bottom - count / most * (bottom - top)

    whole = [(y_of(t), number(t)) for t in ticks(0, most, 4) if t == int(t)]
    axis_y(root, whole, (left, right), label="samples", middle=(top + bottom) / 2)
    marks = [(x_of(t), number(t)) for t in _marks(edges[0], edges[-1], origin)]
    axis_x(root, marks, (top, bottom), label=x_label, middle=(left + right) / 2)
    x = [x_of(edge) for edge in edges]
    _bars(root, x, counts, y_of)
    _tooltips(root, x, (top, bottom), edges, counts, x_label)
    if threshold is not None:
        _key(root, left, {state: sum(bars) for state, bars in counts.items()})
        at = min(max(x_of(max(threshold, edges[0])), left), right)
        put(root, "line", x1=at, y1=top - 6, x2=at, y2=bottom, style=f"stroke:{INK};stroke-width:2")
        anchor, aside = ("end", -5) if at > (left + right) / 2 else ("start", 5)
        write(root, at + aside, top - 1, f"threshold {threshold:.4f}", anchor=anchor)
    return markup(root)


def _key(root: Element, x: float, counts: Mapping[State, int]) -> None:
    """The colours of the states, above the plot."""
    for state, count in counts.items():
        words = f"{count:,} {state}"
        put(root, "rect", x=x, y=3, width=10, height=10, style=f"fill:{STATE_COLOURS[state]}")
        write(root, x + 15, 8, words)
        x += 30 + 6.2 * len(words)


def _marks(low: float, high: float, origin: float) -> list[float]:
    """Round numbers for a logarithmic axis; with an origin, round distances from the next whole number."""
    if high - origin < 8 * (low - origin):
        return ticks(low, high, 10)
    whole = math.ceil(origin) if origin else 0
    reach = high - whole
    powers = range(math.floor(math.log10(low - origin)), math.ceil(math.log10(reach)) + 1)
    for steps in ((1, 2, 5), (1,)):
        marks = [m * 10.0**p + (whole if p < 0 else 0) for p in powers for m in steps]
        shown = sorted({m for m in [*marks, *([float(whole)] if origin else [])] if low <= m <= high})
        if len(shown) <= MAX_MARKS:
            break
    return shown


def _bars(root: Element, x: Sequence[float], counts: Mapping[State, Sequence[int]], y_of: Scale) -> None:
    """One path for all bars of a state."""
    base = [0] * (len(x) - 1)
    for state, bars in counts.items():
        parts = []
        for i, n in enumerate(bars):
            if n:
                floor, base[i] = y_of(base[i]), base[i] + n
                parts.append(
                    f"M{x[i] + 0.5:.1f},{floor:.1f}V{y_of(base[i]):.1f}H{x[i + 1] - 0.5:.1f}V{floor:.1f}Z"
                )
        if parts:
            put(root, "path", d="".join(parts), data_state=state, style=f"fill:{STATE_COLOURS[state]}")


def _tooltips(
    root: Element,
    x: Sequence[float],
    span: tuple[float, float],
    edges: Sequence[float],
    counts: Mapping[State, Sequence[int]],
    x_label: str,
) -> None:
    """Each bin's numbers, in a rectangle as high as the plot.

    That is easier to point at than a low bar.
    """
    last = len(edges) - 2
    for i, bars in enumerate(zip(*counts.values(), strict=True)):
        if any(bars):
            words = ", ".join(f"{n:,} {state}" for state, n in zip(counts, bars, strict=True) if n)
            reach = f"{edges[i]:.4g} to {edges[i + 1]:.4g}{' and above' if i == last else ''}"
            put(
                root,
                "rect",
                x=x[i],
                y=span[0],
                width=x[i + 1] - x[i],
                height=span[1] - span[0],
                data_bin=i,
                style="fill:transparent",
                about=f"{x_label} {reach}: {words}",
            )
