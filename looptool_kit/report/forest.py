"""A forest plot as static SVG, for pages without scripts: colours are variables of `page_style.jinja`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from looptool_kit.core.stats import Clustered
from looptool_kit.core.terminal import visible

WIDTH, TALL, TOP, FOOT = 860.0, 34.0, 10.0, 26.0
"""Pixels: of the drawing, of a row, above the rows, below them."""
CHARACTER = 6.6
"""Width of a character of a name, in pixels."""
LONGEST_NAME = 48


def forest_svg(rows: Sequence[tuple[str, Clustered]], title: str, write: Callable[[float], str]) -> str:
    """Differences (the first row on top) with their intervals, a line at zero, each seed's own as a ring.

    Args:
        rows: Name and difference; finite.
        title: For screen readers.
        write: Writes a difference, as on the axis and in the tooltips.
    """
    names = [_short(name) for name, _ in rows]
    left, right = 12 + CHARACTER * max(map(len, names), default=0), WIDTH - 14
    bottom = TOP + TALL * len(rows)
    reach = 1.05 * max((abs(v) for _, d in rows for v in (d.lo, d.hi, *d.by_seed)), default=1.0) or 1.0

    def x_of(value: float) -> float:
        return left + (value / reach + 1) / 2 * (right - left)

    size = {"viewBox": f"0 0 {WIDTH:g} {bottom + FOOT:g}", "role": "img", "aria-label": visible(title)}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "forest", **size})
    _put(root, "line", "zero", x1=x_of(0), y1=TOP, x2=x_of(0), y2=bottom)
    for tick in _ticks(reach):
        _put(root, "line", "tick", x1=x_of(tick), y1=bottom, x2=x_of(tick), y2=bottom + 4)
        _put(root, "text", "dim", x=x_of(tick), y=bottom + 18, text_anchor="middle").text = write(tick)
    for i, (name, (full, d)) in enumerate(zip(names, rows, strict=True)):
        y = TOP + TALL * (i + 0.4)
        _put(root, "text", "", x=left - 10, y=y + 4, text_anchor="end").text = name
        group = SubElement(root, "g", {"class": _side(d)})
        SubElement(
            group, "title"
        ).text = f"{visible(full)}: {write(d.difference)}, 95%: {write(d.lo)} to {write(d.hi)}"
        _put(group, "line", "", x1=x_of(d.lo), y1=y, x2=x_of(d.hi), y2=y)
        _put(group, "circle", "", cx=x_of(d.difference), cy=y, r=4.5)
        for own in d.by_seed:
            ring = _put(root, "circle", "ring", cx=x_of(own), cy=y + 10, r=2.5)
            SubElement(ring, "title").text = f"one seed: {write(own)}"
    return tostring(root, encoding="unicode")


def _side(d: Clustered) -> str:
    return "open" if d.lo <= 0 <= d.hi else "better" if d.lo > 0 else "worse"


def _short(name: str) -> str:
    text = visible(name)
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def _ticks(reach: float) -> list[float]:
    """Round numbers from -reach to reach, about eight."""
    power = 10.0 ** math.floor(math.log10(reach / 4))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= reach / 4 * 0.999)
    most = math.floor(reach / step + 1e-9)
    return [i * step for i in range(-most, most + 1)]


def _put(parent: Element, tag: str, of_class: str, **attributes: Any) -> Element:
    named = {
        k.replace("_", "-"): f"{round(v, 2):g}" if isinstance(v, float | int) else v
        for k, v in attributes.items()
    }
    return SubElement(parent, tag, {**({"class": of_class} if of_class else {}), **named})
